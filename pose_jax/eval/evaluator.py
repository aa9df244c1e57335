"""The evaluator: runs a network over a table of boxes and scores it.

The same object serves the training loop and `launch.evaluate`. It gets the
network as `predict_fn`, the data as tables and an iterator of batches, and
gives an `Evaluation` for every way in which it was asked to measure: scores
with their protocol, the predictions they were computed from, and a few people
to look at; `record.write` puts them into a folder. However many ways there
are, every picture is read once and every crop goes through the network once.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from pose_jax.eval import keepsakes, nms, results, scoring, sweep
from pose_jax.eval import predictions as predictions_lib
from pose_jax.eval.boxes import Boxes
from pose_jax.eval.evaluation import Evaluation, score_predictions
from pose_jax.eval.predict import ATTENTION
from pose_jax.protocol import Protocol

NUM_HEATMAPS = 3  # random and as many worst people whose heatmaps are shown


@dataclasses.dataclass(frozen=True)
class Measurement:
  """One way of measuring.

  Attributes:
    protocol: how, in words; says which suppression between people there is.
    way: index on the axis V of what the network's function returns.
    origin: whose boxes, see `Boxes.origin`.
    metrics: some of scoring.METRICS; those that compare person with person
      need boxes that are a person's.
    suppression: nms.KINDS.
    suppression_threshold: OKS.
  """

  protocol: Protocol
  way: int = 0
  origin: int = 0
  metrics: tuple[str, ...] = ("coco",)
  suppression: str = "none"
  suppression_threshold: float | int = 0.9


class Evaluator:
  """Predicts in every box once and scores in every way.

  Args:
    predict_fn: (variables, host batch) -> kpts_xy_img [B, V, K, 2] and score
      [B, V, K] as NumPy arrays, and presence [B, V, K] where the network says
      it (predict.make_predict, wrapped for the devices).
    people: the whole ground truth.
    boxes: what the batches' rows are.
    make_batches: called for each run, gives an iterator of host batches with
      images [B, S, H, W, 3], img_from_hm, person (row of `boxes`) and valid.
    measurements: the first one is the one that pictures are shown of.
    settings: what is computed besides the scores, of the first measurement.
    gather: joins the rows of all hosts (one host: leaves them).
    heatmaps_fn: like predict_fn, with "heatmaps", where there are any, and
      attention too: called once, with a few people, for the report. None:
      neither is shown.
    shown_scale: index on the axis S of the crops that are shown with them.
    baseline_xy_img: the mean training pose in the box of each usable person
      (baseline.mean_pose), scored beside the network.
    progress: called with (boxes done on this host, boxes in the table).
    seed: chooses the people whose heatmaps are shown.
  Raises:
    ValueError: for an unknown metric or one that the skeleton does not have.
  """

  def __init__(
    self,
    predict_fn: Callable[[Any, sweep.Batch], sweep.Batch],
    people: results.PeopleTable,
    boxes: Boxes,
    make_batches: Callable[[], Iterator[sweep.Batch]],
    *,
    measurements: Sequence[Measurement],
    settings: scoring.Settings = scoring.PLAIN,
    gather: Callable[[sweep.Batch], sweep.Batch] = dict,
    heatmaps_fn: Callable[[Any, sweep.Batch], sweep.Batch] | None = None,
    shown_scale: int = 0,
    baseline_xy_img: Float[np.ndarray, "N K 2"] | None = None,
    progress: Callable[[int, int], None] = sweep.no_progress,
    seed: int = 0,
  ):
    for measurement in measurements:
      scoring.check_metrics(measurement.metrics, people)
    self._predict_fn = predict_fn
    self._people = people
    self._usable = people.usable()
    self._boxes = boxes
    self._make_batches = make_batches
    self._measurements = tuple(measurements)
    self._settings = settings
    self._gather = gather
    self._heatmaps_fn = heatmaps_fn
    self._shown_scale = shown_scale
    self._baseline_xy_img = baseline_xy_img
    self._progress = progress
    self._seed = seed
    self._usable_row = self._rows_of_people()

  def run(
    self, variables: Any, *, step: int | None = None, weights: str = ""
  ) -> tuple[Evaluation, ...]:
    """Evaluates one set of weights, in the order of `measurements`.

    Args:
      variables: handed to predict_fn.
      step: training step of the weights, for the protocol.
      weights: where they come from, likewise.
    Raises:
      ValueError: if the batches do not hold every box once.
    """
    kept = keepsakes.Keepsakes(
      len(self._usable), count=NUM_HEATMAPS, seed=self._seed
    )
    rows, seconds = sweep.predict_people(
      self._predict_fn,
      variables,
      self._make_batches(),
      num_people=len(self._boxes),
      gather=self._gather,
      offer=self._offer_to(kept),
      progress=self._progress,
    )
    start = time.perf_counter()
    shown = self._shown(variables, kept)
    seconds["heatmaps to look at"] = time.perf_counter() - start
    found = [
      self._score(
        dataclasses.replace(
          measurement,
          protocol=dataclasses.replace(
            measurement.protocol, checkpoint_step=step, weights=weights
          ),
        ),
        rows,
        seconds,
        is_first=i == 0,
      )
      for i, measurement in enumerate(self._measurements)
    ]
    found[0] = dataclasses.replace(found[0], **shown)
    return tuple(found)

  def _score(self, measurement, rows, seconds, is_first) -> Evaluation:
    """One way of measuring, from the keypoints of all."""
    settings = self._settings
    if not is_first:  # the table shows scores alone
      settings = scoring.Settings(
        pckh_variant=settings.pckh_variant,
        presence_threshold=settings.presence_threshold,
      )
    predictions = self._predictions(measurement, rows)
    found = score_predictions(
      self._people,
      predictions.to_results(),
      protocol=measurement.protocol,
      metrics=measurement.metrics,
      settings=settings,
      baseline_xy_img=self._baseline_xy_img,
    )
    return dataclasses.replace(found, seconds={**seconds, **found.seconds})

  def _predictions(
    self, measurement: Measurement, rows
  ) -> predictions_lib.Predictions:
    """People as predicted in the boxes of one origin, rounded and suppressed.

    Rounded first, so that what is scored is exactly what the file will hold.
    """
    boxes = self._boxes
    mine = np.flatnonzero(boxes.origin == measurement.origin)
    presence = None
    if "presence" in rows:
      presence = rows["presence"][mine, measurement.way]
    predictions = predictions_lib.rounded(
      image_ids=boxes.image_ids[mine],
      person_ids=boxes.person_ids[mine],
      box_score=boxes.score[mine],
      kpts_xy_img=rows["kpts_xy_img"][mine, measurement.way],
      keypoint_score=rows["score"][mine, measurement.way],
      presence=presence,
      presence_threshold=self._settings.presence_threshold,
    )
    return nms.suppress(
      predictions,
      boxes.area[mine],
      kind=measurement.suppression,
      threshold=measurement.suppression_threshold,
      sigmas=self._people.skeleton.oks_sigmas,
    )

  def _rows_of_people(self) -> np.ndarray:
    """Row of `people.usable()` that a box of the first measurement is of."""
    known = {p: i for i, p in enumerate(self._usable.person_ids.tolist())}
    is_shown = self._boxes.origin == self._measurements[0].origin
    return np.array(
      [
        known.get(person, -1) if shown else -1
        for person, shown in zip(
          self._boxes.person_ids.tolist(), is_shown, strict=True
        )
      ],
      np.int64,
    )

  def _offer_to(self, kept: keepsakes.Keepsakes):
    """What keeps the crops of the worst and of a few random people."""
    shown = self._measurements[0]
    error_of = scoring.error_of(shown.metrics, self._usable)

    def offer(batch, kpts_xy_img):
      rows = self._usable_row[batch["person"]]
      known = np.flatnonzero(rows >= 0)
      error = np.zeros(len(rows))
      error[known] = error_of(kpts_xy_img[known, shown.way], rows[known])
      kept.offer(batch, rows, error)

    return offer

  def _shown(self, variables: Any, kept: keepsakes.Keepsakes) -> dict[str, Any]:
    """Heatmaps and attention of the kept crops, as fields of Evaluation.

    None stands for the heatmaps of a network that regresses coordinates.
    """
    crops = kept.all()
    if self._heatmaps_fn is None or not crops:
      return {}
    batch = {
      "images": np.stack([crop.images for crop in crops]),
      "img_from_hm": np.stack([crop.img_from_hm for crop in crops]),
    }
    found = self._heatmaps_fn(variables, batch)
    attention = {
      name.removeprefix(ATTENTION): np.asarray(maps)
      for name, maps in found.items()
      if name.startswith(ATTENTION)
    }
    heatmaps = found.get("heatmaps", [None] * len(crops))
    return {
      "heatmaps": tuple(
        (crop.row, crop.images[self._shown_scale], maps)
        for crop, maps in zip(crops, heatmaps, strict=True)
      ),
      "attention": tuple(
        {name: maps[i] for name, maps in attention.items()}
        for i in range(len(crops))
      ),
    }
