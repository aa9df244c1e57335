"""Tests of draw_scale.py: colours say what the numbers below them say."""

import numpy as np
import pytest

from pose_jax import draw_scale
from pose_jax.draw_scale import (
  Scale,
  between,
  extent,
  number,
  scale_of,
  text_strip,
)

GREY = np.full((4, 6, 3), 120, np.uint8)


def test_more_is_brighter_and_the_ends_are_the_bars_ends():
  values = np.tile(np.linspace(-3.0, 7.0, 6), (4, 1))
  scale = scale_of(values)
  assert (scale.low, scale.high) == (-3, 7)
  painted = scale.paint(GREY, values).sum(-1, dtype=int)
  assert (np.diff(painted, axis=1) > 0).all()
  bar = scale.bar(60)[:5].astype(int)
  ground = np.full_like(GREY, 128)
  ends = scale.paint(ground, values).astype(int)
  np.testing.assert_array_equal(bar[0, 0], ends[0, 0])
  np.testing.assert_array_equal(bar[0, -1], ends[0, -1])


def test_a_scale_of_several_maps_reaches_over_all():
  assert scale_of(np.array([1.0, 2]), np.array([[-4.0], [0]])) == Scale(-4, 2)


def test_signed_colours_are_red_for_more_and_blue_for_less():
  values = np.zeros((4, 6))
  values[0, 0], values[0, 1] = 0.5, -0.5
  picture = GREY + np.arange(6, dtype=np.uint8)[None, :, None]
  painted = Scale(-0.5, 0.5, True).paint(picture, values).astype(int)
  assert painted[0, 0, 0] > painted[0, 0, 2] + 80
  assert painted[0, 1, 2] > painted[0, 1, 0] + 80
  # Where it is 0, the picture is as dark as below other maps' least values.
  np.testing.assert_array_equal(painted[1:], np.round(0.4 * picture[1:]))


@pytest.mark.parametrize("is_signed", [False, True])
def test_a_flat_map_has_one_colour(is_signed):
  values = np.full((4, 6), 0.25)
  flat = Scale(0.25, 0.25, is_signed)
  assert np.ptp(flat.paint(GREY, values), axis=(0, 1)).max() == 0


@pytest.mark.parametrize(
  "low, high, is_flat",
  [
    *((1.0, 1.0, True), (0.9998, 1.0001, True), (0.0, 0.0, True)),
    *((0.99, 1.0, False), (1.1e6, 1.4e6, False), (0.0, 1e-9, False)),
  ],
)
def test_a_map_is_flat_where_its_ends_read_the_same(low, high, is_flat):
  scale = Scale(low, high)
  assert scale.is_flat == is_flat
  values = np.tile(np.linspace(low, high, 6), (4, 1))
  colors = np.unique(scale.paint(GREY, values).reshape(-1, 3), axis=0)
  assert (len(colors) == 1) == is_flat


def test_a_flat_scale_says_so(monkeypatch):
  said = []
  monkeypatch.setattr(
    draw_scale, "write", lambda p, text, *_: said.append(text)
  )
  Scale(1.0, 1.0).bar(90)
  Scale(0.0, 0.0, True).bar(90)
  Scale(0.0, 1.0).bar(90)
  assert said == ["flat, 1", "flat, 0", "0", "1"]


def test_values_beyond_the_scale_have_its_ends():
  scale = Scale(0, 1)
  beyond = scale.paint(GREY, np.full((4, 6), 9.0))
  np.testing.assert_array_equal(beyond, scale.paint(GREY, np.ones((4, 6))))


@pytest.mark.parametrize(
  "value, wanted",
  [
    *((0, "0"), (0.98765, "0.988"), (0.00094321, "0.00094"), (-2.5, "-2.5")),
    *((2.3e-7, "2e-07"), (3072.4, "3072"), (1.5e9, "2e+09")),
  ],
)
def test_numbers_are_short(value, wanted):
  assert number(value) == wanted


def test_numbers_of_the_bar_are_written():
  low = Scale(0.25, 0.75).bar(90)
  other = Scale(0.35, 0.75).bar(90)
  assert low.shape == (25, 90, 3)
  changed = np.abs(low[9:].astype(int) - other[9:]).sum(-1) > 0
  assert changed[:, :45].any() and not changed[:, 60:].any()


def test_long_text_is_broken_between_words():
  words = "one two three four five six seven eight nine ten"
  strip = text_strip(words, 120, scale=0.4)
  lines = -(-extent(words, 0.4) // 112)
  assert strip.shape[1] == 120 and strip.shape[0] >= 17 * lines
  assert text_strip("one", 120, scale=0.4).shape[0] < strip.shape[0]
  assert strip[:, 116:].max() == 24  # nothing runs over the edge


def test_a_link_is_called_in_few_letters():
  for start, end, wanted in (
    ("l shoulder", "l elbow", "l shoulder - elbow"),
    ("l hip", "r hip", "l - r hip"),
    ("l hip", "r knee", "l hip - r knee"),
    ("nose", "tail", "nose - tail"),
    ("neck", "l hip", "neck - l hip"),
  ):
    assert between(start, end) == wanted
