"""Decoders: slow loops, hand cases, properties and gradients."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.codec import decode
from pose_jax.ops.sampling import sample_affine


def _bumps(center_xy, map_hw=(64, 48), sigma=2.0):
  """Exact Gaussians [B, h, w, 1] at centres [B, 2], float64."""
  y, x = np.mgrid[: map_hw[0], : map_hw[1]]
  center_xy = np.asarray(center_xy, np.float64)
  distance2 = (x - center_xy[:, 0, None, None]) ** 2 + (
    y - center_xy[:, 1, None, None]
  ) ** 2
  return np.exp(-distance2 / (2 * sigma**2))[..., None]


def _noisy_maps(seed, shape=(3, 20, 15, 4)):
  """Several bumps per map plus noise; peaks anywhere, the border included."""
  rng = np.random.default_rng(seed)
  num, height, width, num_keypoints = shape
  maps = 0.05 * rng.standard_normal(shape)
  for _ in range(3):
    center_xy = rng.uniform(0, [width, height], (num * num_keypoints, 2))
    bumps = _bumps(center_xy, (height, width)).reshape(
      num, num_keypoints, height, width
    )
    maps += rng.uniform(0.2, 1) * np.moveaxis(bumps, 1, -1)
  return maps.astype(np.float32)


def _each_map(heatmaps, decode_one):
  """Runs a NumPy decoder of one [h, w] map over all; returns [B, K, 2]."""
  maps = np.asarray(heatmaps, np.float64)
  return np.array(
    [
      [decode_one(maps[b, :, :, k]) for k in range(maps.shape[-1])]
      for b in range(maps.shape[0])
    ]
  )


def _argmax_slowly(heatmap):
  y, x = divmod(int(np.argmax(heatmap)), heatmap.shape[1])
  return (x, y) if heatmap[y, x] > 0 else (0, 0)


def _quarter_slowly(heatmap):
  x, y = _argmax_slowly(heatmap)
  height, width = heatmap.shape
  if not (1 < x < width - 1 and 1 < y < height - 1):
    return x, y
  dx = np.sign(heatmap[y, x + 1] - heatmap[y, x - 1])
  dy = np.sign(heatmap[y + 1, x] - heatmap[y - 1, x])
  return x + 0.25 * dx, y + 0.25 * dy


def _dark_slowly(heatmap, kernel):
  x, y = _argmax_slowly(heatmap)
  height, width = heatmap.shape
  if not (1 < x < width - 2 and 1 < y < height - 2):
    return x, y
  radius = kernel // 2
  blurred = cv2.GaussianBlur(np.pad(heatmap, radius), (kernel, kernel), 0)
  blurred = blurred[radius : radius + height, radius : radius + width]
  blurred = blurred * (heatmap.max() / blurred.max())
  log = np.log(np.maximum(blurred, 1e-10))
  gradient = np.array(
    [
      (log[y, x + 1] - log[y, x - 1]) / 2,
      (log[y + 1, x] - log[y - 1, x]) / 2,
    ]
  )
  dxx = (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2]) / 4
  dyy = (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x]) / 4
  dxy = (
    log[y + 1, x + 1]
    - log[y - 1, x + 1]
    - log[y + 1, x - 1]
    + log[y - 1, x - 1]
  ) / 4
  hessian = np.array([[dxx, dxy], [dxy, dyy]])
  return np.array([x, y]) - np.linalg.solve(hessian, gradient)


def _weighted_slowly(heatmap, n, window):
  x, y = _argmax_slowly(heatmap)
  if heatmap.max() <= 0:
    return 0, 0
  pixels = [
    (-heatmap[row, column], row, column)
    for row in range(heatmap.shape[0])
    for column in range(heatmap.shape[1])
    if window is None or max(abs(row - y), abs(column - x)) <= window // 2
  ]
  highest = sorted(pixels)[:n]  # of equal values the first in the map
  weight = 1 / np.arange(1, len(highest) + 1)
  weight /= weight.sum()
  return (
    sum(w * column for w, (_, _, column) in zip(weight, highest, strict=True)),
    sum(w * row for w, (_, row, _) in zip(weight, highest, strict=True)),
  )


@pytest.mark.parametrize("seed", range(3))
def test_argmax_and_quarter_equal_a_slow_loop(seed):
  maps = _noisy_maps(seed)
  xy, score = decode.argmax(maps)
  np.testing.assert_array_equal(xy, _each_map(maps, _argmax_slowly))
  np.testing.assert_array_equal(score, maps.max((1, 2)))
  xy, score = decode.quarter(maps)
  np.testing.assert_array_equal(xy, _each_map(maps, _quarter_slowly))
  np.testing.assert_array_equal(score, maps.max((1, 2)))


@pytest.mark.parametrize("kernel", [1, 3, 7, 11, 17])
def test_dark_equals_a_slow_loop(kernel):
  # Three bumps of like height may have the blurred maximum elsewhere than the
  # peak: the floor under the logarithm must not matter for positive maps.
  maps = _noisy_maps(10 + kernel) + 0.3
  xy, score = decode.dark(maps, blur_kernel=kernel)
  slow = _each_map(maps, lambda heatmap: _dark_slowly(heatmap, kernel))
  step = np.abs(slow - _each_map(maps, _argmax_slowly)).max(-1)
  assert (step > 0).sum() > 3
  # The unbounded step amplifies rounding where the Hessian is nearly singular.
  is_tame = step < 3
  assert is_tame.mean() > 0.5
  np.testing.assert_allclose(xy[is_tame], slow[is_tame], atol=1e-3)
  np.testing.assert_array_equal(score, maps.max((1, 2)))


@pytest.mark.parametrize(
  ("n", "window"), [(1, None), (5, None), (20, None), (20, 7), (9, 3), (30, 11)]
)
def test_weighted_equals_a_slow_loop(n, window):
  maps = _noisy_maps(n)
  xy, score = decode.weighted(maps, n=n, window=window)
  slow = _each_map(maps, lambda heatmap: _weighted_slowly(heatmap, n, window))
  np.testing.assert_allclose(xy, slow, atol=1e-5)
  np.testing.assert_array_equal(score, maps.max((1, 2)))


@pytest.mark.parametrize("width", [1, 2, 13, 30, 47, 48])
def test_weighted_finds_the_highest_pixels_of_any_width_with_ties(width):
  rng = np.random.default_rng(width)
  maps = rng.integers(0, 6, (2, 50, width, 3)).astype(np.float32)
  xy, _ = decode.weighted(maps, n=20)
  slow = _each_map(maps, lambda heatmap: _weighted_slowly(heatmap, 20, None))
  np.testing.assert_allclose(xy, slow, atol=1e-5)


def test_weighted_can_take_the_whole_map():
  maps = _noisy_maps(4, (1, 6, 5, 2))
  xy, _ = decode.weighted(maps, n=30)
  slow = _each_map(maps, lambda heatmap: _weighted_slowly(heatmap, 30, None))
  np.testing.assert_allclose(xy, slow, atol=1e-5)


def test_window_is_cut_at_the_corner():
  # Of the 7x7 window 16 pixels lie on the map, fewer than n, and most of them
  # are below zero: nothing from outside may take part.
  maps = -np.random.default_rng(3).random((1, 12, 12, 2)).astype(np.float32)
  maps[0, 0, 0, 0] = maps[0, 11, 11, 1] = 1
  xy, _ = decode.weighted(maps, n=20, window=7)
  slow = _each_map(maps, lambda heatmap: _weighted_slowly(heatmap, 20, 7))
  np.testing.assert_allclose(xy, slow, atol=1e-5)


def test_weights_by_hand():
  heatmap = np.zeros((1, 5, 5, 1), np.float32)
  heatmap[0, 1, 1, 0], heatmap[0, 1, 3, 0], heatmap[0, 4, 1, 0] = 3, 2, 1
  # Weights 6/11, 3/11, 2/11.
  xy, _ = decode.weighted(heatmap, n=3)
  np.testing.assert_allclose(xy[0, 0], [17 / 11, 17 / 11], rtol=1e-6)


def test_of_equal_maxima_the_first_in_row_major_order_wins():
  heatmap = np.zeros((1, 9, 9, 1), np.float32)
  for row, column in ((2, 6), (2, 3), (5, 1)):
    heatmap[0, row, column, 0] = 1
  for name in ("argmax", "quarter"):
    xy, _ = decode.DECODERS[name](heatmap)
    np.testing.assert_array_equal(xy[0, 0], [3, 2])


def test_quarter_moves_only_peaks_off_the_border():
  for x, moves in ((1, False), (2, True), (13, True), (14, False)):
    heatmap = np.zeros((1, 12, 15, 1), np.float32)
    heatmap[0, 5, x] = 1
    heatmap[0, 6, x] = 0.5
    xy, _ = decode.quarter(heatmap)
    np.testing.assert_array_equal(xy[0, 0], [x, 5.25 if moves else 5])


def test_dark_moves_only_peaks_two_pixels_off_the_border():
  for x, moves in ((1, False), (2, True), (12, True), (13, False)):
    xy, _ = decode.dark(_bumps([[x, 5.3]], (12, 15)))
    assert (xy[0, 0, 1] != 5) == moves


@pytest.mark.parametrize("name", sorted(decode.DECODERS))
def test_map_without_a_positive_value_decodes_to_the_origin(name):
  maps = np.zeros((1, 10, 10, 2), np.float32)
  maps[..., 1] = -1
  maps[0, 6, 6, 1] = -0.5
  xy, score = decode.DECODERS[name](maps)
  np.testing.assert_array_equal(xy, np.zeros((1, 2, 2)))
  np.testing.assert_array_equal(score, [[0, -0.5]])


@pytest.mark.parametrize("kernel", [3, 11, 17])
def test_dark_recovers_subpixel_peak(kernel):
  # Blurred or not, a Gaussian's logarithm is a parabola.
  center_xy = np.random.default_rng(0).uniform([12, 12], [35, 51], (50, 2))
  xy, _ = decode.dark(_bumps(center_xy), blur_kernel=kernel)
  np.testing.assert_allclose(xy[:, 0], center_xy, atol=1e-3)


@pytest.mark.parametrize("name", sorted(decode.DECODERS))
def test_moving_the_map_moves_the_keypoint(name):
  rng = np.random.default_rng(1)
  maps = np.zeros((1, 40, 40, 5), np.float32)
  maps[:, 10:24, 10:24] = rng.random((1, 14, 14, 5))
  moved = np.roll(maps, (6, 3), axis=(1, 2))
  here, score = decode.DECODERS[name](maps)
  there, moved_score = decode.DECODERS[name](moved)
  np.testing.assert_allclose(
    there - here, np.broadcast_to([3, 6], (1, 5, 2)), atol=1e-4
  )
  np.testing.assert_array_equal(score, moved_score)


@pytest.mark.parametrize("name", ["argmax", "quarter", "dark"])
def test_transposing_the_map_swaps_x_and_y(name):
  maps = _noisy_maps(8) + 0.3
  xy, _ = decode.DECODERS[name](maps)
  swapped, _ = decode.DECODERS[name](maps.swapaxes(1, 2))
  np.testing.assert_allclose(swapped[..., ::-1], xy, atol=1e-3)


def test_dark_does_not_depend_on_the_amplitude():
  maps = _bumps([[20.3, 30.6], [11.2, 40.9]])
  xy, _ = decode.dark(maps)
  for amplitude in (1e-3, 255.0):
    scaled, score = decode.dark(maps * amplitude)
    np.testing.assert_allclose(scaled, xy, atol=1e-4)
    np.testing.assert_allclose(score, amplitude * maps.max((1, 2)), rtol=1e-6)


@pytest.mark.parametrize("name", sorted(decode.DECODERS))
def test_keypoints_and_persons_are_independent(name):
  maps = _noisy_maps(5)
  xy, _ = decode.DECODERS[name](maps)
  alone, _ = decode.DECODERS[name](maps[1:2, :, :, 2:3])
  np.testing.assert_allclose(alone[0, 0], xy[1, 2], atol=1e-5)


@pytest.mark.parametrize("name", sorted(decode.DECODERS))
def test_jit_equals_no_jit(name):
  maps = _noisy_maps(6) + 0.3
  jitted = decode.DECODERS[name](maps)
  with jax.disable_jit():
    plain = decode.DECODERS[name](maps)
  for a, b in zip(jitted, plain, strict=True):
    np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("name", sorted(decode.DECODERS))
def test_every_float_type_decodes_to_float32(name):
  maps = _noisy_maps(7).astype(np.float16)
  expected = decode.DECODERS[name](maps.astype(np.float32))
  for other in (maps, maps.astype(np.float64), jnp.asarray(maps)):
    for a, b in zip(decode.DECODERS[name](other), expected, strict=True):
      assert a.dtype == np.float32
      np.testing.assert_array_equal(a, b)


def test_gradient_of_dark_is_finite_and_right():
  maps = jnp.asarray(_bumps([[20.3, 30.6], [20.3, 30.6]]), jnp.float32)
  maps = maps.at[1].set(0)  # all zero: 0 / 0 in the rescaling
  gradient = jax.grad(lambda maps: decode.dark(maps)[0].sum())(maps)
  assert jnp.isfinite(gradient).all()
  assert (gradient[1] == 0).all()
  # Right of the peak a higher value moves x to the right, by finite
  # differences as much.
  step = 0.02
  raised = decode.dark(maps.at[0, 31, 23, 0].add(step))[0].sum()
  lowered = decode.dark(maps.at[0, 31, 23, 0].add(-step))[0].sum()
  slope = (raised - lowered) / (2 * step)
  assert slope > 0
  assert gradient[0, 31, 23, 0] == pytest.approx(float(slope), rel=0.02)


@pytest.mark.parametrize("name", sorted(decode.DECODERS))
def test_gradient_on_degenerate_maps_is_finite(name):
  maps = np.zeros((1, 16, 16, 4), np.float32)
  maps[..., 1] = -1
  maps[..., 2] = 1
  maps[0, 8, 8, 3], maps[0, 7:10, 5:7, 3] = 1e-3, -1

  def total(maps):
    xy, score = decode.DECODERS[name](maps)
    return xy.sum() + score.sum()

  assert jnp.isfinite(jax.grad(total)(jnp.asarray(maps))).all()


@pytest.mark.parametrize("decoder", decode.DECODERS)
def test_maps_computed_on_the_fly_decode_as_those_that_lie_in_memory(decoder):
  """XLA computes such pixels more than once, and not to the same last bit."""
  rng = np.random.default_rng(0)
  at_xy = rng.uniform(5, 18, (4, 17, 1, 1, 2))
  y, x = np.mgrid[:32, :24]
  square = (x - at_xy[..., 0]) ** 2 + (y - at_xy[..., 1]) ** 2
  maps = jnp.asarray(np.exp(-square / 8).transpose(0, 2, 3, 1), jnp.float32)
  theta = jnp.asarray([[[[1.01, 0, 0.03], [0, 0.98, -0.02]]]] * 4, jnp.float32)
  function = decode.DECODERS[decoder]
  expected, score = function(np.asarray(sample_affine(maps, theta)))
  fused = jax.jit(lambda maps, theta: function(sample_affine(maps, theta)))
  kpts_xy_hm, fused_score = fused(maps, theta)
  np.testing.assert_allclose(kpts_xy_hm, expected, atol=1e-3)
  np.testing.assert_allclose(fused_score, score, rtol=1e-6)
