"""What a logbook wrote, read again: how a training went, and how fast.

Lines are those of `metrics.jsonl`, see logbook.py. Their seconds count from
the start of a process, so that a run which was resumed has several clocks one
after the other: a start is known by its clock that went back, or by training
steps that come again. Time between starts, and what a killed start did behind
its last line, is not in the file and not counted.
"""

import dataclasses
import json
import pathlib
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LogLine = Mapping[str, Any]
_RATE = "train/people_per_second"
_PHASE = "train/phase"  # of lines of a run with several


@dataclasses.dataclass(frozen=True)
class Curve:
  """A logged value over steps and over time, in the order of steps.

  Attributes:
    seconds: since the run began, all of its starts together.
    values: nan where the logged value was none.
  """

  steps: tuple[int, ...]
  seconds: tuple[float, ...]
  values: tuple[float, ...]


def read_log(path: pathlib.Path) -> list[dict[str, Any]]:
  """The lines of a metrics.jsonl.

  Raises:
    ValueError: naming the first line that no logbook wrote whole.
  """
  lines = []
  text = path.read_text(encoding="utf-8")
  for number, line in enumerate(text.splitlines(), 1):
    try:
      content = json.loads(line)
      is_whole = isinstance(content, dict) and {"step", "seconds"} <= set(
        content
      )
    except ValueError:
      is_whole = False
    if not is_whole:
      raise ValueError(
        f"line {number} of {path} is no line of a log, which has a step and "
        "seconds: was it cut off? Without it the rest can be read"
      )
    lines.append(content)
  return lines


def names_in(lines: Iterable[LogLine]) -> list[str]:
  """What is logged, "train/loss", in the order of its first appearance."""
  keys = dict.fromkeys(key for line in lines for key in line)
  return [key for key in keys if key not in ("step", "seconds")]


def starts(lines: Sequence[LogLine]) -> list[list[LogLine]]:
  """The lines of each start of the run."""
  found: list[list[LogLine]] = []
  seconds, step = 0.0, 0
  for line in lines:
    is_training = any(key.startswith("train/") for key in line)
    is_again = is_training and line["step"] <= step
    if not found or line["seconds"] < seconds or is_again:
      found.append([])
    found[-1].append(line)
    seconds = line["seconds"]
    step = line["step"] if is_training else step
  return found


def training_rate(lines: Sequence[LogLine]) -> float | None:
  """Median people per second, or None where no line tells it.

  Without the first line of each start, in which the step is compiled, and of
  several phases the first: where modules rest, a second one is faster.
  """
  rates = []
  for start in starts(lines):
    known = [line for line in start if _RATE in line]
    rates += [line[_RATE] for line in known[1:] if line.get(_PHASE, 1) == 1]
  return statistics.median(rates) if rates else None


def training_seconds(lines: Sequence[LogLine]) -> float:
  """How long all starts took together, each up to its last line."""
  return float(sum(start[-1]["seconds"] for start in starts(lines)))


def curve(lines: Sequence[LogLine], name: str) -> Curve:
  """A value as the weights of today learnt it.

  Steps that a later start took again count as that took them: what the first
  one learnt in them was lost. Their time is not.
  """
  points: list[tuple[int, float, float]] = []
  before = 0.0
  for start in starts(lines):
    for line in start:
      if name not in line:
        continue
      while points and points[-1][0] >= line["step"]:
        points.pop()
      value = float("nan") if line[name] is None else float(line[name])
      points.append((line["step"], before + line["seconds"], value))
    before += start[-1]["seconds"]
  steps, seconds, values = zip(*points, strict=True) if points else ((),) * 3
  return Curve(steps, seconds, values)
