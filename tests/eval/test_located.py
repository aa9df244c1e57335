"""Tests of eval/located.py: keypoints within a twelfth of the box."""

import dataclasses

import numpy as np
import pytest

from pose_jax.eval import located


def _people(make_people, num=3, **changes):
  people = make_people(num)
  boxes = np.tile(np.float32([10, 20, 120, 240]), (num, 1))
  return dataclasses.replace(people, box_xywh_img=boxes, **changes)


def test_a_twelfth_of_each_side_by_hand(make_people):
  people = _people(make_people)
  kpts = people.kpts_xy_img.astype(np.float64)
  kpts[0, 0, 0] += 9.99  # of 10, a twelfth of the width
  kpts[0, 1, 0] += 10.01
  kpts[0, 2, 1] -= 19.99  # of 20
  kpts[0, 3, 1] -= 20.01
  kpts[0, 4] += [7.1, 14.2]  # 0.71 and 0.71 of a twelfth: 1.004 together
  kpts[0, 5] += [7.0, 14.0]
  people.vis[1:, 6] = 0
  kpts[1, 6] += 1000  # not labelled
  result = located.located_of_people(kpts, people)
  wrong = result.labelled - result.correct[result.at(1 / 12)]
  assert np.flatnonzero(wrong).tolist() == [1, 3, 4] and wrong.max() == 1
  values = located.values(result)
  assert values[located.NAME] == pytest.approx(1 - 3 / (3 * 17 - 2))
  assert values["located@1/12_mean"] == pytest.approx(1 - 3 * (1 / 3) / 17)


def test_shares_are_those_of_a_loop(make_people):
  people = make_people(6)
  rng = np.random.default_rng(0)
  people.vis[rng.random(people.vis.shape) < 0.3] = 0
  kpts = people.kpts_xy_img + rng.normal(0, 8, people.kpts_xy_img.shape)
  right = count = 0
  for n in range(6):
    _, _, w, h = people.box_xywh_img[n].astype(float)
    for k in np.flatnonzero(people.vis[n]):
      dx, dy = kpts[n, k] - people.kpts_xy_img[n, k]
      right += (dx / w) ** 2 + (dy / h) ** 2 <= (1 / 12) ** 2
      count += 1
  result = located.located_of_people(kpts, people)
  assert located.values(result)[located.NAME] == pytest.approx(right / count)
  assert 0.1 < right / count < 0.9
  assert (np.diff(result.total) >= 0).all()


def test_the_image_stretched_to_a_square_gives_the_same(make_people):
  people = make_people(4)
  kpts = people.kpts_xy_img + 6.0
  before = located.located_of_people(kpts, people)
  stretch = np.float32([3, 0.5])
  squeezed = dataclasses.replace(
    people,
    kpts_xy_img=people.kpts_xy_img * stretch,
    box_xywh_img=people.box_xywh_img * np.tile(stretch, 2),
  )
  after = located.located_of_people(kpts * stretch, squeezed)
  assert np.array_equal(before.correct, after.correct)
  assert 0 < before.total.mean() < 1


def test_deviation_is_the_most_likely_gaussians(make_people):
  people = _people(make_people, 4000)
  rng = np.random.default_rng(0)
  shape = people.kpts_xy_img.shape
  sigma = np.linspace(0.01, 0.1, shape[1])
  people.vis[:, 3] = 0
  noise = rng.normal(size=shape) * sigma[None, :, None] * [120, 240]
  noise[people.vis == 0] = 1e6
  got = located.deviation(people.kpts_xy_img + noise, people)
  assert np.isnan(got[3])
  known = np.arange(shape[1]) != 3
  np.testing.assert_allclose(got[known], sigma[known], rtol=0.03)


def test_a_keypoint_never_labelled_has_no_score(make_people):
  people = _people(make_people)
  people.vis[:] = 0
  values = located.values(located.located_of_people(people.kpts_xy_img, people))
  assert np.isnan(list(values.values())).all()


def test_the_curve_holds_the_threshold():
  assert located.CURVE[10] == located.THRESHOLD
