"""How runs trained: logged values over time and over steps, and their speed."""

import math
import statistics
from collections.abc import Iterator, Sequence

from pose_jax.pages import bars, chart, page
from pose_jax.pages.compared_run import Course, Run
from pose_jax.pages.round_ranges import round_range, round_up

_TIMES = (("seconds", 1), ("minutes", 60), ("hours", 3600))
_STEPS = (("steps", 1), ("thousand steps", 1000))
_MOST_TIME, _MOST_STEPS = 120, 10_000  # of a unit, before the next one is told


def progress(
  runs: Sequence[Run], names: Sequence[str], num_averaged: int
) -> page.Section:
  """Each value over time, at the left, and over steps.

  Args:
    num_averaged: log lines that a point is the mean of.
  """
  pairs = [_charts(runs, name, num_averaged) for name in names]
  note = "Values of training are of the batch of the step that is logged."
  if num_averaged > 1:
    note += f" Each point is the mean of {num_averaged} log lines up to it."
  return page.Section(
    "Training",
    note,
    left=tuple(over_time for over_time, _ in pairs),
    right=tuple(over_steps for _, over_steps in pairs),
  )


def speed(runs: Sequence[Run]) -> Iterator[page.Section]:
  """Bars of people per second, where anything is known of it."""
  known = [r.people_per_second for r in runs if r.people_per_second is not None]
  if not known:
    return
  what = "people per second"
  yield page.Section(
    "Training speed",
    left=(
      bars.Bars(
        what.capitalize(),
        (what,),
        chart.COLORS[:1],
        tuple(_speed_bar(run) for run in runs),
        "Median of the log lines, without the first of each start, in which "
        "the step is compiled; of two phases, the first. Between unlike "
        "machines or batches it says nothing of the networks.",
        top=round_up(max(known)),
      ),
    ),
  )


def _speed_bar(run: Run) -> bars.Bar:
  rate = run.people_per_second
  if rate is None:
    return bars.Bar(run.label, (), "n/a")
  return bars.Bar(run.label, (rate,), f"{rate:,.4g}")


def _charts(
  runs: Sequence[Run], name: str, num_averaged: int
) -> tuple[chart.Chart, chart.Chart]:
  """The value over time and over steps, in equal ranges of the value."""
  title = name.removeprefix("train/").replace("_", " ")
  # Who does not log it keeps its place, and so its colour, in all charts.
  courses = [run.courses.get(name, Course((), (), ())) for run in runs]
  values = [_means(course.values, num_averaged) for course in courses]
  y_range = round_range(v for line in values for v in line)
  note = " ".join(_notes(runs, name, values, y_range))

  def drawn(over, lines_x, units, most):
    last = max((x for line in lines_x for x in line), default=0)
    unit, size = next((u for u in units if last <= most * u[1]), units[-1])
    lines = tuple(
      chart.Line(run.label, tuple(float(x) / size for x in line_x), line_y)
      for run, line_x, line_y in zip(runs, lines_x, values, strict=True)
    )
    x_range = 0.0, round_up(last / size)
    heading = f"{title[0].upper()}{title[1:]} over {over}"
    return chart.Chart(heading, unit, title, lines, x_range, y_range, note=note)

  return (
    drawn("time", [c.seconds for c in courses], _TIMES, _MOST_TIME),
    drawn("steps", [c.steps for c in courses], _STEPS, _MOST_STEPS),
  )


def _notes(runs, name, values, y_range) -> Iterator[str]:
  """What must be known of a chart."""
  missing = [run.label for run in runs if name not in run.courses]
  if missing:
    yield f"Not logged by {', '.join(missing)}."
  low, high = y_range
  if any(value < low or value > high for line in values for value in line):
    yield "What is beyond the chart is drawn on its edge."
  if name == "train/loss" and len(runs) > 1:
    yield "Losses of unlike kinds are not on one scale."


def _means(values: Sequence[float], num: int) -> tuple[float, ...]:
  """Of each value and those before it, `num` in all; nan counts for nothing."""
  windows = (values[max(0, i + 1 - num) : i + 1] for i in range(len(values)))
  known = ([v for v in window if not math.isnan(v)] for window in windows)
  return tuple(statistics.fmean(w) if w else math.nan for w in known)
