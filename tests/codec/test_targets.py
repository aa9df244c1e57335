"""Target maps, against a slow loop, hand cases and goldens."""

import math

import jax
import numpy as np
import pytest

from pose_jax.codec import decode, targets

MAP_HW = (24, 18)


def _draw_slowly(kpts_xy, weight, map_hw, sigma, unbiased):
  """One keypoint at a time, window by window, float64."""
  height, width = map_hw
  num_maps, num_keypoints, _ = kpts_xy.shape
  maps = np.zeros((num_maps, height, width, num_keypoints))
  weight = np.array(weight, np.float64)
  reach = 3 * sigma
  for b in range(num_maps):
    for k in range(num_keypoints):
      x, y = (float(v) for v in kpts_xy[b, k])
      if not unbiased:
        x, y = int(x + 0.5), int(y + 0.5)
      left, top = int(x - reach), int(y - reach)
      right, bottom = int(x + reach + 1), int(y + reach + 1)
      if left >= width or top >= height or right < 0 or bottom < 0:
        weight[b, k] = 0
      if weight[b, k] == 0:
        continue
      for row in range(height):
        for column in range(width):
          inside = left <= column < right and top <= row < bottom
          if unbiased or inside:
            distance2 = (column - x) ** 2 + (row - y) ** 2
            maps[b, row, column, k] = math.exp(-distance2 / (2 * sigma**2))
  return maps, weight


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("sigma", [1, 2, 3])
def test_maps_equal_a_slow_loop(unbiased, sigma):
  rng = np.random.default_rng(sigma)
  kpts_xy = rng.uniform(-14, 36, (4, 11, 2)).astype(np.float32)
  weight = (rng.random((4, 11)) < 0.8).astype(np.float32)
  maps, kept = targets.gaussian(
    kpts_xy, weight, map_hw=MAP_HW, sigma=sigma, unbiased=unbiased
  )
  slow, slow_kept = _draw_slowly(kpts_xy, weight, MAP_HW, sigma, unbiased)
  np.testing.assert_array_equal(kept, slow_kept)
  assert 0 < kept.sum() < weight.sum()  # some were cut, some were not
  # float32 coordinates of order 30, an exponent of a few: 1e-6.
  np.testing.assert_allclose(maps, slow, atol=2e-6)


def _one(x, y, weight=1.0, *, sigma=2, unbiased=False):
  maps, kept = targets.gaussian(
    np.array([[[x, y]]], np.float32),
    np.array([[weight]], np.float32),
    map_hw=MAP_HW,
    sigma=sigma,
    unbiased=unbiased,
  )
  return np.asarray(maps)[0, :, :, 0], float(kept[0, 0])


def test_truncated_map_by_hand():
  heatmap, weight = _one(6.4, 10.5, sigma=1)
  assert weight == 1
  assert heatmap[11, 6] == 1  # 10.5 goes up to 11, 6.4 down to 6
  assert heatmap[11, 8] == pytest.approx(math.exp(-2))
  assert heatmap[14, 9] == pytest.approx(math.exp(-9))
  assert np.count_nonzero(heatmap) == 49


def test_truncation_is_toward_zero():
  heatmap, _ = _one(-1.2, 5)  # int(-0.7) is 0, floor would give -1
  assert heatmap[5, 0] == 1


@pytest.mark.parametrize(
  ("x", "weight", "is_empty"),
  [
    (-6, 1, False),  # reaches column 0
    (-7, 1, False),  # int(-6.5) is -6
    (-7.6, 1, True),  # the square ends just before column 0, yet counts
    (-8.6, 0, True),
    (23, 1, False),  # 23 - 6 = 17, the last column
    (24, 0, True),
  ],
)
def test_weight_at_the_border(x, weight, is_empty):
  heatmap, kept = _one(x, 10)
  assert kept == weight
  assert (heatmap == 0).all() == is_empty


def test_weight_zero_gives_an_empty_map_wherever_the_keypoint_is():
  for unbiased in (False, True):
    for x in (5, np.nan):
      heatmap, weight = _one(x, 5, weight=0, unbiased=unbiased)
      assert weight == 0 and (heatmap == 0).all()


def test_unbiased_map_is_not_cut_and_peaks_between_pixels():
  heatmap, _ = _one(6.5, 10.0, unbiased=True)
  assert heatmap[10, 6] == heatmap[10, 7] == pytest.approx(math.exp(-1 / 32))
  assert (heatmap[:, 17] > 0).all()


