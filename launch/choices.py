"""The combinations that `config.eval` and its sweep ask for."""

import dataclasses
import itertools
import math

from ml_collections import ConfigDict

GROUND_TRUTH = "ground_truth"
SWEEPS = ("flip", "decoder", "boxes", "noise")  # of launch.evaluate --sweep
_MOVED = "moved_"  # ground truth moved by a share of its size: "moved_0.1"


@dataclasses.dataclass(frozen=True)
class Choice:
  """One combination of what can be swept; keys of `config.eval`."""

  boxes: str
  flip_test: bool
  scales: tuple[float, ...]
  decoder: str

  @property
  def test(self) -> tuple[bool, tuple[float, ...], str]:
    """What decides the way of testing."""
    return self.flip_test, self.scales, self.decoder


def choices(settings: ConfigDict) -> tuple[Choice, ...]:
  """The config's own combination, then the others of its sweep."""
  keys = [field.name for field in dataclasses.fields(Choice)]
  values = [
    tuple(dict.fromkeys((settings[key], *settings.sweep[key]))) for key in keys
  ]
  return tuple(
    Choice(**dict(zip(keys, combination, strict=True)))
    for combination in itertools.product(*values)
  )


def is_of_people(boxes: str) -> bool:
  """Whether each box of this name is an annotated person's."""
  return boxes == GROUND_TRUTH or boxes.startswith(_MOVED)


def moved(amount: float) -> str:
  """The name of ground truth moved by that share of its size."""
  return f"{_MOVED}{amount:g}"


def moved_by(boxes: str) -> float:
  """Share of its size by which ground truth is moved; nan if not a number."""
  if boxes == GROUND_TRUTH:
    return 0.0
  try:
    return float(boxes.removeprefix(_MOVED))
  except ValueError:
    return math.nan
