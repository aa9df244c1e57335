"""Mirrored maps brought back: goldens, and exactness in each alignment."""

import numpy as np
import pytest

from pose_jax import geometry, skeleton
from pose_jax.codec import flip, targets

SWAP = (0, 2, 1, 3)


def _maps(seed=0, shape=(2, 5, 6, 4)):
  return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_flip_back_by_hand():
  maps = np.arange(4, dtype=np.float32).reshape(1, 1, 4, 1)
  both = np.concatenate([maps, 10 * maps], -1)
  back = flip.flip_back(both, permutation=(1, 0), shift=0)
  np.testing.assert_array_equal(back[0, 0, :, 0], [30, 20, 10, 0])
  np.testing.assert_array_equal(back[0, 0, :, 1], [3, 2, 1, 0])
  shifted = flip.flip_back(both, permutation=(1, 0), shift=1)
  np.testing.assert_array_equal(shifted[0, 0, :, 1], [3, 3, 2, 1])


def test_flip_back_twice_is_the_identity_without_shift():
  maps = _maps()
  back = flip.flip_back(maps, permutation=SWAP, shift=0)
  assert not np.array_equal(back, maps)
  twice = flip.flip_back(back, permutation=SWAP, shift=0)
  np.testing.assert_array_equal(twice, maps)


def test_permutation_says_where_a_keypoint_is_in_the_mirror_image():
  maps = _maps()
  cycle = (1, 2, 3, 0)  # not its own inverse
  back = np.asarray(flip.flip_back(maps, permutation=cycle, shift=0))
  for k in range(4):
    np.testing.assert_array_equal(back[..., k], maps[:, :, ::-1, cycle[k]])


def test_merge_with_the_mirror_image_reproduces_the_map():
  maps = _maps()
  mirrored = maps[:, :, ::-1][..., list(SWAP)]
  merged = flip.merge(maps, mirrored, permutation=SWAP, shift=0)
  np.testing.assert_array_equal(merged, maps)


@pytest.mark.parametrize("alignment", geometry.ALIGNMENTS)
def test_merging_targets_of_the_mirrored_crop_reproduces_targets(alignment):
  # Keypoints and the crop are mirrored as pixels are, W - 1 - x. Truncated
  # targets then lie one column to the left in "corner", which the shift mends;
  # unbiased targets in "unit" and "udp" match without.
  frames = geometry.Frames((256, 192), (64, 48), alignment)
  rng = np.random.default_rng(3)
  kpts_xy_crop = np.stack(
    [
      4 * rng.integers(10, 38, (2, 17)),
      4 * rng.integers(10, 54, (2, 17)),
    ],
    axis=-1,
  ).astype(np.float64)
  permutation = skeleton.COCO17.flip_permutation
  mirrored_xy_crop = kpts_xy_crop[:, list(permutation)]
  mirrored_xy_crop = np.stack(
    [191 - mirrored_xy_crop[..., 0], mirrored_xy_crop[..., 1]], -1
  )

  def draw(points_xy_crop):
    maps, _ = targets.gaussian(
      geometry.transform(points_xy_crop, frames.hm_from_crop),
      np.ones(points_xy_crop.shape[:2]),
      map_hw=frames.map_hw,
      sigma=2,
      unbiased=alignment != "corner",
    )
    return np.asarray(maps)

  maps = draw(kpts_xy_crop)
  merged = flip.merge(
    maps,
    draw(mirrored_xy_crop),
    permutation=permutation,
    shift=frames.flip_shift,
  )
  np.testing.assert_allclose(merged, maps, atol=2e-6)


def test_float16_and_float64_give_float32():
  for dtype in (np.float16, np.float64):
    maps = _maps().astype(dtype)
    back = flip.flip_back(maps, permutation=SWAP, shift=1)
    merged = flip.merge(maps, maps, permutation=SWAP, shift=1)
    assert back.dtype == merged.dtype == np.float32


@pytest.mark.parametrize("permutation", [(0, 1), (0, 2, 1, 1), (1, 2, 3, 4)])
def test_permutation_of_another_skeleton_is_refused(permutation):
  with pytest.raises(ValueError, match=r"each of 0\.\.3 once"):
    flip.flip_back(_maps(), permutation=permutation, shift=0)


@pytest.mark.parametrize("shift", [-1, 6])
def test_shift_off_the_map_is_refused(shift):
  with pytest.raises(ValueError, match=f"from 0 to 5 columns, got {shift}"):
    flip.flip_back(_maps(), permutation=SWAP, shift=shift)


def test_flip_agrees_with_goldens(goldens):
  golden = np.load(goldens / "flip_acc_loss.npz")
  maps = np.moveaxis(golden["output"], 1, -1)
  mirrored = np.moveaxis(golden["output_of_flipped"], 1, -1)
  permutation = skeleton.COCO17.flip_permutation
  for shift, suffix in ((0, ""), (1, "_shifted")):
    back = flip.flip_back(mirrored, permutation=permutation, shift=shift)
    np.testing.assert_array_equal(
      np.moveaxis(np.asarray(back), -1, 1), golden["flip_back" + suffix]
    )
    merged = flip.merge(maps, mirrored, permutation=permutation, shift=shift)
    np.testing.assert_allclose(
      np.moveaxis(np.asarray(merged), -1, 1),
      golden["averaged" + suffix],
      atol=1e-7,
    )
