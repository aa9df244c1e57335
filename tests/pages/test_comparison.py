"""Tests of comparison.py: what is on the page, and in which colour."""

import dataclasses
import math
import re

import numpy as np
import pytest

from pose_jax.pages import chart, comparison, training_charts
from pose_jax.pages.compared_run import (
  MEASURED,
  Course,
  Run,
  common_rows,
  differing_rows,
  disagreements,
  warnings,
)
from pose_jax.protocol import Protocol

LOSS, LOCATED = "train/loss", "train/located"


def make_run(label, **more):
  values = {
    "steps": 30,
    "seconds": 5400.0,
    "people_per_second": 75.5,
    "courses": {
      LOSS: Course((10, 20, 30), (1800.0, 3600.0, 5400.0), (3.0, 2.0, 1.0))
    },
    "evaluated_step": 30,
    "num_parameters": 1234,
    "scores": {"located": 0.625, "PCP_strict@0.5 upper arm": 0.1},
    "protocol": (("data", "lspet test"), ("network", label)),
  }
  return Run(label, **(values | more))


def charts_of(runs, name, num_averaged=1):
  section = training_charts.progress(runs, [name], num_averaged)
  (over_time,), (over_steps,) = section.left, section.right
  return over_time, over_steps


def test_numbers_labels_and_pictures_are_on_the_page():
  picture = np.zeros((40, 60, 3), np.uint8)
  runs = [make_run("one <&>", picture=picture), make_run("two", scores={})]
  text = comparison.render(runs, [LOSS])
  assert text.count("one &lt;&amp;&gt;") >= 6 and "<&>" not in text
  for part in (">62.50<", ">1,234<", ">75.50<", ">1.50<", ">n/a<"):
    assert part in text
  assert "upper arm" not in text
  assert text.count("<img ") == 1
  assert "All were measured on the same people" in text
  assert not re.search(r"https?:|url\(", text)


def test_axes_are_round_and_hold_every_line():
  runs = [make_run("a"), make_run("b", courses={})]
  over_time, over_steps = charts_of(runs, LOSS)
  assert over_time.x_label == "minutes" and over_time.x_range == (0, 100)
  assert over_time.lines[0].x == (30, 60, 90)
  assert over_steps.x_label == "steps" and over_steps.x_range == (0, 30)
  assert over_time.y_range == over_steps.y_range == (0, 3)
  assert "Not logged by b." in over_time.note
  assert over_time.lines[1].x == ()


def test_long_runs_are_told_in_hours_and_thousands():
  course = Course((100_000, 240_000), (3600.0, 36_000.0), (0.5, 0.25))
  over_time, over_steps = charts_of(
    [make_run("a", courses={LOSS: course})], LOSS
  )
  assert (over_time.x_label, over_time.lines[0].x) == ("hours", (1, 10))
  assert over_steps.x_label == "thousand steps"
  assert over_steps.lines[0].x == (100, 240) and over_steps.x_range[1] == 250


def test_a_run_keeps_its_colour_where_another_has_no_line():
  runs = [make_run("a", courses={}), make_run("b")]
  drawn = chart.svg(charts_of(runs, LOSS)[0])
  first, second = re.findall(
    r'<polyline points="([^"]*)"[^>]*stroke="(\S+)"', drawn
  )
  assert first == ("", chart.COLORS[0])
  assert second[0] and second[1] == chart.COLORS[1]


def test_points_can_be_means_of_log_lines():
  values = (1.0, 3.0, math.nan, 5.0, 8.0)
  course = Course((1, 2, 3, 4, 5), (1.0, 2.0, 3.0, 4.0, 5.0), values)
  runs = [make_run("a", courses={LOCATED: course})]
  (line,) = charts_of(runs, LOCATED, num_averaged=2)[0].lines
  np.testing.assert_array_equal(line.y, (1.0, 2.0, 3.0, 5.0, 6.5))
  (line,) = charts_of(runs, LOCATED)[0].lines
  np.testing.assert_array_equal(line.y, values)


def test_what_is_cut_off_is_said():
  steps = tuple(range(1, 42))
  course = Course(steps, tuple(map(float, steps)), (100.0, *[2.0] * 40))
  over_time, _ = charts_of([make_run("a", courses={LOSS: course})], LOSS)
  assert over_time.y_range == (0, 4) and "on its edge" in over_time.note
  assert "on its edge" not in charts_of([make_run("a")], LOSS)[0].note


def test_bars_of_speed_end_at_a_round_number():
  runs = [make_run("a"), make_run("b", people_per_second=None)]
  (section,) = training_charts.speed(runs)
  (drawn,) = section.left
  assert drawn.top == 80
  assert [(bar.parts, bar.note) for bar in drawn.rows] == [
    ((75.5,), "75.5"),
    ((), "n/a"),
  ]
  assert not list(training_charts.speed(runs[1:]))


def test_evaluations_that_cannot_be_compared_are_told():
  other = (("data", "lspet train"), ("network", "b"))
  runs = [make_run("a"), make_run("b", protocol=other)]
  assert disagreements(runs) == ["data"]
  assert differing_rows(runs) == ["data", "network"]
  (told,) = warnings(runs)
  assert "differ in data." in told
  text = comparison.render(runs, [])
  assert told in text and "data (!)" in text and "network (!)" not in text


def test_what_one_protocol_lacks_is_a_difference():
  with_boxes = (*make_run("a").protocol, ("boxes", "image"))
  runs = [make_run("a"), make_run("a", protocol=with_boxes)]
  assert disagreements(runs) == ["boxes"]
  assert common_rows(runs) == [("data", "lspet test"), ("network", "a")]


def test_a_run_without_evaluation_disagrees_with_nobody():
  bare = {"evaluated_step": None, "scores": {}, "protocol": ()}
  runs = [make_run("a"), make_run("b", **bare)]
  assert disagreements(runs) == []
  assert warnings(runs) == ["Without an evaluation: b."]


def test_rows_that_must_agree_are_rows_of_protocols():
  full = Protocol(
    **{"dataset": "d", "split": "s", "box_source": "f", "flip_test": False},
    **{"flip_shift": None, "alignment": "udp", "codec": None, "sigma_hm": 2.0},
    **{"decoder": "argmax", "num_people": 3, "num_images": 2},
    **{"area_source": "a", "box_file_sha256": "1", "pck_variant": "p"},
    presence_threshold=0.5,
  )
  assert set(MEASURED) <= {name for name, _ in full.rows()}
  changed = dataclasses.replace(full, num_people=4)
  runs = [make_run("a", protocol=tuple(p.rows())) for p in (full, changed)]
  assert disagreements(runs) == ["people"]


@pytest.mark.parametrize("length, columns", [(3, 4), (30, 2)])
def test_long_names_stand_in_fewer_columns_of_the_legend(length, columns):
  lines = tuple(chart.Line(f"{i}" * length, (), ()) for i in range(5))
  drawn = chart.svg(chart.Chart("t", "x", "y", lines))
  places = [
    (float(x), float(y))
    for x, y in re.findall(r'<text x="(\d+)" y="(\d+)">\d+</text>', drawn)
  ]
  assert len({x for x, _ in places}) == columns
  assert len({y for _, y in places}) == -(-5 // columns)
  assert max(x for x, _ in places) + 7 * length <= 560
