"""Heatmap losses: slow loops, goldens (values and gradients), masks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.train import losses

WEIGHTED = ("mse", "ohkm")  # torch_mse has no eye for weights


def _example(seed=0, shape=(3, 6, 5, 9)):
  rng = np.random.default_rng(seed)
  maps = rng.standard_normal(shape).astype(np.float32)
  targets = rng.random(shape).astype(np.float32)
  weight = rng.choice([0, 1, 1, 0.5], (shape[0], shape[-1]))
  return maps, targets, weight.astype(np.float32)


def _error_slowly(maps, targets, weight, b, k):
  """Half the mean squared error of one weighted map."""
  total = 0.0
  height, width = maps.shape[1:3]
  for row in range(height):
    for column in range(width):
      predicted = float(weight[b, k]) * float(maps[b, row, column, k])
      wanted = float(weight[b, k]) * float(targets[b, row, column, k])
      total += (predicted - wanted) ** 2
  return 0.5 * total / (height * width)


def _loss_slowly(maps, targets, weight, top_k):
  persons = []
  for b in range(len(maps)):
    errors = sorted(
      _error_slowly(maps, targets, weight, b, k) for k in range(maps.shape[-1])
    )
    persons.append(np.mean(errors[-top_k:]))
  return np.mean(persons)


def test_mse_equals_a_slow_loop():
  example = _example()
  assert float(losses.mse(*example)) == pytest.approx(
    _loss_slowly(*example, top_k=9), rel=1e-5
  )


@pytest.mark.parametrize("top_k", [1, 4, 9])
def test_ohkm_equals_a_slow_loop(top_k):
  example = _example(1)
  assert float(losses.ohkm(*example, top_k=top_k)) == pytest.approx(
    _loss_slowly(*example, top_k=top_k), rel=1e-5
  )


def test_mse_by_hand():
  maps = np.zeros((1, 1, 2, 2), np.float32)
  targets = np.zeros_like(maps)
  targets[0, 0, :, 0] = [1, 3]
  targets[0, 0, :, 1] = [2, 0]
  weight = np.array([[1, 2]], np.float32)
  # Maps: (1 + 9) / 2 and 2^2 * 4 / 2, their mean 6.5, half of it.
  assert float(losses.mse(maps, targets, weight)) == 3.25
  assert float(losses.ohkm(maps, targets, weight, top_k=1)) == 4.0


def test_ohkm_of_all_keypoints_is_mse():
  example = _example(2)
  assert float(losses.ohkm(*example, top_k=9)) == pytest.approx(
    float(losses.mse(*example)), rel=1e-6
  )


def test_ohkm_has_gradient_only_at_the_hardest_keypoints():
  maps, targets, weight = _example(3)
  weight = np.ones_like(weight)
  gradient = jax.grad(losses.ohkm)(maps, targets, weight, top_k=2)
  reached = np.abs(gradient).sum((1, 2)) > 0
  errors = np.square(maps - targets).mean((1, 2))
  hardest = np.argsort(errors, -1)[:, -2:]
  expected = np.zeros_like(reached)
  np.put_along_axis(expected, hardest, True, -1)
  np.testing.assert_array_equal(reached, expected)


@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_padding_reaches_neither_value_nor_gradient(name):
  loss = losses.LOSSES[name]
  maps, targets, weight = _example(4)
  padded = np.concatenate([maps, np.full_like(maps[:2], np.nan)])
  padded_targets = np.concatenate([targets, targets[:2]])
  padded_weight = np.concatenate([weight, weight[:2]])
  valid = np.array([True] * 3 + [False] * 2)
  value, gradient = jax.value_and_grad(loss)(
    padded, padded_targets, padded_weight, valid=valid
  )
  plain, plain_gradient = jax.value_and_grad(loss)(maps, targets, weight)
  assert float(value) == pytest.approx(float(plain), rel=1e-6)
  np.testing.assert_allclose(gradient[:3], plain_gradient, rtol=1e-5)
  np.testing.assert_array_equal(gradient[3:], 0)


@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_nothing_valid_gives_zero(name):
  loss = losses.LOSSES[name]
  value, gradient = jax.value_and_grad(loss)(
    *_example(5), valid=np.zeros(3, bool)
  )
  assert value == 0
  np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_perfect_maps_cost_nothing(name):
  _, targets, weight = _example(6)
  assert losses.LOSSES[name](targets, targets, weight) == 0


@pytest.mark.parametrize("name", WEIGHTED)
def test_weightless_keypoints_cost_nothing(name):
  maps, targets, weight = _example(6)
  assert losses.LOSSES[name](maps, targets, np.zeros_like(weight)) == 0


def test_torch_mse_is_the_mean_square_whatever_the_weights():
  maps, targets, weight = _example(8)
  wanted = sum(
    (float(maps[i]) - float(targets[i])) ** 2 for i in np.ndindex(maps.shape)
  )
  for w in (weight, np.zeros_like(weight), 3 * weight):
    assert float(losses.torch_mse(maps, targets, w)) == pytest.approx(
      wanted / maps.size, rel=1e-5
    )
  # What Torch7's criterion says of one error of 3 in four numbers.
  one = np.zeros((1, 2, 2, 1), np.float32)
  off = one.copy()
  off[0, 1, 0, 0] = 3
  assert float(losses.torch_mse(off, one, one[:, 0, 0])) == 9 / 4


@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_jit_equals_no_jit_and_bfloat16_maps_are_summed_in_float32(name):
  loss = losses.LOSSES[name]
  maps, targets, weight = _example(7, (2, 64, 48, 9))
  assert float(jax.jit(loss)(maps, targets, weight)) == pytest.approx(
    float(loss(maps, targets, weight)), rel=1e-5
  )
  rounded = jnp.asarray(maps, jnp.bfloat16)
  value = loss(rounded, targets, weight)
  assert value.dtype == jnp.float32
  exact = loss(rounded.astype(jnp.float32), targets, weight)
  assert float(value) == pytest.approx(float(exact), rel=1e-6)


@pytest.mark.parametrize("top_k", [0, 10])
def test_impossible_top_k_is_refused(top_k):
  with pytest.raises(ValueError, match=f"the 9 keypoints, got {top_k}"):
    losses.ohkm(*_example(), top_k=top_k)


@pytest.mark.parametrize("name", WEIGHTED)
@pytest.mark.parametrize("suffix", ["w", "now"])
def test_losses_agree_with_goldens(goldens, name, suffix):
  golden = np.load(goldens / "flip_acc_loss.npz")
  maps = np.moveaxis(golden["acc_output"], 1, -1).astype(np.float32)
  targets = np.moveaxis(golden["acc_target"], 1, -1).astype(np.float32)
  weight = golden["loss_target_weight"].astype(np.float32)
  if suffix == "now":  # without weights is with weights of one
    weight = np.ones_like(weight)
  value, gradient = jax.value_and_grad(losses.LOSSES[name])(
    maps, targets, weight
  )
  # Goldens are float64; float32 sums over 3072 pixels hold 1e-5.
  assert float(value) == pytest.approx(
    float(golden[f"loss_{name}_{suffix}"]), rel=1e-5
  )
  np.testing.assert_allclose(
    np.linalg.norm(gradient, axis=(1, 2)),
    golden[f"loss_{name}_{suffix}_grad_l2_per_map"],
    rtol=1e-5,
    atol=1e-10,
  )
