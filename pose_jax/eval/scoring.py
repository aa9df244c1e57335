"""Scores of a list of predictions: no network, no files.

What a network's run and a results file have in common: both end as a list in
COCO's results format, and both are scored here, so that scoring the written
file gives the printed numbers again.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from pose_jax.eval import (
  average_precision,
  bootstrap,
  coco,
  limbs,
  located,
  oks,
  pck,
  pckh,
  presence,
  results,
  statistic,
)
from pose_jax.eval.keypoint_rows import keypoint_rows
from pose_jax.eval.predictions import from_results
from pose_jax.eval.results import number
from pose_jax.skeleton import Skeleton

METRICS = ("coco", "pck", "pckh", "pcp", "located", "presence")
OF_ANYBODY = ("coco",)  # need not know whose a prediction is
PCK_NAME = f"PCK@{pck.THRESHOLD:g}"


@dataclasses.dataclass(frozen=True)
class Settings:
  """What is computed besides the scores themselves.

  Attributes:
    pckh_variant: a name of pck.PCKH_VARIANTS that counts in the picture.
    num_samples: resamplings of the images behind the 95 % intervals of the
      scores; 0: none.
    seed: of the resampling.
    with_keypoint_ap: AP of every single keypoint ("coco").
    with_diagnosis: what is wrong with the predictions and what it costs.
    presence_threshold: probability from which on a keypoint is present.
  """

  pckh_variant: str = "hrnet"
  num_samples: int = 0
  seed: int = 0
  with_keypoint_ap: bool = False
  with_diagnosis: bool = False
  presence_threshold: float | int = presence.THRESHOLD


PLAIN = Settings()


@dataclasses.dataclass(frozen=True)
class Scores:
  """Everything measured on one list of predictions.

  Attributes:
    values: name -> score in [0, 1], None where nothing could be measured:
      COCO's ten numbers; "PCK@0.2" over all labelled keypoints,
      "PCK@0.2_mean" over the keypoints' scores, "PCK@0.2_mean_pose" of the
      mean training pose; PCKh's as `pckh.names`, PCP's as `limbs.values`,
      those of location and presence as `located.values`, `presence.NAMES`.
    intervals: name -> (low, high), 95 % over resampled images.
    keypoints: one row per keypoint, see `keypoint_rows`.
    matched: [N, K, 3] (x, y, score) in image pixels predicted for each usable
      person; nan where there is none.
    error: [N] how wrong each person is, 0 to 1, for choosing pictures.
    coco, pck, pckh, baseline, located, presence: the full results behind the
      values, or None.
  """

  values: dict[str, float | None]
  intervals: dict[str, tuple[float, float]]
  keypoints: tuple[dict[str, Any], ...]
  matched: Float[np.ndarray, "N K 3"]
  error: Float[np.ndarray, "N"]
  coco: coco.CocoScores | None
  pck: pck.Pck | None
  pckh: pck.Pck | None
  baseline: pck.Pck | None
  located: pck.Pck | None
  presence: presence.Presence | None


def check_metrics(metrics: Sequence[str], people: results.PeopleTable) -> None:
  """Refuses metrics that cannot be measured.

  Raises:
    ValueError: for an unknown one.
    MetricError: for one that these people cannot have.
  """
  skeleton = people.skeleton
  unknown = [m for m in metrics if m not in METRICS]
  if unknown or not metrics:
    raise ValueError(
      f"metrics must be some of {', '.join(METRICS)}, got "
      f"{', '.join(unknown) or 'none'}"
    )
  if "pck" in metrics and skeleton.pck_pair is None:
    raise results.MetricError(
      f"metrics asks for pck, but {skeleton.name} states no pair of keypoints "
      "whose distance is the reference length"
    )
  if "pckh" in metrics and not np.asarray(people.head_size).any():
    raise results.MetricError(
      "metrics asks for pckh, which divides by the size of the head, but "
      "nobody's is known: use pck, or a dataset with head boxes (MPII)"
    )


def variant(
  metrics: Sequence[str], skeleton: Skeleton, settings: Settings = PLAIN
) -> str:
  """Thresholds and reference lengths in words, for the protocol."""
  parts = []
  if "pck" in metrics:
    a, b = (skeleton.keypoints[i] for i in skeleton.pck_pair)
    parts.append(f"at most {pck.THRESHOLD:g} x |{a} - {b}|, labelled keypoints")
  if "pckh" in metrics:
    parts.append(pckh.describe(settings.pckh_variant))
  if "pcp" in metrics:
    parts.append(
      f"PCP: both ends of a limb within {limbs.THRESHOLD:g} of its length "
      "(strict), or their mean (loose)"
    )
  if "located" in metrics:
    parts.append(located.describe())
  if "presence" in metrics:
    parts.append(presence.describe(settings.presence_threshold))
  return "; ".join(parts)


def score(
  people: results.PeopleTable,
  predictions: Any,
  *,
  metrics: Sequence[str] = ("coco",),
  settings: Settings = PLAIN,
  baseline_xy_img: Float[np.ndarray, "N K 2"] | None = None,
  source: str = "results",
) -> Scores:
  """Scores predictions against a table of people.

  Args:
    people: the whole ground truth, crowds too.
    predictions: list in COCO's results format (checked).
    metrics: some of METRICS.
    settings: what is computed besides.
    baseline_xy_img: the mean pose put into the box of each usable person.
    source: what to call the predictions in messages.
  Raises:
    ValueError: for an unknown metric.
    MetricError: for one that these people cannot have.
    ResultsError: for a bad entry, named; for "presence" one without it.
  """
  check_metrics(metrics, people)
  results.check_results(predictions, people, source=source)
  usable = people.usable()
  if set(metrics) - set(OF_ANYBODY):
    matched = results.keypoints_of_people(predictions, usable, source=source)
  else:
    matched = _matched(predictions, usable)
  coco_scores = baseline = pck_scores = pckh_scores = keypoint_ap = None
  located_scores = presence_scores = None
  if "coco" in metrics:
    coco_scores = coco.evaluate_coco(people, predictions, source=source)
    if settings.with_keypoint_ap:
      keypoint_ap = average_precision.keypoint_ap(
        people, from_results(predictions, people.skeleton.num_keypoints)
      )
  if "pck" in metrics:
    pck_scores = pck_of_people(matched[..., :2], usable)
    if baseline_xy_img is not None:
      baseline = pck_of_people(baseline_xy_img, usable)
  values = _values(coco_scores, pck_scores, baseline)
  if "pckh" in metrics:
    pckh_scores = pckh.pckh_of_people(
      matched[..., :2], usable, variant=settings.pckh_variant
    )
    found = pckh.values(pckh_scores, settings.pckh_variant)
    values |= _numbers(found)
  if "pcp" in metrics:
    values |= _pcp_values(matched[..., :2], usable)
  if "located" in metrics:
    located_scores = located.located_of_people(matched[..., :2], usable)
    values |= _numbers(located.values(located_scores))
  if "presence" in metrics:
    presence_scores = presence.measure(
      results.presence_of_people(predictions, usable, source=source),
      np.asarray(usable.vis) > 0,
      np.asarray(usable.image_ids)[usable.image_index],
      threshold=settings.presence_threshold,
    )
    values |= _numbers(presence_scores.values)
  rows = np.arange(len(usable))
  return Scores(
    values=values,
    intervals=_intervals(people, predictions, metrics, settings),
    keypoints=keypoint_rows(
      usable,
      matched,
      with_similarity=coco_scores is not None,
      keypoint_ap=keypoint_ap,
      pck_scores=pck_scores,
      pckh_scores=pckh_scores,
      located_scores=located_scores,
      presence=presence_scores,
    ),
    matched=matched,
    error=error_of(metrics, usable)(matched[..., :2], rows),
    coco=coco_scores,
    pck=pck_scores,
    pckh=pckh_scores,
    baseline=baseline,
    located=located_scores,
    presence=presence_scores,
  )


def statistics(
  metrics: Sequence[str], settings: Settings
) -> tuple[statistic.Metric, ...]:
  """The metrics as resampling takes them."""
  with_settings = {
    "pckh": functools.partial(
      statistic.pckh_statistic, variant=settings.pckh_variant
    ),
    "presence": functools.partial(
      statistic.presence_statistic, threshold=settings.presence_threshold
    ),
  }
  return tuple(with_settings.get(metric, metric) for metric in metrics)


def _intervals(people, predictions, metrics, settings: Settings):
  if not settings.num_samples:
    return {}
  return bootstrap.intervals(
    people,
    from_results(predictions, people.skeleton.num_keypoints),
    metrics=statistics(metrics, settings),
    num_samples=settings.num_samples,
    seed=settings.seed,
  )


def pck_of_people(
  kpts_xy_img: Float[np.ndarray, "N K 2"], people: results.PeopleTable
) -> pck.Pck:
  """PCK over the whole curve of thresholds, torso reference."""
  labelled = np.asarray(people.vis) > 0
  truth = np.asarray(people.kpts_xy_img)
  reference = pck.reference_length(truth, labelled, people.skeleton.pck_pair)
  return pck.pck(
    kpts_xy_img, truth, labelled, reference=reference, thresholds=pck.CURVE
  )


def error_of(
  metrics: Sequence[str], people: results.PeopleTable
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
  """A function (keypoints [n, K, 2], rows [n]) -> error [n] in [0, 1].

  With PCK the mean distance of the labelled keypoints, in reference lengths,
  each at most 1 (so that one lost wrist does not outweigh a wrong person);
  with COCO 1 - OKS. A missing prediction has error 1.
  """
  labelled = np.asarray(people.vis) > 0
  truth = np.asarray(people.kpts_xy_img)

  def by_oks(kpts_xy_img, rows):
    return 1 - np.nan_to_num(oks.oks_of_people(kpts_xy_img, people, rows))

  def by_distance(kpts_xy_img, rows):
    reference = pck.reference_length(
      truth[rows], labelled[rows], people.skeleton.pck_pair
    )
    distance = pck.normalized_error(
      kpts_xy_img, truth[rows], reference=reference
    )
    capped = np.where(distance < 1, distance, 1.0) * labelled[rows]
    return capped.sum(1) / np.maximum(labelled[rows].sum(1), 1)

  return by_distance if "pck" in metrics else by_oks


def _matched(
  predictions: list[dict[str, Any]], usable: results.PeopleTable
) -> Float[np.ndarray, "N K 3"]:
  """The prediction of each person: by person_id if complete, else by OKS."""
  shape = (len(usable), usable.skeleton.num_keypoints, 3)
  ids = [entry.get("person_id") for entry in predictions]
  wanted = np.asarray(usable.person_ids).tolist()
  if len(ids) == len(wanted) and set(ids) == set(wanted):
    return results.keypoints_of_people(predictions, usable)
  matched = np.full(shape, np.nan)
  for row, i in enumerate(oks.best_match(predictions, usable)):
    if i >= 0:
      matched[row] = np.reshape(predictions[i]["keypoints"], (-1, 3))
  return matched


def _values(
  coco_scores: coco.CocoScores | None,
  pck_scores: pck.Pck | None,
  baseline: pck.Pck | None,
) -> dict[str, float | None]:
  values = dict(coco_scores.values) if coco_scores else {}
  if pck_scores:
    at = pck_scores.at(pck.THRESHOLD)
    values[PCK_NAME] = number(pck_scores.total[at])
    values[f"{PCK_NAME}_mean"] = number(pck_scores.mean[at])
  if baseline:
    at = baseline.at(pck.THRESHOLD)
    values[f"{PCK_NAME}_mean_pose"] = number(baseline.total[at])
  return values


def _pcp_values(
  kpts_xy_img: Float[np.ndarray, "N K 2"], usable: results.PeopleTable
) -> dict[str, float | None]:
  values = {}
  for rule in pck.PCP_RULES:
    result = limbs.pcp_of_people(kpts_xy_img, usable, rule=rule)
    values |= limbs.values(result, usable.skeleton, rule)
  return _numbers(values)


def _numbers(values: Mapping[str, float]) -> dict[str, float | None]:
  return {name: number(value) for name, value in values.items()}
