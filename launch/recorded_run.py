"""A run as it lies in its folder: its log, and its last evaluation."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from launch.mistakes import ConfigError
from pose_jax import protocol as protocol_lib
from pose_jax.train.training_log import read_log


@dataclasses.dataclass(frozen=True)
class LastEvaluation:
  """What evaluation/STEP says.

  Attributes:
    folder: where it lies; step: of the checkpoint.
    scores: name -> share, None for "nothing to measure".
  """

  folder: pathlib.Path
  step: int
  scores: Mapping[str, float | None]
  protocol: protocol_lib.Protocol


@dataclasses.dataclass(frozen=True)
class RecordedRun:
  """Lines of metrics.jsonl, and the newest evaluation if there is one."""

  workdir: pathlib.Path
  log: list[dict[str, Any]]
  evaluation: LastEvaluation | None


def read_run(workdir: pathlib.Path) -> RecordedRun:
  """Reads what launch.train and launch.evaluate wrote.

  Raises:
    ConfigError: if the folder is no run's, if nothing was logged in it, or if
      a file of it is damaged.
  """
  if not workdir.is_dir():
    raise ConfigError(f"there is no folder {workdir}")
  if not (workdir / "config.json").is_file():
    raise ConfigError(
      f"{workdir} holds no config.json: wanted the folder of a run, which "
      "launch.train makes"
    )
  path = workdir / "metrics.jsonl"
  try:
    log = read_log(path) if path.is_file() else []
  except ValueError as error:
    raise ConfigError(str(error)) from None
  if not any(key.startswith("train/") for line in log for key in line):
    raise ConfigError(
      f"{workdir} has not logged a step of training yet: launch.train does "
      "every config.log.every_steps"
    )
  return RecordedRun(workdir, log, _last_evaluation(workdir / "evaluation"))


def _last_evaluation(parent: pathlib.Path) -> LastEvaluation | None:
  """The newest step's; of those measured in other ways, STEP_2, the first."""
  found = []
  for metrics in parent.glob("*/metrics.json"):
    if named := re.fullmatch(r"(\d+)(?:_(\d+))?", metrics.parent.name):
      found.append((int(named[1]), -int(named[2] or 1), metrics))
  if not found:
    return None
  step, _, path = max(found)
  try:
    content = json.loads(path.read_text(encoding="utf-8"))
    protocol = protocol_lib.from_dict(content["protocol"])
    scores = dict(content["scores"])
  except (ValueError, TypeError, KeyError) as error:
    raise ConfigError(
      f"{path} cannot be read, it is damaged or of other code ({error}): "
      "evaluate that checkpoint again"
    ) from None
  return LastEvaluation(path.parent, step, scores, protocol)
