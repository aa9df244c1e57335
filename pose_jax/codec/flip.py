"""Heatmaps of a mirror image, brought back and averaged (the flip test).

The mirror image of a crop shows every left keypoint as a right one and its
columns in reverse order. `shift` is the number of columns by which the maps
are then off; it follows from the alignment: `geometry.Frames.flip_shift`.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def flip_back(
  heatmaps: Float[Array | np.ndarray, "B h w K"],
  *,
  permutation: Sequence[int],
  shift: int,
) -> Float[Array, "B h w K"]:
  """Returns maps of the mirror image as maps of the image itself.

  The first `shift` columns, which nothing is moved into, keep what they have.
  Source: HRNet's `flip_back` and SHIFT_HEATMAP (there `shift` is 1).

  Args:
    heatmaps: [B, h, w, K] maps of the mirrored crop.
    permutation: keypoint k of the image is permutation[k] of its mirror image
      (`Skeleton.flip_permutation`); static.
    shift: columns to move to the right, at least 0; static.
  Returns:
    [B, h, w, K] float32.
  Raises:
    ValueError: if permutation is none of K keypoints, or shift is outside
      the map.
  """
  _, _, width, num_keypoints = heatmaps.shape
  if sorted(permutation) != list(range(num_keypoints)):
    raise ValueError(
      f"permutation must hold each of 0..{num_keypoints - 1} once, got "
      f"{tuple(permutation)}: is it of another skeleton than the heatmaps?"
    )
  if not 0 <= shift < width:
    raise ValueError(
      f"shift must be from 0 to {width - 1} columns, got {shift}"
    )
  maps = jnp.asarray(heatmaps, jnp.float32)
  maps = jnp.take(maps[:, :, ::-1], np.asarray(permutation), axis=-1)
  if shift == 0:
    return maps
  return jnp.concatenate([maps[:, :, :shift], maps[:, :, :-shift]], axis=2)


def merge(
  heatmaps: Float[Array | np.ndarray, "B h w K"],
  heatmaps_of_mirrored: Float[Array | np.ndarray, "B h w K"],
  *,
  permutation: Sequence[int],
  shift: int,
) -> Float[Array, "B h w K"]:
  """Returns the average of maps and of their mirror image's maps.

  Args:
    heatmaps: [B, h, w, K] maps of the crop.
    heatmaps_of_mirrored: [B, h, w, K] maps of the mirrored crop.
    permutation: as in `flip_back`.
    shift: as in `flip_back`.
  Returns:
    [B, h, w, K] float32.
  Raises:
    ValueError: as `flip_back`.
  """
  back = flip_back(heatmaps_of_mirrored, permutation=permutation, shift=shift)
  return (jnp.asarray(heatmaps, jnp.float32) + back) * 0.5
