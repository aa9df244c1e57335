"""Frozen modules: no gradient, no update, no new statistics, no noise."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from pose_jax.models.layers import BatchNorm
from pose_jax.models.output import PoseOutput
from pose_jax.train import frozen as lib
from pose_jax.train.losses import mse
from pose_jax.train.regression import kernels_squared
from pose_jax.train.state import init_state, init_variables
from pose_jax.train.step import train_step
from pose_jax.train.supervision import TargetRule


class Trunk(nn.Module):
  """A batch norm, and something that shows whether it is trained."""

  @nn.compact
  def __call__(self, x, train=False):
    x = nn.Conv(2, (1, 1), name="conv")(x)
    return BatchNorm(use_running_average=not train, name="norm")(x)


class Norm(nn.Module):
  """A batch norm that its parent sets to train."""

  use_running_average: bool
  axis_name: str | None = None

  @nn.compact
  def __call__(self, x):
    norm = BatchNorm(
      self.use_running_average, axis_name=self.axis_name, name="norm"
    )
    return norm(x)


class TrunkAlone(Trunk):
  """Takes its batch norm in hand."""

  @nn.compact
  def __call__(self, x, train=False):
    x = nn.Conv(2, (1, 1), name="conv")(x)
    return Norm(True, name="norm")(x)


class Network(nn.Module):
  """A trunk and two heads with batch norm."""

  axis_name: str | None = None

  @nn.compact
  def __call__(self, images, train=False):
    x = Trunk(name="trunk")(images, train)
    x = Norm(not train, self.axis_name, name="neck")(x)
    coordinates = nn.Dense(4, name="head")(x.mean((1, 2))).reshape(-1, 2, 2)
    logits = nn.Dense(2, name="other")(x.mean((1, 2)))
    return PoseOutput(
      coordinates=coordinates,
      coordinate_stages=(coordinates,),
      presence_logits=logits,
    )


def make_batch():
  rng = np.random.default_rng(0)
  return {
    "image": jnp.asarray(rng.integers(0, 256, (4, 8, 8, 3)), jnp.uint8),
    "kpts_xy_crop": jnp.asarray(rng.uniform(0, 7, (4, 2, 2)), jnp.float32),
    "vis": jnp.full((4, 2), 2, jnp.int8),
    "sample_seed": jnp.arange(4, dtype=jnp.uint32),
  }


def stepped(frozen, steps=3, **options):
  """(state before, after, metrics) of a few steps of Adam."""
  model = Network()
  optimizer = lib.optimize_the_rest(optax.adam(0.1), frozen)
  variables = init_variables(model, (8, 8), 0)
  # -0.0 is another bit pattern than 0.0, which adding 0 would make of it.
  variables["params"]["trunk"]["conv"]["bias"] = jnp.array([-0.0, 1.0])
  state = before = init_state(variables, optimizer)
  step = functools.partial(
    train_step,
    model=model,
    optimizer=optimizer,
    loss=mse,
    target=TargetRule(np.eye(2, 3), (8, 8), 1.0, True),  # of no maps
    images=lambda batch: batch["image"].astype(jnp.float32) / 255,
    frozen=frozen,
    **options,
  )
  step = jax.jit(step)
  for _ in range(steps):
    state, metrics = step(state, make_batch())
  return before, state, metrics


def bits(tree):
  return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def test_what_is_frozen_keeps_its_bits_and_the_rest_trains():
  before, after, _ = stepped(("trunk", "other"))
  for part in ("params", "batch_stats"):
    old, new = getattr(before, part), getattr(after, part)
    assert bits(old["trunk"]) == bits(new["trunk"])
    assert bits(old["neck"]) != bits(new["neck"])
  assert bits(before.params["other"]) == bits(after.params["other"])
  assert bits(before.params["head"]) != bits(after.params["head"])


def test_nothing_frozen_changes_everything():
  before, after, _ = stepped((), steps=1)
  for name in ("trunk", "neck", "head", "other"):
    assert bits(before.params[name]) != bits(after.params[name])
  assert bits(before.batch_stats["trunk"]) != bits(after.batch_stats["trunk"])


def test_the_optimiser_holds_no_moments_of_what_is_frozen():
  optimizer = optax.adam(0.1)
  params = init_variables(Network(), (8, 8), 0)["params"]
  whole = optimizer.init(params)
  part = lib.optimize_the_rest(optimizer, ("trunk",)).init(params)
  size = sum(leaf.size for leaf in jax.tree.leaves(params["trunk"]))
  sizes = [sum(x.size for x in jax.tree.leaves(s)) for s in (whole, part)]
  assert sizes[0] - sizes[1] == 2 * size  # Adam's two moments


def test_a_frozen_module_runs_by_its_running_statistics():
  model, images = Network(), jnp.ones((4, 8, 8, 3))
  variables = init_variables(model, (8, 8), 0)
  seen = set()
  with lib.at_rest(("trunk",), seen):
    _, updates = model.apply(
      variables, images, train=True, mutable=["batch_stats"]
    )
  assert seen == {"trunk"}
  old, new = variables["batch_stats"], updates["batch_stats"]
  assert bits(old["trunk"]) == bits(new["trunk"])
  assert bits(old["neck"]) != bits(new["neck"])


def test_the_penalty_leaves_frozen_kernels_out():
  params = init_variables(Network(), (8, 8), 0)["params"]
  kernels = {
    "trunk": params["trunk"]["conv"]["kernel"],
    "head": params["head"]["kernel"],
    "other": params["other"]["kernel"],
  }
  squares = {name: float(jnp.square(k).sum()) for name, k in kernels.items()}
  assert float(kernels_squared(params)) == pytest.approx(sum(squares.values()))
  without = float(kernels_squared(params, ("trunk",)))
  assert without == pytest.approx(squares["head"] + squares["other"], rel=1e-5)


def test_a_step_adds_the_penalty_to_the_loss():
  (before, _, plain), (_, _, found) = (
    stepped(("trunk",), steps=1, weight_penalty=w) for w in (0.0, 2.0)
  )
  more = 2 * float(kernels_squared(before.params, ("trunk",)))
  assert float(found["loss"]) - float(plain["loss"]) == pytest.approx(
    more, rel=1e-4
  )


@pytest.mark.parametrize(
  "frozen, message",
  [
    (("trunk", "hed"), "frozen names 'hed', which the network does not have"),
    (("neck",), "frozen names 'neck', whose batch norm cannot be run as in"),
    (("trunk/norm",), "frozen names 'trunk/norm', whose batch norm"),
    ((3,), r"frozen is \(3,\): it must hold names of modules"),
  ],
)
def test_what_cannot_be_frozen_is_named(frozen, message):
  with pytest.raises(ValueError, match=message):
    lib.check_frozen(frozen, Network(), (8, 8))


def test_something_must_be_left_to_train():
  with pytest.raises(
    ValueError, match="^frozen names conv, norm, which is the"
  ):
    lib.check_frozen(("conv", "norm"), TrunkAlone(), (8, 8))


def test_statistics_of_all_devices_can_be_checked():
  """Their axis is not there where a config is checked."""
  lib.check_frozen(("trunk",), Network(axis_name="devices"), (8, 8))


def test_parts_of_a_trunk_without_statistics_can_be_frozen():
  lib.check_frozen(("trunk/conv", "head"), Network(), (8, 8))
  assert lib.is_frozen(("trunk", "conv", "kernel"), ("trunk/conv",))
  assert not lib.is_frozen(("trunk", "convolution"), ("trunk/conv",))