@pytest.mark.parametrize("unbiased", [False, True])
def test_moving_the_keypoint_moves_the_map(unbiased):
  here, _ = _one(7.3, 9.6, unbiased=unbiased)
  there, _ = _one(9.3, 12.6, unbiased=unbiased)
  np.testing.assert_allclose(there[3:, 2:], here[:-3, :-2], atol=1e-6)


def test_unbiased_target_comes_back_through_dark():
  rng = np.random.default_rng(5)
  kpts_xy = rng.uniform([8, 8], [39, 55], (4, 17, 2)).astype(np.float32)
  maps, _ = targets.gaussian(
    kpts_xy,
    np.ones((4, 17), np.float32),
    map_hw=(64, 48),
    sigma=2,
    unbiased=True,
  )
  decoded, _ = decode.dark(maps)
  # The map is Gaussian but for its cut at the border, 8 pixels off.
  np.testing.assert_allclose(decoded, kpts_xy, atol=2e-3)


def test_truncated_target_comes_back_through_argmax():
  rng = np.random.default_rng(6)
  kpts_xy = rng.uniform([0, 0], [46.9, 62.9], (4, 17, 2)).astype(np.float32)
  maps, _ = targets.gaussian(
    kpts_xy,
    np.ones((4, 17), np.float32),
    map_hw=(64, 48),
    sigma=2,
    unbiased=False,
  )
  decoded, score = decode.argmax(maps)
  np.testing.assert_array_equal(decoded, np.floor(kpts_xy + 0.5))
  np.testing.assert_array_equal(score, 1)


def test_same_under_jit_and_for_every_float_type():
  rng = np.random.default_rng(7)
  kpts_xy = np.round(rng.uniform(-5, 30, (2, 5, 2)) * 4) / 4
  weight = np.ones((2, 5))
  options = {"map_hw": MAP_HW, "sigma": 2, "unbiased": True}
  plain = targets.gaussian(kpts_xy, weight, **options)
  jitted = jax.jit(lambda p, w: targets.gaussian(p, w, **options))
  for dtype in (np.float16, np.float32):
    other = jitted(kpts_xy.astype(dtype), weight.astype(dtype))
    for a, b in zip(plain, other, strict=True):
      assert a.dtype == b.dtype == np.float32
      np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(
  "wrong", [{"sigma": 0.0}, {"sigma": -1.0}, {"map_hw": (0, 18)}]
)
def test_impossible_sizes_are_refused(wrong):
  options = {"map_hw": MAP_HW, "sigma": 2.0, "unbiased": False} | wrong
  with pytest.raises(ValueError, match="must be positive, got sigma="):
    targets.gaussian(
      np.zeros((1, 1, 2), np.float32), np.ones((1, 1), np.float32), **options
    )


def test_truncated_agrees_with_goldens(goldens):
  golden = np.load(goldens / "targets_s2_64x48.npz")
  maps, weight = targets.gaussian(
    golden["joints_input"] / 4,  # alignment "corner"
    golden["vis"],
    map_hw=(64, 48),
    sigma=2,
    unbiased=False,
  )
  np.testing.assert_array_equal(weight, golden["target_weight"])
  np.testing.assert_allclose(
    np.moveaxis(np.asarray(maps), -1, 1), golden["target"], atol=1e-6
  )


def test_unbiased_agrees_with_goldens(goldens):
  golden = np.load(goldens / "targets_s2_64x48.npz")
  maps, weight = targets.gaussian(
    golden["joints_heatmap_dark"],
    golden["vis"],
    map_hw=(64, 48),
    sigma=2,
    unbiased=True,
  )
  np.testing.assert_array_equal(weight, golden["dark_target_weight"])
  maps = np.moveaxis(np.asarray(maps, np.float64), -1, 1)
  np.testing.assert_allclose(
    maps[golden["dark_target_index"]], golden["dark_target"], atol=1e-6
  )
  y, x = np.mgrid[:64, :48]
  moments = np.stack(
    [
      maps.sum((2, 3)),
      (maps * x).sum((2, 3)),
      (maps * y).sum((2, 3)),
      (maps**2).sum((2, 3)),
      maps.max((2, 3)),
    ],
    axis=-1,
  )
  # 1e-6 per pixel, moments relative to their size.
  np.testing.assert_allclose(
    moments, golden["dark_moments"], rtol=2e-6, atol=1e-5
  )
