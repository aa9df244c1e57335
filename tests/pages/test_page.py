"""Tests of page.py and chart.py: HTML that needs nothing and hides nothing."""

import base64
import dataclasses
import html.parser
import re

import cv2
import numpy as np
import pytest

from pose_jax.pages import chart, page

HOSTILE = "<script>alert('x')</script> & \"q\""


class _Outline(html.parser.HTMLParser):
  """Text, tags and attributes; checks that tags close in order."""

  VOID = ("meta", "img", "path", "line", "polyline")

  def __init__(self, text):
    super().__init__()
    self.open, self.text, self.tags, self.links = [], [], [], []
    self.feed(text)
    assert not self.open

  def handle_starttag(self, tag, attributes):
    self.tags.append(tag)
    self.links += [v for k, v in attributes if k in ("src", "href")]
    if tag not in self.VOID:
      self.open.append(tag)

  def handle_startendtag(self, tag, attributes):
    self.tags.append(tag)

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    self.text.append(data)


def _chart(**changes):
  options = {
    "title": "curve " + HOSTILE,
    "x_label": "x " + HOSTILE,
    "y_label": "y",
    "lines": (
      chart.Line("one " + HOSTILE, (0.0, 0.5, 1.0), (0.0, 1.0, 0.25)),
      chart.Line("two", (0.0, 1.0), (0.5, 0.5), strong=True),
    ),
  }
  return chart.Chart(**{**options, **changes})


def _page():
  picture = np.zeros((40, 60, 3), np.uint8)
  picture[:, :30] = (255, 0, 0)
  return page.Page(
    title="title " + HOSTILE,
    subtitle=HOSTILE,
    headline=(("AP " + HOSTILE, "0.7318"),),
    protocol=(("boxes", HOSTILE),),
    tables=(
      page.Table(
        "table",
        ("name", "value"),
        ((HOSTILE, 0.12345), ("none", None), ("count", 12345)),
        HOSTILE,
      ),
    ),
    curves=(_chart(),),
    galleries=(
      page.Gallery("g", HOSTILE, (page.Picture(picture, HOSTILE),)),
      page.Gallery("empty gallery", "", ()),
    ),
    reading=(HOSTILE,),
  )


def test_page_is_well_formed_and_escaped():
  text = page.render(_page())
  outline = _Outline(text)
  assert "script" not in outline.tags
  assert "".join(outline.text).count(HOSTILE) >= 10


def test_page_refers_to_nothing_outside():
  text = page.render(_page())
  assert not re.search(r"https?:|//[a-z]|@import|url\(", text)
  links = _Outline(text).links
  assert len(links) == 1 and links[0].startswith("data:image/jpeg;base64,")


def test_numbers_appear_and_missing_ones_say_so():
  text = page.render(_page())
  for part in ("0.7318", ">0.123<", ">n/a<", ">12,345<"):
    assert part in text
  assert "empty gallery" not in text


def test_wide_pictures_have_their_line_above_and_can_be_folded():
  image = np.zeros((40, 60, 3), np.uint8)
  pictures = tuple(
    page.Picture(image, f"{HOSTILE} {i}", wide=i > 0, folded=i > 1)
    for i in range(3)
  )
  gallery = page.Gallery("", "", pictures)
  section = page.Section("alone", galleries=(gallery,))
  text = page.render(dataclasses.replace(_page(), sections=(section,)))
  assert "script" not in _Outline(text).tags
  part = text[text.index("alone") :]
  tags = re.findall(r"<(figure|img|figcaption|details|summary)", part)
  assert tags == [
    *("figure", "img", "figcaption"),
    *("figure", "figcaption", "img"),
    *("details", "summary", "img"),
  ]
  assert "<h2></h2>" not in part and "<div></div>" not in part


def test_headers_align_as_their_cells_do():
  table = page.Table(
    "t",
    ("who", "words", "number", "either", "missing"),
    (("a", "x", 1, "not said", None), ("b", "y", 2.5, 7, None)),
  )
  text = page.render(dataclasses.replace(_page(), tables=(table,)))
  for row in (
    "<th>who</th><th>words</th><th class=num>number</th>"
    "<th class=num>either</th><th class=num>missing</th>",
    "<td>a</td><td>x</td><td class=num>1</td>"
    "<td class=num>not said</td><td class=num>n/a</td>",
    "<td>b</td><td>y</td><td class=num>2.500</td>"
    "<td class=num>7</td><td class=num>n/a</td>",
  ):
    assert row in text
  assert ".num:not(:first-child){text-align:right}" in text


def test_inlined_picture_is_the_picture():
  link = _Outline(page.render(_page())).links[0]
  data = np.frombuffer(base64.b64decode(link.split(",")[1]), np.uint8)
  image = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
  assert image.shape == (40, 60, 3)
  np.testing.assert_allclose(image[20, 10], (255, 0, 0), atol=6)
  np.testing.assert_allclose(image[20, 50], (0, 0, 0), atol=6)


def _points(text):
  return [
    [tuple(map(float, p.split(","))) for p in line.split()]
    for line in re.findall(r'points="([^"]*)"', text)
  ]


def test_lines_run_where_their_values_are():
  one, two = _points(chart.svg(_chart()))
  (x0, y0), (x1, y1), (x2, y2) = one
  assert x0 < x1 < x2 and x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
  assert y1 < y2 < y0  # up is less in SVG
  assert (y0 - y2) / (y0 - y1) == pytest.approx(0.25, abs=0.01)
  assert two[0][1] == two[1][1] == pytest.approx((y0 + y1) / 2, abs=0.2)


def test_nan_and_values_outside_are_left_out_or_clipped():
  line = chart.Line("l", (0.0, 0.5, 0.7, 2.0), (0.5, float("nan"), 9.0, 0.5))
  (points,) = _points(chart.svg(_chart(lines=(line,))))
  assert len(points) == 2
  top = _points(chart.svg(_chart()))[0][1][1]
  assert points[1][1] == top


def test_lengths_must_agree():
  with pytest.raises(ValueError, match="line 'l' has 2 x and 1 y values"):
    _chart(lines=(chart.Line("l", (0.0, 1.0), (0.0,)),))


def test_threshold_is_marked():
  assert "stroke-dasharray" in chart.svg(_chart(mark_x=0.2))
  assert "stroke-dasharray" not in chart.svg(_chart())
