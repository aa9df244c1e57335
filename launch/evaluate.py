"""Evaluates checkpoints: `python -m launch.evaluate --workdir=W`.

The config is the run's own unless --config gives another one (other data, say,
or another decoder). With --predictions no network is run: a COCO results file
is scored, or the ground truth itself.
"""

import pathlib
import time
from collections.abc import Iterator

import numpy as np
from absl import flags
from ml_collections import config_flags

from launch import doorway
from launch.check import check_config
from launch.experiment import (
  Experiment,
  describe,
  make_experiment,
  open_part,
  read_config,
)
from launch.measure import image_reader, make_evaluator
from pose_jax import parallel, protocol
from pose_jax.data.people import DataError, Dataset, People
from pose_jax.eval.evaluator import Evaluation, score_predictions
from pose_jax.eval.record import folder_for, write
from pose_jax.eval.results import results_from_keypoints
from pose_jax.models.cost import count_parameters
from pose_jax.train.checkpoint import Checkpoints
from pose_jax.train.state import abstract_variables

_CONFIG = config_flags.DEFINE_config_file(
  "config", None, "Experiment; the run's own if left out.", lock_config=True
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "Folder of the run; results go to its evaluation/."
)
_CHECKPOINT = flags.DEFINE_string(
  "checkpoint", "latest", "latest, best or a step."
)
_WATCH = flags.DEFINE_bool(
  "watch",
  False,
  "Evaluate the newest checkpoint, and each new one until the run is at its "
  "last step.",
)
_PREDICTIONS = flags.DEFINE_string(
  "predictions",
  None,
  "COCO results file to score instead of a network's predictions; "
  "'ground_truth' feeds the annotations back (every score must be 1.000).",
)
_WATCH_SECONDS = 10.0


def main() -> None:
  """Scores checkpoints, or a file."""
  if _WORKDIR.value is None:
    doorway.fail("--workdir=FOLDER must be given: a run's, or where to write")
  workdir = pathlib.Path(_WORKDIR.value)
  config = _CONFIG.value or read_config(workdir)
  check_config(config, parts=("eval",))
  doorway.join_processes()
  experiment = make_experiment(config)
  dataset = open_part(experiment, "eval", workdir)
  _say(f"evaluating on {describe(dataset)}")
  if _PREDICTIONS.value:
    _score_file(experiment, dataset, workdir)
  else:
    _evaluate_checkpoints(experiment, dataset, workdir)


def _score_file(
  experiment: Experiment, dataset: Dataset, workdir: pathlib.Path
) -> None:
  """Scores --predictions; nothing is known of how they were made."""
  source, name = _PREDICTIONS.value, pathlib.Path(_PREDICTIONS.value).stem
  found = score_predictions(
    dataset.people,
    _ground_truth(dataset) if source == "ground_truth" else source,
    protocol=protocol.unknown(dataset.name, dataset.split, predictions=name),
    metrics=tuple(experiment.config.eval.metrics),
  )
  _show(found, workdir, f"predictions_{name}", experiment, dataset)


def _ground_truth(dataset: Dataset) -> list[dict]:
  """The annotations as if a network had predicted them, without doubt."""
  people = dataset.people.usable()
  score = (people.vis > 0).astype(np.float32)
  return results_from_keypoints(
    people, np.arange(len(people)), people.kpts_xy_img, score
  )


def _evaluate_checkpoints(
  experiment: Experiment, dataset: Dataset, workdir: pathlib.Path
) -> None:
  """Evaluates --checkpoint, or with --watch each one that appears."""
  config = experiment.config
  folder = workdir / "checkpoints"
  while _WATCH.value and not folder.is_dir():
    time.sleep(_WATCH_SECONDS)
  checkpoints = Checkpoints(
    folder, best_metric=config.checkpoint.best_metric, read_only=True
  )
  like = abstract_variables(experiment.model, tuple(config.data.crop_hw))
  evaluator = make_evaluator(
    experiment,
    dataset,
    num_parameters=count_parameters(like["params"]),
    training_people=_training_people(experiment, workdir),
  )
  for step in _steps(checkpoints):
    variables, meta = checkpoints.restore(step, like)
    found = evaluator.run(parallel.replicate(variables), step=step)
    _show(found, workdir, str(step), experiment, dataset)
    if step >= meta["num_steps"]:
      break
  checkpoints.close()


def _steps(checkpoints: Checkpoints) -> Iterator[int]:
  """The step of --checkpoint; with --watch the newest one, again and again.

  All processes get process 0's steps.
  """
  if not _WATCH.value:
    yield parallel.agreed(checkpoints.resolve(_CHECKPOINT.value))
    return
  seen = -1
  while True:
    newest = parallel.agreed(max(checkpoints.steps(), default=-1))
    if newest > seen:
      seen = newest
      yield newest
    else:
      time.sleep(_WATCH_SECONDS)


def _training_people(
  experiment: Experiment, workdir: pathlib.Path
) -> People | None:
  """For the mean-pose baseline of PCK; None where it cannot be had."""
  config = experiment.config
  if "pck" not in config.eval.metrics or config.data.train.root is None:
    return None
  try:
    return open_part(experiment, "train", workdir).people
  except DataError as error:
    _say(f"no mean-pose baseline: {error}")
    return None


def _show(
  found: Evaluation,
  workdir: pathlib.Path,
  name: str,
  experiment: Experiment,
  dataset: Dataset,
) -> None:
  """Writes the evaluation and prints scores, protocol and where it lies."""
  if parallel.process()[0] != 0:
    return
  folder = folder_for(workdir / "evaluation", name, found)
  write(
    found,
    folder,
    read_image=image_reader(dataset),
    hm_from_crop=experiment.frames.hm_from_crop,
  )
  print(found.describe(), flush=True)
  print(f"report: {folder / 'report.html'}", flush=True)


def _say(text: str) -> None:
  if parallel.process()[0] == 0:
    print(text, flush=True)


if __name__ == "__main__":
  doorway.run(main)
