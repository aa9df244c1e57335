"""The evaluator: runs a network over a table of people and scores it.

The same object serves the training loop and `launch.evaluate`. It gets the
network as `predict_fn`, the data as a table and an iterator of batches, and
gives an `Evaluation`: scores with their protocol, the predictions they were
computed from, and a few people to look at; `write` puts them into a folder.
"""

import dataclasses
import json
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from pose_jax import protocol as protocol_lib
from pose_jax import report
from pose_jax.eval import keepsakes, pck, results, scoring, sweep

NUM_HEATMAPS = 3  # random and as many worst people whose heatmaps are shown
NUM_PICTURES = 8  # random and as many worst people that are drawn


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

  def run(
    self,
    variables: Any,
    *,
    step: int | None = None,
    with_heatmaps: bool = True,
  ) -> Evaluation:
    """Evaluates one set of weights.

    Args:
      variables: handed to predict_fn.
      step: training step of the weights, for the protocol.
      with_heatmaps: whether to call heatmaps_fn, a program of its own to
        compile; not worth it where nobody looks.
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
    heatmaps = self._heatmaps(variables, kept) if with_heatmaps else ()
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


def write(
  evaluation: Evaluation,
  folder: str | pathlib.Path,
  *,
  read_image: Callable[[int], np.ndarray] | None = None,
  hm_from_crop: Float[np.ndarray, "2 3"] | None = None,
) -> pathlib.Path:
  """Writes predictions.json, report.html and, last, metrics.json.

  Each file appears whole or not at all; metrics.json says that all is there.

  Args:
    read_image: index of an image of the table -> uint8 RGB; without it the
      report shows no photographs.
    hm_from_crop: Frames.hm_from_crop, to lay heatmaps on crops.
  Returns:
    The folder.
  """
  page = report.render(_findings(evaluation, read_image, hm_from_crop))
  metrics = {
    "scores": evaluation.scores,
    "protocol": evaluation.protocol.to_dict(),
    "keypoints": list(evaluation.keypoints),
    "num_people": len(evaluation.details.error),
    "seconds": evaluation.seconds,
  }
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  _write_text(folder / "predictions.json", _json(evaluation.predictions))
  _write_text(folder / "report.html", page)
  _write_text(folder / "metrics.json", _json(metrics, indent=2))
  return folder


def _findings(evaluation, read_image, hm_from_crop) -> report.Findings:
  """What the report shows, as plain arrays."""
  people, details = evaluation.people.usable(), evaluation.details
  random, worst = _shown_rows(details.error)
  is_worst = set(worst)
  return report.Findings(
    skeleton=people.skeleton,
    groups=pck.groups(people.skeleton),
    title=f"{evaluation.protocol.dataset} {evaluation.protocol.split}",
    protocol=tuple(evaluation.protocol.rows()),
    scores=evaluation.scores,
    keypoints=evaluation.keypoints,
    num_people=len(people),
    num_images=len(people.image_names),
    seconds=evaluation.seconds,
    precision=details.coco.precision if details.coco else {},
    recall=details.coco.recall if details.coco else np.zeros(0),
    pck=_pck_curves(details, people.skeleton),
    thresholds=pck.CURVE,
    num_without_reference=(
      details.pck.num_without_reference if details.pck else 0
    ),
    random=_drawn(people, details, random, read_image),
    worst=_drawn(people, details, worst, read_image),
    heatmaps=tuple(
      (
        ("worst: " if row in is_worst else "") + _caption(people, details, row),
        crop,
        heatmaps,
      )
      for row, crop, heatmaps in evaluation.heatmaps
    )
    if hm_from_crop is not None
    else (),
    hm_from_crop=hm_from_crop,
  )


def _shown_rows(error) -> tuple[list[int], list[int]]:
  """Rows of a few random people and of the worst, worst first."""
  num = min(NUM_PICTURES, len(error))
  random = np.random.default_rng(0).permutation(len(error))[:num]
  return random.tolist(), np.argsort(-error, kind="stable")[:num].tolist()


def _pck_curves(details, skeleton) -> dict[str, np.ndarray]:
  """PCK over the thresholds: of all keypoints, of groups, of the mean pose."""
  if details.pck is None:
    return {}
  each = details.pck.per_keypoint
  curves = {"all": details.pck.total}
  for name, members in pck.groups(skeleton).items():
    curves[name] = each[:, list(members)].mean(1)
  if details.baseline is not None:
    curves["mean pose"] = details.baseline.total
  return curves


def _drawn(people, details, rows, read_image) -> tuple[report.Person, ...]:
  """The people of some rows with their photographs."""
  if read_image is None:
    return ()
  return tuple(
    report.Person(
      caption=_caption(people, details, row),
      image=read_image(int(people.image_index[row])),
      box_xywh_img=np.asarray(people.box_xywh_img[row], np.float64),
      kpts_xy_img=details.matched[row, :, :2],
      true_xy_img=np.asarray(people.kpts_xy_img[row], np.float64),
      vis=people.vis[row],
    )
    for row in rows
  )


def _caption(people, details, row) -> str:
  """Image, person and how right the prediction is."""
  name = pathlib.PurePath(people.image_names[people.image_index[row]]).stem
  how = f"error {details.error[row]:.2f}"
  if details.pck is None:
    how = f"OKS {1 - details.error[row]:.2f}"
  return f"{name}, person {people.person_ids[row]}: {how}"


def _json(value: Any, indent: int | None = None) -> str:
  return json.dumps(value, indent=indent, allow_nan=False) + "\n"


def _write_text(path: pathlib.Path, text: str) -> None:
  temporary = path.with_name(f".{path.name}.{os.getpid()}")
  temporary.write_text(text, encoding="utf-8")
  os.replace(temporary, path)
