"""Left and right swapped, limbs too long: found, and not where they are not."""

import numpy as np
import pytest
from made_people import make_people, standing, swap

from pose_jax.data import odd_poses
from pose_jax.skeleton import COCO17, LSP14


def poses(num, seed=0):
  """Standing people with noise, turned, scaled, seen from front and back."""
  rng = np.random.default_rng(seed)
  pose = standing(num) + rng.normal(0, 4, (num, 14, 2))
  center = pose.mean(1, keepdims=True)
  factor = rng.uniform(0.5, 2, (num, 1, 1))
  angle = rng.uniform(-1, 1, num)
  turn = np.stack(
    [
      np.stack([np.cos(angle), -np.sin(angle)], 1),
      np.stack([np.sin(angle), np.cos(angle)], 1),
    ],
    1,
  )
  pose = (pose - center) @ turn * factor + center
  for one in pose[: num // 2]:
    swap(one, *("ankle", "knee", "hip", "wrist", "elbow", "shoulder"))
  return pose.astype(np.float32)


def test_swapped_halves_are_found_and_turned_people_are_not():
  pose = poses(40)
  swap(pose[3], "hip", "knee", "ankle")
  swap(pose[30], "shoulder", "elbow", "wrist")
  found = list(odd_poses.opposite_sides(make_people(pose)))
  assert sorted(f.person for f in found) == [3, 30]
  names = {LSP14.keypoints[k] for k in found[0].keypoints}
  assert names == set(odd_poses._TRUNK)


@pytest.mark.parametrize("angle_deg, is_found", [(130, False), (150, True)])
def test_a_twisted_person_is_no_swap(angle_deg, is_found):
  """Shoulders turned against the hips, as seen from above."""
  pose = standing(1)
  ends = [LSP14.index(f"{side}_shoulder") for side in ("left", "right")]
  middle = pose[0, ends].mean(0)
  angle = np.radians(angle_deg)
  turn = np.array(
    [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
  )
  pose[0, ends] = middle + (pose[0, ends] - middle) @ turn
  found = list(odd_poses.opposite_sides(make_people(pose)))
  assert len(found) == is_found
  if is_found:
    assert "150 degrees" in found[0].text


def test_narrow_shoulders_tell_no_side():
  pose = standing(1)
  swap(pose[0], "hip")
  middle = pose[0, [8, 9]].mean(0)
  pose[0, [8, 9]] = middle + 0.1 * (pose[0, [8, 9]] - middle)  # in profile
  assert not list(odd_poses.opposite_sides(make_people(pose)))


def test_unlabelled_trunk_tells_no_side():
  pose, vis = standing(1), np.full((1, 14), 2, np.int8)
  swap(pose[0], "hip")
  vis[0, LSP14.index("left_hip")] = 0
  assert not list(odd_poses.opposite_sides(make_people(pose, vis=vis)))


def test_body_size_by_hand():
  trunk = np.array([[[3.0, 0], [0, 0], [3, 4], [0, 4]]])
  np.testing.assert_allclose(
    odd_poses.body_size(trunk), [np.sqrt(16 + 9 + 9)], rtol=1e-12
  )


def test_a_limb_too_long_is_found_once_with_its_keypoints():
  pose = poses(30)
  wrist, elbow = LSP14.index("left_wrist"), LSP14.index("left_elbow")
  arm = pose[5, wrist] - pose[5, elbow]
  pose[5, wrist] = pose[5, elbow] + 4 * arm
  found = list(odd_poses.long_limbs(make_people(pose)))
  assert [f.person for f in found] == [5]
  assert set(found[0].keypoints) == {wrist, elbow}
  assert found[0].size > 3 and "left_elbow, left_wrist" in found[0].text


def test_size_of_a_person_does_not_matter():
  pose = poses(30)
  pose[5] = pose[5] * 9
  assert not list(odd_poses.long_limbs(make_people(pose)))


def test_people_with_few_limbs_are_not_measured():
  pose, vis = poses(30), np.full((30, 14), 2, np.int8)
  pose[5, LSP14.index("left_wrist")] += 500
  vis[5, :6], vis[5, 12:] = 0, 0
  assert not list(odd_poses.long_limbs(make_people(pose, vis=vis)))


def test_swapped_legs_are_found_in_a_large_set():
  pose = poses(odd_poses.MIN_POSES + 20, seed=1)
  # Legs wide apart, so that their sides can be told.
  for one in pose:
    for side in ("left", "right"):
      at = [LSP14.index(f"{side}_{n}") for n in ("knee", "ankle")]
      hips = [LSP14.index(f"{s}_hip") for s in ("left", "right")]
      out = one[hips[side == "right"]] - one[hips[side == "left"]]
      one[at] += 1.5 * out
  swap(pose[7], "knee", "ankle")
  swap(pose[400], "knee", "ankle")
  found = list(odd_poses.swapped_limbs(make_people(pose)))
  assert sorted(f.person for f in found) == [7, 400]
  names = {LSP14.keypoints[k] for k in found[0].keypoints}
  assert names == {
    f"{s}_{n}" for s in ("left", "right") for n in ("knee", "ankle")
  }


def test_few_people_get_no_rule_that_learns_poses():
  pose = poses(odd_poses.MIN_POSES - 1)
  swap(pose[7], "knee", "ankle")
  assert not list(odd_poses.swapped_limbs(make_people(pose)))


def test_oddness_equals_a_slow_loop():
  rng = np.random.default_rng(2)
  mine, others = rng.normal(size=(3, 6, 2)), rng.normal(size=(20, 6, 2))
  has, has_other = rng.random((3, 6)) < 0.8, rng.random((20, 6)) < 0.9
  mine[~has], others[~has_other] = 0, 0
  owner = np.arange(20) % 10
  got = odd_poses._oddness(mine, has, np.arange(3), (others, has_other, owner))
  for i in range(3):
    distances = []
    for j in range(20):
      both = has[i] & has_other[j]
      if owner[j] == i or both.sum() < 0.75 * has[i].sum():
        continue
      square = ((mine[i, both] - others[j, both]) ** 2).sum(1).mean()
      distances.append(np.sqrt(square))
    assert got[i] == pytest.approx(sorted(distances)[4], rel=1e-9)


@pytest.mark.parametrize("skeleton", [LSP14, COCO17], ids=lambda s: s.name)
def test_exchanges_hold_pairs_chains_and_halves(skeleton):
  got = odd_poses.exchanges(skeleton)
  assert len(got) == len(set(got))
  assert all(pair in skeleton.flip_pairs for v in got for pair in v)
  named = [
    {skeleton.keypoints[k].split("_")[1] for pair in v for k in pair}
    for v in got
  ]
  for wanted in ({"ankle"}, {"knee", "ankle"}, {"hip", "knee", "ankle"}):
    assert wanted in named
  assert {"wrist", "ankle"} not in named
