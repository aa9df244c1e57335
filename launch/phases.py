"""The phases of a run: which steps are trained how.

A run has one phase, as `config.loss`, `optimizer` and `schedule` say, or a
second behind it: `config.second_phase`. Each has an optimiser of its own, whose
state begins with the phase, and a learning rate that counts from there.
"""

import dataclasses

from ml_collections import ConfigDict

from launch.experiment import Experiment, Plan, make_run_optimizer
from launch.mistakes import ConfigError


@dataclasses.dataclass(frozen=True)
class Phase:
  """Steps that are trained alike.

  Attributes:
    experiment: whose config says how.
    plan: of this phase alone; its num_steps is the phase's length.
    start, end: steps of the run before it and in the end.
    title: "" where there is but one.
  """

  experiment: Experiment
  plan: Plan
  start: int
  title: str = ""

  @property
  def end(self) -> int:
    return self.start + self.plan.num_steps


def has_second(config: ConfigDict) -> bool:
  """Whether a run goes on behind its first phase."""
  schedule = config.second_phase.schedule
  return bool(schedule.num_epochs or schedule.num_steps)


def second_config(config: ConfigDict) -> ConfigDict:
  """The config as it is in the second phase."""
  second = config.second_phase
  changed = config.copy_and_resolve_references()
  with changed.unlocked():
    changed.loss.update(second.loss)
    changed.optimizer = second.optimizer
    changed.schedule.update(second.schedule)
  return changed


def make_phases(experiment: Experiment, plan: Plan) -> tuple[Phase, ...]:
  """The phases of a run, first to last.

  Args:
    plan: of the first phase.
  """
  first = Phase(experiment, plan, 0)
  if not has_second(experiment.config):
    return (first,)
  config = second_config(experiment.config)
  num_steps = config.schedule.num_steps or (
    config.schedule.num_epochs * plan.steps_per_epoch
  )
  second = Phase(
    dataclasses.replace(experiment, config=config),
    dataclasses.replace(plan, num_steps=num_steps),
    first.end,
    "second phase",
  )
  return (dataclasses.replace(first, title="first phase"), second)


def phase_of(phases: tuple[Phase, ...], step: int) -> Phase:
  """The phase that a state after `step` steps was trained in.

  The last one for a step beyond the run, which has become shorter.
  """
  return next((phase for phase in phases if step <= phase.end), phases[-1])


def check_optimizers(phases: tuple[Phase, ...]) -> None:
  """Refuses what a phase cannot be trained with, before the first begins.

  Raises:
    ConfigError: if a warm-up does not fit.
  """
  for phase in phases:
    try:
      make_run_optimizer(phase.experiment.config, phase.plan)
    except ConfigError as error:
      if not phase.start:
        raise
      said = str(error).replace(
        "config.schedule", "config.second_phase.schedule"
      )
      raise ConfigError(f"second_phase: {said}") from error
