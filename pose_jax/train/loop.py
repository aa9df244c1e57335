"""The loop: the only place where steps, clocks, files and logs meet."""

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from pose_jax import parallel
from pose_jax.train.checkpoint import Checkpoints
from pose_jax.train.logbook import Logbook
from pose_jax.train.state import TrainState

Batch = Mapping[str, np.ndarray]
Scores = Mapping[str, float | None]


class NonFiniteLossError(ValueError):
  """The loss became NaN or infinite; the message names the step."""


@dataclasses.dataclass(frozen=True)
class LoopSettings:
  """When the loop does what, in steps; 0 means only at the end.

  Attributes:
    phase: its number, which is logged, or 0 where there is but one.
  """

  num_steps: int
  log_every_steps: int
  checkpoint_every_steps: int
  evaluate_every_steps: int
  phase: int = 0

  def is_evaluated(self, step: int) -> bool:
    """Whether the state after `step` steps gets a score."""
    return step == self.num_steps or _is_due(step, self.evaluate_every_steps)


class _Clock:
  """People per second and the share of time spent waiting for input."""

  def __init__(self):
    self.restart()

  def restart(self) -> None:
    self._started = time.monotonic()
    self._waited = 0.0
    self._steps = self._people = 0

  def count(self, waited: float, people: int) -> None:
    self._waited += waited
    self._steps += 1
    self._people += people

  def rates(self) -> tuple[float, dict[str, float]]:
    """Steps per second, and what is logged."""
    seconds = max(time.monotonic() - self._started, 1e-9)
    return self._steps / seconds, {
      "people_per_second": self._people / seconds,
      "input_wait": self._waited / seconds,
    }


def train(
  state: TrainState,
  step_fn: Callable[..., tuple[TrainState, Any]],
  batches: Iterator[Batch],
  settings: LoopSettings,
  *,
  logbook: Logbook,
  checkpoints: Checkpoints,
  meta: Mapping[str, Any],
  evaluate: Callable[[TrainState, int], Scores],
  learning_rate: Callable[[int], Any],
  should_stop: Callable[[int], bool] = lambda step: False,
) -> TrainState:
  """Trains from `state.step` to `settings.num_steps`.

  The metrics of a step are read after the next one is dispatched, so that
  the device never waits for the host; before a checkpoint is written they
  are read first, so that no state after a non-finite loss is ever saved.

  Args:
    state: replicated (`parallel.replicate`).
    step_fn: from `parallel.parallel_step`.
    batches: host batches, from the one of `state.step` on.
    meta: what every checkpoint carries beside the state.
    evaluate: scores of a state; called by all processes.
    learning_rate: of an update, for the log.
    should_stop: asked after every step; True saves and returns.
  Raises:
    NonFiniteLossError: with the step; the last good checkpoint stays.
  """
  step = int(state.step)
  if step and settings.is_evaluated(step) and not checkpoints.has_score(step):
    evaluate(state, step)  # the run was stopped before it could
  clock, last = _Clock(), None
  while step < settings.num_steps:
    asked = time.monotonic()
    batch = next(batches)
    waited = time.monotonic() - asked
    state, metrics = step_fn(state, parallel.shard(batch))
    step += 1
    if last is not None:
      _check_finite(*last)
    last = (step, metrics)
    rows = len(batch["image"]) * parallel.process()[1]
    clock.count(waited, rows)

    stopping = should_stop(step)
    is_end = step == settings.num_steps
    if _is_due(step, settings.log_every_steps) or is_end or stopping:
      values = {k: float(v) for k, v in jax.device_get(metrics).items()}
      values["learning_rate"] = float(learning_rate(step - 1))
      if settings.phase:
        values["phase"] = float(settings.phase)
      _check_finite(step, values)
      steps_per_second, rates = clock.rates()
      logbook.progress(step, values | rates, steps_per_second=steps_per_second)
      clock.restart()
    evaluating = settings.is_evaluated(step)
    saving = _is_due(step, settings.checkpoint_every_steps)
    if evaluating or saving or stopping:
      _check_finite(*last)
      save = functools.partial(
        checkpoints.save, step, state, {**meta, "step": step}
      )
      save(_scores_or_save(evaluate, state, step, save) if evaluating else {})
      clock.restart()
    if stopping:
      checkpoints.wait()
      logbook.say(f"asked to stop: saved step {step}; the same command goes on")
      break
  checkpoints.wait()
  return state


def _scores_or_save(
  evaluate: Callable[[TrainState, int], Scores],
  state: TrainState,
  step: int,
  save: Callable[[Scores], None],
) -> Scores:
  """Scores of a state; if it cannot be scored, it is saved without."""
  try:
    return evaluate(state, step)
  except BaseException:
    save({})
    raise


def _is_due(step: int, every: int) -> bool:
  return every > 0 and step % every == 0


def _check_finite(step: int, metrics: Mapping[str, Any]) -> None:
  # A finite loss with a gradient that is not makes the next state bad.
  for name in ("loss", "grad_norm"):
    value = float(metrics[name])
    if not np.isfinite(value):
      raise NonFiniteLossError(
        f"{name} of step {step} is {value}: the run stops here and its last "
        "checkpoint is good; lower optimizer.learning_rate, set "
        "optimizer.clip_norm, or look at the people of that batch"
      )
