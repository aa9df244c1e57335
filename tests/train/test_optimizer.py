"""Optimisers against formulas written out, schedules by hand."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from pose_jax.train.optimizer import (
  OPTIMIZERS,
  describe_schedule,
  make_optimizer,
  make_schedule,
)


def run(name, gradients, *, learning_rate=0.1, **options):
  optimizer = make_optimizer(name, lambda count: learning_rate, **options)
  params = jnp.array([1.0, -2.0])
  state = optimizer.init(params)
  for gradient in gradients:
    updates, state = optimizer.update(jnp.asarray(gradient), state, params)
    params = optax.apply_updates(params, updates)
  return np.asarray(params)


GRADIENTS = np.array([[0.5, -1.0], [0.25, 2.0], [-3.0, 0.125]], np.float32)


def by_hand(update, gradients=GRADIENTS):
  params, memory = np.array([1.0, -2.0]), {}
  for step, gradient in enumerate(gradients, 1):
    params = update(params, gradient.astype(np.float64), memory, step)
  return params


def test_sgd_adds_decay_to_the_gradient_and_keeps_momentum():
  def update(p, g, memory, _):
    memory["v"] = 0.9 * memory.get("v", 0) + g + 0.01 * p
    return p - 0.1 * memory["v"]

  got = run("sgd", GRADIENTS, momentum=0.9, weight_decay=0.01)
  np.testing.assert_allclose(got, by_hand(update), rtol=1e-6)


def test_adam_is_kingma_and_ba():
  def update(p, g, memory, t):
    memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * g * g
    m, v = memory["m"] / (1 - 0.9**t), memory["v"] / (1 - 0.999**t)
    return p - 0.1 * m / (np.sqrt(v) + 1e-8)

  np.testing.assert_allclose(run("adam", GRADIENTS), by_hand(update), rtol=1e-5)


def test_adamw_decays_apart_from_the_gradient():
  got = run("adamw", np.zeros((1, 2), np.float32), weight_decay=0.5)
  np.testing.assert_allclose(got, [0.95, -1.9], rtol=1e-6)


def test_rmsprop_is_torchs_with_epsilon_outside_the_root():
  def update(p, g, memory, _):
    memory["v"] = 0.99 * memory.get("v", 0) + 0.01 * g * g
    return p - 0.1 * g / (np.sqrt(memory["v"]) + 0.3)

  got = run("rmsprop", GRADIENTS, b2=0.99, eps=0.3)
  np.testing.assert_allclose(got, by_hand(update), rtol=1e-5)


def test_clipping_bounds_the_global_norm():
  got = run("sgd", np.array([[30.0, 40.0]], np.float32), clip_norm=1.0)
  np.testing.assert_allclose(got, [1 - 0.06, -2 - 0.08], rtol=1e-6)


def test_adam_refuses_weight_decay():
  with pytest.raises(ValueError, match="use adamw"):
    make_optimizer("adam", lambda _: 0.1, weight_decay=1e-4)


def test_unknown_names_are_answered_with_the_known():
  with pytest.raises(ValueError, match="adam, adamw, sgd, rmsprop"):
    make_optimizer("adan", lambda _: 0.1)
  with pytest.raises(ValueError, match="step, cosine, flat_cosine, con"):
    make_schedule("exp", learning_rate=1.0, num_steps=2)


def test_all_optimizers_go_downhill():
  for name in OPTIMIZERS:
    assert run(name, GRADIENTS[:1])[0] < 1.0, name


def test_step_schedule_drops_at_its_boundaries():
  schedule = make_schedule(
    "step", learning_rate=1.0, num_steps=30, boundaries_steps=(10, 20)
  )
  values = [float(schedule(i)) for i in (0, 9, 10, 19, 20, 29)]
  np.testing.assert_allclose(values, [1, 1, 0.1, 0.1, 0.01, 0.01], rtol=1e-6)


def test_warmup_rises_and_leaves_the_boundaries_where_they_were():
  schedule = make_schedule(
    "step",
    learning_rate=1.0,
    num_steps=30,
    boundaries_steps=(10,),
    warmup_steps=4,
  )
  values = [float(schedule(i)) for i in (0, 1, 2, 4, 9, 10)]
  np.testing.assert_allclose(values, [0, 0.25, 0.5, 1, 1, 0.1], rtol=1e-6)


def test_cosine_ends_at_zero():
  schedule = make_schedule("cosine", learning_rate=2.0, num_steps=10)
  values = [float(schedule(i)) for i in (0, 5, 10)]
  np.testing.assert_allclose(values, [2, 1, 0], atol=1e-6)


def test_constant_stays():
  assert make_schedule("constant", learning_rate=0.5, num_steps=9)(7) == 0.5


def test_warmup_longer_than_the_run_is_refused():
  with pytest.raises(ValueError, match="in a run of 5: shorten --config.sch"):
    make_schedule("cosine", learning_rate=1.0, num_steps=5, warmup_steps=6)


def test_flat_cosine_is_flat_then_falls_to_its_share():
  rate = make_schedule(
    "flat_cosine",
    learning_rate=4e-3,
    num_steps=1000,
    factor=0.05,
    warmup_steps=100,
  )
  steps = np.arange(0, 1001, 50)
  found = np.array([float(rate(step)) for step in steps])
  wanted = np.full(len(steps), 4e-3)
  wanted[:2] = 0, 2e-3
  half = steps >= 500
  share = (1 + np.cos(np.pi * (steps[half] - 500) / 500)) / 2
  wanted[half] = 4e-3 * (0.05 + 0.95 * share)
  np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize(
  "options, words",
  [
    (
      dict(name="step", boundaries_steps=(840, 630, 840, 2000)),
      "x 0.1 at steps 630 and 840 of 2000",
    ),
    (
      dict(name="step", boundaries_steps=(1, 2, 3), factor=0.5),
      "x 0.5 at steps 1, 2 and 3 of 2000",
    ),
    (dict(name="step", boundaries_steps=(1999,)), "x 0.1 at step 1999 of 2000"),
    (dict(name="step", boundaries_steps=(2000,)), "constant over 2000 steps"),
    (
      dict(name="cosine", warmup_steps=300),
      "cosine to 0 over 2000 steps, warm-up 300",
    ),
    (
      dict(name="flat_cosine", factor=0.05),
      "flat for half, then cosine to 5e-05 over 2000 steps",
    ),
    (dict(name="constant"), "constant over 2000 steps"),
  ],
)
def test_schedules_are_told_as_they_are(options, words):
  options |= dict(learning_rate=1e-3, num_steps=2000)
  assert describe_schedule(**options) == f"learning rate 0.001, {words}"
