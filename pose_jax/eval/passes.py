"""What a network says of one crop, and how several passes become one answer.

A network gives heatmaps, or it regresses coordinates; beside either it may say
which keypoints are present. Mirror images are averaged first, then scales.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pose_jax import geometry
from pose_jax.codec import coordinates, flip, pyramid


class Said(NamedTuple):
  """What one pass says, float32, as far as keypoints are read from it.

  Attributes:
    heatmaps: [B, h, w, K], or None: the coordinates are regressed.
    coordinates: [B, K, 2] in units of the crop, or None.
    score: [B, K] of the coordinates; None beside heatmaps, whose peaks say it.
    presence: [B, K] probability that a keypoint is there; None if not said.
  """

  heatmaps: Any = None
  coordinates: Any = None
  score: Any = None
  presence: Any = None


def read(output: Any, frames: geometry.Frames) -> Said:
  """Returns what a PoseOutput says.

  The score of regressed coordinates is 1 less the mean of their two
  deviations where the network says these; else the presence, where it is said;
  else 1.

  Raises:
    ValueError: if there is nothing to decode, or heatmaps are of another size
      than `frames` says.
  """
  logits, presence = output.presence_logits, None
  if logits is not None:
    presence = jax.nn.sigmoid(logits.astype(jnp.float32))
  if output.heatmaps is not None:
    return Said(heatmaps=_checked(output.heatmaps, frames), presence=presence)
  if output.coordinates is None:
    raise ValueError(
      "the network returned no heatmaps and no coordinates, so there is "
      "nothing to decode: choose a network with a head for one of them"
    )
  points = output.coordinates.astype(jnp.float32)
  score = jnp.ones(points.shape[:2], jnp.float32)
  if output.coordinate_sigmas is not None:
    score = 1 - output.coordinate_sigmas.astype(jnp.float32).mean(-1)
  elif presence is not None:
    score = presence
  return Said(coordinates=points, score=score, presence=presence)


def _checked(heatmaps: Any, frames: geometry.Frames) -> Float[Array, "B h w K"]:
  if heatmaps.shape[1:3] != tuple(frames.map_hw):
    raise ValueError(
      f"the network's heatmaps are {heatmaps.shape[1:3]}, the geometry "
      f"was made for {tuple(frames.map_hw)}: make both from one config"
    )
  return heatmaps.astype(jnp.float32)


def merge_mirrored(
  said: Said, of_mirrored: Said, *, permutation: Sequence[int], shift: int
) -> Said:
  """Returns the mean of what is said of a crop and of its mirror image.

  Args:
    permutation: keypoint k of the mirror image is permutation[k].
    shift: columns by which mirrored heatmaps are off (`Frames.flip_shift`).
  """
  swap = {"permutation": tuple(permutation)}
  merged = {}
  for name, merge, options in (
    ("heatmaps", flip.merge, swap | {"shift": shift}),
    ("coordinates", coordinates.merge, swap),
    ("score", coordinates.merge_values, swap),
    ("presence", coordinates.merge_values, swap),
  ):
    here, there = getattr(said, name), getattr(of_mirrored, name)
    if here is not None:
      merged[name] = merge(here, there, **options)
  return Said(**merged)


def merge_maps(
  said: Sequence[Said],
  scales: Sequence[float | int],
  frames: geometry.Frames,
  *,
  clip_negative: bool,
) -> Float[Array, "B h w K"]:
  """Returns the heatmaps to decode, averaged over scales.

  Args:
    said: one for each scale.
    clip_negative: set negative values to 0 first.
  """
  maps = [each.heatmaps for each in said]
  if clip_negative:
    maps = [jnp.maximum(heatmaps, 0) for heatmaps in maps]
  if tuple(scales) == (1.0,):
    return maps[0]
  matrices = [frames.scaled_from_hm(scale) for scale in scales]
  return pyramid.merge_scales(maps, matrices)


def merge_points(
  said: Sequence[Said],
  scales: Sequence[float | int],
  frames: geometry.Frames,
) -> tuple[Float[Array, "B K 2"], Float[Array, "B K"]]:
  """Returns regressed kpts_xy_hm and their score, averaged over scales.

  Args:
    said: one for each scale.
  """
  points = [
    coordinates.hm_from_units(
      each.coordinates,
      crop_hw=frames.crop_hw,
      hm_from_crop=frames.hm_from_crop,
    )
    for each in said
  ]
  score = _mean([each.score for each in said])
  if tuple(scales) == (1.0,):
    return points[0], score
  matrices = [frames.scaled_from_hm(scale) for scale in scales]
  return coordinates.merge_scales(points, matrices), score


def merge_presence(said: Sequence[Said]) -> Float[Array, "B K"] | None:
  """Returns the mean probability over scales; None if it is not said."""
  if said[0].presence is None:
    return None
  return _mean([each.presence for each in said])


def _mean(values: Sequence[Array]) -> Array:
  return sum(values) / len(values)
