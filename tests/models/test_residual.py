"""Pre-activation units against NumPy, and how far their pixels see."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.models.layers import BatchNorm, Conv
from pose_jax.models.residual import HourglassResidual, PreactResidual

PARTS = (
  partial(Conv, use_bias=True),
  partial(BatchNorm, use_running_average=True),
)


def _variables(module, x, seed=0):
  """Variables all of whose entries are drawn."""
  shapes = jax.eval_shape(module.init, jax.random.key(0), x)
  rng = np.random.default_rng(seed)

  def draw(path, leaf):
    kind = path[-1].key
    if kind in ("scale", "var"):
      return jnp.float32(rng.uniform(0.5, 1.5, leaf.shape))
    return jnp.float32(0.3 * rng.standard_normal(leaf.shape))

  return jax.tree_util.tree_map_with_path(draw, shapes)


def _conv(x, params):
  """Padded correlation by shifting the map, float64."""
  kernel = np.float64(params["kernel"])
  size, pad = kernel.shape[0], kernel.shape[0] // 2
  height, width = x.shape[1:3]
  x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
  return np.float64(params["bias"]) + sum(
    x[:, i : i + height, j : j + width] @ kernel[i, j]
    for i in range(size)
    for j in range(size)
  )


def _active(x, variables, name):
  """relu(norm(x))."""
  params, stats = variables["params"][name], variables["batch_stats"][name]
  spread = np.sqrt(np.float64(stats["var"]) + 1e-5)
  x = (x - np.float64(stats["mean"])) / spread * np.float64(params["scale"])
  return np.maximum(x + np.float64(params["bias"]), 0)


def _slow_unit(x, variables):
  """x + F(x)."""
  y = x = np.float64(x)
  for n in (1, 2, 3):
    y = _active(y, variables, f"norm{n}")
    y = _conv(y, variables["params"][f"conv{n}"])
  if "shortcut_conv" in variables["params"]:
    x = _conv(x, variables["params"]["shortcut_conv"])
  return x + y


def _slow_pooled(x, variables):
  """P(x)."""
  y = _active(np.float64(x), variables, "pooled_norm1")
  corners = [y[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
  y = _conv(np.max(corners, axis=0), variables["params"]["pooled_conv1"])
  y = _active(y, variables, "pooled_norm2")
  y = _conv(y, variables["params"]["pooled_conv2"])
  return y.repeat(2, axis=1).repeat(2, axis=2)


@pytest.mark.parametrize("num_in", [8, 6])
def test_unit_equals_its_composition(num_in):
  x = jax.random.normal(jax.random.key(0), (2, 6, 4, num_in))
  module = PreactResidual(8, *PARTS)
  variables = _variables(module, x)
  assert ("shortcut_conv" in variables["params"]) == (num_in != 8)
  assert variables["params"]["conv2"]["kernel"].shape == (3, 3, 4, 4)
  np.testing.assert_allclose(
    module.apply(variables, x), _slow_unit(x, variables), rtol=1e-4, atol=1e-4
  )


def test_hourglass_unit_adds_a_pooled_branch():
  x = jax.random.normal(jax.random.key(0), (2, 6, 4, 8))
  module = HourglassResidual(8, *PARTS)
  variables = _variables(module, x)
  inner = {key: tree["residual"] for key, tree in variables.items()}
  np.testing.assert_allclose(
    module.apply(variables, x),
    _slow_unit(x, inner) + _slow_pooled(x, variables),
    rtol=1e-4,
    atol=1e-4,
  )


def _moved(module, side):
  """[in row, in column, out row, out column]: does one pixel move another?"""
  x = 0.1 * jax.random.normal(jax.random.key(0), (side, side, 4))
  rows, columns = np.divmod(np.arange(side**2), side)
  lifted = jnp.tile(x, (side**2, 1, 1, 1))
  # So high that it is the maximum of its cell and passes every ReLU.
  lifted = lifted.at[np.arange(side**2), rows, columns].add(10.0)
  apply = jax.jit(partial(module.apply, _variables(module, x[None])))
  change = np.abs(apply(lifted) - apply(x[None])).max(-1) > 1e-5
  return change.reshape(side, side, side, side)


@pytest.mark.parametrize(
  ("unit", "side", "count"),
  [(PreactResidual, 6, 3), (HourglassResidual, 14, 10)],
)
def test_a_pixel_sees_3_or_10_pixels_to_a_side(unit, side, count):
  moved = _moved(unit(4, *PARTS), side)
  seen = moved[:, :, side // 2, side // 2]
  assert seen.any(axis=1).sum() == seen.any(axis=0).sum() == count
  assert seen.sum() == count**2
  for i, j in np.ndindex(side, side):
    for row, column in np.ndindex(side, side):
      if unit is PreactResidual:
        reaches = abs(i - row) <= 1 and abs(j - column) <= 1
      else:  # by cells of 2x2 pixels, two 3x3 convolutions of them
        reaches = abs(i // 2 - row // 2) <= 2 and abs(j // 2 - column // 2) <= 2
      assert moved[i, j, row, column] == reaches
