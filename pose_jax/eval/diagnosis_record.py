"""A diagnosis as it is kept: numbers for metrics.json, a part of the report."""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pose_jax.eval import pck
from pose_jax.eval.diagnosis import Diagnosis
from pose_jax.eval.diagnosis.calibration import Calibration
from pose_jax.eval.diagnosis.errors import GOOD, KINDS
from pose_jax.eval.predictions import Predictions
from pose_jax.eval.results import PeopleTable
from pose_jax.pages import diagnosis as diagnosis_page
from pose_jax.pages import mistakes, page

NUM_PICTURES = 4  # of each kind of error


def to_json(diagnosis: Diagnosis, people: PeopleTable) -> dict[str, Any]:
  """The numbers of a diagnosis, without those of single people."""
  names = people.skeleton.keypoints
  return {
    "num_people": diagnosis.num_people,
    "num_missed": diagnosis.num_missed,
    "num_background": diagnosis.num_background,
    "num_duplicates": diagnosis.num_duplicates,
    "keypoints": {
      name: {
        **dict(zip(KINDS, counts, strict=True)),
        "person_not_found": unpaired,
        "ap_gain": _number(gain),
      }
      for name, counts, unpaired, gain in zip(
        names,
        diagnosis.counts.tolist(),
        diagnosis.unpaired.tolist(),
        diagnosis.keypoint_gain.tolist(),
        strict=True,
      )
    },
    "ap": diagnosis.ap,
    "costs": [
      {
        "error": cost.name,
        "number": cost.num,
        "ap_gain": cost.gain,
        "ap_gain_exact": cost.gain_exact,
        "ap_in_turn": cost.ap_in_turn,
      }
      for cost in diagnosis.costs
    ],
    "conditions": {
      condition.name: [
        {
          "bin": label,
          "num_people": int(num),
          "mean_oks": _number(oks),
          "recall": _number(recall),
        }
        for label, num, oks, recall in zip(
          condition.labels,
          condition.num_people,
          condition.mean_oks,
          condition.recall,
          strict=True,
        )
      ]
      for condition in diagnosis.conditions
    },
    "person_score": _calibration(diagnosis.person_score),
    "keypoint_score": _calibration(diagnosis.keypoint_score),
  }


def _number(value: float) -> float | None:
  return None if np.isnan(value) else float(value)


def _calibration(found: Calibration) -> dict[str, Any]:
  return {
    "error": found.error,
    "rank_correlation": found.rank_correlation,
    "score": found.score.tolist(),
    "right": found.right.tolist(),
    "number": found.num.tolist(),
  }


def sections(
  diagnosis: Diagnosis,
  people: PeopleTable,
  predictions: Predictions,
  *,
  read_image: Callable[[int], np.ndarray] | None = None,
  box_noise: Sequence[tuple[float, Mapping[str, float | None]]] = (),
) -> tuple[page.Section, ...]:
  """The diagnosis as parts of the report.

  Args:
    people, predictions: what was diagnosed.
    read_image: index of an image of the table -> uint8 RGB; without it there
      are no photographs.
    box_noise: (amount, scores) of evaluations with moved boxes.
  """
  return diagnosis_page.sections(
    diagnosis_page.Findings(
      skeleton=people.skeleton,
      groups=pck.groups(people.skeleton),
      kinds=KINDS,
      counts=diagnosis.counts,
      unpaired=diagnosis.unpaired,
      num_people=diagnosis.num_people,
      num_missed=diagnosis.num_missed,
      num_background=diagnosis.num_background,
      num_duplicates=diagnosis.num_duplicates,
      ap=diagnosis.ap,
      costs=tuple(
        (c.name, c.num, c.gain, c.gain_exact, c.ap_in_turn)
        for c in diagnosis.costs
      ),
      keypoint_gain=diagnosis.keypoint_gain,
      conditions=tuple(
        diagnosis_page.Condition(**vars(condition))
        for condition in diagnosis.conditions
      ),
      person_score=diagnosis_page.Reliability(**vars(diagnosis.person_score)),
      keypoint_score=diagnosis_page.Reliability(
        **vars(diagnosis.keypoint_score)
      ),
      box_noise=tuple(box_noise),
      worst=_mistakes(diagnosis, people, predictions, read_image),
    )
  )


def worst(diagnosis: Diagnosis, kind: int, count: int) -> np.ndarray:
  """Pairs with most keypoints of one kind, those of less OKS first."""
  num = (diagnosis.errors.kind == kind).sum(1)
  order = np.lexsort((diagnosis.errors.oks(), -num))
  return order[num[order] > 0][:count]


def _mistakes(diagnosis, people, predictions, read_image):
  if read_image is None:
    return {}
  return {
    name: tuple(
      _mistake(diagnosis, people, predictions, read_image, kind, pair)
      for pair in worst(diagnosis, kind, NUM_PICTURES)
    )
    for kind, name in enumerate(KINDS)
    if kind != GOOD
  }


def _mistake(diagnosis, people, predictions, read_image, kind, pair):
  errors = diagnosis.errors
  person, prediction = int(errors.person[pair]), int(errors.prediction[pair])
  image = int(people.image_index[person])
  is_wrong = errors.kind[pair] == kind
  name = pathlib.PurePath(people.image_names[image]).stem
  return mistakes.Mistake(
    caption=(
      f"{name}, person {people.person_ids[person]}: {is_wrong.sum()} "
      f"{'keypoint' if is_wrong.sum() == 1 else 'keypoints'}, OKS "
      f"{errors.oks()[pair]:.2f}"
    ),
    image=read_image(image),
    box_xywh_img=np.asarray(people.box_xywh_img[person], np.float64),
    kpts_xy_img=predictions.kpts_xys_img[prediction, :, :2],
    true_xy_img=np.asarray(people.kpts_xy_img[person], np.float64),
    vis=people.vis[person],
    is_wrong=is_wrong,
  )
