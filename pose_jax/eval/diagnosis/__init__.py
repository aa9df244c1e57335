"""What is wrong with predictions, where, and what it costs.

After Ronchi and Perona 2017, "Benchmarking and Error Diagnosis in
Multi-Instance Pose Estimation", arXiv 1707.05388: pairing.py says whose a
prediction is, errors.py what is wrong with its keypoints, costs.py what AP
loses by it, conditions.py how scores depend on size, occlusion and crowding,
calibration.py whether a score says how right a prediction is. NumPy only.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from pose_jax.eval.diagnosis import calibration, conditions, costs, pairing
from pose_jax.eval.diagnosis import errors as errors_lib
from pose_jax.eval.predictions import Predictions
from pose_jax.eval.results import PeopleTable

PAIR_BY = ("oks", "person")


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnosis:
  """What `diagnose` found; K keypoints, N people of the table.

  Attributes:
    errors: the kind of every keypoint of every pair.
    counts: [K, 5] labelled keypoints of each of errors.KINDS.
    unpaired: [K] labelled keypoints of people nobody predicted.
    num_people: who are measured.
    num_missed: of them, whom no prediction was paired with.
    num_background, num_duplicates: predictions of nobody, and second ones.
    ap: AP; None where nobody is to be found, or where no cost was asked for.
    costs: what each sort of error costs in AP, coco-analyze's order.
    keypoint_gain: AP won if one keypoint were exact; nan without costs.
    conditions: scores by size, occlusion and crowding.
    person_score: each prediction's score against its OKS, 0 where it is of
      nobody.
    keypoint_score: each keypoint's score against whether it is right, of
      similarity 0.5 or more.
  """

  errors: errors_lib.Errors
  counts: Int[np.ndarray, "K 5"]
  unpaired: Int[np.ndarray, "K"]
  num_people: int
  num_missed: int
  num_background: int
  num_duplicates: int
  ap: float | None
  costs: tuple[costs.Cost, ...]
  keypoint_gain: Float[np.ndarray, "K"]
  conditions: tuple[conditions.Condition, ...]
  person_score: calibration.Calibration
  keypoint_score: calibration.Calibration


def diagnose(
  people: PeopleTable,
  predictions: Predictions,
  *,
  pair_by: str = "oks",
  with_costs: bool = True,
) -> Diagnosis:
  """Diagnoses predictions against a whole table of people.

  Args:
    people: everybody in the images, crowds and unlabelled people too.
    predictions: in images of the table.
    pair_by: "oks" as coco-analyze, or "person": whom a prediction says it is
      of, for data sets that are not measured by OKS.
    with_costs: whether to say what each error costs in AP.
  Raises:
    ValueError: if pair_by is neither; if a prediction is in an image that the
      table does not have; for "person", if one names nobody of the table.
  """
  if pair_by not in PAIR_BY:
    raise ValueError(f"pair_by must be oks or person, got {pair_by!r}")
  scene = costs.look(people, predictions)
  if pair_by == "oks":
    paired = pairing.pair_by_oks(people, predictions, scene.near, scene.oks)
  else:
    paired = pairing.pair_by_person(people, predictions)
  errors = errors_lib.classify(
    predictions.kpts_xys_img[paired.prediction, :, :2],
    people,
    prediction=paired.prediction,
    person=paired.person,
  )
  counts = pairing.counted(people)
  oks = np.zeros(len(people))
  oks[paired.person] = errors.oks()
  labelled = (np.asarray(people.vis) > 0)[paired.missed].sum(0)
  return Diagnosis(
    errors=errors,
    counts=errors.counts(),
    unpaired=labelled,
    num_people=int(counts.sum()),
    num_missed=int(paired.missed.sum()),
    num_background=int(paired.background.sum()),
    num_duplicates=int(paired.duplicate.sum()),
    ap=costs.average_precision(scene.matches) if with_costs else None,
    costs=costs.costs(scene, errors) if with_costs else (),
    keypoint_gain=(
      costs.keypoint_gains(scene, errors)
      if with_costs
      else np.full(errors.kind.shape[1], np.nan)
    ),
    conditions=conditions.conditions(
      people, counts, oks=oks, recall=_recall(scene, counts)
    ),
    person_score=_person_score(predictions, paired, errors),
    keypoint_score=_keypoint_score(predictions, errors),
  )


def _recall(
  scene: costs.Scene, counts: Bool[np.ndarray, "N"]
) -> Float[np.ndarray, "N"]:
  """Share of COCO's thresholds at which each person is found."""
  matched = scene.matches.matched_row
  found = np.bincount(matched[matched >= 0], minlength=len(counts))
  return counts * found / len(matched)


def _person_score(predictions, paired, errors):
  is_judged = paired.background | paired.duplicate
  is_judged[paired.prediction] = True
  right = np.zeros(len(predictions))
  right[paired.prediction] = errors.oks()
  return calibration.calibration(predictions.score[is_judged], right[is_judged])


def _keypoint_score(predictions, errors):
  labelled = errors.kind != errors_lib.UNLABELLED
  score = predictions.kpts_xys_img[errors.prediction, :, 2][labelled]
  is_right = errors.similarity[labelled] >= errors_lib.NEAR
  return calibration.calibration(score, is_right.astype(np.float64))
