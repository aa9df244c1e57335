"""Object keypoint similarity: how alike two poses are, in units of a person.

Three uses, one formula. `oks` compares predictions with true people exactly
as COCOeval.computeOks; `oks_between` compares predictions with each other
(OKS-NMS); the rest looks at single keypoints and at a table of people. All
compute in NumPy, float64; similarities lie in [0, 1].
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Array, Bool, Float, Int

from pose_jax.eval import results as results_lib

# Whose keypoint scores must exceed vis_threshold, in `oks_between`.
SEEN_IN = ("both", "second")

_EPS = np.spacing(1)  # COCO's guard against an area of zero
_BLOCK = 2**20  # similarities computed at a time

Sigmas = Sequence[float] | Float[np.ndarray, "K"]


def keypoint_similarity(
  kpts_xy: Float[Array | np.ndarray, "*#n K 2"],
  kpts_xy_true: Float[Array | np.ndarray, "*#n K 2"],
  area: Float[Array | np.ndarray, "*#n"],
  *,
  sigmas: Sigmas,
) -> Float[np.ndarray, "*n K"]:
  """Returns the similarity of each keypoint, 1 where two coincide.

  exp(-d^2 / (2 (area + eps) (2 sigma_i)^2)): COCO's per-keypoint term, its
  mean over the labelled keypoints is OKS. Leading axes broadcast.

  Args:
    kpts_xy, kpts_xy_true: any one frame.
    area: of the true person, pixels of that frame.
    sigmas: [K], COCO's sigma_i (`Skeleton.oks_sigmas`).
  """
  difference = np.asarray(kpts_xy, np.float64) - np.asarray(
    kpts_xy_true, np.float64
  )
  return _similarity(difference, np.asarray(area, np.float64), sigmas)


def _similarity(difference_xy, area, sigmas):
  """The formula, in pycocotools' order of operations."""
  variance = (np.asarray(sigmas, np.float64) * 2) ** 2
  squared = difference_xy[..., 0] ** 2 + difference_xy[..., 1] ** 2
  return np.exp(-(squared / variance / (area[..., None] + _EPS) / 2))


def oks(
  kpts_xy: Float[Array | np.ndarray, "D K 2"],
  kpts_xy_true: Float[Array | np.ndarray, "G K 2"],
  vis_true: Int[Array | np.ndarray, "G K"],
  *,
  area: Float[Array | np.ndarray, "G"],
  box_xywh: Float[Array | np.ndarray, "G 4"],
  sigmas: Sigmas,
) -> Float[np.ndarray, "D G"]:
  """Returns COCO's OKS of each prediction with each true person.

  The mean similarity over the labelled keypoints (vis > 0). A person without
  any (a crowd, somebody tiny) is compared by how far each predicted keypoint
  lies outside the box widened by its own size on every side, so that what
  falls into it can be ignored and not count as wrong.
  Source: pycocotools' COCOeval.computeOks; differs in: nothing.

  Args:
    kpts_xy: predictions. kpts_xy_true, vis_true, area, box_xywh: true people,
      same frame.
    sigmas: [K], COCO's sigma_i.
  """
  points = np.asarray(kpts_xy, np.float64)
  truth = np.asarray(kpts_xy_true, np.float64)
  area = np.asarray(area, np.float64)
  labelled = np.asarray(vis_true) > 0
  result = np.empty((len(points), len(truth)))
  for g in range(len(truth)):
    if labelled[g].any():
      each = _similarity(points - truth[g], area[g : g + 1], sigmas)
      each = each[:, labelled[g]]
    else:
      outside = _outside_doubled(points, np.asarray(box_xywh, np.float64)[g])
      each = _similarity(outside, area[g : g + 1], sigmas)
    # A row at a time of few numbers: sums to the bit what pycocotools sums.
    result[:, g] = np.ascontiguousarray(each).sum(1) / each.shape[1]
  return result


def _outside_doubled(points_xy, box_xywh):
  """How far points lie outside a box widened by its size, along x and y."""
  low = box_xywh[:2] - box_xywh[2:]
  high = box_xywh[:2] + box_xywh[2:] * 2
  return np.maximum(0, low - points_xy) + np.maximum(0, points_xy - high)


