"""The evaluator: runs a network over a table of people and scores it.

The same object serves the training loop and `launch.evaluate`. It gets the
network as `predict_fn`, the data as a table and an iterator of batches, and
gives an `Evaluation`: scores with their protocol, the predictions they were
computed from, and a few people to look at; `record.write` puts them into a
folder.
"""

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from pose_jax import protocol as protocol_lib
from pose_jax.eval import keepsakes, results, scoring, sweep

NUM_HEATMAPS = 3  # random and as many worst people whose heatmaps are shown


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
  """What one evaluation found.

  Attributes:
    scores: name -> value in [0, 1], None for "nothing to measure".
    keypoints: one row per keypoint, see scoring.Scores.
    predictions: list in COCO's results format, with person_id.
    protocol: how the scores were measured.
    seconds: stage -> wall seconds.
    people: the ground truth; details: the full scores.
    heatmaps: (row of people.usable(), crop [H, W, 3], heatmaps [h, w, K]) of
      a few people.
  """

  scores: dict[str, float | None]
  keypoints: tuple[dict[str, Any], ...]
  predictions: list[dict[str, Any]]
  protocol: protocol_lib.Protocol
  seconds: dict[str, float]
  people: results.PeopleTable
  details: scoring.Scores
  heatmaps: tuple[tuple[int, np.ndarray, np.ndarray], ...] = ()

  def describe(self) -> str:
    """The scores and their protocol on two lines."""
    values = ", ".join(
      f"{name} {'n/a' if value is None else f'{value:.3f}'}"
      for name, value in self.scores.items()
    )
    return f"{values}\n  ({self.protocol.describe()})"


class Evaluator:
  """Predicts every usable person of a table once and scores the result.

  Args:
    predict_fn: (variables, host batch) -> kpts_xy_img [B, K, 2] and score
      [B, K] as NumPy arrays (predict.make_predict, wrapped for the devices).
    people: the whole ground truth; its `usable()` rows are predicted.
    make_batches: called for each run, gives an iterator of host batches with
      image, img_from_hm, person (row of `people.usable()`) and valid.
    protocol: how the numbers are measured; `run` adds the step.
    metrics: "coco", "pck" or both.
    gather: joins the rows of all hosts (one host: leaves them).
    heatmaps_fn: like predict_fn, with "heatmaps" too: called once, with a few
      people, for the report. None: no heatmaps are shown.
    baseline_xy_img: the mean training pose in the box of each usable person
      (pck.mean_pose), scored beside the network.
    progress: called with (people done on this host, people in the table).
  Raises:
    ValueError: for an unknown metric or one that the skeleton does not have.
  """

  def __init__(
    self,
    predict_fn: Callable[[Any, sweep.Batch], sweep.Batch],
    people: results.PeopleTable,
    make_batches: Callable[[], Iterator[sweep.Batch]],
    *,
    protocol: protocol_lib.Protocol,
    metrics: Sequence[str] = ("coco",),
    gather: Callable[[sweep.Batch], sweep.Batch] = dict,
    heatmaps_fn: Callable[[Any, sweep.Batch], sweep.Batch] | None = None,
    baseline_xy_img: Float[np.ndarray, "N K 2"] | None = None,
    progress: Callable[[int, int], None] = sweep.no_progress,
    seed: int = 0,
  ):
    scoring.check_metrics(metrics, people.skeleton)
    self._predict_fn = predict_fn
    self._people = people
    self._usable = people.usable()
    self._make_batches = make_batches
    self._protocol = _with_variant(protocol, metrics, people)
    self._metrics = tuple(metrics)
    self._gather = gather
    self._heatmaps_fn = heatmaps_fn
    self._baseline_xy_img = baseline_xy_img
    self._progress = progress
    self._seed = seed

  def run(self, variables: Any, *, step: int | None = None) -> Evaluation:
    """Evaluates one set of weights.

    Args:
      variables: handed to predict_fn.
      step: training step of the weights, for the protocol.
    Raises:
      ValueError: if the batches do not hold every usable person once.
    """
    kept = keepsakes.Keepsakes(
      len(self._usable), count=NUM_HEATMAPS, seed=self._seed
    )
    rows, seconds = sweep.predict_people(
      self._predict_fn,
      variables,
      self._make_batches(),
      num_people=len(self._usable),
      gather=self._gather,
      error_of=scoring.error_of(self._metrics, self._usable),
      kept=kept,
      progress=self._progress,
    )
    start = time.perf_counter()
    predictions = results.results_from_keypoints(
      self._usable, rows["person"], rows["kpts_xy_img"], rows["score"]
    )
    evaluation = score_predictions(
      self._people,
      predictions,
      protocol=self._protocol,
      metrics=self._metrics,
      baseline_xy_img=self._baseline_xy_img,
    )
    seconds["scoring"] = time.perf_counter() - start
    start = time.perf_counter()
    heatmaps = self._heatmaps(variables, kept)
    seconds["heatmaps to look at"] = time.perf_counter() - start
    protocol = evaluation.protocol
    if step is not None:
      protocol = dataclasses.replace(protocol, checkpoint_step=step)
    return dataclasses.replace(
      evaluation, protocol=protocol, seconds=seconds, heatmaps=heatmaps
    )

  def _heatmaps(self, variables: Any, kept: keepsakes.Keepsakes):
    """Heatmaps of the kept crops."""
    crops = kept.all()
    if self._heatmaps_fn is None or not crops:
      return ()
    batch = {
      "image": np.stack([crop.image for crop in crops]),
      "img_from_hm": np.stack([crop.img_from_hm for crop in crops]),
    }
    heatmaps = np.asarray(self._heatmaps_fn(variables, batch)["heatmaps"])
    return tuple(
      (crop.row, crop.image, heatmaps[i]) for i, crop in enumerate(crops)
    )


def score_predictions(
  people: results.PeopleTable,
  predictions: Any,
  *,
  protocol: protocol_lib.Protocol,
  metrics: Sequence[str] = ("coco",),
  baseline_xy_img: Float[np.ndarray, "N K 2"] | None = None,
) -> Evaluation:
  """Scores a results list, or a file of one, without a network.

  Args:
    people: the whole ground truth, crowds too.
    predictions: list in COCO's results format, or the path of a JSON file.
    protocol, metrics, baseline_xy_img: as in Evaluator.
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
    baseline_xy_img=baseline_xy_img,
    source=source,
  )
  return Evaluation(
    scores=scores.values,
    keypoints=scores.keypoints,
    predictions=predictions,
    protocol=_with_variant(protocol, metrics, people),
    seconds={"scoring": time.perf_counter() - start},
    people=people,
    details=scores,
  )


def _with_variant(protocol, metrics, people):
  if "pck" in metrics and not protocol.pck_variant:
    variant = scoring.pck_variant(people.skeleton)
    return dataclasses.replace(protocol, pck_variant=variant)
  return protocol
