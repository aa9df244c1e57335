"""Tests of eval/coco.py."""

import contextlib
import dataclasses
import io
import json

import numpy as np
import pytest
from pycocotools import coco as official_coco
from pycocotools import cocoeval

from pose_jax.data.coco import open_coco
from pose_jax.eval import coco, predictions
from pose_jax.skeleton import LSP14


def _exact(people, rows=None):
  rows = np.arange(len(people)) if rows is None else np.array(rows)
  shape = people.vis[rows].shape
  return predictions.of_people(
    people, rows, people.kpts_xy_img[rows], np.full(shape, 0.9)
  ).to_results()


def _noisy(people, seed=0):
  """A prediction of everybody, some good, some bad, some twice."""
  rng = np.random.default_rng(seed)
  rows = np.concatenate([np.arange(len(people)), np.arange(0, len(people), 3)])
  size = np.sqrt(people.area[rows])[:, None, None]
  spread = rng.choice([0.0, 0.05, 0.2], (len(rows), 1, 1)) * size
  kpts = people.kpts_xy_img[rows] + spread * rng.normal(
    size=(len(rows), people.skeleton.num_keypoints, 2)
  )
  return predictions.of_people(
    people, rows, kpts, rng.random(people.vis[rows].shape)
  ).to_results()


def _official(annotations, found, sigmas=None):
  """pycocotools on the files themselves."""
  with contextlib.redirect_stdout(io.StringIO()):
    truth = official_coco.COCO(str(annotations))
    run = cocoeval.COCOeval(truth, truth.loadRes(found), "keypoints")
    run.evaluate()
    run.accumulate()
    run.summarize()
  return run


def test_truth_fed_back_is_perfect(make_people):
  people = make_people(6)
  scores = coco.evaluate_coco(people, _exact(people))
  assert scores.values["AP"] == pytest.approx(1)
  assert scores.values["AR"] == 1
  assert set(scores.values) == set(coco.NAMES)


def test_one_of_two_people_found_by_hand(make_people):
  people = make_people(2, num_images=1)
  scores = coco.evaluate_coco(people, _exact(people, [0]))
  # Precision is 1 up to recall 0.5, i.e. at 51 of 101 recalls.
  assert scores.values["AP50"] == pytest.approx(51 / 101)
  assert scores.values["AR"] == 0.5
  np.testing.assert_allclose(
    scores.precision["OKS 0.50"], scores.recall <= 0.5, atol=1e-12
  )


def test_a_better_scored_wrong_person_halves_precision(make_people):
  people = make_people(1, num_images=1)
  found = _exact(people)
  wrong = {**found[0], "score": 1.0, "keypoints": [1e4] * 51}
  scores = coco.evaluate_coco(people, [*found, wrong])
  assert scores.values["AP"] == pytest.approx(0.5)
  assert scores.values["AR"] == 1


def test_sizes_without_people_have_no_score(make_people):
  people = make_people(2)
  people = dataclasses.replace(people, area=np.full(2, 1e5, np.float32))
  values = coco.evaluate_coco(people, _exact(people)).values
  assert values["APM"] is None and values["ARM"] is None
  assert values["APL"] == 1


def test_no_predictions_and_no_truth(make_people):
  people = make_people(3)
  assert coco.evaluate_coco(people, []).values["AP"] == 0
  empty = people.select(np.zeros(3, bool))
  scores = coco.evaluate_coco(empty, [])
  assert scores.values["AP"] is None and scores.precision == {}


def test_crowds_and_unlabelled_people_are_ignored(make_people):
  people = make_people(6, num_images=1)
  found = _exact(people)
  vis = people.vis.copy()
  vis[4] = 0
  people = dataclasses.replace(people, vis=vis, is_crowd=np.arange(6) == 5)
  assert coco.evaluate_coco(people, found).values["AP"] == 1
  assert coco.evaluate_coco(people, found[:4]).values["AR"] == 1


def test_a_box_in_the_results_changes_nothing(make_people):
  people = make_people(6)
  found = _noisy(people)
  boxed = [{**r, "bbox": [0, 0, 1, 1]} for r in found]
  plain = coco.evaluate_coco(people, found).values
  assert coco.evaluate_coco(people, boxed).values == plain
  assert "id" not in found[0]  # the caller's list is left alone


def test_other_skeletons_are_scored_with_their_own_sigmas(make_people):
  people = make_people(4, skeleton=LSP14)
  assert coco.evaluate_coco(people, _exact(people)).values["AP"] == 1
  shifted = _exact(people)
  for entry in shifted:
    entry["keypoints"] = [v + 4 for v in entry["keypoints"]]
  middle = coco.evaluate_coco(people, shifted).values["AP"]
  tight = dataclasses.replace(LSP14, oks_sigmas=(0.001,) * 14)
  people = dataclasses.replace(people, skeleton=tight)
  assert coco.evaluate_coco(people, shifted).values["AP"] == 0 < middle


def test_nothing_is_printed(make_people, capsys):
  people = make_people(2)
  coco.evaluate_coco(people, _exact(people))
  assert capsys.readouterr().out == ""


def test_minival_scores_are_those_of_the_files(shared_data):
  annotations = shared_data / "coco" / "person_keypoints_minival.json"
  people = open_coco(annotations, shared_data / "coco" / "images").people
  found = _noisy(people.usable())
  official = _official(annotations, json.loads(json.dumps(found)))
  scores = coco.evaluate_coco(people, found)
  np.testing.assert_allclose(
    [scores.values[n] for n in coco.NAMES], official.stats, atol=1e-6
  )
  assert 0.1 < scores.values["AP"] < 0.9
