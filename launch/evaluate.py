"""Evaluates checkpoints: `python -m launch.evaluate --workdir=W`.

The config is the run's own unless --config gives another one (other data, say,
or another decoder). With --predictions no network is run: a COCO results file
is scored, or the ground truth itself.
"""

import pathlib
import time

import numpy as np
from absl import flags
from ml_collections import config_flags

from launch import doorway
from launch.check import check_config
from launch.experiment import (
  Experiment,
  make_experiment,
  open_part,
  read_config,
)
from launch.measure import image_reader, make_evaluator
from pose_jax import parallel
from pose_jax.data.people import Dataset
from pose_jax.eval.evaluator import Evaluation, score_predictions
from pose_jax.eval.record import write
from pose_jax.eval.results import results_from_keypoints
from pose_jax.models.cost import count_parameters
from pose_jax.protocol import Protocol
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
  "watch", False, "Evaluate every new checkpoint until the run has ended."
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
  parallel.initialize(
    doorway.COORDINATOR.value,
    doorway.NUM_PROCESSES.value,
    doorway.PROCESS_ID.value,
  )
  experiment = make_experiment(config)
  dataset = open_part(experiment, "eval", workdir)
  if _PREDICTIONS.value:
    _score_file(experiment, dataset, workdir)
  else:
    _evaluate_checkpoints(experiment, dataset, workdir)


def _score_file(
  experiment: Experiment, dataset: Dataset, workdir: pathlib.Path
) -> None:
  """Scores --predictions; nothing is known of how they were made."""
  source, name = _PREDICTIONS.value, pathlib.Path(_PREDICTIONS.value).stem
  protocol = Protocol(
    dataset=dataset.name,
    split=dataset.split,
    box_source=f"not known (predictions: {name})",
    flip_test=None,
    flip_shift=None,
    alignment=None,
    codec=None,
    sigma_hm=None,
    decoder=None,
    scales=None,
  )
  found = score_predictions(
    dataset.people,
    _ground_truth(dataset) if source == "ground_truth" else source,
    protocol=protocol,
    metrics=tuple(experiment.config.eval.metrics),
  )
  _show(found, workdir / "evaluation" / name, experiment, dataset)


def _ground_truth(dataset: Dataset) -> list[dict]:
  """The annotations as if a network had predicted them, without doubt."""
  people = dataset.people.usable()
  rows = np.arange(len(people))
  return results_from_keypoints(
    people, rows, people.kpts_xy_img, np.ones(people.vis.shape, np.float32)
  )


def _evaluate_checkpoints(
  experiment: Experiment, dataset: Dataset, workdir: pathlib.Path
) -> None:
  """Evaluates --checkpoint, or with --watch each one that appears."""
  config = experiment.config
  checkpoints = Checkpoints(
    workdir / "checkpoints",
    best_metric=config.checkpoint.best_metric,
    read_only=True,
  )
  like = abstract_variables(experiment.model, tuple(config.data.crop_hw))
  evaluator = make_evaluator(
    experiment,
    dataset,
    num_parameters=count_parameters(like["params"]),
    training_people=_training_people(experiment, workdir),
  )
  done, is_last = set(), False
  while not is_last:
    waiting = [s for s in checkpoints.steps() if s not in done]
    if not _WATCH.value:
      waiting = [checkpoints.resolve(_CHECKPOINT.value)]
    for step in waiting:
      variables, meta = checkpoints.restore(step, like)
      found = evaluator.run(parallel.replicate(variables), step=step)
      _show(found, workdir / "evaluation" / str(step), experiment, dataset)
      done.add(step)
      is_last = not _WATCH.value or step >= meta["num_steps"]
    if not is_last and not waiting:
      time.sleep(_WATCH_SECONDS)
  checkpoints.close()


def _training_people(experiment: Experiment, workdir: pathlib.Path):
  """For the mean-pose baseline of PCK; None where it is not asked for."""
  config = experiment.config
  if "pck" not in config.eval.metrics or config.data.train.root is None:
    return None
  return open_part(experiment, "train", workdir).people


def _show(
  found: Evaluation,
  folder: pathlib.Path,
  experiment: Experiment,
  dataset: Dataset,
) -> None:
  """Writes the evaluation and prints scores, protocol and where it lies."""
  if parallel.process()[0] != 0:
    return
  write(
    found,
    folder,
    read_image=image_reader(dataset),
    hm_from_crop=experiment.frames.hm_from_crop,
  )
  print(found.describe(), flush=True)
  print(f"report: {folder / 'report.html'}", flush=True)


if __name__ == "__main__":
  doorway.run(main)
