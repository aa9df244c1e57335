"""Pictures of drawn people: deterministic, and flags that match the pixels."""

import functools

import numpy as np
import pytest

from pose_jax.data.drawn import props as drawn_props
from pose_jax.data.drawn.body import Proportions, pose_body
from pose_jax.data.drawn.clothes import sample_outfit
from pose_jax.data.drawn.figure import build_figure
from pose_jax.data.drawn.paint import SCALE, Material, Part, number_map
from pose_jax.data.drawn.pose import clip_to_limits, rotation
from pose_jax.data.drawn.scene import draw_picture, keypoint_visibility
from pose_jax.data.drawn.sketch import project
from pose_jax.skeleton import COCO17

AT = COCO17.keypoints.index
HW = (192, 256)
FACE = ("nose", "left_eye", "right_eye")
COUNT = 60


@functools.cache
def _picture(index: int):
  return draw_picture(3, index, image_hw=HW)


def _everybody():
  for index in range(COUNT):
    picture = _picture(index)
    for number, person in enumerate(picture.people, 1):
      yield picture, number, person


def _part_at(picture, x: float, y: float) -> Part | None:
  row, column = int((y + 0.5) * SCALE), int((x + 0.5) * SCALE)
  number = picture.part[row, column]
  return picture.parts[number - 1] if number else None


def test_picture_is_a_function_of_seed_and_index():
  again = draw_picture(3, 5, image_hw=HW)
  np.testing.assert_array_equal(again.image, _picture(5).image)
  for one, other in zip(again.people, _picture(5).people, strict=True):
    np.testing.assert_array_equal(one.kpts_xy_img, other.kpts_xy_img)
    np.testing.assert_array_equal(one.vis, other.vis)
  assert (draw_picture(3, 6, image_hw=HW).image != again.image).any()
  assert (draw_picture(4, 5, image_hw=HW).image != again.image).any()


@pytest.mark.parametrize("hw", [(192, 256), (96, 64), (300, 700)])
def test_picture_has_the_asked_size(hw):
  picture = draw_picture(0, 0, image_hw=hw)
  assert picture.image.shape == (*hw, 3)
  assert picture.image.dtype == np.uint8
  assert picture.image.std() > 5


def test_visible_keypoints_lie_on_a_part_of_their_own_person():
  seen = 0
  for picture, number, person in _everybody():
    for k in np.flatnonzero(person.vis == 2):
      part = _part_at(picture, *person.kpts_xy_img[k])
      assert part is not None and part.owner == number
      assert k in part.shows
      seen += 1
  assert seen > 500


def test_keypoints_covered_by_something_else_are_hidden():
  covered = 0
  for picture, number, person in _everybody():
    for k in np.flatnonzero(person.vis > 0):
      part = _part_at(picture, *person.kpts_xy_img[k])
      if part is None or part.owner != number:
        assert person.vis[k] == 1
        covered += 1
  assert covered > 50


def test_keypoints_are_labelled_exactly_within_the_picture():
  for _, _, person in _everybody():
    x, y = person.kpts_xy_img.T
    inside = (x >= -0.5) & (x < HW[1] - 0.5) & (y >= -0.5) & (y < HW[0] - 0.5)
    np.testing.assert_array_equal(person.vis > 0, inside)


def test_box_and_area_are_those_of_the_owned_pixels():
  for picture, number, person in _everybody():
    rows, columns = np.nonzero(picture.owner == number)
    assert person.area == len(rows) / SCALE**2
    if not len(rows):
      continue
    x, y, w, h = person.box_xywh_img
    assert (columns.min(), columns.max() + 1) == (x * SCALE, (x + w) * SCALE)
    assert (rows.min(), rows.max() + 1) == (y * SCALE, (y + h) * SCALE)
    assert 0 <= x and x + w <= HW[1] and 0 <= y and y + h <= HW[0]


def _alone(turn: float, angles: dict[str, float], seed: int = 0):
  """A person alone: parts and keypoints; a height of 150 px."""
  body = pose_body(clip_to_limits(angles), Proportions(), rotation("y", turn))
  outfit = sample_outfit(np.random.default_rng(seed))
  origin = np.array([128.0, 96.0])
  parts = build_figure(body, outfit).parts(1, 150.0, origin, 1.0)
  return parts, project(body.kpts_xyz, 150.0, origin)[0]


ARMS_OUT = {
  f"{name}_{side}": value
  for side in ("left", "right")
  for name, value in (("arm_raise", 50), ("arm_plane", 90), ("leg_out", 8))
}


