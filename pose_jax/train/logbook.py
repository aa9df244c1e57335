"""What a run tells: a progress line, metrics.jsonl and TensorBoard events."""

import datetime
import json
import math
import pathlib
import time
from collections.abc import Mapping
from typing import Any

import tensorboardX


class Logbook:
  """Writes scalars of a run to three places.

  `metrics.jsonl` gets one JSON object per line: {"step", "seconds", name:
  value, ...}; a resumed run goes on in the same file. Only the process that
  has `is_writer` writes.
  """

  def __init__(
    self, folder: pathlib.Path, *, num_steps: int, is_writer: bool = True
  ):
    self._num_steps = num_steps
    self._is_writer = is_writer
    self._started = time.monotonic()
    if is_writer:
      folder.mkdir(parents=True, exist_ok=True)
      self._lines = open(folder / "metrics.jsonl", "a", encoding="utf-8")
      self._events = tensorboardX.SummaryWriter(
        str(folder / "tensorboard"), write_to_disk=True
      )

  def say(self, message: str) -> None:
    """Prints a line, with the time of day."""
    if self._is_writer:
      now = datetime.datetime.now().strftime("%H:%M:%S")
      print(f"[{now}] {message}", flush=True)

  def scalars(
    self, step: int, values: Mapping[str, float | None], *, prefix: str
  ) -> None:
    """Records values under prefix/name; None is left out."""
    if not self._is_writer:
      return
    known = {
      f"{prefix}/{k}": float(v) for k, v in values.items() if v is not None
    }
    # JSON has no NaN: a value that is none is written as null.
    line = {k: v if math.isfinite(v) else None for k, v in known.items()}
    seconds = round(time.monotonic() - self._started, 3)
    self._lines.write(json.dumps({"step": step, "seconds": seconds} | line))
    self._lines.write("\n")
    self._lines.flush()
    for name, value in known.items():
      self._events.add_scalar(name, value, step)

  def progress(
    self, step: int, values: Mapping[str, float], *, steps_per_second: float
  ) -> None:
    """Records training scalars and prints the progress line."""
    self.scalars(step, values, prefix="train")
    left = (self._num_steps - step) / max(steps_per_second, 1e-9)
    self.say(
      f"step {step}/{self._num_steps} | loss {values['loss']:.3g} | "
      f"{_shown(values)}"
      f"{values['people_per_second']:.0f} people/s | "
      f"waiting for input {100 * values['input_wait']:.0f} % | "
      f"{duration(left)} left"
    )

  def close(self) -> None:
    if self._is_writer:
      self._lines.close()
      self._events.close()


def _shown(values: Mapping[str, float]) -> str:
  """Of what a step tells, what there is to watch a run by."""
  known = {
    "peak": "peak {:.2f} | ",
    "presence_accuracy": "presence {:.3f} | ",
    "located": "located {:.3f} | ",
  }
  return "".join(
    text.format(values[name]) for name, text in known.items() if name in values
  )


def duration(seconds: float | int) -> str:
  """Time for people: 42 s, 3 min 05 s, 2 h 11 min, 4 d 03 h."""
  seconds = round(seconds)
  for unit, lower, size, part in (
    ("d", "h", 86400, 3600),
    ("h", "min", 3600, 60),
    ("min", "s", 60, 1),
  ):
    if seconds >= size:
      return f"{seconds // size} {unit} {seconds % size // part:02d} {lower}"
  return f"{seconds} s"


def write_json(path: pathlib.Path, content: Any) -> None:
  """Writes a JSON file whole or not at all."""
  temporary = path.with_suffix(".tmp")
  temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
  temporary.replace(path)
