"""Tests of round_ranges.py: round, wide enough, and no wider."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_jax.pages.round_ranges import round_range, round_up


@pytest.mark.parametrize(
  "value, wanted",
  [
    (0.0, 1.0),
    (0.83, 1.0),
    (0.8, 0.8),
    (1.0, 1.0),
    (1.01, 1.5),
    (7.2, 8.0),
    (0.0021, 0.0025),
    (123_456.0, 150_000.0),
    (999.0, 1000.0),
  ],
)
def test_round_up_by_hand(value, wanted):
  assert round_up(value) == wanted


@given(st.floats(1e-9, 1e9))
def test_round_up_is_above_by_half_at_most_and_its_fifths_are_short(value):
  top = round_up(value)
  assert value * (1 - 1e-8) <= top <= 1.5 * value * (1 + 1e-8)
  assert len(f"{top / 5:g}".replace(".", "").strip("0").split("e")[0]) <= 2


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_round_up_refuses_what_has_no_end(value):
  with pytest.raises(ValueError, match="wanted a finite number"):
    round_up(value)


def test_ranges_hold_all_values_that_are_near_each_other():
  assert round_range([0.2, 0.55, math.nan, 0.7]) == (0, 0.8)
  assert round_range([-3.2, 1.1, 0.4]) == (-4, 1.5)
  assert round_range([-2.0, -1.0]) == (-2, 0)
  assert round_range([]) == round_range([math.nan, 0.0]) == (0, 1)


def test_a_first_loss_does_not_stretch_the_range():
  assert round_range([100.0, *[2.0] * 40]) == (0, 4)
  assert round_range([3.9, *[2.0] * 40]) == (0, 4)
