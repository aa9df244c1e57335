"""Scores as functions of how often each image counts.

What resampling (bootstrap.py) needs of a score: everything that looks at
predictions is done once, and a resample only sums again. COCO's numbers and
PCK are here; any share of counts (PCKh, PCP) becomes one by
`ratio_statistic`.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from pose_jax.eval import average_precision, pck, results
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
  usable = people.usable()
  found = results.keypoints_of_people(predictions.to_results(), usable)
  truth, labelled = np.asarray(usable.kpts_xy_img), np.asarray(usable.vis) > 0
  reference = pck.reference_length(truth, labelled, pair)
  error = pck.normalized_error(found[..., :2], truth, reference=reference)
  counts = labelled & (reference > 0)[:, None]
  return ratio_statistic(
    f"PCK@{pck.THRESHOLD:g}", counts & (error <= pck.THRESHOLD), counts, usable
  )


def ratio_statistic(
  name: str,
  correct: Bool[np.ndarray, "N K"],
  labelled: Bool[np.ndarray, "N K"],
  people: PeopleTable,
) -> Statistic:
  """Shares of what counts: the form of PCK, PCKh and PCP.

  Args:
    name: of the share of all that is labelled; "NAME_mean" is the mean over
      columns with any label.
    correct, labelled: of each row of `people`, each keypoint (or limb).
  """
  image = np.asarray(people.image_index)
  num_images, num_columns = len(people.image_ids), labelled.shape[1]
  cell = (image[:, None] * num_columns + np.arange(num_columns)).ravel()
  right, whole = (
    np.bincount(cell, part.ravel(), num_images * num_columns).reshape(
      num_images, num_columns
    )
    for part in (correct & labelled, labelled)
  )

  def of_weights(weights):
    part, total = weights @ right, weights @ whole
    each = np.where(total > 0, part / np.maximum(total, 1), 0.0)
    num = (total > 0).sum(1)
    share = part.sum(1) / np.maximum(total.sum(1), 1)
    mean = each.sum(1) / np.maximum(num, 1)
    return np.where(num > 0, (share, mean), np.nan).T

  return Statistic((name, f"{name}_mean"), of_weights)


METRICS = {"coco": coco_statistic, "pck": pck_statistic}


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
