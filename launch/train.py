"""Trains a network.

    python -m launch.train --config=configs/NAME.py[:variant] --workdir=W

The same command goes on where a run stopped, whatever stopped it. All keys:
configs/base.py. To start from weights: --config.init.weights=FILE.
"""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from absl import flags
from ml_collections import ConfigDict, config_flags

from launch import doorway
from launch.check import check_config
from launch.experiment import (
  Experiment,
  describe,
  describe_network,
  fingerprint,
  make_experiment,
  make_plan,
  make_run_optimizer,
  make_step,
  make_training_batches,
  open_part,
)
from launch.initial_weights import (
  InitialWeights,
  check_initial_weights,
  describe_start,
  read_initial_weights,
)
from launch.learning_rate import describe_phase
from launch.measure import image_reader, make_evaluator, weights_in_words
from launch.mistakes import wanted_folder
from launch.phases import Phase, check_optimizers, make_phases, phase_of
from launch.run_config import keep_skeleton, read_config
from launch.same_run import check_same_run
from launch.stop_request import StopRequest
from launch.worth_a_word import training_notes
from pose_jax import parallel
from pose_jax.data.people import Dataset
from pose_jax.eval.record import folder_for, write
from pose_jax.models.cost import count_parameters
from pose_jax.train.checkpoint import CheckpointError, Checkpoints
from pose_jax.train.logbook import Logbook, write_json
from pose_jax.train.loop import LoopSettings, train
from pose_jax.train.state import TrainState, init_state, init_variables

_CONFIG = config_flags.DEFINE_config_file(
  "config", None, "Experiment, configs/NAME.py[:variant].", lock_config=True
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "Folder of this run: checkpoints, logs, evaluations."
)


def main() -> None:
  """Checks, opens, resumes, trains."""
  if _CONFIG.value is None or _WORKDIR.value is None:
    doorway.fail(
      "--config=configs/NAME.py and --workdir=FOLDER must be given, for "
      "example --config=configs/quickstart.py --workdir=runs/quickstart"
    )
  config, workdir = _CONFIG.value, wanted_folder("workdir", _WORKDIR.value)
  check_config(config)
  check_initial_weights(config, workdir)
  doorway.join_processes()
  experiment = make_experiment(config)
  initial = read_initial_weights(experiment, workdir)
  training = open_part(experiment, "train", workdir)
  validation = open_part(experiment, "eval", workdir)
  phases = make_phases(experiment, make_plan(config, training))
  check_optimizers(phases)
  _claim(workdir, config)
  logbook = Logbook(
    workdir,
    num_steps=phases[-1].end,
    is_writer=parallel.process()[0] == 0,
  )
  logbook.say(f"training: {describe(training)}")
  logbook.say(f"validation: {describe(validation)}")
  checkpoints = Checkpoints(
    workdir / "checkpoints",
    best_metric=config.checkpoint.best_metric,
    keep_latest=config.checkpoint.keep_latest,
    keep_best=config.checkpoint.keep_best,
  )
  try:
    _train(initial, training, validation, phases, checkpoints, logbook)
  finally:
    # Also behind an error: a checkpoint may still be on its way to the disk.
    checkpoints.close()
    logbook.close()


def _train(
  initial: InitialWeights | None,
  training: Dataset,
  validation: Dataset,
  phases: tuple[Phase, ...],
  checkpoints: Checkpoints,
  logbook: Logbook,
) -> None:
  """From the newest checkpoint, or the beginning, to the end."""
  experiment, end = phases[0].experiment, phases[-1].end
  config = experiment.config
  data = fingerprint(training.people)
  state, origin = _first_or_last_state(
    phases, initial, checkpoints, data, logbook
  )
  start_step = int(state.step)
  num_parameters = count_parameters(state.params)
  logbook.say(
    f"{describe_network(experiment, num_parameters)}, on "
    f"{parallel.num_devices()} x {parallel.device_kind()}; steps {start_step} "
    f"to {end}, {phases[0].plan.steps_per_epoch} per epoch"
  )
  for note in training_notes(experiment):
    logbook.say(note)
  if start_step == end:
    logbook.say("this run is at its end; its evaluations lie in its workdir")
  evaluate = _make_evaluate(
    experiment,
    training,
    validation,
    num_parameters,
    origin,
    checkpoints.folder.parent,
    logbook,
  )
  stop = StopRequest()
  for number, phase in enumerate(phases, 1):
    if int(state.step) > phase.end:
      continue
    optimizer, schedule = make_run_optimizer(
      phase.experiment.config, phase.plan
    )
    logbook.say(describe_phase(phase))
    if phase.start and int(state.step) == phase.start:
      fresh = init_state(state.variables, optimizer)
      state = fresh.replace(step=state.step)
    state = train(
      parallel.replicate(state),
      parallel.parallel_step(make_step(phase.experiment, optimizer)),
      make_training_batches(
        experiment,
        training,
        dataclasses.replace(phase.plan, num_steps=phase.end),
        int(state.step),
      ),
      LoopSettings(
        num_steps=phase.end,
        log_every_steps=config.log.every_steps,
        checkpoint_every_steps=config.checkpoint.every_steps,
        evaluate_every_steps=config.eval.every_steps,
        phase=number if len(phases) > 1 else 0,
      ),
      logbook=logbook,
      checkpoints=checkpoints,
      meta={
        "config": json.loads(config.to_json_best_effort()),
        "num_steps": end,
        "data": data,
        "start": origin,
      },
      evaluate=evaluate,
      learning_rate=lambda step, phase=phase, schedule=schedule: schedule(
        step - phase.start
      ),
      should_stop=stop,
    )
    if stop.asked:
      return


