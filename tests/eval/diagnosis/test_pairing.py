"""Tests of pairing.py: whose a prediction is."""

import dataclasses

import numpy as np
import pytest

from pose_jax.eval.diagnosis import pairing
from pose_jax.eval.diagnosis.costs import look
from pose_jax.eval.predictions import NOBODY


def _by_oks(people, predictions):
  scene = look(people, predictions)
  return pairing.pair_by_oks(people, predictions, scene.near, scene.oks)


def test_each_prediction_is_a_pair_background_or_a_duplicate(
  grid_people, predictions_of
):
  people = grid_people(4)
  people.is_crowd[3] = True
  rows = [1, 0, 1, 3, 0]
  kpts = people.kpts_xy_img[rows].astype(np.float64)
  kpts[4] += 5000.0
  found = _by_oks(people, predictions_of(people, rows, kpts_xy=kpts))
  pairs = dict(
    zip(found.person.tolist(), found.prediction.tolist(), strict=True)
  )
  assert pairs == {0: 1, 1: 0}
  np.testing.assert_array_equal(found.missed, [False, False, True, False])
  np.testing.assert_array_equal(np.flatnonzero(found.duplicate), [2])
  np.testing.assert_array_equal(np.flatnonzero(found.background), [4])


def test_the_better_score_chooses_first(grid_people, predictions_of):
  people = grid_people(1)
  near = people.kpts_xy_img.astype(np.float64)
  both = np.concatenate([near, near + 3.0])
  found = _by_oks(
    people, predictions_of(people, [0, 0], kpts_xy=both, score=[0.2, 0.7])
  )
  assert found.prediction.tolist() == [1] and found.duplicate.tolist() == [
    True,
    False,
  ]


@pytest.mark.parametrize("wrong, is_paired", [(15, True), (16, False)])
def test_an_oks_of_a_tenth_makes_a_pair(
  grid_people, predictions_of, wrong, is_paired
):
  people = grid_people(1)
  kpts = people.kpts_xy_img.astype(np.float64)
  kpts[0, :wrong] += 5000.0  # OKS 2 / 17 or 1 / 17
  found = _by_oks(people, predictions_of(people, kpts_xy=kpts))
  assert len(found.person) == is_paired and found.missed[0] != is_paired
  by_person = pairing.pair_by_person(
    people, predictions_of(people, kpts_xy=kpts)
  )
  assert len(by_person.person) == 1 and not by_person.missed.any()


def test_pairs_by_person_follow_the_ids(grid_people, predictions_of):
  people = grid_people(4)
  people.vis[2] = 0
  found = pairing.pair_by_person(people, predictions_of(people, [3, 2, 0]))
  assert found.prediction.tolist() == [0, 2]
  assert found.person.tolist() == [3, 0]
  np.testing.assert_array_equal(found.missed, [False, True, False, False])


@pytest.mark.parametrize(
  "ids, message",
  [
    ([1000, NOBODY], "entry 1 has person_id -1"),
    ([5, 1000], "entry 0 has person_id 5"),
    ([1003, 1003], "occurs twice"),
  ],
)
def test_predictions_that_name_nobody_cannot_be_paired_by_person(
  grid_people, predictions_of, ids, message
):
  people = grid_people()
  predictions = dataclasses.replace(
    predictions_of(people, [0, 1]), person_ids=np.array(ids)
  )
  with pytest.raises(ValueError, match=message):
    pairing.pair_by_person(people, predictions)


def _slow_best_scores(people, predictions, scene):
  """Most alike first, one pair after the other."""
  score = np.zeros(len(predictions))
  triples = sorted(
    zip(
      -scene.oks,
      scene.near.row[scene.near.prediction].tolist(),
      scene.near.person.tolist(),
      strict=True,
    )
  )
  counts = pairing.counted(people)
  gone, taken = set(), set()
  for negative, row, person in triples:
    if counts[person] and row not in gone and person not in taken:
      score[row] = -negative
      gone.add(row)
      taken.add(person)
  return score


@pytest.mark.parametrize("seed", range(4))
def test_best_scores_equal_a_slow_loop(crowded, seed):
  people, predictions = crowded(seed)
  scene = look(people, predictions)
  np.testing.assert_array_equal(
    pairing.best_scores(people, len(predictions), scene.near, scene.oks),
    _slow_best_scores(people, predictions, scene),
  )


@pytest.mark.parametrize("seed", range(6))
def test_nobody_missed_is_found_at_a_higher_oks(crowded, seed):
  people, predictions = crowded(seed)
  matched = look(people, predictions).matches.matched_row
  missed = np.flatnonzero(_by_oks(people, predictions).missed)
  assert len(missed) and not np.isin(matched, missed).any()
