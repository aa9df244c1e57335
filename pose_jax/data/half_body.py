"""Crops of half a person: upper or lower body alone (HRNet's augmentation).

The halves are the skeleton's. The box is that of the half's labelled
keypoints; it is centred on their mean, not on its middle, as in HRNet.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from pose_jax.geometry import Frames, box_from_keypoints
from pose_jax.skeleton import Skeleton

_ENOUGH = 3  # keypoints that make a half worth showing
_LEAST = 2  # keypoints that have an extent


@dataclasses.dataclass(frozen=True)
class Half:
  """Where to crop: "upper" or "lower", centre and padded size."""

  name: str
  center_xy_img: Float[np.ndarray, "2"]
  size_wh_img: Float[np.ndarray, "2"]


def half_body(
  kpts_xy_img: Float[np.ndarray, "K 2"],
  labelled: Bool[np.ndarray, "K"],
  skeleton: Skeleton,
  frames: Frames,
  *,
  wanted: str,
  padding: float | int = 1.5,
) -> Half | None:
  """The crop of one half of a person, or None where neither half will do.

  The other half takes over where the wanted one has fewer than three labelled
  keypoints; the upper one with two is the last resort. (mmpose also accepts
  two keypoints of the upper half when three of the lower are there. With at
  least nine of COCO's seventeen labelled that never happens.)
  Source: HRNet's half_body_transform, with its alignment rule ("corner"; UDP's
  code has the same) or DARK's ("unit", where a box is a pixel wider).

  Args:
    kpts_xy_img: image pixels.
    labelled: keypoints that count.
    wanted: "upper" or "lower".
    padding: growth of the box, once it has the crop's aspect, where it is to
      have it (`Frames.keep_aspect`).
  """
  halves = {
    name: labelled & np.isin(np.arange(len(labelled)), getattr(skeleton, name))
    for name in ("upper", "lower")
  }
  name = wanted if halves[wanted].sum() >= _ENOUGH else _other(wanted)
  if halves[name].sum() < _ENOUGH:
    name = "upper"
  if halves[name].sum() < _LEAST:
    return None
  box_xywh_img = box_from_keypoints(kpts_xy_img, halves[name])
  # Less than a pixel cannot be cropped between pixel centres, nor stretched.
  extent = box_xywh_img[2:]
  if (extent.max() if frames.keep_aspect else extent.min()) < 1:
    return None
  box_xywh_img[2:] += frames.box_inset
  _, size_wh = dataclasses.replace(frames, padding=padding).center_size(
    box_xywh_img
  )
  center_xy = kpts_xy_img[halves[name]].mean(0, dtype=np.float64)
  return Half(name, center_xy, size_wh)


def _other(half: str) -> str:
  return "lower" if half == "upper" else "upper"
