"""Decoders against the goldens and the table of errors on drawn peaks."""

import functools

import cv2
import numpy as np
import pytest

from pose_jax import geometry
from pose_jax.codec import decode

MAP_HW = (64, 48)


def _golden_maps(golden):
  return np.moveaxis(golden["heatmaps"], 1, -1)  # float16, as stored


def test_peaks_agree_with_goldens(goldens):
  golden = np.load(goldens / "decode_64x48.npz")
  xy, score = decode.argmax(_golden_maps(golden))
  np.testing.assert_array_equal(xy, golden["argmax_coords"])
  np.testing.assert_array_equal(score, golden["maxvals"])
  xy, score = decode.quarter(_golden_maps(golden))
  np.testing.assert_array_equal(xy, golden["hrnet_coords"])
  np.testing.assert_array_equal(score, golden["maxvals"])


@pytest.mark.parametrize("kernel", [11, 17])
def test_dark_agrees_with_goldens(goldens, kernel):
  golden = np.load(goldens / "decode_64x48.npz")
  xy, score = decode.dark(_golden_maps(golden), blur_kernel=kernel)
  for name in (f"dark_coords_k{kernel}", f"dark_coords_k{kernel}_f64"):
    # The references' own float32 and float64 differ by up to 8e-6 px.
    np.testing.assert_allclose(xy, golden[name], atol=1e-4)
  np.testing.assert_array_equal(score, golden["maxvals"])


@pytest.mark.parametrize(
  ("alignment", "decoder", "name"),
  [
    ("corner", "argmax", "argmax_preds"),
    ("corner", "quarter", "hrnet_preds"),
    ("unit", "dark", "dark_preds_k11"),
  ],
)
def test_image_coordinates_agree_with_goldens(
  goldens, alignment, decoder, name
):
  golden = np.load(goldens / "decode_64x48.npz")
  xy, _ = decode.DECODERS[decoder](_golden_maps(golden))
  frames = geometry.Frames((256, 192), MAP_HW, alignment)
  img_from_hm = frames.img_from_hm(golden["center"], golden["scale"] * 200)
  np.testing.assert_allclose(
    geometry.transform(np.asarray(xy, np.float64), img_from_hm),
    golden[name],
    atol=1e-3,
  )


# The table: mean distance in heatmap pixels from the true centre, over random
# sub-pixel centres of Gaussians of deviation 2. Each row has its condition.
NUM = 1_500
BORDER = 8  # pixels that centres keep from it


def _drawn(center_xy):
  height, width = MAP_HW
  y, x = np.mgrid[:height, :width]
  distance2 = (x - center_xy[:, 0, None, None]) ** 2 + (
    y - center_xy[:, 1, None, None]
  ) ** 2
  return np.exp(-distance2 / 8)


def _noisy(center_xy, noise, rng):
  maps = _drawn(center_xy) + noise * rng.standard_normal(
    (len(center_xy), *MAP_HW)
  )
  return maps.astype(np.float32)[..., None]


def _centers(rng, margin_xy=(BORDER, BORDER)):
  last_xy = np.array([MAP_HW[1] - 1, MAP_HW[0] - 1])
  return rng.uniform(margin_xy, last_xy - margin_xy, (NUM, 2))


@functools.cache
def _condition(name):
  """Maps [NUM, h, w, 1] and their centres."""
  rng = np.random.default_rng(0)
  center_xy = _centers(rng)
  if name == "border":  # up to 3 pixels from the left or the upper one
    axis = rng.integers(0, 2, NUM)
    center_xy[np.arange(NUM), axis] = rng.uniform(0, 3, NUM)
    return _noisy(center_xy, 0.02, rng), center_xy
  if name == "two modes":  # 24 pixels apart, no noise
    center_xy = _centers(rng, (BORDER, BORDER + 12))
    side = np.where(center_xy[:, 1] < MAP_HW[0] / 2, 1, -1)
    # of another sub-pixel phase, so that a few times it is the higher one
    other_xy = center_xy + rng.uniform(-0.5, 0.5, (NUM, 2))
    other_xy[:, 1] += 24 * side
    maps = np.maximum(_drawn(center_xy), 0.95 * _drawn(other_xy))
    return maps.astype(np.float32)[..., None], center_xy
  return _noisy(center_xy, float(name), rng), center_xy


def _errors(condition, decoder, options):
  maps, center_xy = _condition(condition)
  xy, _ = decode.DECODERS[decoder](maps, **options)
  return np.asarray(xy)[:, 0] - center_xy


def _mean_error(condition, decoder, **options):
  return np.linalg.norm(_errors(condition, decoder, options), axis=-1).mean()


