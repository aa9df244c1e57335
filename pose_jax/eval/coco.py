"""COCO's average precision and recall (the only importer of pycocotools).

The ground truth is built from the table of people, so every dataset can be
scored, not only COCO's files; the numbers are pycocotools' own. Conventions
of COCO that surprise: crowds and people without labelled keypoints are
ignored, neither found nor missed; only the 20 best-scored predictions of an
image count; a size without any ground truth has no score (None here, -1
there).
"""

import contextlib
import dataclasses
import io
from typing import Any

import numpy as np
from jaxtyping import Float
from pycocotools import coco, cocoeval

from pose_jax.eval import results as results_lib
from pose_jax.eval.average_precision import NAMES
from pose_jax.eval.pairs import MAX_PER_IMAGE


@dataclasses.dataclass(frozen=True)
class CocoScores:
  """COCO's ten numbers and the curves behind them.

  Attributes:
    values: NAMES -> score in [0, 1], None where there is no ground truth.
    recall: [101] recall at which precision was read, 0 to 1.
    precision: "OKS 0.50", "OKS 0.75", "mean" -> [101]; empty without ground
      truth.
  """

  values: dict[str, float | None]
  recall: Float[np.ndarray, "R"]
  precision: dict[str, Float[np.ndarray, "R"]]


def ground_truth(people: results_lib.PeopleTable) -> dict[str, Any]:
  """COCO's annotation dictionary of a table, crowds and all.

  Annotation ids are row + 1, because pycocotools takes an id of 0 for "not
  matched".
  """
  vis = np.asarray(people.vis)
  kpts = np.concatenate(
    [np.asarray(people.kpts_xy_img, np.float64), vis[..., None]], -1
  ).reshape(len(people), 3 * people.skeleton.num_keypoints)
  boxes = np.asarray(people.box_xywh_img, np.float64).tolist()
  image_ids = np.asarray(people.image_ids)[people.image_index].tolist()
  annotations = [
    {
      "id": i + 1,
      "image_id": image_ids[i],
      "category_id": results_lib.PERSON_CATEGORY,
      "bbox": boxes[i],
      "area": float(people.area[i]),
      "iscrowd": int(people.is_crowd[i]),
      "keypoints": kpts[i].tolist(),
      "num_keypoints": int(np.count_nonzero(vis[i] > 0)),
    }
    for i in range(len(people))
  ]
  return {
    "info": {},
    "images": [{"id": i} for i in np.asarray(people.image_ids).tolist()],
    "categories": [
      {
        "id": results_lib.PERSON_CATEGORY,
        "name": "person",
        "keypoints": list(people.skeleton.keypoints),
      }
    ],
    "annotations": annotations,
  }


def evaluate_coco(
  people: results_lib.PeopleTable,
  results: Any,
  *,
  source: str = "results",
) -> CocoScores:
  """AP and AR of a results list against all people of the table.

  Args:
    people: the whole ground truth, crowds and people without keypoints too:
      they decide which predictions are ignored.
    results: list in COCO's results format.
    source: what to call the results in messages.
  Raises:
    ResultsError: naming the first entry that is not a valid result.
  """
  results_lib.check_results(results, people, source=source)
  with contextlib.redirect_stdout(io.StringIO()):
    truth = coco.COCO()
    truth.dataset = ground_truth(people)
    truth.createIndex()
    found = _load_results(truth, results)
    evaluation = cocoeval.COCOeval(truth, found, "keypoints")
    evaluation.params.kpt_oks_sigmas = np.array(people.skeleton.oks_sigmas)
    evaluation.params.maxDets = [MAX_PER_IMAGE]
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
  values = {
    name: None if value < 0 else float(value)
    for name, value in zip(NAMES, evaluation.stats, strict=True)
  }
  return CocoScores(
    values=values,
    recall=np.array(evaluation.params.recThrs),
    precision=_precision_curves(evaluation),
  )


def _load_results(truth: coco.COCO, results: list[dict[str, Any]]) -> coco.COCO:
  """COCO.loadRes, given only what scores keypoints.

  A "bbox" in a result would make loadRes take the box's area for the
  person's, and an empty list makes it fail.
  """
  if results:
    keep = ("image_id", "category_id", "keypoints", "score")
    return truth.loadRes([{key: r[key] for key in keep} for r in results])
  found = coco.COCO()
  found.dataset = {**truth.dataset, "annotations": []}
  found.createIndex()
  return found


def _precision_curves(
  evaluation: cocoeval.COCOeval,
) -> dict[str, Float[np.ndarray, "R"]]:
  """Precision over recall for people of all sizes."""
  precision = evaluation.eval["precision"][:, :, 0, 0, -1]  # OKS x recall
  if (precision < 0).all():
    return {}
  thresholds = list(np.round(evaluation.params.iouThrs, 2))
  return {
    "OKS 0.50": precision[thresholds.index(0.5)],
    "OKS 0.75": precision[thresholds.index(0.75)],
    "mean": precision.mean(0),
  }
