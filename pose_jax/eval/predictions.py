"""Predicted people as arrays: what the metrics compute on.

A list in COCO's results format (results.py) is what is read and written; a
table of arrays is what matching, suppression, resampling and diagnosis take.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64

from pose_jax.eval.presence import THRESHOLD
from pose_jax.eval.results import (
  PERSON_CATEGORY,
  PeopleTable,
  instance_score,
)

NOBODY = -1  # person_id of a prediction that does not say whom it is of


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
  """D predicted people, in the order in which they were given.

  Attributes:
    image_ids: the dataset's own image numbers.
    kpts_xys_img: x, y in image pixels and the keypoint's score.
    score: of the person.
    person_ids: annotation that a prediction belongs to, or NOBODY.
    presence: probability that a keypoint is there; None where it is not said.
  """

  image_ids: Int64[np.ndarray, "D"]
  kpts_xys_img: Float64[np.ndarray, "D K 3"]
  score: Float64[np.ndarray, "D"]
  person_ids: Int64[np.ndarray, "D"]
  presence: Float64[np.ndarray, "D K"] | None = None

  def __len__(self) -> int:
    return len(self.score)

  def select(self, rows: Bool[np.ndarray, "D"] | np.ndarray) -> "Predictions":
    """The given rows, by mask or by index."""
    return Predictions(
      self.image_ids[rows],
      self.kpts_xys_img[rows],
      self.score[rows],
      self.person_ids[rows],
      None if self.presence is None else self.presence[rows],
    )

  def to_results(self) -> list[dict[str, Any]]:
    """A list in COCO's results format.

    person_id and presence only where they are known.
    """
    num_values = 3 * self.kpts_xys_img.shape[1]  # -1 needs a prediction
    flat = self.kpts_xys_img.reshape(len(self), num_values).tolist()
    entries = [
      {
        "image_id": image_id,
        "category_id": PERSON_CATEGORY,
        "keypoints": keypoints,
        "score": score,
        "person_id": person_id,
      }
      for image_id, keypoints, score, person_id in zip(
        self.image_ids.tolist(),
        flat,
        self.score.tolist(),
        self.person_ids.tolist(),
        strict=True,
      )
    ]
    for entry in entries:
      if entry["person_id"] == NOBODY:
        del entry["person_id"]
    if self.presence is not None:
      for entry, presence in zip(entries, self.presence.tolist(), strict=True):
        entry["presence"] = presence
    return entries


def from_results(
  results: Sequence[dict[str, Any]], num_keypoints: int
) -> Predictions:
  """Arrays of a results list that `results.check_results` has passed.

  With presence if there are entries and all of them say it.
  """
  says = bool(results) and all("presence" in entry for entry in results)
  flat = np.array([entry["keypoints"] for entry in results], np.float64)
  return Predictions(
    image_ids=np.array([entry["image_id"] for entry in results], np.int64),
    kpts_xys_img=flat.reshape(len(results), num_keypoints, 3),
    score=np.array([entry["score"] for entry in results], np.float64),
    person_ids=np.array(
      [entry.get("person_id", NOBODY) for entry in results], np.int64
    ),
    presence=np.array([entry["presence"] for entry in results], np.float64)
    if says
    else None,
  )


def rounded(
  *,
  image_ids: Int64[np.ndarray, "D"],
  person_ids: Int64[np.ndarray, "D"],
  box_score: Float[np.ndarray, "D"],
  kpts_xy_img: Float[np.ndarray, "D K 2"],
  keypoint_score: Float[np.ndarray, "D K"],
  presence: Float[np.ndarray, "D K"] | None = None,
  presence_threshold: float | int = THRESHOLD,
) -> Predictions:
  """Predictions of a network, scored by `results.instance_score`.

  Coordinates are rounded to 1e-3 px, scores and probabilities to 1e-6, so that
  what is scored now is exactly what a file of them holds.

  Args:
    presence: probability that a keypoint is there.
    presence_threshold: a keypoint below it is absent: its score becomes 0,
      its x and y stay what they are.
  """
  points = np.round(np.asarray(kpts_xy_img, np.float64), 3)
  scores = np.round(np.asarray(keypoint_score, np.float64), 6)
  if presence is not None:
    presence = np.round(np.asarray(presence, np.float64), 6)
    scores = np.where(presence >= presence_threshold, scores, 0.0)
  return Predictions(
    image_ids=image_ids,
    kpts_xys_img=np.concatenate([points, scores[..., None]], -1),
    score=np.round(
      instance_score(np.asarray(box_score, np.float64), scores), 6
    ),
    person_ids=person_ids,
    presence=presence,
  )


def of_people(
  people: PeopleTable,
  rows: Int[np.ndarray, "D"],
  kpts_xy_img: Float[np.ndarray, "D K 2"],
  keypoint_score: Float[np.ndarray, "D K"],
  presence: Float[np.ndarray, "D K"] | None = None,
  presence_threshold: float | int = THRESHOLD,
) -> Predictions:
  """`rounded` predictions in the boxes of some rows of a table."""
  return rounded(
    image_ids=np.asarray(people.image_ids)[people.image_index[rows]],
    person_ids=np.asarray(people.person_ids)[rows],
    box_score=np.asarray(people.score)[rows],
    kpts_xy_img=kpts_xy_img,
    keypoint_score=keypoint_score,
    presence=presence,
    presence_threshold=presence_threshold,
  )
