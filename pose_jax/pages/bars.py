"""Stacked horizontal bars as inline SVG, for the report.

One bar a row, its parts from left to right, all on one scale from 0; colours
of text and grid come from the page's style, as in chart.py.
"""

import dataclasses
import html
import math

_WIDTH, _ROW, _BAR = 560, 21, 14
_TOP, _AXIS, _LEGEND = 4, 24, 20
_LETTER = 7  # pixels, at most about, of a letter of the labels
_LEAST_LEFT = 92  # so that the bars of several figures start alike


@dataclasses.dataclass(frozen=True)
class Bar:
  """One row.

  Attributes:
    label: at its left; note: at its right.
    parts: lengths from left to right; nan or nothing draws no part.
    mark: where a stroke crosses the bar, or None.
  """

  label: str
  parts: tuple[float, ...]
  note: str = ""
  mark: float | None = None


@dataclasses.dataclass(frozen=True)
class Bars:
  """Rows of bars under one title.

  Attributes:
    names, colors: of the parts; one name alone makes no legend.
    top: where the scale ends.
  Raises:
    ValueError: if a row has more parts than there are names, names and
      colours are not as many, or the scale has no extent.
  """

  title: str
  names: tuple[str, ...]
  colors: tuple[str, ...]
  rows: tuple[Bar, ...]
  note: str = ""
  top: float = 1.0

  def __post_init__(self):
    if len(self.names) != len(self.colors):
      raise ValueError(
        f"{len(self.names)} names and {len(self.colors)} colors: one each"
      )
    if not self.top > 0:
      raise ValueError(f"top must be above 0, got {self.top}")
    for row in self.rows:
      if len(row.parts) > len(self.names):
        raise ValueError(
          f"bar {row.label!r} has {len(row.parts)} parts, but there are "
          f"{len(self.names)} names"
        )


def svg(bars: Bars) -> str:
  """The bars as an <svg> element; all text is escaped."""
  left = 10 + _LETTER * max((len(r.label) for r in bars.rows), default=0)
  left = max(left, _LEAST_LEFT)
  right = 10 + _LETTER * max((len(r.note) for r in bars.rows), default=0)
  span = left, _WIDTH - max(right, 16)
  bottom = _TOP + _ROW * len(bars.rows)
  legend, num_lines = _legend(bars, span[0], bottom + _AXIS)
  height = bottom + _AXIS + _LEGEND * num_lines
  rows = "".join(_row(bars, i, span) for i in range(len(bars.rows)))
  return (
    f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" '
    f'aria-label="{html.escape(bars.title)}" font-size="12" '
    f'fill="var(--soft)">{_axis(bars.top, span, bottom)}{rows}{legend}</svg>'
  )


def _at(share, span) -> float:
  inside = min(max(share, 0.0), 1.0)
  return round(span[0] + inside * (span[1] - span[0]), 1)


def _axis(top, span, bottom) -> str:
  parts = []
  for i in range(6):
    x = _at(i / 5, span)
    parts.append(
      f'<path d="M{x} {_TOP}V{bottom}" stroke="var(--grid)"/>'
      f'<text x="{x}" y="{bottom + 15}" text-anchor="middle">'
      f"{i / 5 * top:g}</text>"
    )
  return "".join(parts)


def _row(bars, i, span) -> str:
  row, top = bars.rows[i], _TOP + i * _ROW + (_ROW - _BAR) / 2
  text_y = top + _BAR - 3
  parts = [
    f'<text x="{span[0] - 8:.1f}" y="{text_y}" text-anchor="end">'
    f"{html.escape(row.label)}</text>"
    f'<text x="{span[1] + 8:.1f}" y="{text_y}">{html.escape(row.note)}</text>'
  ]
  start = 0.0
  for value, color, name in zip(
    row.parts, bars.colors, bars.names, strict=False
  ):
    if not math.isnan(value) and value > 0:
      x = _at(start / bars.top, span)
      width = _at((start + value) / bars.top, span) - x
      parts.append(
        f'<rect x="{x}" y="{top}" width="{width:.1f}" height="{_BAR}" '
        f'fill="{color}"><title>{html.escape(f"{name} {value:.3f}")}</title>'
        "</rect>"
      )
      start += value
  if row.mark is not None and not math.isnan(row.mark):
    x = _at(row.mark / bars.top, span)
    parts.append(
      f'<path d="M{x} {top - 2}v{_BAR + 4}" stroke="var(--fg)" '
      'stroke-width="2.4"/>'
    )
  return "".join(parts)


def _legend(bars, left, top) -> tuple[str, int]:
  """Names below the bars, and how many lines they take."""
  if len(bars.names) < 2:
    return "", 0
  parts, x, line = [], left, 0
  for name, color in zip(bars.names, bars.colors, strict=True):
    width = 34 + _LETTER * len(name)
    if x + width > _WIDTH and x > left:
      x, line = left, line + 1
    y = top + _LEGEND * line + 12
    parts.append(
      f'<rect x="{x:.1f}" y="{y - 9}" width="14" height="10" fill="{color}"/>'
      f'<text x="{x + 20:.1f}" y="{y}">{html.escape(name)}</text>'
    )
    x += width
  return "".join(parts), line + 1
