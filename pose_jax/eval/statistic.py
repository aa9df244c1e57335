"""Scores as functions of how often each image counts.

What resampling (bootstrap.py) needs of a score: everything that looks at
predictions is done once, and a resample only sums again. COCO's numbers, PCK,
PCKh, PCP, located keypoints and presence are here under the names that scoring
gives them; any other share of counts becomes one by `ratio_statistic`.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from pose_jax.eval import (
  average_precision,
  limbs,
  located,
  pck,
  presence,
  results,
)
from pose_jax.eval import pckh as pckh_lib
from pose_jax.eval.predictions import Predictions
from pose_jax.eval.results import PeopleTable


@dataclasses.dataclass(frozen=True)
class Statistic:
  """Scores of one set of predictions under any weighting of the images.

  Attributes:
    names: S scores.
    of_weights: how often each of M images counts, [B, M], -> scores [B, S];
      nan for what has no value.
  """

  names: tuple[str, ...]
  of_weights: Callable[[Int[np.ndarray, "B M"]], Float[np.ndarray, "B S"]]


# A name in METRICS, or one's own function of people and predictions.
Metric = str | Callable[[PeopleTable, Predictions], Statistic]


def coco_statistic(people: PeopleTable, predictions: Predictions) -> Statistic:
  """COCO's ten numbers: matched once, then only summed."""
  rankings = average_precision.coco_rankings(people, predictions)
  return Statistic(
    average_precision.NAMES,
    lambda weights: average_precision.weighted_scores(rankings, weights),
  )


@dataclasses.dataclass(frozen=True)
class Share:
  """A score made of counts: which of them, and how they are averaged.

  Attributes:
    threshold: index.
    columns: keypoints or limbs that count.
    is_mean: mean over columns with any label, each weighing 1; else the share
      of all that is labelled.
  """

  name: str
  threshold: int
  columns: tuple[int, ...]
  is_mean: bool = False


def pck_statistic(people: PeopleTable, predictions: Predictions) -> Statistic:
  """PCK over all labelled keypoints and over the keypoints' scores.

  Raises:
    ValueError: if the skeleton states no reference pair.
    ResultsError: unless every usable person has one prediction of its own.
  """
  pair = people.skeleton.pck_pair
  if pair is None:
    raise ValueError(
      f"metrics asks for pck, but {people.skeleton.name} states no pair of "
      "keypoints whose distance is the reference length"
    )
  usable, found, truth, labelled = _person_by_person(people, predictions)
  reference = pck.reference_length(truth, labelled, pair)
  counts = _counts_of_images(
    usable,
    lambda rows: pck.pck(
      found[rows], truth[rows], labelled[rows], reference=reference[rows]
    ),
  )
  name, columns = f"PCK@{pck.THRESHOLD:g}", tuple(range(labelled.shape[1]))
  shares = (Share(name, 0, columns), Share(f"{name}_mean", 0, columns, True))
  return _statistic_of_counts(shares, *counts)


def pckh_statistic(
  people: PeopleTable, predictions: Predictions, *, variant: str = "hrnet"
) -> Statistic:
  """PCKh at the thresholds and under the names of `pckh.values`.

  Raises:
    ValueError: as `pckh.pckh_of_people`.
    ResultsError: unless every usable person has one prediction of its own.
  """
  usable, found, truth, labelled = _person_by_person(people, predictions)
  whole = pckh_lib.pckh_of_people(found, usable, variant=variant)
  head_size = np.asarray(usable.head_size)
  counts = _counts_of_images(
    usable,
    lambda rows: pck.pckh(
      found[rows],
      truth[rows],
      labelled[rows],
      head_size=head_size[rows],
      variant=variant,
      thresholds=pckh_lib.THRESHOLDS,
      skeleton=usable.skeleton,
    ),
  )
  columns = tuple(np.flatnonzero(whole.in_mean).tolist())
  is_mean = not pck.PCKH_VARIANTS[variant].is_weighted
  shares = [
    Share(name, t, columns, is_mean)
    for t, name in enumerate(pckh_lib.names(variant))
  ]
  return _statistic_of_counts(shares, *counts)


def pcp_statistic(people: PeopleTable, predictions: Predictions) -> Statistic:
  """PCP by each rule, over limbs and of each kind of limb (`limbs.values`).

  Raises:
    ResultsError: unless every usable person has one prediction of its own.
  """
  usable, found, truth, labelled = _person_by_person(people, predictions)
  parts = limbs.limbs_of(usable.skeleton)
  ends = [(limb.start, limb.end) for limb in parts]

  def of_rule(rule):
    title = f"PCP_{rule}@{limbs.THRESHOLD:g}"
    shares = [Share(title, 0, tuple(range(len(parts))), is_mean=True)]
    for name in dict.fromkeys(limb.name for limb in parts):
      members = [i for i, limb in enumerate(parts) if limb.name == name]
      shares.append(Share(f"{title} {name}", 0, tuple(members)))
    counts = _counts_of_images(
      usable,
      lambda rows: pck.pcp(
        found[rows],
        truth[rows],
        labelled[rows],
        limbs=ends,
        threshold=limbs.THRESHOLD,
        rule=rule,
      ),
    )
    return _statistic_of_counts(shares, *counts)

  return _joined([of_rule(rule) for rule in pck.PCP_RULES])


