"""Non-maximum suppression by OKS: one prediction per person of an image.

`oks_nms` drops whoever is too much like a better-scored person, `soft_oks_nms`
lowers the scores of the alike instead; `suppress` does either for every image
of a table of predictions. Similarity is `oks.oks_between`, whose area is the
mean of the two: what `area` holds is the caller's choice. HRNet's is the box
that was cropped, 1.25^2 times the detector's.

HRNet's whole evaluation of D predictions (x, y, score) in detected boxes, from
its `preds` and `all_boxes` (centre, scale, area, score), is

    score = results.instance_score(all_boxes[:, 5], preds[..., 2])
    found = Predictions(image_id, preds, score, np.full(len(preds), NOBODY))
    kept = nms.suppress(
      found, all_boxes[:, 4], kind="oks", threshold=0.9,
      sigmas=COCO17.oks_sigmas,
    )
    values = coco.evaluate_coco(people, kept.to_results()).values

with kind="soft_oks", reorder_only=True for its soft form.
"""

import dataclasses

import numpy as np
from jaxtyping import Array, Float, Int

from pose_jax.eval import oks as oks_lib
from pose_jax.eval.predictions import Predictions

KINDS = ("none", "oks", "soft_oks")
MAX_PEOPLE = 20  # of an image; HRNet's cap, and as many as COCO counts


def oks_nms(
  kpts_xys: Float[Array | np.ndarray, "N K 3"],
  score: Float[Array | np.ndarray, "N"],
  area: Float[Array | np.ndarray, "N"],
  *,
  threshold: float,
  sigmas: oks_lib.Sigmas,
  vis_threshold: float | None = None,
  seen_in: str = "both",
) -> Int[np.ndarray, "kept"]:
  """Returns the people of one image to keep, best first.

  The best-scored person stays, all whose OKS with it exceeds the threshold
  go, and so on with the rest. Of equal scores the last comes first.
  Source: HRNet's `oks_nms`; differs in: nothing, with seen_in="second".

  Args:
    kpts_xys: x, y and score of each keypoint, any one frame.
    score, area: of each person.
    threshold: highest OKS two kept people may have.
    sigmas, vis_threshold, seen_in: see `oks.oks_between`.
  """
  overlap = oks_lib.oks_between(
    kpts_xys, area, sigmas=sigmas, vis_threshold=vis_threshold, seen_in=seen_in
  )
  return _keep(overlap, np.asarray(score, np.float64), threshold)


def soft_oks_nms(
  kpts_xys: Float[Array | np.ndarray, "N K 3"],
  score: Float[Array | np.ndarray, "N"],
  area: Float[Array | np.ndarray, "N"],
  *,
  threshold: float,
  sigmas: oks_lib.Sigmas,
  vis_threshold: float | None = None,
  seen_in: str = "both",
  max_people: int = MAX_PEOPLE,
  reorder_only: bool = False,
) -> tuple[Int[np.ndarray, "kept"], Float[np.ndarray, "kept"]]:
  """Returns the people of one image by falling decayed score, and the scores.

  Each time the best of those left is taken, the others' scores are multiplied
  by exp(-OKS^2 / threshold). Of equal scores the last comes first.
  Source: HRNet's `soft_oks_nms` (Gaussian penalty of Bodla et al. 2017,
  arXiv:1704.04503); differs in: the decayed scores are returned. HRNet writes
  them nowhere, so that its evaluation sees a reordered, capped list with the
  scores of before: reorder_only.

  Args:
    kpts_xys, score, area: see `oks_nms`.
    threshold: the penalty's width, above 0.
    sigmas, vis_threshold, seen_in: see `oks.oks_between`.
    max_people: how many are kept at most.
    reorder_only: return the scores as they were, HRNet's way.
  Raises:
    ValueError: if threshold is not above 0 or max_people below 1.
  """
  _check_soft(threshold, max_people)
  overlap = oks_lib.oks_between(
    kpts_xys, area, sigmas=sigmas, vis_threshold=vis_threshold, seen_in=seen_in
  )
  score = np.asarray(score, np.float64)
  kept, decayed = _decay(overlap, score, threshold, max_people)
  return kept, score[kept] if reorder_only else decayed


