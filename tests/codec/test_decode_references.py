"""Decoders against the goldens and the table of errors on drawn peaks."""

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


def _peaks_with_noise(noise, num=600, margin=8, seed=0):
  """Sub-pixel Gaussians of sigma 2 [num, h, w, 1] and their centres."""
  rng = np.random.default_rng(seed)
  height, width = MAP_HW
  center_xy = rng.uniform(
    margin, [width - 1 - margin, height - 1 - margin], (num, 2)
  )
  y, x = np.mgrid[:height, :width]
  distance2 = (x - center_xy[:, 0, None, None]) ** 2 + (
    y - center_xy[:, 1, None, None]
  ) ** 2
  maps = np.exp(-distance2 / 8) + noise * rng.standard_normal(
    (num, height, width)
  )
  return maps.astype(np.float32)[..., None], center_xy


def _mean_error(maps, center_xy, name, **options):
  xy, _ = decode.DECODERS[name](maps, **options)
  return np.linalg.norm(np.asarray(xy)[:, 0] - center_xy, axis=-1).mean()


# Mean distance in heatmap pixels over random sub-pixel centres. For argmax,
# clean, it is the mean distance from a unit square's centre, 0.3826.
ERRORS = [
  (0.0, "argmax", {}, 0.385, 0.02),
  (0.0, "quarter", {}, 0.191, 0.012),
  (0.0, "weighted", {"n": 5}, 0.119, 0.008),
  (0.0, "weighted", {"n": 20}, 0.098, 0.008),
  (0.0, "weighted", {"n": 50}, 0.069, 0.008),
  (0.0, "dark", {}, 0.0, 0.002),
  (0.02, "argmax", {}, 0.400, 0.02),
  (0.02, "quarter", {}, 0.218, 0.012),
  (0.02, "weighted", {"n": 5}, 0.122, 0.008),
  (0.02, "weighted", {"n": 20}, 0.085, 0.008),
  (0.02, "weighted", {"n": 50}, 0.060, 0.008),
  (0.02, "dark", {}, 0.020, 0.002),
  (0.05, "argmax", {}, 0.498, 0.02),
  (0.05, "quarter", {}, 0.327, 0.012),
  (0.05, "weighted", {"n": 5}, 0.197, 0.008),
  (0.05, "weighted", {"n": 20}, 0.115, 0.008),
  (0.05, "weighted", {"n": 50}, 0.241, 0.02),
  (0.05, "dark", {}, 0.050, 0.002),
]


@pytest.mark.parametrize(
  ("noise", "name", "options", "error", "spread"), ERRORS
)
def test_mean_error_on_drawn_peaks(noise, name, options, error, spread):
  maps, center_xy = _peaks_with_noise(noise)
  result = _mean_error(maps, center_xy, name, **options)
  assert result == pytest.approx(error, abs=spread)


def test_second_mode_ruins_weighting_unless_a_window_keeps_it_out():
  maps, center_xy = _peaks_with_noise(0.02, num=300, margin=12)
  other = np.roll(maps, (29, 21), axis=(1, 2))  # at least 18 pixels away
  both = np.maximum(maps, 0.95 * other)
  assert _mean_error(both, center_xy, "weighted") > 5
  assert _mean_error(both, center_xy, "weighted", window=7) < 0.15
  assert _mean_error(both, center_xy, "dark") < 0.08


def test_weighting_beats_dark_at_the_border():
  rng = np.random.default_rng(2)
  maps, center_xy = _peaks_with_noise(0.02, num=300, margin=8, seed=2)
  # Cut the map so that the peak is up to 3 pixels off its left edge.
  cut = np.floor(center_xy[:, 0] - rng.uniform(0, 2.5, len(maps))).astype(int)
  maps = np.stack([np.roll(m, -c, 1) for m, c in zip(maps, cut, strict=True)])
  for m, c in zip(maps, cut, strict=True):
    m[:, MAP_HW[1] - c :] = 0
  center_xy = center_xy - np.stack([cut, 0 * cut], -1)
  dark = _mean_error(maps, center_xy, "dark")
  quarter = _mean_error(maps, center_xy, "quarter")
  weighted = _mean_error(maps, center_xy, "weighted")
  assert weighted < min(dark, quarter)
