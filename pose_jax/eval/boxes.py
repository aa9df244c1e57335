"""The boxes that a network is run in, of one or several origins."""

import dataclasses

import numpy as np
from jaxtyping import Float64, Int64


@dataclasses.dataclass(frozen=True, eq=False)
class Boxes:
  """R boxes; what becomes of a prediction depends on where its box came from.

  Attributes:
    origin: which of the origins ("ground truth", a detections file, ...) a
      box is from, from 0.
    image_ids: the dataset's own image numbers.
    person_ids: annotation that the box is of, or predictions.NOBODY.
    score: of the box.
    area: pixels, for suppression between predictions.
  """

  origin: Int64[np.ndarray, "R"]
  image_ids: Int64[np.ndarray, "R"]
  person_ids: Int64[np.ndarray, "R"]
  score: Float64[np.ndarray, "R"]
  area: Float64[np.ndarray, "R"]

  def __len__(self) -> int:
    return len(self.origin)