def located_statistic(
  people: PeopleTable, predictions: Predictions
) -> Statistic:
  """Located keypoints under the names of `located.values`.

  Raises:
    ResultsError: unless every usable person has one prediction of its own.
  """
  usable, found, truth, labelled = _person_by_person(people, predictions)
  found, truth = (located.in_box(kpts, usable) for kpts in (found, truth))
  counts = _counts_of_images(
    usable,
    lambda rows: pck.pck(
      found[rows],
      truth[rows],
      labelled[rows],
      reference=np.ones(len(rows)),
      thresholds=(located.THRESHOLD,),
    ),
  )
  columns = tuple(range(labelled.shape[1]))
  shares = (
    Share(located.NAME, 0, columns),
    Share(f"{located.NAME}_mean", 0, columns, True),
  )
  return _statistic_of_counts(shares, *counts)


def presence_statistic(
  people: PeopleTable,
  predictions: Predictions,
  *,
  threshold: float | int = presence.THRESHOLD,
) -> Statistic:
  """Accuracy and balanced accuracy of presence, at one threshold.

  What would have to choose a threshold or fill bins again for every resample
  has no interval.

  Raises:
    ResultsError: as `results.presence_of_people`.
  """
  usable = people.usable()
  said = (
    results.presence_of_people(predictions.to_results(), usable) >= threshold
  )
  truth = np.asarray(usable.vis) > 0
  cells = said & truth, said & ~truth, ~said & ~truth, ~said & truth
  counts = [_sum_of_images(usable, cell) for cell in cells]

  def of_weights(weights):
    weights = weights.astype(np.float64)
    drawn = presence.Counts(*(weights @ count for count in counts))
    return np.stack([drawn.accuracy, drawn.balanced_accuracy], 1)

  return Statistic(
    ("presence_accuracy", "presence_balanced_accuracy"), of_weights
  )


def ratio_statistic(
  name: str,
  correct: Bool[np.ndarray, "N K"],
  labelled: Bool[np.ndarray, "N K"],
  people: PeopleTable,
) -> Statistic:
  """Shares of what counts: the form of PCK, for one's own scores.

  Args:
    name: of the share of all that is labelled; "NAME_mean" is the mean over
      columns with any label.
    correct, labelled: of each row of `people`, each keypoint (or limb).
  """
  right = _sum_of_images(people, correct & labelled)
  whole = _sum_of_images(people, labelled)
  columns = tuple(range(labelled.shape[1]))
  shares = (Share(name, 0, columns), Share(f"{name}_mean", 0, columns, True))
  return _statistic_of_counts(shares, right[:, None], whole)


def _person_by_person(people, predictions):
  """Usable people, found and true keypoints of each, which are labelled."""
  usable = people.usable()
  found = results.keypoints_of_people(predictions.to_results(), usable)
  truth, labelled = np.asarray(usable.kpts_xy_img), np.asarray(usable.vis) > 0
  return usable, found[..., :2], truth, labelled


def _sum_of_images(people, part):
  """[N, K] of people, summed over those of each image: [M, K]."""
  image = np.asarray(people.image_index)
  num_images, num_columns = len(people.image_ids), part.shape[1]
  cell = (image[:, None] * num_columns + np.arange(num_columns)).ravel()
  total = np.bincount(cell, part.ravel(), num_images * num_columns)
  return total.reshape(num_images, num_columns)


def _counts_of_images(people, measure):
  """Correct [M, T, K] and labelled [M, K] of what measures some rows."""
  image = np.asarray(people.image_index)
  order = np.argsort(image, kind="stable")
  nothing = measure(order[:0])
  num = len(people.image_ids)
  correct = np.zeros((num, *nothing.correct.shape))
  labelled = np.zeros((num, len(nothing.labelled)))
  bounds = np.flatnonzero(np.diff(image[order])) + 1
  for rows in np.split(order, bounds) if len(order) else ():
    counts = measure(rows)
    correct[image[rows[0]]] = counts.correct
    labelled[image[rows[0]]] = counts.labelled
  return correct, labelled


def _statistic_of_counts(shares, correct, labelled):
  """Scores of counts [M, T, K] of labelled ones [M, K]; of_weights is sums."""

  def of_weights(weights):
    weights = weights.astype(np.float64)  # which BLAS can multiply
    part = np.tensordot(weights, correct, 1)
    whole = weights @ labelled
    scores = []
    for share in shares:
      columns = list(share.columns)
      right, total = part[:, share.threshold, columns], whole[:, columns]
      if share.is_mean:
        right, total = right / np.maximum(total, 1), total > 0
      right, total = right.sum(1), total.sum(1)
      scores.append(np.where(total > 0, right / np.maximum(total, 1), np.nan))
    return np.stack(scores, 1)

  return Statistic(tuple(share.name for share in shares), of_weights)


def _joined(statistics):
  return Statistic(
    tuple(name for statistic in statistics for name in statistic.names),
    lambda weights: np.concatenate(
      [statistic.of_weights(weights) for statistic in statistics], 1
    ),
  )


METRICS = {
  "coco": coco_statistic,
  "pck": pck_statistic,
  "pckh": pckh_statistic,
  "pcp": pcp_statistic,
  "located": located_statistic,
  "presence": presence_statistic,
}


def make_statistics(
  metrics: Sequence[Metric], people: PeopleTable, predictions: Predictions
) -> list[Statistic]:
  """A Statistic of each metric.

  Raises:
    ValueError: for an unknown name, or none at all.
  """
  unknown = [m for m in metrics if isinstance(m, str) and m not in METRICS]
  if unknown or not metrics:
    raise ValueError(
      f"metrics must be some of {', '.join(METRICS)} or functions, got "
      f"{', '.join(unknown) or 'none'}"
    )
  makers = [METRICS.get(m, m) if isinstance(m, str) else m for m in metrics]
  return [make(people, predictions) for make in makers]
