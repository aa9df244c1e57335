"""UDP's alignment: its code's formulas, by hand, and beside the others."""

import numpy as np
import pytest

from pose_jax import geometry

SIZES = [((256, 192), (64, 48)), ((384, 288), (96, 72)), ((256, 256), (64, 64))]


def test_udp_crop_by_hand():
  """A box of 150 x 200 about (100, 50): its corners go to the crop's."""
  frames = geometry.Frames((256, 192), (64, 48), "udp", padding=1.0)
  center_xy, size_wh = frames.center_size(np.array([25.0, -50, 140, 200]))
  np.testing.assert_array_equal(center_xy, [95, 50])  # x + w / 2, as HRNet's
  np.testing.assert_array_equal(size_wh, [150, 200])
  crop_from_img = frames.crop_from_img(np.array([100.0, 50]), size_wh)
  np.testing.assert_allclose(
    crop_from_img,
    [[191 / 150, 0, -25 * 191 / 150], [0, 255 / 200, 50 * 255 / 200]],
    atol=1e-12,
  )
  corners = np.array([[25.0, -50], [175, 150]])
  np.testing.assert_allclose(
    geometry.transform(corners, crop_from_img), [[0, 0], [191, 255]], atol=1e-9
  )


@pytest.mark.parametrize("crop_hw, map_hw", SIZES)
def test_udp_is_the_papers_codes_warp_matrix(crop_hw, map_hw):
  """Their get_warp_matrix(-angle, 2 c, crop - 1, size) and way back."""
  rng = np.random.default_rng(6)
  frames = geometry.Frames(crop_hw, map_hw, "udp")
  for _ in range(20):
    (cx, cy), angle = rng.uniform(-100, 900, 2), rng.uniform(-3, 3)
    w = rng.uniform(3, 700)
    h = w * crop_hw[0] / crop_hw[1]
    fx, fy = (crop_hw[1] - 1) / w, (crop_hw[0] - 1) / h
    # Written out: turn about the centre, move it to the middle of the box
    # (w / 2, h / 2), stretch each axis.
    cos, sin = np.cos(-angle), np.sin(-angle)
    theirs = [
      [fx * cos, -fx * sin, fx * (sin * cy - cos * cx + w / 2)],
      [fy * sin, fy * cos, fy * (-sin * cx - cos * cy + h / 2)],
    ]
    center, size = np.array([cx, cy]), np.array([w, h])
    np.testing.assert_allclose(
      frames.crop_from_img(center, size, rotation_rad=angle), theirs, atol=1e-9
    )
    # transform_preds: map * size / (map side - 1) + centre - size / 2
    points_xy_hm = rng.uniform(0, 60, (5, 2))
    back = points_xy_hm * [w / (map_hw[1] - 1), h / (map_hw[0] - 1)]
    np.testing.assert_allclose(
      geometry.transform(points_xy_hm, frames.img_from_hm(center, size)),
      back + center - size / 2,
      atol=1e-9,
    )


def test_udp_and_unit_are_a_pixel_and_a_stretch_apart():
  """As the module says: what a box reaches, and how far x and y differ."""
  box = np.array([10.0, 20, 75, 100])
  crop_hw, map_hw = SIZES[0]
  unit, udp = (
    geometry.Frames(crop_hw, map_hw, a, padding=1.0) for a in ("unit", "udp")
  )
  ends = {}
  for frames in (unit, udp):
    back = geometry.invert(frames.crop_from_img(*frames.center_size(box)))
    ends[frames.alignment] = geometry.transform(
      np.array([[0.0, 127.5], [191, 127.5]]), back
    )[:, 0]
  np.testing.assert_allclose(ends["unit"], [10, 84], atol=1e-9)
  np.testing.assert_allclose(ends["udp"], [10, 85], atol=1e-9)
  crop = udp.crop_from_img(*udp.center_size(box))
  assert crop[1, 1] / crop[0, 0] - 1 == pytest.approx(1 / 764, rel=0.005)
  hm = geometry.compose(udp.hm_from_crop, crop)
  assert hm[1, 1] / hm[0, 0] - 1 == pytest.approx(1 / 188, rel=0.005)


@pytest.mark.parametrize("alignment", ["unit", "udp"])
@pytest.mark.parametrize("crop_hw, map_hw", SIZES)
def test_mirrored_crops_have_mirrored_heatmaps_without_a_shift(
  alignment, crop_hw, map_hw
):
  frames = geometry.Frames(crop_hw, map_hw, alignment)
  mirror_hm = np.array([[-1.0, 0, map_hw[1] - 1], [0, 1, 0]])
  np.testing.assert_allclose(
    geometry.compose(frames.hm_from_crop, frames.mirror),
    geometry.compose(mirror_hm, frames.hm_from_crop),
    atol=1e-12,
  )
  assert frames.flip_shift == 0
