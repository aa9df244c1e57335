"""How well people are found who are small, hidden or in a crowd.

Everybody who counts is in exactly one bin of each condition. A bin has the
mean OKS, where somebody without a prediction counts 0, and COCO's average
recall among its people; no precision, because a false person belongs to no
bin.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from pose_jax.eval.diagnosis.errors import same_image
from pose_jax.eval.results import PeopleTable

OVERLAP = 0.1  # intersection over union from which two boxes overlap

_SIDE_EDGES = (32, 64, 96, 128, 192, 256)  # 32 and 96 are COCO's
_HIDDEN_EDGES = (0, 0.1, 0.25, 0.5)


@dataclasses.dataclass(frozen=True, eq=False)
class Condition:
  """People in bins of one property.

  Attributes:
    name: of the property, in words.
    labels: one for each bin.
    num_people: who fall into it.
    mean_oks, recall: in [0, 1], nan for an empty bin.
  """

  name: str
  labels: tuple[str, ...]
  num_people: Int[np.ndarray, "bins"]
  mean_oks: Float[np.ndarray, "bins"]
  recall: Float[np.ndarray, "bins"]


def conditions(
  people: PeopleTable,
  counts: Bool[np.ndarray, "N"],
  *,
  oks: Float[np.ndarray, "N"],
  recall: Float[np.ndarray, "N"],
) -> tuple[Condition, ...]:
  """Scores by size, occlusion, labelled keypoints and crowding.

  Args:
    people: the whole table.
    counts: who is measured: not a crowd, and somehow labelled.
    oks: of each person's prediction, 0 where there is none.
    recall: share of the OKS thresholds at which each person is found.
  """
  vis = np.asarray(people.vis)
  labelled = (vis > 0).sum(1)
  hidden = (vis == 1).sum(1) / np.maximum(labelled, 1)
  side = np.sqrt(np.asarray(people.area, np.float64))
  in_image, overlapping = crowding(people)
  k = people.skeleton.num_keypoints
  binned = (
    _ranges("size: side of a square of the same area", side, _SIDE_EDGES),
    _shares("share of the labelled keypoints that are hidden", hidden),
    _counts("labelled keypoints", labelled, range(5, k, 5), first=1, last=k),
    _counts("people in the image", in_image, (1, 3, 6, 10), first=1),
    _counts("other people whose boxes overlap", overlapping, (0, 2)),
  )
  return tuple(
    _condition(name, labels, index[counts], oks[counts], recall[counts])
    for name, labels, index in binned
  )


def crowding(
  people: PeopleTable,
) -> tuple[Int[np.ndarray, "N"], Int[np.ndarray, "N"]]:
  """People in the image of each person, itself too, and how many overlap it.

  Everybody counts who is not a crowd region, labelled or not. Boxes overlap
  from an intersection over union above 0.1, as in coco-analyze.
  """
  image = np.asarray(people.image_index)
  single = np.flatnonzero(~np.asarray(people.is_crowd))
  rows, found = same_image(image, image[single])
  other = single[found]
  overlap = _iou(np.asarray(people.box_xywh_img, np.float64), rows, other)
  near = (overlap > OVERLAP) & (rows != other)
  num = len(image)
  return (
    np.bincount(rows, minlength=num),
    np.bincount(rows[near], minlength=num),
  )


def _iou(box_xywh, rows, other):
  low = np.maximum(box_xywh[rows, :2], box_xywh[other, :2])
  ends = box_xywh[:, :2] + box_xywh[:, 2:]
  high = np.minimum(ends[rows], ends[other])
  shared = np.prod(np.maximum(high - low, 0), 1)
  area = np.prod(box_xywh[:, 2:], 1)
  union = area[rows] + area[other] - shared
  return shared / np.where(union > 0, union, 1)


def _ranges(name, values, edges):
  """Bins that end at each edge, the edge inside, and one for what is above."""
  labels = [f"to {edge} px" for edge in edges] + [f"above {edges[-1]} px"]
  return name, labels, np.searchsorted(np.array(edges), values)


def _shares(name, values):
  """As `_ranges`, in percent; the first bin is "none"."""
  percent = [f"{100 * edge:g} %" for edge in _HIDDEN_EDGES]
  labels = ["none", *(f"to {p}" for p in percent[1:]), f"above {percent[-1]}"]
  return name, labels, np.searchsorted(np.array(_HIDDEN_EDGES), values)


def _counts(name, values, edges, *, first=0, last=None):
  """As `_ranges`, of whole numbers from `first` to `last`."""
  lows = [first, *(edge + 1 for edge in edges)]
  labels = [
    f"{low}" if low == high else f"{low} to {high}"
    for low, high in zip(lows, [*edges, last], strict=True)
  ]
  if last is None:
    labels[-1] = f"{lows[-1]} or more"
  return name, labels, np.searchsorted(np.array(edges), values)


def _condition(name, labels, index, oks, recall):
  num = np.bincount(index, minlength=len(labels))
  mean = [
    np.where(
      num > 0,
      np.bincount(index, values, len(labels)) / np.maximum(num, 1),
      np.nan,
    )
    for values in (oks, recall)
  ]
  return Condition(name, tuple(labels), num, *mean)
