"""Runs side by side as plain values, and whether they may be compared."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

MEASURED = (  # rows of a protocol in which runs to be compared must agree
  *("data", "people", "person's area", "boxes", "box file's sha256"),
  *("flip test", "scales", "absent", "NMS", "PCK"),
)


class Course(NamedTuple):
  """A logged value over steps and over time, each as long as the others.

  Attributes:
    seconds: since the run began; values: nan where there was none.
  """

  steps: tuple[int, ...]
  seconds: tuple[float, ...]
  values: tuple[float, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
  """A training and its last evaluation.

  Attributes:
    steps: trained so far, as far as is logged.
    seconds: of all starts; people_per_second: while training, None where
      nothing is known of it.
    courses: of the logged values to show, by name.
    evaluated_step: of the last evaluation; None, with empty scores and
      protocol, where there is none.
    scores: name -> share, None for "nothing to measure".
    protocol: (what, how) pairs.
    picture: its people, drawn.
  """

  label: str
  steps: int
  seconds: float
  people_per_second: float | None
  courses: Mapping[str, Course]
  evaluated_step: int | None = None
  num_parameters: int | None = None
  scores: Mapping[str, float | None] = dataclasses.field(default_factory=dict)
  protocol: tuple[tuple[str, str], ...] = ()
  picture: UInt8[np.ndarray, "H W 3"] | None = None


def common_rows(runs: Sequence[Run]) -> list[tuple[str, str]]:
  """Rows of the protocol that all evaluations have alike."""
  return [(name, how[0]) for name, how in _rows(runs) if len(set(how)) == 1]


def differing_rows(runs: Sequence[Run]) -> list[str]:
  """Names of the rows that evaluations differ in."""
  return [name for name, how in _rows(runs) if len(set(how)) > 1]


def disagreements(runs: Sequence[Run]) -> list[str]:
  """Rows of the protocol, of MEASURED, that evaluations differ in."""
  found = differing_rows(runs)
  return [name for name in MEASURED if name in found]


def warnings(runs: Sequence[Run]) -> list[str]:
  """What must be known before scores are compared, a sentence each."""
  found = []
  if differing := disagreements(runs):
    found.append(
      f"Not measured alike: the runs differ in {', '.join(differing)}. "
      "Their scores cannot be compared."
    )
  missing = [run.label for run in runs if run.evaluated_step is None]
  if missing:
    found.append(f"Without an evaluation: {', '.join(missing)}.")
  return found


def _rows(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
  """(what, how of each evaluation), "" where it does not say."""
  protocols = [dict(run.protocol) for run in runs if run.protocol]
  names = dict.fromkeys(name for rows in protocols for name in rows)
  return [(name, [rows.get(name, "") for rows in protocols]) for name in names]
