"""A run's learning rate on a line, and a hint where its drops miss the run."""

from ml_collections import ConfigDict

from launch.experiment import Plan, schedule_options
from launch.phases import Phase
from pose_jax.train.optimizer import describe_schedule

_EARLY = 0.4  # of a run: a last drop before that is worth a word


def describe_phase(phase: Phase) -> str:
  """How the steps of a phase are trained, on a line."""
  config = phase.experiment.config
  line = describe_learning_rate(config, phase.plan)
  if phase.title:
    line = f"{phase.title}, steps {phase.start} to {phase.end}: {line}"
  if config.optimizer.frozen:
    line += f"; stays as it is: {', '.join(config.optimizer.frozen)}"
  return line


def describe_learning_rate(config: ConfigDict, plan: Plan) -> str:
  """The schedule on a line; with a hint where drops miss the run."""
  options = schedule_options(config, plan)
  line, drops = describe_schedule(**options), options["boundaries_steps"]
  if config.schedule.name != "step" or not drops:
    return line
  place = "--config.schedule.boundaries_steps places drops in steps"
  if min(drops) >= plan.num_steps:
    return (
      f"{line}; it never drops, all boundaries (the first at step "
      f"{min(drops)}) lie beyond the run: {place}"
    )
  share = max(drops) / plan.num_steps
  was_set = config.schedule.num_steps and not config.schedule.boundaries_steps
  if was_set and share < _EARLY:
    return f"{line}; the last drop comes after {share:.0%} of the run: {place}"
  return line
