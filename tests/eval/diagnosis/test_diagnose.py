"""Tests of the diagnosis as a whole."""

import dataclasses

import numpy as np
import pytest

from pose_jax.eval import diagnosis
from pose_jax.eval.average_precision import coco_scores
from pose_jax.eval.diagnosis import errors, pairing
from pose_jax.skeleton import COCO17, LSP14

ELBOW = COCO17.index("left_elbow")


@pytest.mark.parametrize("pair_by", ["oks", "person"])
def test_the_annotation_itself_has_no_error(
  grid_people, predictions_of, pair_by
):
  people = grid_people(4, num_images=2)
  found = diagnosis.diagnose(people, predictions_of(people), pair_by=pair_by)
  np.testing.assert_array_equal(found.counts[:, errors.GOOD], np.full(17, 4))
  assert found.counts.sum() == 4 * 17 and found.ap == 1
  assert found.num_people == 4
  assert (found.num_missed, found.num_background) == (0, 0)
  assert all(c.gain == c.gain_exact == 0 for c in found.costs)
  assert all(c.ap_in_turn == 1 for c in found.costs)


@pytest.mark.parametrize("seed", range(3))
def test_every_labelled_keypoint_is_counted_once(crowded, seed):
  people, predictions = crowded(seed)
  found = diagnosis.diagnose(people, predictions)
  counts = pairing.counted(people)
  labelled = (people.vis > 0)[counts].sum(0)
  np.testing.assert_array_equal(found.counts.sum(1) + found.unpaired, labelled)
  assert found.num_people == counts.sum()
  assert found.ap == pytest.approx(coco_scores(people, predictions)["AP"])


def test_order_does_not_matter(crowded):
  people, predictions = crowded(4)
  rng = np.random.default_rng(0)
  found = diagnosis.diagnose(people, predictions)
  again = diagnosis.diagnose(
    people.select(rng.permutation(len(people))),
    predictions.select(rng.permutation(len(predictions))),
  )
  np.testing.assert_array_equal(again.counts, found.counts)
  np.testing.assert_array_equal(again.unpaired, found.unpaired)
  for one, other in zip(again.costs, found.costs, strict=True):
    assert dataclasses.astuple(one)[1:] == pytest.approx(
      dataclasses.astuple(other)[1:], abs=1e-12
    )
  np.testing.assert_allclose(again.keypoint_gain, found.keypoint_gain)
  for one, other in zip(again.conditions, found.conditions, strict=True):
    np.testing.assert_allclose(one.mean_oks, other.mean_oks)
  np.testing.assert_allclose(again.person_score.right, found.person_score.right)


def test_without_costs_by_person_nothing_is_lost(grid_people, predictions_of):
  people = grid_people(3, skeleton=LSP14, num_images=3)
  kpts = people.kpts_xy_img.astype(np.float64)
  kpts[0] += 5000.0
  found = diagnosis.diagnose(
    people,
    predictions_of(people, kpts_xy=kpts),
    pair_by="person",
    with_costs=False,
  )
  np.testing.assert_array_equal(found.counts.sum(0), [28, 0, 0, 0, 14])
  assert found.unpaired.sum() == 0 and found.num_missed == 0
  assert found.ap is None and found.costs == ()
  assert np.isnan(found.keypoint_gain).all()


def test_scores_are_held_against_what_they_promise(grid_people, predictions_of):
  people = grid_people(2)
  kpts = people.kpts_xy_img[[0, 1, 1]].astype(np.float64)
  kpts[0, :ELBOW] += 150.0
  kpts[2] += 5000.0
  found = diagnosis.diagnose(
    people,
    predictions_of(people, [0, 1, 1], kpts_xy=kpts, score=[0.5, 0.9, 0.1]),
  )
  np.testing.assert_allclose(found.person_score.score, [0.1, 0.5, 0.9])
  np.testing.assert_allclose(
    found.person_score.right, [0, (17 - ELBOW) / 17, 1], atol=1e-6
  )
  # Keypoint scores are all 0.8: one bin, of the pairs' 34 keypoints.
  assert found.keypoint_score.num.tolist() == [34]
  assert found.keypoint_score.right[0] == pytest.approx((34 - ELBOW) / 34)


@pytest.mark.parametrize("pair_by", ["oks", "person"])
@pytest.mark.parametrize("rows, num", [([], 2), ([0, 1], 0)])
def test_without_predictions_or_people_nothing_fails(
  grid_people, predictions_of, pair_by, rows, num
):
  everybody = grid_people(2)
  predictions = predictions_of(everybody, rows)
  people = everybody.select(np.arange(num))
  if rows and pair_by == "person":
    with pytest.raises(ValueError, match="person_id 1000"):
      diagnosis.diagnose(people, predictions, pair_by=pair_by)
    return
  found = diagnosis.diagnose(people, predictions, pair_by=pair_by)
  assert found.ap == (0 if num else None)
  assert found.num_missed == num and found.num_background == len(rows)
  assert found.unpaired.sum() == 17 * num and found.counts.sum() == 0


def test_an_unknown_pairing_is_refused(grid_people, predictions_of):
  people = grid_people()
  with pytest.raises(ValueError, match="pair_by must be oks or person"):
    diagnosis.diagnose(people, predictions_of(people), pair_by="box")
