"""Soft-argmax: against a loop, and where known maps lie."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.ops.soft_argmax import soft_argmax

found = jax.jit(soft_argmax, static_argnames="beta")


def maps(seed=0, shape=(2, 5, 8, 3), spread=3.0):
  rng = np.random.default_rng(seed)
  return np.float32(spread * rng.standard_normal(shape))


@pytest.mark.parametrize("beta", [1.0, 2.5])
def test_it_is_the_mean_position_of_a_loop(beta):
  heatmaps = maps()
  xy, share = found(heatmaps, beta=beta)
  num, height, width, kinds = heatmaps.shape
  for b, k in np.ndindex(num, kinds):
    weight = np.exp(beta * np.float64(heatmaps[b, :, :, k]))
    total, x, y = weight.sum(), 0.0, 0.0
    for i, j in np.ndindex(height, width):
      x += weight[i, j] / total * ((j + 0.5) / width - 0.5)
      y += weight[i, j] / total * ((i + 0.5) / height - 0.5)
    np.testing.assert_allclose(xy[b, k], (x, y), atol=1e-6)
    np.testing.assert_allclose(share[b, :, :, k], weight / total, rtol=1e-4)


def test_a_gaussian_bump_is_found_at_its_centre():
  """The log of a Gaussian, whose softmax is the Gaussian."""
  height, width, sigma = 40, 32, 2.0
  centres = np.array([[15.3, 20.8], [12.0, 17.5]])
  row, column = np.mgrid[:height, :width]
  square = [(column - x) ** 2 + (row - y) ** 2 for x, y in centres]
  heatmaps = -np.stack(square, -1)[None] / (2 * sigma**2)
  xy, share = found(np.float32(heatmaps))
  wanted = (centres + 0.5) / (width, height) - 0.5
  np.testing.assert_allclose(xy[0], wanted, atol=1e-6)
  np.testing.assert_allclose(share.sum((1, 2)), 1, rtol=1e-6)
  sharper, _ = found(np.float32(heatmaps + 100.0), beta=2.0)
  np.testing.assert_allclose(sharper[0], wanted, atol=1e-5)


def test_the_mirrored_map_is_at_minus_x():
  heatmaps = maps(1)
  xy, _ = found(heatmaps)
  mirrored, _ = found(heatmaps[:, :, ::-1])
  np.testing.assert_allclose(mirrored, np.asarray(xy) * [-1, 1], atol=1e-6)
  even = heatmaps + heatmaps[:, :, ::-1]
  np.testing.assert_allclose(found(even)[0][..., 0], 0, atol=1e-6)


def test_extreme_maps_have_finite_values_and_gradients():
  peak = np.zeros((2, 5, 8, 3), np.float32)
  peak[:, 4, 0] = 1e4
  both = jax.jit(jax.value_and_grad(lambda maps: soft_argmax(maps)[0].sum()))
  for heatmaps in (peak, 0 * peak, -peak):
    value, grad = both(heatmaps)
    assert np.isfinite(value) and np.isfinite(grad).all()
  xy, _ = found(peak)
  np.testing.assert_allclose(xy[0, 0], (0.5 / 8 - 0.5, 0.5 - 0.1), atol=1e-6)


def test_half_precision_is_computed_in_full():
  heatmaps = maps(2).astype(jnp.bfloat16)
  xy, share = found(heatmaps)
  assert xy.dtype == share.dtype == np.float32
  full, _ = found(np.float32(heatmaps))
  np.testing.assert_allclose(xy, full, atol=1e-6)
