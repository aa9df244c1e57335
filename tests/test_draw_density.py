"""Tests of draw_density.py: densities stand where they are and as wide."""

import numpy as np
import pytest

from pose_jax import draw, draw_density
from pose_jax.skeleton import LSP14

GREY = np.full((180, 180, 3), 120, np.uint8)
BOX = np.array([30.0, 30, 120, 120])  # 24 pixels more on each side: 6 to 174


def _sheet(**changes):
  options = {
    "kpts_xy_img": np.full((14, 2), 90.0),
    "deviation_xy_img": np.full((14, 2), 8.0),
    "true_xy_img": np.full((14, 2), 90.0),
    "labelled": np.zeros(14, bool),
    "shown": np.ones(14, bool),
    "tile": 168,
  }
  return draw_density.density_sheet(GREY, BOX, LSP14, **{**options, **changes})


def _panels(sheet):
  """The panels of 168 x 168 pixels, without the lines below them."""
  step = 168 + 4
  rows = sheet.shape[0] // (168 + 16)
  height = (sheet.shape[0] + 4) // rows
  return [
    sheet[y * height : y * height + 168, x * step : x * step + 168]
    for y in range(rows)
    for x in range((sheet.shape[1] + 4) // step)
  ]


def _glow(panel):
  """How much colour there is; the photograph is grey."""
  return np.ptp(panel.astype(int), axis=-1).astype(float)


def test_the_glow_is_where_the_mean_is_and_as_wide_as_the_deviation():
  kpts = np.full((14, 2), 90.0)
  kpts[3] = [60, 120]
  deviation = np.full((14, 2), 8.0)
  deviation[4] = [16, 4]
  panels = _panels(_sheet(kpts_xy_img=kpts, deviation_xy_img=deviation))

  def center_and_spread(panel):
    glow = _glow(panel)
    y, x = np.mgrid[:168, :168]
    center = np.array([(glow * x).sum(), (glow * y).sum()]) / glow.sum()
    spread = [
      (glow * (p - c) ** 2).sum() for p, c in zip((x, y), center, strict=True)
    ]
    return center, np.sqrt(np.array(spread) / glow.sum())

  center, round_spread = center_and_spread(panels[3])
  np.testing.assert_allclose(center, [60 - 6, 120 - 6], atol=1)
  assert round_spread[0] == pytest.approx(round_spread[1], rel=0.02)
  center, spread = center_and_spread(panels[4])
  np.testing.assert_allclose(center, [84, 84], atol=1)
  np.testing.assert_allclose(spread / round_spread, [2, 0.5], rtol=0.1)


def test_what_is_absent_or_has_no_density_leaves_the_photograph_alone():
  shown = np.ones(14, bool)
  shown[2] = False
  deviation = np.full((14, 2), 8.0)
  deviation[5] = np.nan
  kpts = np.full((14, 2), 90.0)
  kpts[6] = np.nan
  panels = _panels(
    _sheet(kpts_xy_img=kpts, deviation_xy_img=deviation, shown=shown)
  )
  dark = [k for k in range(14) if not _glow(panels[k]).any()]
  assert dark == [2, 5, 6]
  nobody = _panels(_sheet(shown=np.zeros(14, bool)))
  assert not _glow(nobody[14]).any()


def test_only_the_keypoints_own_annotation_is_on_its_panel():
  labelled = np.zeros(14, bool)
  labelled[[0, 1]] = True
  truth = np.full((14, 2), 90.0)
  truth[0], truth[1] = [40, 40], [140, 40]
  panels = _panels(_sheet(true_xy_img=truth, labelled=labelled))

  def is_white(panel, x, y):
    return (panel[y - 6, x - 6] == 255).all()

  assert is_white(panels[0], 40, 40) and not is_white(panels[0], 140, 40)
  assert is_white(panels[1], 140, 40) and not is_white(panels[1], 40, 40)
  assert not is_white(panels[2], 40, 40)


def test_the_last_panel_has_the_skeleton_and_the_picture_is_unchanged():
  kpts = np.random.default_rng(0).uniform(20, 160, (14, 2))
  deviation = np.full((14, 2), 1e-6)  # still to be seen
  sheet = _sheet(kpts_xy_img=kpts, deviation_xy_img=deviation)
  last = _panels(sheet)[14]
  assert (last == np.array(draw.LEFT)).all(-1).any()
  assert (last == np.array(draw.RIGHT)).all(-1).any()
  assert _glow(_panels(sheet)[0]).any()
  assert (GREY == 120).all()


def test_a_probability_stands_below_its_panel():
  plain = _sheet()
  said = _sheet(probability=np.linspace(0, 1, 14))
  assert plain.shape == said.shape
  differs = (plain != said).any((1, 2))
  assert differs.any() and not differs[:168].any()