def suppress(
  predictions: Predictions,
  area: Float[Array | np.ndarray, "D"],
  *,
  kind: str,
  threshold: float,
  sigmas: oks_lib.Sigmas,
  vis_threshold: float | None = None,
  seen_in: str = "both",
  max_people: int = MAX_PEOPLE,
  reorder_only: bool = False,
) -> Predictions:
  """Suppresses within every image.

  Args:
    predictions: of any number of images, in any order.
    area: of each predicted person, image pixels.
    kind: "none" (all stay as they are), "oks" or "soft_oks".
    threshold, sigmas, vis_threshold, seen_in: see `oks_nms`.
    max_people, reorder_only: see `soft_oks_nms`; they concern it alone.
  Returns:
    What is kept: images in the order in which they first appear, within an
    image by falling (decayed) score.
  Raises:
    ValueError: for another kind, an area too few, or as `soft_oks_nms`.
  """
  if kind not in KINDS:
    raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
  if len(area) != len(predictions):
    raise ValueError(
      f"area must hold one number per prediction, got {len(area)} for "
      f"{len(predictions)} predictions"
    )
  if kind == "soft_oks":
    _check_soft(threshold, max_people)
  if kind == "none" or not len(predictions):
    return predictions
  area = np.asarray(area, np.float64)
  kept, scores = [], []
  for rows in _rows_of_images(predictions.image_ids):
    score = predictions.score[rows]
    if len(rows) == 1:  # ground-truth boxes: often nobody to compare with
      kept.append(rows)
      scores.append(score)
      continue
    overlap = oks_lib.oks_between(
      predictions.kpts_xys_img[rows],
      area[rows],
      sigmas=sigmas,
      vis_threshold=vis_threshold,
      seen_in=seen_in,
    )
    if kind == "oks":
      chosen = _keep(overlap, score, threshold)
      decayed = score[chosen]
    else:
      chosen, decayed = _decay(overlap, score, threshold, max_people)
    kept.append(rows[chosen])
    scores.append(decayed)
  result = predictions.select(np.concatenate(kept))
  if kind == "oks" or reorder_only:
    return result
  return dataclasses.replace(result, score=np.concatenate(scores))


def _check_soft(threshold: float, max_people: int):
  if threshold <= 0:
    raise ValueError(
      f"threshold of soft OKS-NMS must be above 0, got {threshold:g}: it "
      "divides OKS^2 in the exponent"
    )
  if max_people < 1:
    raise ValueError(f"max_people must be at least 1, got {max_people}")


def _rows_of_images(image_ids):
  """The rows of each image, images in the order of their first row."""
  _, first, image = np.unique(image_ids, return_index=True, return_inverse=True)
  order = np.argsort(first[image], kind="stable")
  starts = np.flatnonzero(np.diff(first[image][order])) + 1
  return np.split(order, starts)


def _keep(overlap, score, threshold):
  """Greedy choice by falling score among those not too alike."""
  left = np.argsort(score, kind="stable")[::-1]
  kept = []
  while len(left):
    best, left = left[0], left[1:]
    kept.append(best)
    left = left[overlap[best, left] <= threshold]
  return np.array(kept, np.intp)


def _decay(overlap, score, threshold, max_people):
  """Choice by falling score, which each choice lowers for the others."""
  factor = np.exp(-(overlap**2) / threshold)
  score = score.copy()
  is_left = np.ones(len(score), bool)
  kept, decayed = [], []
  for _ in range(min(len(score), max_people)):
    candidates = np.where(is_left, score, -np.inf)
    best = len(score) - 1 - int(candidates[::-1].argmax())
    kept.append(best)
    decayed.append(score[best])
    is_left[best] = False
    score *= factor[best]
  return np.array(kept, np.intp), np.array(decayed, np.float64)
