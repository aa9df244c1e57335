"""Tests of eval/matching.py: COCOeval.evaluateImg, image by image."""

import contextlib
import dataclasses
import io

import numpy as np
import pytest
from pycocotools import coco as official_coco
from pycocotools import cocoeval

from pose_jax.eval import coco, matching
from pose_jax.eval.predictions import NOBODY, Predictions
from pose_jax.skeleton import COCO17, LSP14


def _predictions(people, rows, *, shift=0.0, score=None):
  """Person `rows` as they are labelled, moved to the right."""
  rows = np.asarray(rows, np.int64)
  kpts = people.kpts_xy_img[rows].astype(np.float64)
  kpts[..., 0] += np.reshape(shift, (-1, 1))
  score = np.linspace(0.9, 0.1, len(rows)) if score is None else score
  return Predictions(
    image_ids=people.image_ids[people.image_index[rows]],
    kpts_xys_img=np.concatenate([kpts, np.ones((*kpts.shape[:2], 1))], -1),
    score=np.asarray(score, np.float64),
    person_ids=np.full(len(rows), NOBODY),
  )


def _official(people, predictions, max_per_image=20):
  """COCOeval of table and predictions, evaluated but not accumulated."""
  with contextlib.redirect_stdout(io.StringIO()):
    truth = official_coco.COCO()
    truth.dataset = coco.ground_truth(people)
    truth.createIndex()
    found = truth.loadRes(predictions.to_results())
    run = cocoeval.COCOeval(truth, found, "keypoints")
    run.params.kpt_oks_sigmas = np.array(people.skeleton.oks_sigmas)
    run.params.maxDets = [max_per_image]
    run.evaluate()
  return run


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("skeleton", [COCO17, LSP14])
def test_every_match_is_cocoevals(make_crowd, seed, skeleton):
  people, predictions = make_crowd(seed, skeleton=skeleton)
  max_per_image = (20, 3)[seed % 2]
  run = _official(people, predictions, max_per_image)
  per_range = len(people.image_ids)
  for i, name in enumerate(matching.AREA_RANGES):
    got = matching.match(
      people, predictions, area_range=name, max_per_image=max_per_image
    )
    images = run.evalImgs[i * per_range : (i + 1) * per_range]
    images = [e for e in images if e is not None]
    rows = np.concatenate([e["dtIds"] for e in images]) - 1
    found = np.concatenate([e["dtMatches"] for e in images], 1) - 1
    ignored = np.concatenate([e["dtIgnore"] for e in images], 1)
    np.testing.assert_array_equal(got.row, rows)
    np.testing.assert_array_equal(got.matched_row, found)
    np.testing.assert_array_equal(got.is_ignored, ignored)
    truth = {e["image_id"]: np.sum(e["gtIgnore"] == 0) for e in images}
    assert got.num_truth.tolist() == [
      truth.get(image_id, 0) for image_id in people.image_ids.tolist()
    ]
  assert (found >= 0).any() and ignored.any()


def test_the_better_scored_chooses_first_and_each_person_once(make_people):
  people = make_people(1, num_images=1)
  predictions = _predictions(people, [0, 0, 0], shift=[9, 0, 1])
  got = matching.match(people, predictions)
  assert got.row.tolist() == [0, 1, 2]
  assert got.matched_row[0].tolist() == [0, -1, -1]  # at 0.5: good enough
  assert got.matched_row[9].tolist() == [-1, 0, -1]  # at 0.95: not
  assert not got.is_ignored.any() and got.num_truth.tolist() == [1]


def test_of_two_equal_people_the_last_is_chosen(make_people):
  people = make_people(2, num_images=1)
  for column in (people.kpts_xy_img, people.area, people.box_xywh_img):
    column[1] = column[0]
  got = matching.match(people, _predictions(people, [0, 0]))
  assert got.matched_row[0].tolist() == [1, 0]


def test_an_ignored_person_is_chosen_last_and_a_crowd_again(make_people):
  people = make_people(2, num_images=1)
  people.kpts_xy_img[1] = people.kpts_xy_img[0]
  people.area[1] = people.area[0]
  predictions = _predictions(people, [0, 0, 0])
  crowd = dataclasses.replace(people, is_crowd=np.array([False, True]))
  got = matching.match(crowd, predictions)
  assert got.matched_row[0].tolist() == [0, 1, 1]
  assert got.is_ignored[0].tolist() == [False, True, True]
  vis = people.vis.copy()
  vis[1] = 0  # ignored too, but chosen only once
  got = matching.match(people, predictions, vis=vis)
  assert got.matched_row[0].tolist() == [0, 1, -1]
  assert got.is_ignored[0].tolist() == [False, True, False]
  assert got.num_truth.tolist() == [1]


def test_a_threshold_is_reached_by_equality(make_people):
  people = make_people(1)
  people.vis[:, 2:] = 0
  predictions = _predictions(people, [0])
  predictions.kpts_xys_img[0, 1] = 1e6  # one of two: OKS is 0.5 to the bit
  got = matching.match(people, predictions)
  assert (got.matched_row[:, 0] >= 0).tolist() == [True] + [False] * 9


def test_a_copy_passes_a_threshold_of_one(make_people):
  people = make_people(2)
  predictions = _predictions(people, [0, 1], shift=[1e-5, 1])
  got = matching.match(people, predictions, thresholds=np.array([1.0]))
  assert got.matched_row.tolist() == [[0, -1]]


def test_sizes_are_ranges_of_area(make_people):
  people = make_people(4, num_images=1)
  people.area[:] = (32**2 - 1, 32**2, 96**2, 96**2 + 1)
  predictions = _predictions(people, range(4))
  num = [
    matching.match(people, predictions, area_range=name).num_truth.sum()
    for name in ("all", "medium", "large", (0.0, 1023.0))
  ]
  assert num == [4, 2, 2, 1]
  with pytest.raises(ValueError, match="all, medium, large .* got 'small'"):
    matching.match(people, predictions, area_range="small")


def test_predictions_may_be_missing_altogether(make_people):
  people = make_people(3)
  got = matching.match(people, _predictions(people, []))
  assert got.matched_row.shape == (10, 0) and got.num_truth.sum() == 3
  nobody = people.select(np.zeros(3, bool))
  got = matching.match(nobody, _predictions(people, [0, 1]))
  assert (got.matched_row == matching.NOT_MATCHED).all()
  assert got.num_truth.tolist() == [0, 0]
