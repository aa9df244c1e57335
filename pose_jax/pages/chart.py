"""A line chart as inline SVG, for the report.

Both axes run over given ranges; colours of text and grid come from the
page's style, so the chart follows its light or dark theme.
"""

import dataclasses
import html
from collections.abc import Sequence

COLORS = (
  *("#2e86ff", "#ff8a1f", "#2fae66", "#d6455d", "#8e6bd8"),
  *("#12a5b5", "#b58a12", "#8a8f98"),
)
_WIDTH, _HEIGHT = 560, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 10, 42
_LEGEND_WIDTH = 126  # pixels, at least, of a name of the legend
_LETTER = 7  # pixels, at most about, of a letter


@dataclasses.dataclass(frozen=True)
class Line:
  """One named line; a strong one is drawn thicker."""

  name: str
  x: tuple[float, ...]
  y: tuple[float, ...]
  strong: bool = False


@dataclasses.dataclass(frozen=True)
class Chart:
  """Lines over one pair of axes; values outside the ranges are cut off.

  Raises:
    ValueError: if a line has not as many x as y.
  """

  title: str
  x_label: str
  y_label: str
  lines: tuple[Line, ...]
  x_range: tuple[float, float] = (0.0, 1.0)
  y_range: tuple[float, float] = (0.0, 1.0)
  mark_x: float | None = None  # a dashed vertical line
  note: str = ""

  def __post_init__(self):
    for line in self.lines:
      if len(line.x) != len(line.y):
        raise ValueError(
          f"line {line.name!r} has {len(line.x)} x and {len(line.y)} y values"
        )


def svg(chart: Chart) -> str:
  """The chart as an <svg> element; all text is escaped."""
  parts = [_axes(chart)]
  if chart.mark_x is not None:
    x = _x(chart, chart.mark_x)
    parts.append(
      f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{_HEIGHT - _BOTTOM}" '
      'stroke="var(--soft)" stroke-dasharray="4 4"/>'
    )
  parts += [_line(chart, i) for i in range(len(chart.lines))]
  legend, rows = _legend(chart.lines)
  height = _HEIGHT + 20 * rows
  return (
    f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" '
    f'aria-label="{html.escape(chart.title)}" font-size="12" '
    f'fill="var(--soft)">{"".join(parts)}{legend}</svg>'
  )


def _x(chart: Chart, value: float) -> float:
  low, high = chart.x_range
  share = (value - low) / (high - low)
  return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(chart: Chart, value: float) -> float:
  low, high = chart.y_range
  share = (value - low) / (high - low)
  return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)


def _axes(chart: Chart) -> str:
  parts = []
  for i in range(6):
    x_value = chart.x_range[0] + i / 5 * (chart.x_range[1] - chart.x_range[0])
    y_value = chart.y_range[0] + i / 5 * (chart.y_range[1] - chart.y_range[0])
    x, y = _x(chart, x_value), _y(chart, y_value)
    parts.append(
      f'<path d="M{x} {_TOP}V{_HEIGHT - _BOTTOM}M{_LEFT} {y}H{_WIDTH - _RIGHT}"'
      ' stroke="var(--grid)"/>'
      f'<text x="{x}" y="{_HEIGHT - _BOTTOM + 17}" text-anchor="middle">'
      f"{x_value:g}</text>"
      f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{y_value:g}</text>'
    )
  middle_x = (_LEFT + _WIDTH - _RIGHT) / 2
  middle_y = (_TOP + _HEIGHT - _BOTTOM) / 2
  parts.append(
    f'<text x="{middle_x}" y="{_HEIGHT - 6}" text-anchor="middle">'
    f"{html.escape(chart.x_label)}</text>"
    f'<text transform="translate(13 {middle_y})rotate(-90)" '
    f'text-anchor="middle">{html.escape(chart.y_label)}</text>'
  )
  return "".join(parts)


def _line(chart: Chart, i: int) -> str:
  line = chart.lines[i]
  low, high = chart.y_range
  points = " ".join(
    f"{_x(chart, x)},{_y(chart, min(max(y, low), high))}"
    for x, y in zip(line.x, line.y, strict=True)
    if y == y and chart.x_range[0] <= x <= chart.x_range[1]  # y may be nan
  )
  color = "var(--fg)" if line.strong else COLORS[i % len(COLORS)]
  width = 2.6 if line.strong else 1.6
  return (
    f'<polyline points="{points}" fill="none" stroke="{color}" '
    f'stroke-width="{width}" stroke-linejoin="round"/>'
  )


def _legend(lines: Sequence[Line]) -> tuple[str, int]:
  """Names below the chart, as many in a row as fit, and the number of rows."""
  longest = max((len(line.name) for line in lines), default=0)
  width = max(_LEGEND_WIDTH, 34 + _LETTER * longest)
  columns = max(1, (_WIDTH - _LEFT) // width)
  parts = []
  for i, line in enumerate(lines):
    x = _LEFT + (i % columns) * width
    y = _HEIGHT + 12 + 20 * (i // columns)
    color = "var(--fg)" if line.strong else COLORS[i % len(COLORS)]
    parts.append(
      f'<path d="M{x} {y - 4}h18" stroke="{color}" stroke-width="3"/>'
      f'<text x="{x + 24}" y="{y}">{html.escape(line.name)}</text>'
    )
  return "".join(parts), -(-len(lines) // columns)
