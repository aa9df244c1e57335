"""Tests of draw.py: colours stand where the keypoints are."""

import numpy as np
import pytest

from pose_jax import draw, geometry
from pose_jax.skeleton import COCO17, LSP14

GREY = np.full((200, 160, 3), 120, np.uint8)


def _pose(skeleton, seed=0):
  """Keypoints far enough apart that no dot covers another."""
  grid = np.stack(np.meshgrid(np.arange(4), np.arange(5)), -1).reshape(-1, 2)
  chosen = np.random.default_rng(seed).permutation(20)
  spots = grid[chosen[: skeleton.num_keypoints]]
  return 20.0 + spots * 38.0


def _at(image, xy):
  return tuple(int(v) for v in image[round(xy[1]), round(xy[0])])


@pytest.mark.parametrize("skeleton", [COCO17, LSP14], ids=lambda s: s.name)
@pytest.mark.parametrize("ground", [0, 120, 255])
def test_keypoints_have_the_colour_of_their_side(skeleton, ground):
  points = _pose(skeleton)
  blank = np.full_like(GREY, ground)
  image = draw.draw_skeleton(blank, points, skeleton)
  for name, xy in zip(skeleton.keypoints, points, strict=True):
    expected = draw.MIDDLE
    if name.startswith(("left", "right")):
      expected = draw.LEFT if name.startswith("left") else draw.RIGHT
    assert _at(image, xy) == expected, name


def test_bones_have_the_side_of_their_ends():
  points = np.zeros((14, 2))
  a, b = LSP14.index("left_hip"), LSP14.index("left_knee")
  c = LSP14.index("right_hip")
  points[[a, b, c]] = (20, 20), (20, 120), (120, 20)
  shown = np.zeros(14, bool)
  shown[[a, b, c]] = True
  image = draw.draw_skeleton(GREY, points, LSP14, shown=shown)
  assert _at(image, (20, 70)) == draw.LEFT
  assert _at(image, (70, 20)) == draw.MIDDLE  # joins left and right


def test_every_bone_has_a_rim_on_any_ground():
  points = np.zeros((14, 2))
  a, b = LSP14.index("left_hip"), LSP14.index("left_knee")
  points[[a, b]] = (50, 20), (50, 120)
  shown = np.zeros(14, bool)
  shown[[a, b]] = True
  for ground in (0, 255, draw.LEFT):
    blank = np.zeros_like(GREY) + np.array(ground, np.uint8)
    row = draw.draw_skeleton(blank, points, LSP14, shown=shown)[70]
    # The rim is a pixel wide and half blended: dark, not quite RIM.
    assert row.sum(-1, dtype=int).min() < 150
    assert tuple(row[50]) == draw.LEFT


def test_only_what_is_shown_is_drawn():
  points = _pose(LSP14)
  shown = np.zeros(14, bool)  # two that no bone joins
  shown[[LSP14.index("head_top"), LSP14.index("left_wrist")]] = True
  image = draw.draw_skeleton(GREY, points, LSP14, shown=shown)
  drawn = [_at(image, xy) != (120, 120, 120) for xy in points]
  assert drawn == shown.tolist()
  nothing = draw.draw_skeleton(GREY, points, LSP14, shown=shown & False)
  np.testing.assert_array_equal(nothing, GREY)


def test_nan_is_not_drawn_and_far_points_do_not_fail():
  nothing = draw.draw_skeleton(GREY, np.full((14, 2), np.nan), LSP14)
  np.testing.assert_array_equal(nothing, GREY)
  draw.draw_skeleton(GREY, np.full((14, 2), 1e30), LSP14)


def test_hidden_keypoints_are_hollow():
  points = _pose(LSP14)
  hidden = np.arange(14) == 4
  image = draw.draw_skeleton(GREY, points, LSP14, hidden=hidden)
  assert _at(image, points[4]) == draw.RIM
  assert _at(image, points[5]) != draw.RIM


def test_truth_is_white_and_the_picture_is_left_alone():
  points, before = _pose(LSP14), GREY.copy()
  image = draw.draw_truth(GREY, points, LSP14, shown=np.ones(14, bool))
  assert {_at(image, xy) for xy in points} == {draw.TRUTH}
  np.testing.assert_array_equal(GREY, before)


@pytest.mark.parametrize(
  "box", [(30.0, 40, 20, 60), (-50.0, -50, 100, 80), (150.0, 190, 90, 90)]
)
def test_cut_shows_the_surroundings_of_the_box(box):
  # A picture that holds its own coordinates.
  yy, xx = np.mgrid[:200, :160]
  image = np.stack([xx, yy, 0 * xx], -1).astype(np.uint8)
  small, cut_from_img = draw.cut(image, np.array(box), height=270)
  h, w = small.shape[:2]
  assert h <= 270 and w <= 270 and max(h, w) == 270
  corners = np.array([[w * 0.3, h * 0.3], [w * 0.6, h * 0.7]])
  found = geometry.transform(corners, geometry.invert(cut_from_img))
  for (x, y), expected in zip(corners, found, strict=True):
    pixel = small[round(y), round(x), :2].astype(float)
    np.testing.assert_allclose(pixel, expected, atol=1.2)


