"""Tests of eval/average_precision.py: pycocotools, to the last bit."""

import dataclasses
import json

import numpy as np
import pytest

from pose_jax.data.coco import open_coco
from pose_jax.eval import average_precision, coco, matching
from pose_jax.eval.predictions import NOBODY, Predictions
from pose_jax.skeleton import LSP14


def _exact(people, rows=None):
  rows = np.arange(len(people)) if rows is None else np.array(rows)
  kpts = people.kpts_xy_img[rows].astype(np.float64)
  return Predictions(
    image_ids=people.image_ids[people.image_index[rows]],
    kpts_xys_img=np.concatenate([kpts, np.ones((*kpts.shape[:2], 1))], -1),
    score=np.full(len(rows), 0.9),
    person_ids=people.person_ids[rows],
  )


def _official(people, predictions):
  return coco.evaluate_coco(people, predictions.to_results())


def _replicated(people, predictions, weight):
  """Image i as often as weight[i] says, copies beside each other."""
  copies = np.repeat(np.arange(len(weight)), weight)
  new_ids = people.image_ids[copies] * 100 + _within(copies)
  order = np.argsort(people.image_index, kind="stable")
  rows, index, found, found_ids = [], [], [], []
  for new, image in enumerate(copies):
    here = order[people.image_index[order] == image]
    rows.append(here)
    index.append(np.full(len(here), new))
    here = np.flatnonzero(predictions.image_ids == people.image_ids[image])
    found.append(here)
    found_ids.append(np.full(len(here), new_ids[new]))
  rows = np.concatenate(rows)
  picked = {
    name: getattr(people, name)[rows]
    for name in (
      *("box_xywh_img", "kpts_xy_img", "vis", "area", "is_crowd", "score"),
      *("head_size", "repeats"),
    )
  }
  people = dataclasses.replace(
    people,
    **picked,
    person_ids=np.arange(len(rows)),
    image_names=tuple(map(str, new_ids)),
    image_ids=new_ids,
    image_hw=people.image_hw[copies],
    image_index=np.concatenate(index).astype(np.int32),
  )
  predictions = predictions.select(np.concatenate(found))
  return people, dataclasses.replace(
    predictions, image_ids=np.concatenate(found_ids)
  )


def _within(copies):
  first = np.searchsorted(copies, copies)
  return np.arange(len(copies)) - first


@pytest.mark.parametrize("seed", range(8))
def test_ten_numbers_and_curves_are_pycocotools(make_crowd, seed):
  people, predictions = make_crowd(seed)
  official = _official(people, predictions)
  got = average_precision.coco_scores(people, predictions)
  assert got == official.values  # equal, not close
  curves = average_precision.accumulate(matching.match(people, predictions))
  for name, row in (("OKS 0.50", 0), ("OKS 0.75", 5)):
    np.testing.assert_array_equal(
      curves.precision[row], official.precision[name]
    )
  assert curves.average_precision == got["AP"]
  assert 0.02 < got["AP"] < 0.98


def test_minival_with_noise(shared_data):
  annotations = shared_data / "coco" / "person_keypoints_minival.json"
  people = open_coco(annotations, shared_data / "coco" / "images").people
  usable = people.usable()
  rng = np.random.default_rng(0)
  predictions = _exact(usable, np.repeat(np.arange(len(usable)), 2))
  size = np.sqrt(usable.area.astype(np.float64)).repeat(2)
  spread = rng.choice([0.01, 0.05, 0.2], len(size)) * size
  noise = rng.normal(size=(len(size), 17, 2)) * spread[:, None, None]
  predictions.kpts_xys_img[..., :2] += noise
  predictions.score[:] = rng.random(len(size))
  official = _official(people, predictions)
  got = average_precision.coco_scores(people, predictions)
  assert got == official.values
  assert 0.1 < got["AP"] < 0.9


@pytest.mark.parametrize("seed", range(4))
def test_weights_are_copies_of_images(make_crowd, seed):
  people, predictions = make_crowd(seed)
  # Distinct scores: where copies of equal scores stand is no fact of a score.
  predictions.score[:] = np.random.default_rng(seed).permutation(
    len(predictions)
  )
  weight = np.random.default_rng(seed).integers(0, 4, len(people.image_ids))
  official = _official(*_replicated(people, predictions, weight)).values
  rankings = average_precision.coco_rankings(people, predictions)
  values = average_precision.weighted_scores(rankings, weight[None])[0]
  assert values.tolist() == [official[name] for name in coco.NAMES]
  matches = matching.match(people, predictions)
  curves = average_precision.accumulate(matches, weight)
  assert curves.average_precision == official["AP"]
  assert curves.num_truth == weight @ matches.num_truth


