"""Evaluates checkpoints: `python -m launch.evaluate --workdir=W`.

The config is the run's own unless --config gives another one; either way
single values can be changed: `--config.eval.decoder=quarter`. --sweep measures
in several ways at once, in one pass over the pictures. With --predictions no
network is run: a COCO results file is scored, or the ground truth itself, and
with --compare A B two such files are compared.
"""

import hashlib
import pathlib
import time
from collections.abc import Iterator, Sequence

import numpy as np
from absl import flags
from ml_collections import ConfigDict, config_flags

from launch import doorway
from launch.check import check_config
from launch.choices import GROUND_TRUTH, SWEEPS, moved
from launch.command_line import completed
from launch.experiment import (
  Experiment,
  describe,
  make_experiment,
  open_part,
)
from launch.measure import (
  image_reader,
  make_evaluator,
  make_settings,
  measured_on,
  weights_in_words,
)
from launch.mistakes import ConfigError, suggest, wanted_folder
from launch.run_config import read_config
from launch.same_run import other_network
from launch.worth_a_word import alignment_notes, network_notes
from pose_jax import parallel, protocol
from pose_jax.codec.decode import DECODERS
from pose_jax.data.people import DataError, Dataset, People
from pose_jax.eval import table
from pose_jax.eval.evaluation import (
  Evaluation,
  compare_files,
  score_predictions,
)
from pose_jax.eval.predictions import of_people
from pose_jax.eval.record import folder_for, write
from pose_jax.models.cost import count_parameters
from pose_jax.train.checkpoint import Checkpoints, MisfitError
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
_BOXES = flags.DEFINE_string(
  "boxes",
  None,
  "Boxes to predict in, for config.eval.boxes: a detector's COCO results file, "
  "or ground_truth.",
)
_SWEEP = flags.DEFINE_list(
  "sweep",
  [],
  "What to vary in one pass, of flip, decoder, boxes, noise: all combinations "
  "of flip test on and off, all decoders, ground truth beside the config's "
  "boxes, ground-truth boxes moved by 5, 10 and 20 % of their size.",
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
  "'ground_truth' feeds the annotations back (every score must be 1.000, but "
  "presence_majority, and presence_ece 0).",
)
_COMPARE = flags.DEFINE_list(
  "compare", [], "Two COCO results files, A B: is their difference one?"
)
_WATCH_SECONDS = 10.0
_NOISE = (0.05, 0.1, 0.2)


def main() -> None:
  """Scores checkpoints, or files."""
  if _WORKDIR.value is None:
    doorway.fail("--workdir=FOLDER must be given: a run's, or where to write")
  workdir = wanted_folder("workdir", _WORKDIR.value)
  if _CONFIG.value is None:
    raise ConfigError(
      f"{workdir} holds no config.json: is it a folder that launch.train "
      "wrote? Else give --config"
    )
  _check_files()
  config = _with_flags(_CONFIG.value)
  is_of_files = bool(_COMPARE.present or _PREDICTIONS.value)
  check_config(config, parts=("eval",), with_network=not is_of_files)
  doorway.join_processes()
  experiment = make_experiment(config)
  dataset = open_part(experiment, "eval", workdir)
  _say(f"evaluating on {describe(dataset, with_boxes=False)}")
  if _COMPARE.present:
    _compare_files(experiment, dataset)
  elif _PREDICTIONS.value:
    _score_file(experiment, dataset, workdir)
  else:
    _evaluate_checkpoints(experiment, dataset, workdir)


def _check_files() -> None:
  """What is given with --predictions and --compare, before data are opened.

  Raises:
    ConfigError: if a file is not there, or flags do not go together.
  """
  if not (_COMPARE.present or _PREDICTIONS.value):
    return
  if _BOXES.value or _SWEEP.value:
    raise ConfigError(
      "--boxes and --sweep are for a network: files given with --predictions "
      "or --compare are scored as they are"
    )
  if _COMPARE.present and len(_COMPARE.value) != 2:
    raise ConfigError(
      f"--compare needs two COCO results files, got {len(_COMPARE.value)}"
    )
  for flag, paths in (
    ("predictions", [_PREDICTIONS.value]),
    ("compare", _COMPARE.value),
  ):
    for path in paths:
      is_file = path in (None, GROUND_TRUTH) or pathlib.Path(path).is_file()
      if not is_file:
        raise ConfigError(f"--{flag}: there is no file {path!r}")


