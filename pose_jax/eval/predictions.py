"""Predicted people as arrays: what the metrics compute on.

A list in COCO's results format (results.py) is what is read and written; a
table of arrays is what matching, suppression, resampling and diagnosis take.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from pose_jax.eval.results import PERSON_CATEGORY

NOBODY = -1  # person_id of a prediction that does not say whom it is of


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
  """D predicted people, in the order in which they were given.

  Attributes:
    image_ids: the dataset's own image numbers.
    kpts_xys_img: x, y in image pixels and the keypoint's score.
    score: of the person.
    person_ids: annotation that a prediction belongs to, or NOBODY.
  """

  image_ids: Int64[np.ndarray, "D"]
  kpts_xys_img: Float64[np.ndarray, "D K 3"]
  score: Float64[np.ndarray, "D"]
  person_ids: Int64[np.ndarray, "D"]

  def __len__(self) -> int:
    return len(self.score)

  def select(self, rows: Bool[np.ndarray, "D"] | np.ndarray) -> "Predictions":
    """The given rows, by mask or by index."""
    return Predictions(
      self.image_ids[rows],
      self.kpts_xys_img[rows],
      self.score[rows],
      self.person_ids[rows],
    )

  def to_results(self) -> list[dict[str, Any]]:
    """A list in COCO's results format; person_id only where it is known."""
    flat = self.kpts_xys_img.reshape(len(self), -1).tolist()
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
    return entries


def from_results(
  results: Sequence[dict[str, Any]], num_keypoints: int
) -> Predictions:
  """Arrays of a results list that `results.check_results` has passed."""
  flat = np.array([entry["keypoints"] for entry in results], np.float64)
  return Predictions(
    image_ids=np.array([entry["image_id"] for entry in results], np.int64),
    kpts_xys_img=flat.reshape(len(results), num_keypoints, 3),
    score=np.array([entry["score"] for entry in results], np.float64),
    person_ids=np.array(
      [entry.get("person_id", NOBODY) for entry in results], np.int64
    ),
  )