# Spreads are three deviations of such a mean, or what rounds the last digit.
ERRORS = [
  ("0", "argmax", {}, 0.385, 0.015),  # exact: 0.3826
  ("0", "quarter", {}, 0.191, 0.01),
  ("0", "weighted", {"n": 5}, 0.119, 0.006),
  ("0", "weighted", {"n": 20}, 0.098, 0.006),
  ("0", "weighted", {"n": 50}, 0.069, 0.006),
  ("0", "dark", {}, 0.0, 0.001),
  ("0.02", "argmax", {}, 0.400, 0.015),
  ("0.02", "quarter", {}, 0.218, 0.01),
  ("0.02", "weighted", {"n": 5}, 0.122, 0.006),
  ("0.02", "weighted", {"n": 20}, 0.085, 0.006),
  ("0.02", "weighted", {"n": 50}, 0.060, 0.006),
  ("0.02", "dark", {}, 0.020, 0.001),
  ("0.05", "argmax", {}, 0.498, 0.025),
  ("0.05", "quarter", {}, 0.327, 0.02),
  ("0.05", "weighted", {"n": 5}, 0.197, 0.01),
  ("0.05", "weighted", {"n": 20}, 0.115, 0.006),
  ("0.05", "weighted", {"n": 50}, 0.241, 0.02),
  ("0.05", "dark", {}, 0.050, 0.003),
  ("border", "quarter", {}, 0.310, 0.02),
  ("border", "weighted", {"n": 20}, 0.182, 0.01),
  ("border", "dark", {}, 0.288, 0.02),
  # 0 to 8 of 1,500 take the other mode, 24 pixels off: 0.13 at most.
  ("two modes", "argmax", {}, 0.44, 0.1),
  ("two modes", "weighted", {"n": 20}, 8.2, 0.3),
  ("two modes", "dark", {}, 0.05, 0.1),
]


@pytest.mark.parametrize(
  ("condition", "name", "options", "error", "spread"), ERRORS
)
def test_mean_error_on_drawn_peaks(condition, name, options, error, spread):
  result = _mean_error(condition, name, **options)
  assert result == pytest.approx(error, abs=spread)


def test_weighting_at_the_border_is_drawn_inward():
  """By .135 on the average: the other side's pixels are not there."""
  _, center_xy = _condition("border")
  error_xy = _errors("border", "weighted", {"n": 20})
  bias = error_xy[np.arange(NUM), center_xy.argmin(1)].mean()
  assert bias == pytest.approx(0.135, abs=0.01)
  # Yet it wins there: DARK and the quarter step stop short of the border.
  weighted = _mean_error("border", "weighted", n=20)
  assert weighted < _mean_error("border", "dark") - 0.08
  assert weighted < _mean_error("border", "quarter") - 0.1


@pytest.mark.parametrize("window", [7, 9, 15])
def test_a_window_keeps_the_second_mode_out_of_the_weighting(window):
  """Where the peak is the right one the error is that of a single mode."""
  right = np.linalg.norm(_errors("two modes", "argmax", {}), axis=-1) < 1
  assert right.mean() > 0.99

  def error(**options):
    errors_xy = _errors("two modes", "weighted", {"n": 20} | options)
    return np.linalg.norm(errors_xy[right], axis=-1).mean()

  assert error() > 8
  assert error(window=window) == pytest.approx(0.098, abs=0.006)
  assert error(window=window) == pytest.approx(
    _mean_error("0", "weighted", n=20), abs=0.006
  )


def _udp_decoded(heatmap, blur_kernel):
  """mmpose's decoder of UDP for one map, written out; float64.

  Blurred as in DARK, cut to 1e-3..50; second differences at distance one, the
  mixed one along a diagonal; float32's epsilon on the Hessian's diagonal; the
  map's edge repeated, so that every peak moves.
  """
  margin = blur_kernel // 2
  blurred = cv2.GaussianBlur(
    np.pad(heatmap.astype(np.float64), margin), (blur_kernel,) * 2, 0
  )[margin:-margin, margin:-margin]
  log = np.log(np.clip(blurred * heatmap.max() / blurred.max(), 1e-3, 50))
  log = np.pad(log, 1, mode="edge")
  row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
  p = log[row : row + 3, column : column + 3]
  slope = np.array([p[1, 2] - p[1, 0], p[2, 1] - p[0, 1]]) / 2
  dxx = p[1, 2] - 2 * p[1, 1] + p[1, 0]
  dyy = p[2, 1] - 2 * p[1, 1] + p[0, 1]
  cross = p[1, 2] + p[2, 1] + p[1, 0] + p[0, 1]
  dxy = (p[2, 2] + p[0, 0] + 2 * p[1, 1] - cross) / 2
  hessian = np.array([[dxx, dxy], [dxy, dyy]])
  hessian += np.finfo(np.float32).eps * np.eye(2)
  return np.array([column, row]) - np.linalg.solve(hessian, slope)


def test_dark_decodes_as_udps_decoder_does_inside_and_better_at_the_border():
  """Why there is no decoder of UDP's: 3e-3 px at most, .1 px worse there."""
  for condition, apart in (("0", 2e-3), ("0.02", 4e-3), ("0.05", 0.02)):
    maps, center_xy = _condition(condition)
    ours = center_xy + _errors(condition, "dark", {})
    theirs = np.array([_udp_decoded(m, 11) for m in maps[:200, ..., 0]])
    np.testing.assert_allclose(ours[:200], theirs, atol=apart)
  maps, center_xy = _condition("border")
  theirs = np.array([_udp_decoded(m, 11) for m in maps[..., 0]])
  error = np.linalg.norm(theirs - center_xy, axis=-1).mean()
  assert error > _mean_error("border", "dark") + 0.08
