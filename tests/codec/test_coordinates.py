"""Regressed coordinates: by hand, there and back, and beside the matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax import geometry
from pose_jax.codec import coordinates
from pose_jax.ops.coordinates import units_from_crop

PERMUTATION = (1, 0, 2, 4, 3)
FRAMES = [
  geometry.Frames((64, 48), map_hw, alignment, keep_aspect=keep_aspect)
  for alignment in geometry.ALIGNMENTS
  for map_hw in ((16, 12), (64, 48))
  for keep_aspect in (True, False)
]

of_all_frames = pytest.mark.parametrize(
  "frames",
  FRAMES,
  ids=lambda f: f"{f.alignment}-{f.map_hw[0]}{'' if f.keep_aspect else '-fit'}",
)


def _random(*shape, seed=0):
  rng = np.random.default_rng(seed)
  return rng.uniform(-0.7, 0.7, shape).astype(np.float32)


def test_mirrored_keypoints_by_hand():
  """Left hand at the left third of the mirror image: right hand's place."""
  mirrored = np.array([[[-0.2, 0.1], [0.3, 0.4], [0.0, -0.5]]], np.float32)
  back = coordinates.flip_back(mirrored, permutation=(1, 0, 2))
  np.testing.assert_allclose(back[0], [[-0.3, 0.4], [0.2, 0.1], [0, -0.5]])
  merged = coordinates.merge(mirrored, mirrored, permutation=(1, 0, 2))
  np.testing.assert_allclose(
    merged[0], [[-0.25, 0.25], [0.25, 0.25], [0, -0.5]], atol=1e-7
  )


def test_flip_twice_is_the_identity():
  points, values = _random(3, 5, 2), _random(3, 5)
  for function, given in (
    (coordinates.flip_back, points),
    (coordinates.flip_back_values, values),
  ):
    once = function(given, permutation=PERMUTATION)
    assert not np.array_equal(once, given)
    np.testing.assert_array_equal(
      function(once, permutation=PERMUTATION), given
    )


def test_what_agrees_with_its_mirror_image_stays():
  points, values = _random(2, 5, 2), _random(2, 5)
  np.testing.assert_array_equal(
    coordinates.merge(
      points,
      coordinates.flip_back(points, permutation=PERMUTATION),
      permutation=PERMUTATION,
    ),
    points,
  )
  np.testing.assert_array_equal(
    coordinates.merge_values(
      values,
      coordinates.flip_back_values(values, permutation=PERMUTATION),
      permutation=PERMUTATION,
    ),
    values,
  )


def test_values_are_averaged_with_the_other_sides():
  """Against a loop."""
  here, there = _random(3, 5), _random(3, 5, seed=1)
  merged = coordinates.merge_values(here, there, permutation=PERMUTATION)
  for b, k in np.ndindex(3, 5):
    expected = (here[b, k] + there[b, PERMUTATION[k]]) / 2
    assert merged[b, k] == pytest.approx(expected, abs=1e-7)


@of_all_frames
def test_pixels_of_the_heatmap_are_those_of_the_matrix(frames):
  rng = np.random.default_rng(2)
  kpts_xy_crop = rng.uniform(-9, 70, (3, 5, 2)).astype(np.float32)
  found = coordinates.hm_from_units(
    units_from_crop(kpts_xy_crop, frames.crop_hw),
    crop_hw=frames.crop_hw,
    hm_from_crop=frames.hm_from_crop,
  )
  np.testing.assert_allclose(
    found, geometry.transform(kpts_xy_crop, frames.hm_from_crop), atol=2e-5
  )
  if frames.map_hw == frames.crop_hw:
    np.testing.assert_allclose(found, kpts_xy_crop, atol=2e-5)


@of_all_frames
def test_mirrored_pixels_are_where_a_mirrored_picture_has_them(frames):
  """Columns in reverse order, whatever the alignment: W - 1 - x."""
  kpts_xy_crop = np.array([[[3.0, 5.0], [40.5, 60.0]]], np.float32)
  mirrored = kpts_xy_crop[:, ::-1] * [-1, 1] + [47, 0]
  back = coordinates.flip_back(
    units_from_crop(mirrored, frames.crop_hw), permutation=(1, 0)
  )
  np.testing.assert_allclose(
    back, units_from_crop(kpts_xy_crop, frames.crop_hw), atol=1e-6
  )


@of_all_frames
def test_scales_that_see_the_same_agree_in_the_photograph(frames):
  """One point of the photograph, in the crops of three scales."""
  center_xy, size_wh = frames.center_size(np.array([30.0, 10, 80, 70]))
  kpts_xy_img = np.array([[35.0, 20.0], [99.0, 71.0]])
  scales = (0.5, 1.0, 1.5)
  found = []
  for scale in scales:
    crop_from_img = frames.crop_from_img(
      center_xy, frames.scaled_size(size_wh, scale)
    )
    units = units_from_crop(
      geometry.transform(kpts_xy_img, crop_from_img)[None], frames.crop_hw
    )
    found.append(
      coordinates.hm_from_units(
        units, crop_hw=frames.crop_hw, hm_from_crop=frames.hm_from_crop
      )
    )
  matrices = [frames.scaled_from_hm(scale) for scale in scales]
  img_from_hm = frames.img_from_hm(center_xy, size_wh)
  merged = coordinates.merge_scales(found, matrices)
  np.testing.assert_allclose(
    geometry.transform(np.asarray(merged), img_from_hm)[0],
    kpts_xy_img,
    atol=1e-4,
  )
  moved = [found[0] + 3.0, *found[1:]]  # at scale 0.5 that is 6 at scale 1
  np.testing.assert_allclose(
    coordinates.merge_scales(moved, matrices), merged + 2, atol=1e-4
  )


def test_gradients_and_jit():
  @jax.jit
  def mean_x(points):
    flipped = coordinates.merge(points, points, permutation=PERMUTATION)
    hm = coordinates.hm_from_units(
      flipped, crop_hw=(64, 48), hm_from_crop=FRAMES[0].hm_from_crop
    )
    return hm[..., 1].sum()

  gradient = jax.grad(mean_x)(jnp.asarray(_random(1, 5, 2)))
  np.testing.assert_allclose(gradient[..., 0], 0)
  np.testing.assert_allclose(gradient[..., 1], 16, rtol=1e-6)  # map's height


@pytest.mark.parametrize("permutation", [(0, 1), (0, 0, 1), (0, 1, 3)])
def test_another_skeletons_permutation_is_refused(permutation):
  with pytest.raises(ValueError, match="each of 0..2 once, got .*network"):
    coordinates.flip_back(_random(1, 3, 2), permutation=permutation)
  with pytest.raises(ValueError, match="each of 0..2 once"):
    coordinates.merge_values(
      _random(1, 3), _random(1, 3), permutation=permutation
    )
