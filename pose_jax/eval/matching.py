"""Which prediction found which person: COCO's matching, all images at once.

The rules are COCOeval.evaluateImg's, to the bit. The best-scored predictions
of an image choose first; each takes the person it is most like, if it is like
enough and the person is not taken (of equals the last in the table). Crowds,
people without labelled keypoints and people outside the range of areas are
ignored: they are chosen only where nobody else is left, and whoever chooses
one counts neither as right nor as wrong; a crowd can be chosen again and
again. A prediction that finds nobody is ignored if its own area is out of
range, its area being the extent of all its keypoints, whatever their scores.

Differs from COCOeval in the order of work alone: one step handles the n-th
best prediction of many images at every threshold. Time goes with the number
of pairs of a prediction and a person of one image.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from pose_jax.eval import pairs as pairs_lib
from pose_jax.eval.predictions import Predictions
from pose_jax.eval.results import PeopleTable

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of OKS
AREA_RANGES = {  # square pixels, both ends included
  "all": (0.0, 1e10),
  "medium": (32.0**2, 96.0**2),
  "large": (96.0**2, 1e10),
}
NOT_MATCHED = -1
_TIGHTEST = 1 - 1e-10  # a threshold of 1 must let an exact copy pass


@dataclasses.dataclass(frozen=True, eq=False)
class Matches:
  """What D predictions in M images found, at T thresholds of OKS.

  Predictions stand image after image by rising image id, the best score of an
  image first; those beyond the best 20 of an image are not among them.

  Attributes:
    image: row of `people.image_ids`.
    score: of the prediction.
    row: the prediction's row of the table of predictions.
    matched_row: the person's row of the table of people, or NOT_MATCHED.
    is_ignored: counts neither as right nor as wrong.
    num_truth: people of each image who are to be found.
    thresholds: of OKS.
  """

  image: Int[np.ndarray, "D"]
  score: Float[np.ndarray, "D"]
  row: Int[np.ndarray, "D"]
  matched_row: Int[np.ndarray, "T D"]
  is_ignored: Bool[np.ndarray, "T D"]
  num_truth: Int[np.ndarray, "M"]
  thresholds: Float[np.ndarray, "T"]


def match(
  people: PeopleTable,
  predictions: Predictions,
  *,
  area_range: str | tuple[float, float] = "all",
  thresholds: Float[np.ndarray, "T"] = THRESHOLDS,
  max_per_image: int = pairs_lib.MAX_PER_IMAGE,
  vis: Int[np.ndarray, "N K"] | None = None,
) -> Matches:
  """Matches predictions with people as COCOeval.evaluateImg does.

  Args:
    people: the whole ground truth, crowds and unlabelled people too.
    predictions: in images of the table.
    area_range: a key of AREA_RANGES, or lowest and highest area in square
      image pixels.
    thresholds: of OKS.
    max_per_image: best-scored predictions that count.
    vis: visibility to use instead of the table's.
  Raises:
    ValueError: for an unknown range of areas, or a prediction in an image
      that the table does not have.
  """
  vis = np.asarray(people.vis if vis is None else vis)
  pairs = pairs_lib.pair_up(people, predictions, max_per_image=max_per_image)
  return match_pairs(
    pairs,
    pairs_lib.oks_of_pairs(pairs, people, predictions, vis=vis),
    people,
    vis=vis,
    area_range=area_range,
    thresholds=thresholds,
  )


def match_pairs(
  pairs: pairs_lib.Pairs,
  oks: Float[np.ndarray, "P"],
  people: PeopleTable,
  *,
  vis: Int[np.ndarray, "N K"],
  area_range: str | tuple[float, float] = "all",
  thresholds: Float[np.ndarray, "T"] = THRESHOLDS,
) -> Matches:
  """`match` for pairs that have been compared; arguments as there."""
  low, high = _area_limits(area_range)
  area = np.asarray(people.area)
  is_crowd = np.asarray(people.is_crowd)
  is_ignored = is_crowd | ~(vis > 0).any(1) | (area < low) | (area > high)
  pair = _choose(pairs, oks, is_crowd, is_ignored, thresholds)
  person = np.append(pairs.person, NOT_MATCHED)[pair]
  is_matched = pair != NOT_MATCHED
  is_out = (pairs.area < low) | (pairs.area > high)
  return Matches(
    image=pairs.image,
    score=pairs.score,
    row=pairs.row,
    matched_row=person,
    is_ignored=np.where(
      is_matched, np.append(is_ignored, False)[person], is_out
    ),
    num_truth=np.bincount(
      np.asarray(people.image_index)[~is_ignored],
      minlength=len(people.image_ids),
    ),
    thresholds=thresholds,
  )


def _area_limits(area_range):
  if not isinstance(area_range, str):
    return area_range
  if area_range not in AREA_RANGES:
    raise ValueError(
      f"area_range must be one of {', '.join(AREA_RANGES)} or two areas, got "
      f"{area_range!r}"
    )
  return AREA_RANGES[area_range]


def _choose(pairs, oks, is_crowd, is_ignored, thresholds):
  """[T, D] the pair that each prediction chooses, or NOT_MATCHED."""
  chosen = np.full((len(thresholds), len(pairs.row)), NOT_MATCHED)
  first = np.flatnonzero(
    pairs_lib.first_of_run(pairs.image) == np.arange(len(pairs.row))
  )
  num_predictions = np.diff(np.append(first, len(pairs.row)))
  num_people = pairs.people_in_image[pairs.image[first]]
  # Images with about as many people together: little is padded.
  size = np.ceil(np.log2(np.maximum(num_people, 1)))
  limits = np.minimum(thresholds, _TIGHTEST)[:, None]
  for bucket in np.unique(size[num_people > 0]):
    rows = np.flatnonzero((size == bucket) & (num_people > 0))
    rows = rows[np.argsort(-num_predictions[rows], kind="stable")]
    depth = num_people[rows]
    # People from last to first, so that argmax finds the last of equals.
    column = depth[:, None] - 1 - np.arange(depth.max())
    start = pairs.start[first[rows]][:, None]
    person = pairs.person[np.maximum(start + column, 0)]
    ignored, crowd = is_ignored[person][:, None], is_crowd[person]
    is_free = np.repeat((column >= 0)[:, None], len(thresholds), 1)
    for rank in range(num_predictions[rows].max()):
      n = int((num_predictions[rows] > rank).sum())
      prediction = first[rows[:n]] + rank
      pair = pairs.start[prediction][:, None] + column[:n]
      similarity = oks[np.maximum(pair, 0)][:, None]
      fits = is_free[:n] & (similarity >= limits)
      regular = fits & ~ignored[:n]
      allowed = np.where(regular.any(-1, keepdims=True), regular, fits)
      best = np.where(allowed, similarity, -1.0).argmax(-1)
      image, at = np.nonzero(allowed.any(-1))
      taken = best[image, at]
      chosen[at, prediction[image]] = pair[image, taken]
      is_free[image, at, taken] = crowd[image, taken]
  return chosen