@pytest.mark.parametrize("seed", range(12))
def test_front_and_back_show_left_and_right_and_the_face(seed):
  for turn, side, face in ((0.0, 1, 2), (180.0, -1, 1)):
    parts, kpts = _alone(turn, ARMS_OUT, seed)
    vis = keypoint_visibility(kpts, number_map(parts, HW), parts, 1)
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
      left, right = AT(f"left_{name}"), AT(f"right_{name}")
      # Seen from the front, the person's left is at the picture's right.
      assert side * (kpts[left, 0] - kpts[right, 0]) > 2
    body = [
      AT(f"{s}_{n}")
      for s in ("left", "right")
      for n in ("shoulder", "elbow", "wrist", "hip", "ankle")
    ]
    assert (vis[body] == 2).all()
    # Glasses and eyes are parts of the face, so they hide nothing.
    assert (vis[[AT(n) for n in FACE]] == face).all()


def test_far_side_of_the_body_is_hidden_in_profile():
  parts, kpts = _alone(90.0, {"arm_raise_left": 60, "arm_raise_right": 60})
  vis = keypoint_visibility(kpts, number_map(parts, HW), parts, 1)
  for name in ("shoulder", "elbow", "hip", "knee", "ear"):
    # Turned by 90 degrees the person's right side is the nearer one.
    assert vis[AT(f"right_{name}")] == 2, name
    assert vis[AT(f"left_{name}")] == 1, name


def test_occluder_hides_exactly_what_it_covers():
  parts, kpts = _alone(0.0, ARMS_OUT)
  before = keypoint_visibility(kpts, number_map(parts, HW), parts, 1)
  x, y = kpts[AT("left_wrist")]
  cover = Part(
    np.array([(x, y, 5.0)]),
    np.array([(x, y - 5), (x, y + 5)]),
    Material((0.0, 0.0, 0.0)),
  )
  stack = [*parts, cover]
  after = keypoint_visibility(kpts, number_map(stack, HW), stack, 1)
  assert before[AT("left_wrist")] == 2 and after[AT("left_wrist")] == 1
  changed = np.flatnonzero(before != after)
  assert changed.tolist() == [AT("left_wrist")]
  behind = [cover, *parts]
  same = keypoint_visibility(kpts, number_map(behind, HW), behind, 1)
  np.testing.assert_array_equal(same, before)


def test_own_body_hides_keypoints_that_its_nearest_part_does_not_carry():
  hidden = 0
  for picture, number, person in _everybody():
    for k in np.flatnonzero(person.vis > 0):
      part = _part_at(picture, *person.kpts_xy_img[k])
      if part is not None and part.owner == number and k not in part.shows:
        assert person.vis[k] == 1
        hidden += 1
  assert hidden > 50


def test_forearm_across_the_chest_carries_its_own_keypoints_only():
  angles = ARMS_OUT | {
    "arm_raise_left": 88,
    "arm_plane_left": 5,
    "arm_turn_left": -80,
    "elbow_left": 95,
  }
  parts, kpts = _alone(0.0, angles)
  number = number_map(parts, HW)
  wrist = AT("left_wrist")
  x, y = kpts[wrist]
  assert x < kpts[AT("left_shoulder"), 0] - 5  # the hand is across the body
  assert keypoint_visibility(kpts, number, parts, 1)[wrist] == 2
  part = parts[number[int((y + 0.5) * SCALE), int((x + 0.5) * SCALE)] - 1]
  assert part.shows <= {AT("left_elbow"), wrist}


def test_every_kind_of_occluder_covers_something():
  rng = np.random.default_rng(0)
  box = np.array([100.0, 30.0, 150.0, 180.0])
  for make in drawn_props._OCCLUDERS:
    area = 0
    for _ in range(5):
      area += np.count_nonzero(number_map(make(rng, box, HW, 2.0), HW))
    assert area > 5 * 300, make.__name__


def test_the_set_is_harder_than_plain_figures():
  """Several people, hidden and cut ones, fronts and backs all occur."""
  people = [person for _, _, person in _everybody()]
  assert {len(_picture(i).people) for i in range(COUNT)} == {1, 2, 3}
  vis = np.concatenate([p.vis for p in people])
  assert 0.1 < (vis == 1).mean() < 0.45
  assert 0.005 < (vis == 0).mean() < 0.15
  turns = np.array([(p.turn_deg + 180) % 360 - 180 for p in people])
  assert 0.25 < (abs(turns) < 50).mean() < 0.75
  assert 0.15 < (abs(turns) > 130).mean() < 0.6