def test_many_rows_of_weights_are_single_ones(make_crowd, monkeypatch):
  people, predictions = make_crowd(9)
  rankings = average_precision.coco_rankings(people, predictions)
  rng = np.random.default_rng(0)
  weights = rng.integers(0, 3, (7, len(people.image_ids)))
  monkeypatch.setattr(average_precision, "_CHUNK", 200)  # a row or two
  together = average_precision.weighted_scores(rankings, weights)
  monkeypatch.undo()
  for row, weight in zip(together, weights, strict=True):
    alone = average_precision.weighted_scores(rankings, weight[None])
    np.testing.assert_array_equal(row, alone[0])


def test_recalls_are_reached_as_searchsorted_says():
  for num in (*range(1, 400), 6352, 10007):
    shares = np.arange(num + 1) / num
    expected = np.searchsorted(shares, average_precision.RECALLS)
    got = average_precision._fewest_for_recalls(np.array([[num]]))
    np.testing.assert_array_equal(got[0], expected)


def test_truth_fed_back_is_perfect(make_people):
  people = make_people(6, skeleton=LSP14)
  values = average_precision.coco_scores(people, _exact(people))
  assert values["AP"] == pytest.approx(1) and values["AR"] == 1


def test_one_of_two_people_found_by_hand(make_people):
  people = make_people(2, num_images=1)
  curves = average_precision.accumulate(
    matching.match(people, _exact(people, [0]))
  )
  expected = np.broadcast_to(average_precision.RECALLS <= 0.5, (10, 101))
  np.testing.assert_allclose(curves.precision, expected, atol=1e-12)
  assert curves.recall.tolist() == [0.5] * 10 and curves.num_truth == 2


def test_empty_sides(make_people):
  people = make_people(3)
  nobody = people.select(np.zeros(3, bool))
  nothing = _exact(people).select(np.zeros(3, bool))
  for table, predictions in (
    (people, nothing),
    (nobody, nothing),
    (nobody, _exact(people)),
  ):
    got = average_precision.coco_scores(table, predictions)
    assert got == _official(table, predictions).values
  assert set(got.values()) == {None}
  weight = np.zeros((1, len(people.image_ids)), int)
  rankings = average_precision.coco_rankings(people, _exact(people))
  assert np.isnan(average_precision.weighted_scores(rankings, weight)).all()


@pytest.mark.parametrize("seed", range(3))
def test_keypoint_ap_is_that_of_an_edited_truth(make_crowd, seed):
  people, predictions = make_crowd(seed)
  people.vis[:, 5] = 0
  got = average_precision.keypoint_ap(people, predictions)
  for k in range(people.vis.shape[1]):
    vis = np.where(np.arange(people.vis.shape[1]) == k, people.vis, 0)
    edited = dataclasses.replace(people, vis=vis.astype(np.int8))
    official = _official(edited, predictions).values["AP"]
    assert got[k] == official or (official is None and np.isnan(got[k]))
  assert np.isnan(got[5]) and np.nanmin(got) > 0


def test_a_lost_keypoint_costs_itself_alone(make_people):
  people = make_people(6)
  predictions = _exact(people)
  predictions.kpts_xys_img[:, 9, 0] += 1000
  got = average_precision.keypoint_ap(people, predictions)
  assert got[9] == 0
  np.testing.assert_allclose(np.delete(got, 9), 1)


def test_scores_survive_a_results_file(make_crowd):
  people, predictions = make_crowd(3)
  found = json.loads(json.dumps(predictions.to_results()))
  kpts = np.reshape([entry["keypoints"] for entry in found], (-1, 17, 3))
  again = Predictions(
    image_ids=np.array([entry["image_id"] for entry in found]),
    kpts_xys_img=kpts,
    score=np.array([entry["score"] for entry in found]),
    person_ids=np.full(len(found), NOBODY),
  )
  assert average_precision.coco_scores(
    people, again
  ) == average_precision.coco_scores(people, predictions)
