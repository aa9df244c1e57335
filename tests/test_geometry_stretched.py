"""Boxes stretched to the crop: corners by hand, and every matrix with them."""

import dataclasses

import cv2
import numpy as np
import pytest

from pose_jax import geometry

SIZES = [((256, 192), (64, 48)), ((224, 224), (56, 56)), ((64, 48), (64, 48))]
CORNERS = np.array([[-1.0, -1], [1, -1], [-1, 1], [1, 1]]) / 2  # of a box


def stretched(crop_hw, map_hw, alignment, padding=1.0):
  return geometry.Frames(crop_hw, map_hw, alignment, padding, keep_aspect=False)


def ends(alignment, hw):
  """What the first and the last corner of a box go to, (x, y)."""
  less = 0 if alignment == "corner" else 1
  return np.array([[0, 0], [hw[1] - less, hw[0] - less]], np.float64)


@pytest.mark.parametrize("alignment", geometry.ALIGNMENTS)
@pytest.mark.parametrize("crop_hw, map_hw", SIZES)
def test_corners_of_a_box_are_corners_of_crop_and_heatmap(
  alignment, crop_hw, map_hw
):
  """A box of 30 x 80 at (10, 20): as "unit" has it, 29 x 79 between pixels."""
  frames = stretched(crop_hw, map_hw, alignment)
  center_xy, size_wh = frames.center_size(np.array([10.0, 20, 30, 80]))
  np.testing.assert_array_equal(size_wh, [30, 80])
  less = 1 if alignment == "unit" else 0
  corners_xy = np.array([[10.0, 20], [40 - less, 100 - less]])
  crop_from_img = frames.crop_from_img(center_xy, size_wh)
  np.testing.assert_allclose(
    geometry.transform(corners_xy, crop_from_img),
    ends(alignment, crop_hw),
    atol=1e-9,
  )
  np.testing.assert_allclose(
    geometry.transform(
      ends(alignment, map_hw), frames.img_from_hm(center_xy, size_wh)
    ),
    corners_xy,
    atol=1e-9,
  )


def test_matrix_of_a_stretched_crop_by_hand():
  frames = stretched((100, 100), (25, 25), "corner", padding=1.25)
  center_xy, size_wh = frames.center_size(np.array([10.0, 20, 40, 16]))
  np.testing.assert_array_equal(center_xy, [30, 28])
  np.testing.assert_array_equal(size_wh, [50, 20])  # neither side grows further
  np.testing.assert_allclose(
    frames.crop_from_img(center_xy, size_wh), [[2, 0, -10], [0, 5, -90]]
  )


@pytest.mark.parametrize("alignment", geometry.ALIGNMENTS)
def test_corners_of_a_turned_box_are_corners_of_the_crop(alignment):
  frames = stretched((256, 192), (64, 48), alignment)
  center_xy, size_wh, angle = np.array([70.0, 90]), np.array([30.0, 81]), 0.7
  half = (size_wh - frames.box_inset) * CORNERS
  cos, sin = np.cos(angle), np.sin(angle)  # clockwise: y points down
  turned_xy = center_xy + half @ np.array([[cos, sin], [-sin, cos]])
  first, last = ends(alignment, (256, 192))
  np.testing.assert_allclose(
    geometry.transform(
      turned_xy, frames.crop_from_img(center_xy, size_wh, rotation_rad=angle)
    ),
    first + (CORNERS + 0.5) * (last - first),
    atol=1e-9,
  )


@pytest.mark.parametrize("alignment", geometry.ALIGNMENTS)
def test_way_there_and_back_mirror_and_scales_fit_together(alignment):
  rng = np.random.default_rng(3)
  frames = stretched((256, 192), (64, 48), alignment, padding=1.25)
  center_xy, size_wh = frames.center_size(rng.uniform(5, 300, (20, 4)))
  points_xy = rng.uniform(0, 500, (20, 5, 2))
  hm_from_img = geometry.compose(
    frames.hm_from_crop, frames.crop_from_img(center_xy, size_wh)
  )
  identity = geometry.compose(
    frames.img_from_hm(center_xy, size_wh), hm_from_img
  )
  np.testing.assert_allclose(
    identity, np.broadcast_to(np.eye(2, 3), (20, 2, 3)), atol=1e-9
  )
  mirrored = points_xy * [-1, 1] + [639, 0]
  np.testing.assert_allclose(
    geometry.transform(
      mirrored,
      frames.crop_from_img(center_xy * [-1, 1] + [639, 0], size_wh),
    ),
    geometry.transform(
      points_xy,
      geometry.compose(frames.mirror, frames.crop_from_img(center_xy, size_wh)),
    ),
    atol=1e-9,
  )
  for scale in (0.7, 1.3):
    scaled_from_img = geometry.compose(
      frames.hm_from_crop,
      frames.crop_from_img(center_xy, frames.scaled_size(size_wh, scale)),
    )
    np.testing.assert_allclose(
      geometry.compose(frames.scaled_from_hm(scale), hm_from_img),
      scaled_from_img,
      atol=1e-9,
    )


@pytest.mark.parametrize("alignment", geometry.ALIGNMENTS)
def test_a_box_of_the_crops_aspect_is_not_stretched(alignment):
  frames = stretched((256, 192), (64, 48), alignment)
  box = np.array([3.0, 7, 75, 100])
  kept = dataclasses.replace(frames, keep_aspect=True)
  for its, theirs in zip(
    frames.center_size(box), kept.center_size(box), strict=True
  ):
    np.testing.assert_allclose(its, theirs, rtol=1e-12)
  matrices = [f.crop_from_img(*f.center_size(box)) for f in (frames, kept)]
  # "unit" scales y by the widths, 191 / 74, where its height has 255 / 99.
  bar = 0.5 if alignment == "unit" else 1e-9
  np.testing.assert_allclose(*matrices, atol=bar)
  assert frames.flip_shift == kept.flip_shift


def test_the_picture_is_stretched_as_the_points_are():
  frames = stretched((64, 64), (16, 16), "corner")
  image = np.zeros((60, 200), np.float32)
  image[30, 140] = 1
  crop_from_img = frames.crop_from_img(
    *frames.center_size(np.array([90.0, 20, 64, 16]))
  )
  crop = cv2.warpAffine(image, crop_from_img, (64, 64))
  y, x = np.mgrid[:64, :64]
  mean_xy = np.array([(crop * x).sum(), (crop * y).sum()]) / crop.sum()
  np.testing.assert_allclose(mean_xy, [50, 40], atol=0.02)


def test_map_must_still_have_the_crops_aspect():
  with pytest.raises(ValueError, match="must have the aspect of crop_hw"):
    stretched((224, 224), (56, 48), "corner")
