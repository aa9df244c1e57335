"""Tests of eval/scoring.py: which scores there are, and who is worst."""

import dataclasses

import numpy as np
import pytest

from pose_jax.eval import oks, pck, scoring
from pose_jax.eval.predictions import of_people
from pose_jax.eval.results import MetricError
from pose_jax.skeleton import LSP14, MPII16


def test_error_by_distance_caps_each_keypoint(make_people):
  people = make_people(3, skeleton=LSP14)
  vis = people.vis.copy()
  vis[1, 7] = 0
  people = dataclasses.replace(people, vis=vis)
  kpts = people.kpts_xy_img.astype(np.float64)
  reference = pck.reference_length(kpts, vis > 0, LSP14.pck_pair)
  kpts[0, 3, 0] += 0.5 * reference[0]
  kpts[0, 4, 0] += 1e5  # counts as 1, not as thousands
  kpts[1, 7] += 1e5  # not labelled
  kpts[2] = np.nan
  error = scoring.error_of(("coco", "pck"), people)(kpts, np.arange(3))
  np.testing.assert_allclose(error, [1.5 / 14, 0, 1], atol=1e-6)


def test_error_without_a_reference_is_full(make_people):
  people = make_people(1, skeleton=LSP14)
  vis = people.vis.copy()
  vis[0, LSP14.pck_pair[0]] = 0
  people = dataclasses.replace(people, vis=vis)
  error_of = scoring.error_of(("pck",), people)
  assert error_of(people.kpts_xy_img, np.array([0])) == pytest.approx(1)


def test_error_by_oks_for_some_rows(make_people):
  people = make_people(5)
  rows = np.array([4, 1])
  kpts = people.kpts_xy_img[rows] + 3.0
  kpts[1] = np.nan
  error = scoring.error_of(("coco",), people)(kpts, rows)
  expected = 1 - oks.oks_of_people(kpts[:1], people, rows[:1])
  np.testing.assert_allclose(error, [expected[0], 1])


def test_number_has_no_nan():
  assert scoring.number(np.nan) is None
  assert scoring.number(np.float32(0.5)) == 0.5


def _mpii(make_people, num=6):
  people = make_people(num, skeleton=MPII16)
  return dataclasses.replace(people, head_size=np.full(num, 20, np.float32))


def _results(people, kpts_xy_img, presence=None):
  score = np.ones(people.vis.shape)
  return of_people(
    people, np.arange(len(people)), kpts_xy_img, score, presence=presence
  ).to_results()


ALL = ("coco", "pckh", "pcp", "located")


def test_truth_fed_back_is_perfect_by_every_metric(make_people):
  people = _mpii(make_people)
  settings = scoring.Settings(with_keypoint_ap=True)
  found = scoring.score(
    people,
    _results(people, people.kpts_xy_img),
    metrics=ALL,
    settings=settings,
  )
  names = {"AP", "AR", "PCKh@0.5", "PCKh@0.1", "PCKh@0.11"}
  assert names <= set(found.values)
  assert any(name.startswith("PCP_loose@0.5 ") for name in found.values)
  measured = [v for v in found.values.values() if v is not None]
  np.testing.assert_allclose(measured, 1, atol=1e-9)
  for row in found.keypoints:
    assert row["AP"] == row["PCKh@0.5"] == pytest.approx(1)
    assert row["located@1/12"] == 1


def test_one_keypoint_off_by_half_a_head_counts_where_it_should(make_people):
  people = _mpii(make_people)
  kpts = people.kpts_xy_img.astype(np.float64)
  wrist = MPII16.index("left_wrist")
  kpts[2, wrist, 0] += 10.5  # 0.525 head sizes
  found = scoring.score(people, _results(people, kpts), metrics=("pckh",))
  # 14 keypoints a person count: not pelvis and thorax.
  assert found.values["PCKh@0.5"] == pytest.approx(1 - 1 / (6 * 14))
  assert found.keypoints[wrist]["PCKh@0.5"] == pytest.approx(5 / 6)


def test_pckh_without_heads_is_refused(make_people):
  people = make_people(2, skeleton=MPII16)
  with pytest.raises(MetricError, match="size of the head, but nobody's"):
    scoring.check_metrics(("pckh",), people)


def test_the_protocol_says_how_each_metric_counts():
  text = scoring.variant(("pck", "pckh", "pcp"), LSP14)
  assert "0.2 x |left_shoulder - right_hip|" in text
  assert "PCKh (hrnet)" in text and "PCP" in text
  assert scoring.variant(("coco",), LSP14) == ""


def test_presence_by_hand_of_a_table(make_people):
  people = make_people(4)
  people.vis[1:, 2] = 0  # one of four has it
  people.vis[0, 5] = 0
  said = (people.vis > 0).astype(np.float64)
  said[0, 5] = 1  # the only mistake
  found = scoring.score(
    people,
    _results(people, people.kpts_xy_img, said),
    metrics=("presence",),
  )
  values = found.values
  assert values["presence_accuracy"] == pytest.approx(67 / 68)
  assert values["presence_majority"] == pytest.approx(66 / 68)
  assert values["presence_balanced_accuracy"] == pytest.approx((1 + 3 / 4) / 2)
  assert values["presence_ece"] == pytest.approx(1 / 68)
  assert not [name for name in values if " " in name]
  row = found.keypoints[2]
  assert (row["labelled"], row["present"]) == (1, 0.25)
  assert row["presence_accuracy"] == row["presence_balanced_accuracy"] == 1
  assert found.keypoints[5]["presence_accuracy"] == 0.75
  assert found.keypoints[0]["presence_balanced_accuracy"] is None
  assert found.presence.best_threshold == 0.5


def test_truth_fed_back_has_perfect_presence(make_people):
  people = make_people(6)
  people.vis[:, ::3] = 0
  people.vis[::2, ::4] = 2
  found = scoring.score(
    people,
    _results(people, people.kpts_xy_img, (people.vis > 0).astype(float)),
    metrics=("located", "presence"),
    settings=scoring.Settings(num_samples=40),
  )
  values = dict(found.values)
  assert values.pop("presence_ece") == 0
  assert 0.5 < values.pop("presence_majority") < 1
  assert values == dict.fromkeys(values, 1)
  assert len(values) == 5
  assert set(found.intervals) == {
    *("located@1/12", "located@1/12_mean"),
    *("presence_accuracy", "presence_balanced_accuracy"),
  }


def test_people_without_absent_keypoints_have_no_balance(make_people):
  people = make_people(4)
  found = scoring.score(
    people,
    _results(people, people.kpts_xy_img, np.full(people.vis.shape, 0.7)),
    metrics=("presence",),
    settings=scoring.Settings(num_samples=40),
  )
  assert found.values["presence_accuracy"] == 1
  assert found.values["presence_balanced_accuracy"] is None
  assert set(found.intervals) == {"presence_accuracy"}


def test_the_protocol_says_how_location_and_presence_count():
  settings = scoring.Settings(presence_threshold=0.63)
  text = scoring.variant(("located", "presence"), LSP14, settings)
  assert "located: at most 1/12" in text
  assert "presence: a probability of at least 0.63" in text
