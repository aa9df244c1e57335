"""What an evaluation found; scoring of predictions without a network."""

import dataclasses
import os
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from pose_jax import protocol as protocol_lib
from pose_jax.eval import bootstrap, results, scoring
from pose_jax.eval import diagnosis as diagnosis_lib
from pose_jax.eval import predictions as predictions_lib


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
  """What one evaluation found.

  Attributes:
    scores: name -> value in [0, 1], None for "nothing to measure".
    intervals: name -> (low, high), 95 % over resampled images; empty if none
      were asked for.
    keypoints: one row per keypoint, see scoring.Scores.
    predictions: list in COCO's results format.
    protocol: how the scores were measured.
    seconds: stage -> wall seconds.
    people: the ground truth; details: the full scores.
    diagnosis: what is wrong with the predictions; None if not asked for.
    heatmaps: (row of people.usable(), crop [H, W, 3], heatmaps [h, w, K]) of
      a few people; None in place of heatmaps where the network has none.
    attention: of the same people, name -> [h', w', P], and the steps of mean
      fields, "NAME/steps" -> [T + 1, h', w', P]; empty mappings for a network
      without attention.
  """

  scores: dict[str, float | None]
  intervals: dict[str, tuple[float, float]]
  keypoints: tuple[dict[str, Any], ...]
  predictions: list[dict[str, Any]]
  protocol: protocol_lib.Protocol
  seconds: dict[str, float]
  people: results.PeopleTable
  details: scoring.Scores
  diagnosis: diagnosis_lib.Diagnosis | None = None
  heatmaps: tuple[tuple[int, np.ndarray, np.ndarray | None], ...] = ()
  attention: tuple[Mapping[str, np.ndarray], ...] = ()

  @property
  def headline(self) -> tuple[str, ...]:
    """Names of the scores but those of single limbs."""
    return tuple(name for name in self.scores if " " not in name)

  def describe(self) -> str:
    """The scores and their protocol on two lines, and what to do about them."""
    values = ", ".join(self._score_text(name) for name in self.headline)
    lines = [values, f"  ({self.protocol.describe()})"]
    presence = self.details.presence
    if presence and presence.advice():
      lines.append(f"  {presence.advice()}")
    return "\n".join(lines)

  def _score_text(self, name: str) -> str:
    value = self.scores[name]
    text = f"{name} {'n/a' if value is None else f'{value:.3f}'}"
    if name in self.intervals:
      low, high = self.intervals[name]
      text += f" [{low:.3f}, {high:.3f}]"
    return text


def score_predictions(
  people: results.PeopleTable,
  predictions: Any,
  *,
  protocol: protocol_lib.Protocol,
  metrics: Sequence[str] = ("coco",),
  settings: scoring.Settings = scoring.PLAIN,
  baseline_xy_img: Float[np.ndarray, "N K 2"] | None = None,
) -> Evaluation:
  """Scores a results list, or a file of one, without a network.

  Args:
    people: the whole ground truth, crowds too.
    predictions: list in COCO's results format, or the path of a JSON file.
    protocol, metrics, settings, baseline_xy_img: as in Evaluator.
  Raises:
    ResultsError: for a file that is not such a list; names the bad entry.
  """
  source = "results"
  start = time.perf_counter()
  if isinstance(predictions, str | os.PathLike):
    source = os.fspath(predictions)
    predictions = results.read_results(source)
  scores = scoring.score(
    people,
    predictions,
    metrics=metrics,
    settings=settings,
    baseline_xy_img=baseline_xy_img,
    source=source,
  )
  seconds = {"scoring": time.perf_counter() - start}
  start = time.perf_counter()
  diagnosis = _diagnosis(people, predictions, metrics, settings)
  seconds["diagnosis"] = time.perf_counter() - start
  return Evaluation(
    scores=scores.values,
    intervals=scores.intervals,
    keypoints=scores.keypoints,
    predictions=predictions,
    protocol=_with_variant(protocol, metrics, people, settings),
    seconds=seconds,
    people=people,
    details=scores,
    diagnosis=diagnosis,
  )


def _diagnosis(people, predictions, metrics, settings):
  """Pairs as COCO does where it is measured, else person by person."""
  if not settings.with_diagnosis or not predictions:
    return None
  return diagnosis_lib.diagnose(
    people,
    predictions_lib.from_results(predictions, people.skeleton.num_keypoints),
    pair_by="oks" if "coco" in metrics else "person",
    with_costs="coco" in metrics,
  )


def compare_files(
  people: results.PeopleTable,
  first: str,
  second: str,
  *,
  metrics: Sequence[str] = ("coco",),
  settings: scoring.Settings = scoring.PLAIN,
) -> bootstrap.Comparison:
  """Whether two results files differ, by resampling the images of both.

  Raises:
    ResultsError: for a file that is no results list; names the bad entry.
    MetricError: for metrics that these people cannot have, or too few images.
  """
  scoring.check_metrics(metrics, people)
  found = []
  for source in (first, second):
    listed = results.read_results(source)
    results.check_results(listed, people, source=source)
    if set(metrics) - set(scoring.OF_ANYBODY):  # else nobody names the file
      results.keypoints_of_people(listed, people.usable(), source=source)
    if "presence" in metrics:
      results.presence_of_people(listed, people.usable(), source=source)
    found.append(
      predictions_lib.from_results(listed, people.skeleton.num_keypoints)
    )
  return bootstrap.compare(
    people,
    *found,
    metrics=scoring.statistics(metrics, settings),
    num_samples=settings.num_samples or bootstrap.NUM_SAMPLES,
    seed=settings.seed,
    names=_short_names(first, second),
  )


def _short_names(first: str, second: str) -> tuple[str, str]:
  """File names, with as many folders as it takes to tell them apart."""
  parts = [pathlib.PurePath(path).parts for path in (first, second)]
  for count in range(1, max(map(len, parts)) + 1):
    names = tuple("/".join(p[-count:]) for p in parts)
    if names[0] != names[1]:
      return names
  return "A", "B"


def _with_variant(protocol, metrics, people, settings):
  if protocol.pck_variant:
    return protocol
  variant = scoring.variant(metrics, people.skeleton, settings)
  return dataclasses.replace(protocol, pck_variant=variant)