def oks_between(
  kpts_xys: Float[Array | np.ndarray, "N K 3"],
  area: Float[Array | np.ndarray, "N"],
  *,
  sigmas: Sigmas,
  vis_threshold: float | None = None,
  seen_in: str = "both",
) -> Float[np.ndarray, "N N"]:
  """Returns the OKS of every two predictions, for the mean of their areas.

  Source: HRNet's `oks_iou`; differs in: with vis_threshold, its "both" keeps
  keypoints by the second person alone (a slip: `and` of two lists is the
  second), which is "second" here. Its evaluation gives no threshold.

  Args:
    kpts_xys: x, y and score of each keypoint, any one frame.
    area: of each person, pixels of that frame.
    sigmas: [K], COCO's sigma_i.
    vis_threshold: only keypoints of a higher score count; None for all.
    seen_in: whose score: "both" or, as HRNet, the "second" (the column's).
  Returns:
    Row i holds person i against all; 0 where no keypoint counts. Symmetric
    but for "second".
  Raises:
    ValueError: if seen_in is neither.
  """
  if seen_in not in SEEN_IN:
    raise ValueError(
      f"seen_in must be one of {', '.join(SEEN_IN)}, got {seen_in!r}"
    )
  points = np.asarray(kpts_xys, np.float64)
  area = np.asarray(area, np.float64)
  num, num_keypoints, _ = points.shape
  result = np.empty((num, num))
  block = max(1, _BLOCK // max(1, num * num_keypoints))
  for first in range(0, num, block):
    rows = slice(first, first + block)
    each = _similarity(
      points[rows, None, :, :2] - points[None, :, :, :2],
      (area[rows, None] + area[None]) / 2,
      sigmas,
    )
    if vis_threshold is None:
      result[rows] = each.mean(-1)
      continue
    is_seen = points[..., 2] > vis_threshold
    counts = np.broadcast_to(is_seen[None], each.shape)
    if seen_in == "both":
      counts = counts & is_seen[rows, None]
    result[rows] = _mean_of_counted(each, counts)
  return result


def similarity_of_people(
  kpts_xy_img: Float[Array | np.ndarray, "*n K 2"],
  people: results_lib.PeopleTable,
  rows: Int[np.ndarray, "*n"],
) -> tuple[Float[np.ndarray, "*n K"], Bool[np.ndarray, "*n K"]]:
  """Similarity of keypoints to those of person `rows`; which are labelled."""
  each = keypoint_similarity(
    kpts_xy_img,
    np.asarray(people.kpts_xy_img)[rows],
    np.asarray(people.area)[rows],
    sigmas=people.skeleton.oks_sigmas,
  )
  return each, np.asarray(people.vis)[rows] > 0


def oks_of_people(
  kpts_xy_img: Float[Array | np.ndarray, "*n K 2"],
  people: results_lib.PeopleTable,
  rows: Int[np.ndarray, "*n"],
) -> Float[np.ndarray, "*n"]:
  """OKS with person `rows`, one to one; 0 if none of its is labelled."""
  return _mean_of_counted(*similarity_of_people(kpts_xy_img, people, rows))


def _mean_of_counted(each, counts):
  total = np.where(counts, each, 0).sum(-1)
  return total / np.maximum(counts.sum(-1), 1)


def best_match(
  results: Sequence[dict[str, Any]], people: results_lib.PeopleTable
) -> Int[np.ndarray, "N"]:
  """Index of the result most like each person of the table, by OKS.

  -1 where the person's image has no result. For looking at predictions that
  do not say whom they belong to; no score is made from it.
  """
  by_image: dict[int, list[int]] = {}
  for i, entry in enumerate(results):
    by_image.setdefault(entry["image_id"], []).append(i)
  best = np.full(len(people), -1)
  for row in range(len(people)):
    image_id = int(people.image_ids[people.image_index[row]])
    candidates = by_image.get(image_id, [])
    if candidates:
      kpts = np.array([results[i]["keypoints"] for i in candidates], np.float64)
      points = kpts.reshape(len(candidates), -1, 3)[..., :2]
      alike = oks_of_people(points, people, np.full(len(candidates), row))
      best[row] = candidates[int(alike.argmax())]
  return best