def _claim(workdir: pathlib.Path, config: ConfigDict) -> None:
  """Writes config.json and the skeleton; refuses another run's folder."""
  path = workdir / "config.json"
  if path.exists():
    check_same_run(read_config(workdir), config, workdir)
  if parallel.process()[0] == 0:
    workdir.mkdir(parents=True, exist_ok=True)
    keep_skeleton(workdir, config)
    write_json(path, json.loads(config.to_json_best_effort()))


def _first_or_last_state(
  phases: tuple[Phase, ...],
  initial: InitialWeights | None,
  checkpoints: Checkpoints,
  data: str,
  logbook: Logbook,
) -> tuple[TrainState, dict[str, Any] | None]:
  """The newest checkpoint's state, or a fresh one; and what it started from.

  Raises:
    CheckpointError: if the checkpoint was trained on other people than those
      that `data` stands for: the order of samples would not go on.
  """
  experiment = phases[0].experiment
  config = experiment.config
  variables = init_variables(
    experiment.model, tuple(config.data.crop_hw), config.seed
  )

  def state_in(phase: Phase, variables: Any) -> TrainState:
    optimizer, _ = make_run_optimizer(phase.experiment.config, phase.plan)
    return init_state(variables, optimizer)

  if not checkpoints.steps():
    if initial is None and config.init.weights:
      raise CheckpointError(
        f"{checkpoints.folder} holds no checkpoint that was finished: remove "
        f"it to start again from {config.init.weights}"
      )
    if initial is None:
      return state_in(phases[0], variables), None
    found = initial.begin(config, variables)
    logbook.say(f"{describe_start(initial.record)}; {found.describe()}")
    return state_in(phases[0], found.variables), initial.record
  step = checkpoints.resolve("latest")
  # Other people may make other phases: what was trained is asked first.
  _, meta = checkpoints.restore(step, {"step": np.zeros((), np.int32)})
  if meta["data"] not in (None, data):  # None: imported weights
    raise CheckpointError(
      f"the training people are not those of checkpoint {step} in "
      f"{checkpoints.folder}: give the same data to go on, or another "
      "--workdir"
    )
  state, _ = checkpoints.restore(
    step, state_in(phase_of(phases, step), variables)
  )
  if origin := meta.get("start"):
    logbook.say(describe_start(origin))
  return state, origin


def _make_evaluate(
  experiment: Experiment,
  training: Dataset,
  validation: Dataset,
  num_parameters: int,
  origin: Mapping[str, Any] | None,
  workdir: pathlib.Path,
  logbook: Logbook,
) -> Callable[[TrainState, int], Mapping[str, float | None]]:
  """Evaluation as the loop wants it: scores of a state, all written down."""
  evaluator = make_evaluator(
    experiment,
    validation,
    num_parameters=num_parameters,
    training_people=training.people,
  )

  def evaluate(state: TrainState, step: int) -> Mapping[str, float | None]:
    weights = weights_in_words(origin, step)
    found = evaluator.run(state.variables, step=step, weights=weights)
    folder = folder_for(workdir / "evaluation", str(step), found)
    if parallel.process()[0] == 0:
      write(
        found,
        folder,
        read_image=image_reader(validation),
        hm_from_crop=experiment.frames.hm_from_crop,
      )
    logbook.scalars(step, found[0].scores, prefix="eval")
    logbook.say(f"step {step}: {found[0].describe()}")
    logbook.say(f"report: {folder / 'report.html'}")
    return found[0].scores

  return evaluate


if __name__ == "__main__":
  doorway.run(
    main,
    interrupted="interrupted; the same command goes on from the last "
    "checkpoint",
  )
