"""Tests of pages/presence.py: the sections say what was found."""

import re

import numpy as np

from pose_jax.pages import page, presence

ROWS = tuple(
  {
    "name": name,
    "labelled": 3,
    "present": 0.25 * k,
    "presence_accuracy": 0.5 + 0.1 * k,
    "presence_majority": 0.75,
    "presence_balanced_accuracy": None if k == 2 else 0.6123,
    "located@1/12": 0.4567,
  }
  for k, name in enumerate(("left_knee", "right_knee", "neck"))
)
FOUND = presence.Presence(
  threshold=0.5,
  advice="presence is best at 0.63: --config.eval.presence_threshold=0.63",
  probability=np.array([0.1, 0.9]),
  present=np.array([0.3, 0.8]),
  share=np.array([0.25, 0.75]),
  total=(0.5111, 0.6222, 0.7333, None),
)


def _html(*sections):
  return page.render(
    page.Page(
      title="t", subtitle="", headline=(), protocol=(), sections=sections
    )
  )


def _cells(text, name):
  row = re.search(rf"<tr><td>{name}</td>(.*?)</tr>", text).group(1)
  return re.findall(r">([^<]+)</td>", row)


def test_presence_has_a_row_per_keypoint_and_the_advice():
  text = _html(presence.presence_section(FOUND, ROWS))
  assert _cells(text, "right knee") == ["25.0", "60.0", "75.0", "61.2"]
  assert _cells(text, "neck")[-1] == "n/a"
  assert _cells(text, "all together") == ["51.1", "62.2", "73.3", "n/a"]
  assert "Presence is best at 0.63: --config.eval.presence_threshold" in text


def test_reliability_is_drawn_beside_the_diagonal():
  (chart,) = presence.presence_section(FOUND, ROWS).right
  diagonal, share, present = chart.lines
  assert diagonal.x == diagonal.y == (0.0, 1.0)
  assert (present.x, present.y) == ((0.1, 0.9), (0.3, 0.8)) and present.strong
  assert share.y == (0.25, 0.75) and chart.mark_x == 0.5


def test_location_has_deviations_curves_and_pictures():
  section = presence.location_section(
    curves={"all": np.array([0.0, 0.5, 1.0]), "upper_arm": np.full(3, 0.2)},
    thresholds=np.array([0.0, 0.1, 0.2]),
    threshold=1 / 12,
    name="located@1/12",
    deviation=np.array([0.0321, 0.0654, np.nan]),
    keypoints=ROWS,
    pictures=(page.Picture(np.zeros((4, 4, 3), np.uint8), "one", wide=True),),
  )
  text = _html(section)
  assert _cells(text, "left knee") == ["45.7", "3.2"]
  assert _cells(text, "neck") == ["45.7", "n/a"]
  assert "upper arm" in text and text.count("<img") == 1
  assert section.right[0].x_range == (0.0, 0.2)
  assert [line.strong for line in section.right[0].lines] == [True, False]
