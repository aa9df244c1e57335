"""Regressed coordinates: into heatmap pixels, mirrored back, averaged.

For networks that regress coordinates in units of the crop (`ops.coordinates`)
and say which keypoints are present: what `flip.py` and `pyramid.py` are for
heatmaps. There is no shift of columns here: in units of the crop a mirror
image is exact under every alignment.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pose_jax import geometry
from pose_jax.ops.coordinates import crop_from_units


def hm_from_units(
  coordinates: Float[Array | np.ndarray, "B K 2"],
  *,
  crop_hw: Sequence[int],
  hm_from_crop: Float[np.ndarray, "2 3"],
) -> Float[Array, "B K 2"]:
  """Returns keypoints in heatmap pixels, float32, from units of the crop.

  Args:
    coordinates: (x, y), -0.5 to 0.5 inside the crop; others stay outside.
    crop_hw: its height and width, pixels.
    hm_from_crop: `Frames.hm_from_crop`; the identity for networks whose
      heatmap frame is the crop's.
  """
  matrix = jnp.asarray(hm_from_crop, jnp.float32)[None]
  return geometry.transform(crop_from_units(coordinates, crop_hw), matrix)


def flip_back(
  coordinates: Float[Array | np.ndarray, "B K 2"],
  *,
  permutation: Sequence[int],
) -> Float[Array, "B K 2"]:
  """Returns keypoints of the mirror image as keypoints of the image itself.

  Args:
    coordinates: of the mirrored crop, in units of the crop.
    permutation: keypoint k of the image is permutation[k] of its mirror image
      (`Skeleton.flip_permutation`); static.
  Raises:
    ValueError: if permutation is none of K keypoints.
  """
  x, y = jnp.split(_swapped(coordinates, permutation), 2, -1)
  return jnp.concatenate([-x, y], -1)


def merge(
  coordinates: Float[Array | np.ndarray, "B K 2"],
  coordinates_of_mirrored: Float[Array | np.ndarray, "B K 2"],
  *,
  permutation: Sequence[int],
) -> Float[Array, "B K 2"]:
  """Returns the mean of keypoints and of their mirror image's.

  Args:
    coordinates: of the crop, in units of the crop.
    coordinates_of_mirrored: of the mirrored crop, likewise.
    permutation: as in `flip_back`.
  Raises:
    ValueError: as `flip_back`.
  """
  back = flip_back(coordinates_of_mirrored, permutation=permutation)
  return (jnp.asarray(coordinates, jnp.float32) + back) * 0.5


def flip_back_values(
  values: Float[Array | np.ndarray, "B K"], *, permutation: Sequence[int]
) -> Float[Array, "B K"]:
  """Returns what is said of the mirror image's keypoints of the image's own.

  Args:
    values: one number for each keypoint, such as the probability that it is
      there, or its score.
    permutation: as in `flip_back`.
  Raises:
    ValueError: as `flip_back`.
  """
  return _swapped(values, permutation)


def merge_values(
  values: Float[Array | np.ndarray, "B K"],
  values_of_mirrored: Float[Array | np.ndarray, "B K"],
  *,
  permutation: Sequence[int],
) -> Float[Array, "B K"]:
  """Returns the mean of keypoints' values and of their mirror image's.

  Raises:
    ValueError: as `flip_back`.
  """
  back = flip_back_values(values_of_mirrored, permutation=permutation)
  return (jnp.asarray(values, jnp.float32) + back) * 0.5


def merge_scales(
  kpts_xy_hm: Sequence[Float[Array, "B K 2"]],
  scaled_from_hm: Sequence[Float[np.ndarray, "2 3"]],
) -> Float[Array, "B K 2"]:
  """Returns the mean of the keypoints that crops of several scales gave.

  Args:
    kpts_xy_hm: one per scale, pixels of that scale's own heatmap.
    scaled_from_hm: one per scale, `Frames.scaled_from_hm` of it.
  Returns:
    Pixels of the heatmap at scale 1.
  """
  back = [
    geometry.transform(
      points, jnp.asarray(geometry.invert(matrix), jnp.float32)[None]
    )
    for points, matrix in zip(kpts_xy_hm, scaled_from_hm, strict=True)
  ]
  return sum(back) / len(back)


def _swapped(values, permutation: Sequence[int]):
  """Keypoint k has what keypoint permutation[k] had; float32."""
  num_keypoints = values.shape[1]
  if sorted(permutation) != list(range(num_keypoints)):
    raise ValueError(
      f"permutation must hold each of 0..{num_keypoints - 1} once, got "
      f"{tuple(permutation)}: is it of another skeleton than the network?"
    )
  return jnp.asarray(values, jnp.float32)[:, np.asarray(permutation)]
