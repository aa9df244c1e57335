"""Tests of bars.py: lengths and labels of the bars."""

import math
import re

import pytest

from pose_jax.pages import bars


def _bars(rows, names=("a", "b"), **options):
  colors = ("#111111", "#222222", "#333333")[: len(names)]
  return bars.Bars("title", names, colors, tuple(rows), **options)


def _rects(text):
  """(x, width) of the parts of bars; the legend's have no title inside."""
  found = re.findall(
    r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]*><title>', text
  )
  return [(float(x), float(width)) for x, width in found]


def test_parts_follow_each_other_and_are_as_long_as_their_shares():
  text = bars.svg(
    _bars([bars.Bar("one", (0.25, 0.5)), bars.Bar("two", (1.0,))])
  )
  first, second, whole = _rects(text)
  assert first[0] == whole[0]
  assert second[0] == pytest.approx(first[0] + first[1], abs=0.2)
  assert first[1] == pytest.approx(whole[1] / 4, abs=0.2)
  assert second[1] == pytest.approx(whole[1] / 2, abs=0.2)


def test_the_scale_ends_at_the_top():
  half = bars.Bar("one", (0.02,), mark=0.04)
  text = bars.svg(_bars([half, bars.Bar("two", (0.04,))], top=0.04))
  short, full = _rects(text)
  assert short[1] == pytest.approx(full[1] / 2, abs=0.2)
  x = float(re.search(r'<path d="M([\d.]+) [\d.]+v', text).group(1))
  assert x == pytest.approx(full[0] + full[1], abs=0.2)
  assert ">0.04<" in text


def test_what_is_not_a_length_is_not_drawn():
  row = bars.Bar("one", (math.nan, -0.5), mark=math.nan)
  text = bars.svg(_bars([row]))
  assert not _rects(text) and "nan" not in text


def test_text_is_escaped_and_one_name_makes_no_legend():
  row = bars.Bar("<one>", (0.5,), note="a & b")
  alone = bars.svg(_bars([row], names=("only",)))
  assert "&lt;one&gt;" in alone and "a &amp; b" in alone
  assert ">only</text>" not in alone
  assert ">b</text>" in bars.svg(_bars([row]))


def test_long_labels_move_the_bars():
  short, long = (
    _rects(bars.svg(_bars([bars.Bar(label, (1.0,))])))[0]
    for label in ("a", "a" * 30)
  )
  assert long[0] >= 30 * 6 > short[0] and long[1] < short[1]


@pytest.mark.parametrize(
  "options, message",
  [
    ({"rows": [bars.Bar("one", (0.1, 0.2, 0.3))]}, "3 parts, but there are 2"),
    ({"rows": [], "top": 0.0}, "top must be above 0"),
  ],
)
def test_bars_that_cannot_be_drawn_are_refused(options, message):
  with pytest.raises(ValueError, match=message):
    _bars(**options)


def test_names_and_colors_come_in_pairs():
  with pytest.raises(ValueError, match="2 names and 1 colors"):
    bars.Bars("title", ("a", "b"), ("#111111",), ())
