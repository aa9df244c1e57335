"""What was measured of single keypoints, one row for each."""

from typing import Any

import numpy as np
from jaxtyping import Float

from pose_jax.eval import located, oks, pck, pckh
from pose_jax.eval.presence import Presence
from pose_jax.eval.results import PeopleTable, number


def keypoint_rows(
  usable: PeopleTable,
  matched: Float[np.ndarray, "N K 3"],
  *,
  with_similarity: bool = False,
  keypoint_ap: Float[np.ndarray, "K"] | None = None,
  pck_scores: pck.Pck | None = None,
  pckh_scores: pck.Pck | None = None,
  located_scores: pck.Pck | None = None,
  presence: Presence | None = None,
) -> tuple[dict[str, Any], ...]:
  """Rows with name, labelled (how often), and a score of each metric.

  Args:
    usable, matched: people and what was predicted for each, nan for nothing.
    with_similarity: mean similarity to the annotation, COCO's.
  """
  labelled = np.asarray(usable.vis) > 0
  columns: dict[str, np.ndarray] = {}
  if with_similarity:
    each, _ = oks.similarity_of_people(
      matched[..., :2], usable, np.arange(len(usable))
    )
    total = np.where(labelled, np.nan_to_num(each), 0).sum(0)
    num = labelled.sum(0)
    columns["similarity"] = np.where(
      num > 0, total / np.maximum(num, 1), np.nan
    )
  if keypoint_ap is not None:
    columns["AP"] = keypoint_ap
  for name, found, threshold in (
    (f"PCK@{pck.THRESHOLD:g}", pck_scores, pck.THRESHOLD),
    (f"PCKh@{pckh.THRESHOLDS[0]:g}", pckh_scores, pckh.THRESHOLDS[0]),
    (located.NAME, located_scores, located.THRESHOLD),
  ):
    if found:
      columns[name] = found.per_keypoint[found.at(threshold)]
  if presence:
    each = presence.counts.each
    columns |= {
      "present": each.share_present,
      "presence_accuracy": each.accuracy,
      "presence_majority": each.majority,
      "presence_balanced_accuracy": each.balanced_accuracy,
    }
  return tuple(
    {
      "name": name,
      "labelled": int(labelled[:, k].sum()),
      **{title: number(values[k]) for title, values in columns.items()},
    }
    for k, name in enumerate(usable.skeleton.keypoints)
  )
