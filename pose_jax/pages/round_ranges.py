"""Where axes of charts end: at numbers whose fifths are short."""

import math
from collections.abc import Iterable

_ROUND = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_FAR = 2.0  # times what nearly all values are: beyond that a value is cut off
_NEARLY_ALL = 0.95


def round_up(value: float) -> float:
  """The least round number that is at least `value`; 1 for 0.

  Raises:
    ValueError: if it is negative or not finite.
  """
  if not (math.isfinite(value) and value >= 0):
    raise ValueError(f"wanted a finite number from 0 on, got {value}")
  if not value:
    return 1.0
  power = 10.0 ** math.floor(math.log10(value))
  part = value / power
  top = next((n for n in _ROUND if n >= part * (1 - 1e-9)), _ROUND[-1])
  return float(f"{top * power:.6g}")


def round_range(values: Iterable[float]) -> tuple[float, float]:
  """A round range from 0, or from below it, that shows nearly all values.

  A few that are far above or below all others, as first losses are, do not
  stretch it.
  """
  known = [value for value in values if math.isfinite(value)]
  high = _end([value for value in known if value > 0])
  low = _end([-value for value in known if value < 0])
  bottom = -round_up(low) if low else 0.0
  top = round_up(high) if high or not low else 0.0
  return bottom, top


def _end(values: list[float]) -> float:
  """Where values from 0 on end, but for those far off."""
  if not values:
    return 0.0
  ordered = sorted(values)
  most = ordered[math.ceil(_NEARLY_ALL * len(ordered)) - 1]
  return min(ordered[-1], _FAR * most)
