"""Poses of drawn people stay within human limits; bones are rigid."""

import numpy as np
import pytest

from pose_jax.data.drawn import pose as drawn_pose
from pose_jax.data.drawn.body import (
  Proportions,
  pose_body,
  sample_proportions,
)
from pose_jax.data.drawn.pose import LIMITS_DEG, SIDES, clip_to_limits
from pose_jax.skeleton import COCO17

AT = COCO17.keypoints.index
FRONT = np.eye(3)
BACK = np.diag((-1.0, 1.0, -1.0))  # turned by half a turn about y


def _poses(count: int = 200):
  rng = np.random.default_rng(7)
  for _ in range(count):
    yield rng, drawn_pose.sample_pose(rng)[0]


def _stem(name: str) -> str:
  for side in SIDES:
    name = name.removesuffix(f"_{side}")
  return name


def test_sampled_angles_are_within_the_limits():
  for _, angles in _poses():
    for name, value in angles.items():
      stem = name if name in LIMITS_DEG else _stem(name)
      low, high = LIMITS_DEG[stem]
      assert low <= value <= high, (name, value)


def test_arms_hardly_rise_behind_the_back():
  angles = clip_to_limits({"arm_raise_left": 150, "arm_plane_left": 180})
  assert angles["arm_raise_left"] == 50
  angles = clip_to_limits({"arm_raise_left": 150, "arm_plane_left": 90})
  assert angles["arm_raise_left"] == 150


def test_all_activities_occur():
  rng = np.random.default_rng(0)
  seen = {drawn_pose.sample_pose(rng)[1] for _ in range(400)}
  assert seen == set(drawn_pose.ACTIVITIES)


def test_standing_person_has_its_left_at_positive_x_and_faces_z():
  body = pose_body(clip_to_limits({}), Proportions(), FRONT)
  at = {n: body.kpts_xyz[k] for k, n in enumerate(COCO17.keypoints)}
  for name in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "ankle"):
    assert at[f"left_{name}"][0] > 0.01
    np.testing.assert_allclose(
      at[f"left_{name}"], at[f"right_{name}"] * (-1, 1, 1), atol=1e-12
    )
  assert at["nose"][2] > at["left_ear"][2] + 0.04
  order = ("nose", "shoulder", "elbow", "hip", "knee", "ankle")
  heights = [at["nose"][1]] + [at[f"left_{n}"][1] for n in order[1:]]
  assert heights == sorted(heights, reverse=True)
  assert 0.7 < heights[0] - heights[-1] < 1.0


def test_half_a_turn_exchanges_left_and_right():
  angles = clip_to_limits({"arm_raise_left": 80, "arm_plane_left": 90})
  front = pose_body(angles, Proportions(), FRONT).kpts_xyz
  back = pose_body(angles, Proportions(), BACK).kpts_xyz
  np.testing.assert_allclose(back, front * (-1, 1, -1), atol=1e-12)
  assert front[AT("left_wrist"), 0] > 0.3
  assert back[AT("left_wrist"), 0] < -0.3


def test_bones_keep_their_length_in_every_pose():
  for rng, angles in _poses(60):
    p = sample_proportions(rng)
    xyz = pose_body(angles, p, FRONT).kpts_xyz
    for start, end, length in (
      ("shoulder", "elbow", p.upper_arm),
      ("elbow", "wrist", p.forearm),
      ("hip", "knee", p.thigh),
      ("knee", "ankle", p.shank),
    ):
      for side in SIDES:
        bone = xyz[AT(f"{side}_{end}")] - xyz[AT(f"{side}_{start}")]
        assert np.linalg.norm(bone) == pytest.approx(length, abs=1e-9)


def _angle_deg(a: np.ndarray, b: np.ndarray) -> float:
  cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
  return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def test_knees_bend_back_and_elbows_forward_and_not_too_far():
  """Measured on the points alone, against the thigh's and arm's own axes."""
  for _, angles in _poses(120):
    body = pose_body(angles, Proportions(), FRONT)
    xyz = body.kpts_xyz
    for side in SIDES:
      for names, part, sign in (
        (("hip", "knee", "ankle"), "leg", -1),
        (("shoulder", "elbow", "wrist"), "arm", 1),
      ):
        a, b, c = (xyz[AT(f"{side}_{n}")] for n in names)
        assert _angle_deg(b - a, c - b) <= 145 + 1e-6
        forward = body.frames[f"{part}_{side}"].axes[:, 2]
        assert sign * float((c - b) @ forward) >= -1e-9


def test_mirrored_pose_is_the_mirror_image():
  for _, angles in _poses(40):
    mirrored = drawn_pose.mirrored(angles)
    assert drawn_pose.mirrored(mirrored) == angles
    p = Proportions()
    one = pose_body(angles, p, FRONT).kpts_xyz
    other = pose_body(mirrored, p, FRONT).kpts_xyz
    permuted = other[list(COCO17.flip_permutation)]
    np.testing.assert_allclose(permuted, one * (-1, 1, 1), atol=1e-12)
