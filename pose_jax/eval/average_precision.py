"""Average precision and recall from matches, weighted by image.

COCOeval.accumulate's numbers, to the bit: predictions of all images by
falling score (a stable mergesort), precision made to fall with recall, read
at 101 recalls. An image may count w times, which gives what accumulate gives
on a dataset that holds the image w times; so a resample of the images needs
no new matching, only another cumulative sum.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from pose_jax.eval import matching
from pose_jax.eval import pairs as pairs_lib
from pose_jax.eval.predictions import Predictions
from pose_jax.eval.results import PeopleTable

RECALLS = np.linspace(0, 1, 101)
NAMES = (
  *("AP", "AP50", "AP75", "APM", "APL"),
  *("AR", "AR50", "AR75", "ARM", "ARL"),
)
_CHUNK = 100_000  # weights of predictions at once: 800 kB, for the cache


@dataclasses.dataclass(frozen=True, eq=False)
class Curves:
  """Precision over recall at T thresholds of OKS.

  Attributes:
    precision: at RECALLS, 0 beyond the highest recall; nan without truth.
    recall: highest; nan without truth.
    num_truth: people to be found, images weighted.
  """

  precision: Float[np.ndarray, "T R"]
  recall: Float[np.ndarray, "T"]
  num_truth: int

  @property
  def average_precision(self) -> float:
    """Mean over thresholds and recalls, in [0, 1]; nan without truth."""
    return float(self.precision.ravel().mean())


@dataclasses.dataclass(frozen=True, eq=False)
class Ranking:
  """Matches made ready for summing: sorted, without what is ignored.

  Attributes:
    image: per threshold, the image of each prediction that counts, by falling
      score.
    is_right: per threshold, which of them found somebody.
    num_truth: people to be found in each image.
  """

  image: tuple[Int[np.ndarray, "_"], ...]
  is_right: tuple[Bool[np.ndarray, "_"], ...]
  num_truth: Int[np.ndarray, "M"]


def rank(matches: matching.Matches) -> Ranking:
  """Sorts once what is then summed with any weights."""
  order = np.argsort(-matches.score, kind="mergesort")
  counts = [order[~ignored[order]] for ignored in matches.is_ignored]
  found = matches.matched_row != matching.NOT_MATCHED
  return Ranking(
    image=tuple(matches.image[rows] for rows in counts),
    is_right=tuple(at[rows] for at, rows in zip(found, counts, strict=True)),
    num_truth=matches.num_truth,
  )


def weighted_curves(
  ranking: Ranking, image_weight: Int[np.ndarray, "B M"]
) -> tuple[Float[np.ndarray, "B T R"], Float[np.ndarray, "B T"]]:
  """Precision at RECALLS and highest recall for each row of weights.

  Returns:
    nan where no person is to be found. Memory beyond the result is bounded.
  """
  image_weight = image_weight.astype(np.int64, copy=False)
  num_truth = image_weight @ ranking.num_truth
  truth = np.maximum(num_truth, 1)[:, None]
  needed = _fewest_for_recalls(truth)
  shape = (len(image_weight), len(ranking.image))
  precision = np.zeros((*shape, len(RECALLS)))
  recall = np.zeros(shape)
  parts = zip(ranking.image, ranking.is_right, strict=True)
  for t, (image, is_right) in enumerate(parts):
    rights = np.flatnonzero(is_right)
    step = max(1, _CHUNK // max(1, len(image)))
    for start in range(0, len(image_weight) if len(rights) else 0, step):
      part = slice(start, start + step)
      weight = image_weight[part].take(image, 1)
      precision[part, t], found = _read(weight, rights, needed[part])
      recall[part, t] = found / truth[part, 0]
  precision[num_truth == 0] = np.nan
  recall[num_truth == 0] = np.nan
  return precision, recall


def _fewest_for_recalls(truth):
  """[B, R] the fewest people found whose share of `truth` [B, 1] is enough.

  Corrected where rounding is against it: the share itself is compared, as
  COCOeval does.
  """
  needed = np.ceil(RECALLS * truth).astype(np.int64)
  needed -= (needed - 1) / truth >= RECALLS
  needed += needed / truth < RECALLS
  return needed


def _read(weight, rights, needed):
  """Falling precision where `needed` are found, and how many are in all.

  Precision rises and recall grows at right predictions alone, so no other
  place is looked at. The b rows of weights are searched as one: what is found
  in a row is lifted above all rows before it.

  Args:
    weight: [b, D]; rights: which of the D are right, at least one;
      needed: [b, R], rising from 0.
  """
  found = weight.take(rights, 1).cumsum(1)
  precision = found / (weight.cumsum(1).take(rights, 1) + np.spacing(1))
  num_rows, num_rights = found.shape
  row = np.arange(num_rows)[:, None]
  lift = row * (max(found[:, -1].max(), needed.max()) + 1)
  at = np.searchsorted((found + lift).ravel(), needed + lift)
  is_reached = at < (row + 1) * num_rights
  at = np.minimum(at, (row + 1) * num_rights - 1)
  # From one recall to the next, and from the last to the end of the row.
  highest = np.maximum.reduceat(precision.ravel(), at.ravel())
  highest = highest.reshape(at.shape)[:, ::-1]
  falling = np.maximum.accumulate(highest, 1)[:, ::-1]
  return np.where(is_reached, falling, 0), found[:, -1]


def accumulate(
  matches: matching.Matches, image_weight: Int[np.ndarray, "M"] | None = None
) -> Curves:
  """Precision and recall curves of matches.

  Args:
    image_weight: how often each image counts; once by default.
  """
  if image_weight is None:
    image_weight = np.ones(len(matches.num_truth), np.int64)
  precision, recall = weighted_curves(rank(matches), image_weight[None])
  return Curves(
    precision=precision[0],
    recall=recall[0],
    num_truth=int(image_weight @ matches.num_truth),
  )


def coco_scores(
  people: PeopleTable, predictions: Predictions
) -> dict[str, float | None]:
  """COCO's ten numbers, exactly pycocotools', in [0, 1].

  Args:
    people: the whole ground truth, crowds and unlabelled people too.
    predictions: in images of the table.
  Returns:
    NAMES -> value, None where there is nobody to be found.
  Raises:
    ValueError: if a prediction is in an image that the table does not have.
  """
  rankings = coco_rankings(people, predictions)
  once = np.ones((1, len(people.image_ids)), np.int64)
  values = weighted_scores(rankings, once)[0].tolist()
  return {
    name: None if value != value else value
    for name, value in zip(NAMES, values, strict=True)
  }


def coco_rankings(
  people: PeopleTable, predictions: Predictions
) -> tuple[Ranking, ...]:
  """Rankings for people of all sizes, medium and large ones."""
  vis = np.asarray(people.vis)
  pairs = pairs_lib.pair_up(people, predictions)
  oks = pairs_lib.oks_of_pairs(pairs, people, predictions, vis=vis)
  return tuple(
    rank(matching.match_pairs(pairs, oks, people, vis=vis, area_range=name))
    for name in ("all", "medium", "large")
  )


def weighted_scores(
  rankings: Sequence[Ranking], image_weight: Int[np.ndarray, "B M"]
) -> Float[np.ndarray, "B 10"]:
  """COCO's ten numbers (NAMES) for each row of weights; nan without truth.

  Args:
    rankings: of `coco_rankings`.
    image_weight: how often each image counts.
  """
  halves, at = [], [list(matching.THRESHOLDS).index(t) for t in (0.5, 0.75)]
  sizes = [weighted_curves(ranking, image_weight) for ranking in rankings]
  for k in range(2):  # precision, then recall
    (every, medium, large) = (curves[k] for curves in sizes)
    parts = (every, every[:, at[0]], every[:, at[1]], medium, large)
    # One row at a time: NumPy then sums in the order of COCOeval.summarize.
    halves += [part.reshape(len(image_weight), -1).mean(1) for part in parts]
  return np.stack(halves, 1)


def keypoint_ap(
  people: PeopleTable, predictions: Predictions
) -> Float[np.ndarray, "K"]:
  """AP of each keypoint, as if it alone were labelled, in [0, 1].

  COCO's AP over all sizes against a ground truth from which the labels of all
  other keypoints are removed. Without the keypoint a person is ignored, like
  anybody without labels. Higher numbers than AP are no contradiction: one
  keypoint is found more easily than the mean of seventeen.

  Returns:
    nan for a keypoint that nobody has.
  """
  vis = np.asarray(people.vis)
  pairs = pairs_lib.pair_up(people, predictions)
  every = np.arange(len(pairs.person))
  in_box = pairs_lib.oks_in_box(pairs, people, predictions, every)
  oks = np.empty((vis.shape[1], len(every)))
  for part, each in pairs_lib.similarity_of_pairs(pairs, people, predictions):
    is_labelled = vis[pairs.person[part]] > 0
    oks[:, part] = np.where(is_labelled, each, in_box[part, None]).T
  scores = []
  for k in range(vis.shape[1]):
    alone = np.where(np.arange(vis.shape[1]) == k, vis, 0)
    matches = matching.match_pairs(pairs, oks[k], people, vis=alone)
    scores.append(accumulate(matches).average_precision)
  return np.array(scores)