def test_box_outside_the_picture_still_gives_pixels():
  top, bottom, left, right = draw.window(
    np.array([900.0, 900, 10, 10]), (200, 160)
  )
  assert 0 <= top < bottom <= 200 and 0 <= left < right <= 160


def test_person_stands_in_both_panels():
  points = _pose(LSP14) / 4 + 40  # a small person: the cut is enlarged
  points[2] = (90, 60)  # where no bone between the others passes
  box = np.array([45.0, 45, 40, 45])
  vis = np.full(14, 2, np.int8)
  vis[2] = 0
  panel = draw.person(
    GREY, box, LSP14, kpts_xy_img=points + 2, true_xy_img=points, vis=vis
  )
  small, cut_from_img = draw.cut(GREY, box)
  assert panel.shape == (small.shape[0], 2 * small.shape[1] + 4, 3)
  width = small.shape[1]
  left, right = panel[:, :width], panel[:, width + 4 :]
  true_xy = geometry.transform(points, cut_from_img)
  kpts_xy = geometry.transform(points + 2, cut_from_img)
  head = LSP14.index("head_top")
  assert _at(left, true_xy[head]) == draw.MIDDLE
  assert _at(right, kpts_xy[head]) == draw.MIDDLE
  assert _at(left, true_xy[2]) == (120, 120, 120)  # not annotated
  assert _at(right, kpts_xy[2]) == draw.RIM  # predicted all the same: hollow


@pytest.mark.parametrize("alignment", geometry.ALIGNMENTS)
def test_heatmap_glows_where_its_peak_is(alignment):
  frames = geometry.Frames((64, 48), (16, 12), alignment)
  heatmap = np.zeros((16, 12), np.float32)
  heatmap[5, 8] = 1
  crop = np.full((64, 48, 3), 100, np.uint8)
  image = draw.overlay_heatmap(crop, heatmap, frames.hm_from_crop)
  crop_from_hm = geometry.invert(frames.hm_from_crop)
  x, y = geometry.transform(np.array([[8.0, 5.0]]), crop_from_hm)[0]
  glow = np.abs(image.astype(int) - np.median(image)).sum(-1)
  top = np.argwhere(glow > 0.95 * glow.max()).mean(0)
  np.testing.assert_allclose(top, (y, x), atol=0.75)
  assert np.ptp(image[40:]) == 0  # nothing glows elsewhere


def test_negative_maps_leave_the_picture_grey():
  crop = np.full((64, 48, 3), 100, np.uint8)
  frames = geometry.Frames((64, 48), (16, 12))
  image = draw.overlay_heatmap(
    crop, np.full((16, 12), -3.0), frames.hm_from_crop, peak=-3.0
  )
  assert np.ptp(image) == 0


def test_contact_sheet_holds_every_picture():
  pictures = [np.full((10 + i, 20 - i, 3), 100 + i, np.uint8) for i in range(5)]
  sheet = draw.contact_sheet(pictures, columns=3)
  assert sheet.shape == (12 + 4 + 14, 20 + 4 + 19 + 4 + 18, 3)
  for i, picture in enumerate(pictures):
    assert (sheet == 100 + i).all(-1).sum() == picture[..., 0].size
  with pytest.raises(ValueError, match="pictures is empty"):
    draw.contact_sheet([], columns=3)


def test_caption_adds_a_strip_with_ink():
  image = draw.caption(GREY, "wrist 0.83")
  np.testing.assert_array_equal(image[:200], GREY)
  assert image[200:].max() > 200


def test_heatmap_sheet_has_a_tile_for_each_keypoint():
  frames = geometry.Frames((64, 48), (16, 12))
  heatmaps = np.zeros((16, 12, 14), np.float32)
  heatmaps[3, 3] = np.linspace(0.1, 1, 14)
  crop = np.full((64, 48, 3), 100, np.uint8)
  sheet = draw.heatmap_sheet(
    crop, heatmaps, LSP14, frames.hm_from_crop, columns=4, tile_height=64
  )
  tile_h = 64 + draw.caption(crop, "x", scale=0.36).shape[0] - 64
  assert sheet.shape == (4 * (tile_h + 4) - 4, 4 * (48 + 4) - 4, 3)


def test_boxes_and_marks_stand_where_they_should():
  corners = np.array([[20.0, 30], [90, 120]])
  image = draw.draw_box(GREY, corners)
  for xy in ((20, 70), (90, 70), (50, 30), (50, 120)):
    assert min(_at(image, xy)) > 225  # white, antialiased
  assert _at(image, (50, 70)) == _at(GREY, (50, 70))
  marked = draw.mark(GREY, np.array([[60.0, 80]]))
  assert _at(marked, (60, 80)) == _at(GREY, (60, 80))  # a ring, not a dot
  ring = (np.abs(marked.astype(int) - draw.MARK) < 30).all(-1)
  rows, columns = np.nonzero(ring)
  distance = np.hypot(rows - 80, columns - 60)
  assert len(rows) > 20 and distance.min() > 6 and distance.max() < 11
  assert (draw.mark(GREY, np.zeros((0, 2))) == GREY).all()