def _with_flags(config: ConfigDict) -> ConfigDict:
  """The config with what --boxes and --sweep say.

  Raises:
    ConfigError: for a sweep that there is not.
  """
  if _BOXES.value:
    config.eval.boxes = _BOXES.value
  for what in _SWEEP.value:
    if what not in SWEEPS:
      raise ConfigError(f"--sweep has {what!r}: {suggest(what, SWEEPS)}")
  if "flip" in _SWEEP.value:
    config.eval.sweep.flip_test = (True, False)
  if "decoder" in _SWEEP.value:
    config.eval.sweep.decoder = tuple(DECODERS)
  boxes = [GROUND_TRUTH] if "boxes" in _SWEEP.value else []
  if "noise" in _SWEEP.value:
    boxes += [moved(amount) for amount in _NOISE]
  if boxes:
    config.eval.sweep.boxes = tuple(boxes)
  return config


def _score_file(
  experiment: Experiment, dataset: Dataset, workdir: pathlib.Path
) -> None:
  """Scores --predictions; nothing is known of how they were made."""
  config = experiment.config
  source, name = _PREDICTIONS.value, pathlib.Path(_PREDICTIONS.value).stem
  label = name
  if source != GROUND_TRUTH:  # files of one name are told apart
    digest = hashlib.sha256(pathlib.Path(source).read_bytes()).hexdigest()
    label = f"{pathlib.Path(source).name}, sha256 {digest[:12]}"
  found = score_predictions(
    dataset.people,
    _ground_truth(dataset, config) if source == GROUND_TRUTH else source,
    protocol=protocol.unknown(
      dataset.name,
      dataset.split,
      predictions=label,
      **measured_on(dataset, config),
    ),
    metrics=tuple(config.eval.metrics),
    settings=make_settings(config),
  )
  _show((found,), workdir, f"predictions_{name}", experiment, dataset)


def _compare_files(experiment: Experiment, dataset: Dataset) -> None:
  """Says whether the two files of --compare differ."""
  compared = compare_files(
    dataset.people,
    *_COMPARE.value,
    metrics=tuple(experiment.config.eval.metrics),
    settings=make_settings(experiment.config),
  )
  print(compared.describe(), flush=True)


def _ground_truth(dataset: Dataset, config: ConfigDict) -> list[dict]:
  """The annotations as if a network had predicted them, without doubt."""
  people = dataset.people.usable()
  score = (people.vis > 0).astype(np.float32)
  return of_people(
    people,
    np.arange(len(people)),
    people.kpts_xy_img,
    score,
    presence=score if "presence" in config.eval.metrics else None,
  ).to_results()


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
  trained = _trained(workdir)
  for note in (
    *alignment_notes(config, trained),
    *network_notes(experiment),
  ):
    _say(note)
  evaluator = make_evaluator(
    experiment,
    dataset,
    num_parameters=count_parameters(like["params"]),
    training_people=_training_people(experiment, workdir),
  )
  for step in _steps(checkpoints):
    try:
      variables, meta = checkpoints.restore(step, like)
    except MisfitError as error:
      if why := trained and other_network(trained, config):
        raise ConfigError(f"checkpoint {step}: {why}") from error
      raise
    found = evaluator.run(
      parallel.replicate(variables),
      step=step,
      weights=weights_in_words(meta.get("start"), step),
    )
    _show(found, workdir, str(step), experiment, dataset)
    if step >= meta["num_steps"]:
      if _WATCH.value:
        _say(_end_of_watch(step))
      break
  checkpoints.close()


def _end_of_watch(step: int) -> str:
  """Why no other checkpoint is waited for."""
  if step == 0:  # what launch.import_weights wrote
    return (
      "watching ends: these are imported weights, not yet trained on; watch "
      "again once launch.train has saved a checkpoint"
    )
  return f"watching ends: step {step} is the run's last"


def _trained(workdir: pathlib.Path) -> ConfigDict | None:
  """The run's own config; None where its folder has none."""
  has_config = (workdir / "config.json").is_file()
  return read_config(workdir) if has_config else None


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
  config, train = experiment.config, experiment.config.data.train
  if "pck" not in config.eval.metrics or not (train.root or train.data_dir):
    return None
  try:
    return open_part(experiment, "train", workdir).people
  except DataError as error:
    _say(f"no mean-pose baseline: {error}")
    return None


def _show(
  found: Sequence[Evaluation],
  workdir: pathlib.Path,
  name: str,
  experiment: Experiment,
  dataset: Dataset,
) -> None:
  """Writes the evaluations and prints scores, protocols and where they lie."""
  if parallel.process()[0] != 0:
    return
  folder = folder_for(workdir / "evaluation", name, found)
  write(
    found,
    folder,
    read_image=image_reader(dataset),
    hm_from_crop=experiment.frames.hm_from_crop,
  )
  print(found[0].describe(), flush=True)
  if len(found) > 1:
    print(table.text_of(table.rows_of(found)), flush=True)
  print(f"report: {folder / 'report.html'}", flush=True)


def _say(text: str) -> None:
  if parallel.process()[0] == 0:
    print(text, flush=True)


if __name__ == "__main__":
  doorway.run(main, completed=completed)
