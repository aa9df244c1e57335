"""What a log says of a training, by hand, also of one that was resumed."""

import json
import math

import numpy as np
import pytest

from pose_jax.train.logbook import Logbook
from pose_jax.train.training_log import (
  curve,
  names_in,
  read_log,
  starts,
  training_rate,
  training_seconds,
)


def line(step, seconds, **values):
  named = {f"train/{k}": v for k, v in values.items()}
  return {"step": step, "seconds": seconds} | named


def resumed():
  """Killed behind step 30 with a checkpoint at 20; then stopped at 25."""
  return [
    line(10, 5.0, loss=9.0, people_per_second=10.0),  # compiles
    line(20, 9.0, loss=8.0, people_per_second=100.0),
    {"step": 20, "seconds": 11.0, "eval/AP": 0.5},
    line(30, 12.0, loss=7.0, people_per_second=140.0),
    line(25, 4.0, loss=6.5, people_per_second=20.0),  # compiles again
    line(30, 3.0, loss=6.0, people_per_second=30.0),  # and again
    line(40, 8.0, loss=None, people_per_second=120.0),
  ]


def test_rate_leaves_out_the_first_line_of_each_start():
  assert training_rate(resumed()) == 120  # of 100, 140, 120
  assert training_rate(resumed()[:1]) is None
  assert training_rate([]) is None


def test_rate_is_that_of_the_first_phase():
  phases = (1, 1, 1, 2, 2, 2, 2, 2)
  rates = (9.0, 100.0, 102.0, 20.0, 500.0, 501.0, 502.0, 503.0)
  lines = [
    line(n, float(n), people_per_second=rate, phase=phase)
    for n, (phase, rate) in enumerate(zip(phases, rates, strict=True), 1)
  ]
  assert training_rate(lines) == 101
  again = [line(9, 2.0, people_per_second=504.0, phase=2)]
  assert training_rate([*lines, *again]) == 101
  assert training_rate(lines[3:]) is None


def test_time_is_that_of_all_starts():
  assert [len(start) for start in starts(resumed())] == [4, 1, 2]
  assert training_seconds(resumed()) == 12 + 4 + 8
  assert training_seconds([]) == 0


def test_a_start_whose_clock_is_ahead_is_known_by_its_steps():
  lines = [line(10, 5.0), line(20, 6.0), line(10, 7.0, loss=1.0)]
  assert len(starts(lines)) == 1  # lines without values of training say nothing
  lines = [line(10, 5.0, loss=1.0), line(20, 6.0, loss=1.0), lines[2]]
  assert [len(start) for start in starts(lines)] == [2, 1]
  assert training_seconds(lines) == 6 + 7


def test_evaluations_are_no_starts():
  lines = [line(10, 5.0, loss=1.0), {"step": 10, "seconds": 5.0, "eval/AP": 1}]
  assert len(starts(lines)) == 1


def test_curve_goes_through_the_steps_that_were_kept():
  found = curve(resumed(), "train/loss")
  assert found.steps == (10, 20, 25, 30, 40)
  assert found.seconds == (5, 9, 12 + 4, 12 + 4 + 3, 12 + 4 + 8)
  np.testing.assert_array_equal(found.values, (9, 8, 6.5, 6, math.nan))
  found = curve(resumed(), "eval/AP")
  assert (found.steps, found.seconds, found.values) == ((20,), (11,), (0.5,))
  assert curve(resumed(), "train/nothing").steps == ()


def test_what_a_logbook_writes_is_read(tmp_path):
  logbook = Logbook(tmp_path, num_steps=2)
  logbook.scalars(1, {"loss": 2.5, "left_out": None}, prefix="train")
  logbook.scalars(1, {"AP": float("nan")}, prefix="eval")
  logbook.close()
  lines = read_log(tmp_path / "metrics.jsonl")
  assert names_in(lines) == ["train/loss", "eval/AP"]
  assert curve(lines, "train/loss").values == (2.5,)
  assert math.isnan(curve(lines, "eval/AP").values[0])


@pytest.mark.parametrize("bad", ['{"step": 2, "sec', "[1]", '{"step": 2}', ""])
def test_a_line_that_was_cut_off_is_named(tmp_path, bad):
  path = tmp_path / "metrics.jsonl"
  path.write_text(f"{json.dumps(line(1, 1.0))}\n{bad}\n")
  with pytest.raises(ValueError, match="line 2 of .*metrics.jsonl is no line"):
    read_log(path)
