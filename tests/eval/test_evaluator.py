"""Tests of the evaluator and its pass over the data."""

import dataclasses
import json
import re

import numpy as np
import pytest
from made_evaluator import (
  PROTOCOL,
  batches_of,
  batches_of_boxes,
  boxes_of,
  make_evaluator,
  oracle,
  run,
)

from pose_jax.data.coco import open_coco
from pose_jax.eval import evaluator, keepsakes, record, scoring
from pose_jax.eval.baseline import mean_pose
from pose_jax.eval.boxes import Boxes
from pose_jax.eval.evaluation import score_predictions
from pose_jax.eval.evaluator import Measurement
from pose_jax.eval.predictions import NOBODY
from pose_jax.skeleton import LSP14, MPII16


def test_padded_rows_reach_no_sum(make_people):
  people = make_people(6, skeleton=LSP14)  # batches of 4: two rows padded
  result = run(people, metrics=("coco", "pck"))
  assert len(result.predictions) == 6
  assert result.scores["AP"] == pytest.approx(1)
  assert result.scores["PCK@0.2"] == 1
  assert result.details.pck.labelled.sum() == 6 * 14


def test_order_of_batches_does_not_matter(make_people):
  people = make_people(7)
  plain = run(people)
  order = [4, 2, 6, 0, 1, 5, 3]
  mixed = run(people, make_batches=lambda: batches_of(people, order=order))
  assert mixed.predictions == plain.predictions


def test_unusable_people_are_not_predicted_but_stay_in_the_truth(make_people):
  people = make_people(5)
  people = dataclasses.replace(people, is_crowd=np.arange(5) == 2)
  result = run(people)
  assert [p["person_id"] for p in result.predictions] == [
    *(1000, 1003, 1009, 1012),
  ]
  assert len(result.people) == 5


def test_rows_of_two_hosts_are_joined(make_people):
  people = make_people(8)

  def gather(rows):  # this host had the even rows, the other one the odd
    other = {
      **rows,
      "person": rows["person"] + 1,
      "kpts_xy_img": people.kpts_xy_img[rows["person"] + 1][:, None],
    }
    return {k: np.concatenate([rows[k], other[k]]) for k in rows}

  result = run(
    people,
    make_batches=lambda: batches_of(people, order=[0, 2, 4, 6]),
    gather=gather,
  )
  assert result.scores["AR"] == 1 and len(result.predictions) == 8


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 1, 2, 3, 3]])
def test_everybody_must_come_exactly_once(make_people, order):
  people = make_people(4)
  run = make_evaluator(
    people, make_batches=lambda: batches_of(people, order=order, size=1)
  ).run
  with pytest.raises(ValueError, match="each person once"):
    run(None)


def test_no_batches_are_an_error(make_people):
  run = make_evaluator(make_people(2), make_batches=lambda: iter(())).run
  with pytest.raises(ValueError, match="no batch"):
    run(None)


def test_step_and_pck_variant_enter_the_protocol(make_people):
  people = make_people(3, skeleton=LSP14)
  result = run(people, metrics=("pck",), step=77)
  assert result.protocol.checkpoint_step == 77
  assert "left_shoulder - right_hip" in result.protocol.pck_variant
  assert "PCK@0.2 1.000" in result.describe()
  assert "ground truth" in result.describe()


def test_where_weights_come_from_enters_the_protocol(make_people):
  measured = make_evaluator(make_people(3))
  (result,) = measured.run(None, step=0, weights="some.pth")
  assert result.protocol.checkpoint_step == 0
  assert "step 0, weights some.pth" in result.describe()


def test_progress_counts_people_not_rows(make_people):
  people, seen = make_people(6), []
  run(people, progress=lambda *p: seen.append(p))
  assert seen == [(4, 6), (6, 6)]


@pytest.mark.parametrize(
  ("skeleton", "metrics", "message"),
  [
    (LSP14, ("ap",), "some of coco, pck, .*, presence, got ap"),
    (LSP14, (), "got none"),
    (MPII16, ("pck",), "mpii16 states no pair"),
  ],
)
def test_metrics_are_checked_before_anything_runs(
  make_people, skeleton, metrics, message
):
  with pytest.raises(ValueError, match=message):
    make_evaluator(make_people(2, skeleton=skeleton), metrics=metrics)


def test_mean_pose_is_scored_beside_the_network(make_people):
  people = make_people(5, skeleton=LSP14)
  train = make_people(9, skeleton=LSP14, seed=1)
  baseline = mean_pose(
    train.kpts_xy_img, train.vis > 0, train.box_xywh_img, people.box_xywh_img
  )
  result = run(people, metrics=("pck",), baseline_xy_img=baseline)
  expected = scoring.pck_of_people(baseline, people)
  at = expected.at(0.2)
  assert result.scores["PCK@0.2_mean_pose"] == expected.total[at] < 1


def test_keypoint_rows_count_and_score(make_people):
  people = make_people(4, skeleton=LSP14)
  vis = people.vis.copy()
  vis[0, 3], vis[:, 5] = 0, 0
  people = dataclasses.replace(people, vis=vis)
  rows = run(people, metrics=("coco", "pck")).keypoints
  assert [r["name"] for r in rows] == list(LSP14.keypoints)
  assert rows[3]["labelled"] == 3 and rows[3]["PCK@0.2"] == 1
  assert rows[3]["similarity"] == pytest.approx(1, abs=1e-6)
  assert rows[5]["similarity"] is None and rows[5]["PCK@0.2"] is None


def _two_origins(people):
  """Boxes of everybody, then a detector's: everybody's again, twice."""
  usable = people.usable()
  one = boxes_of(people)
  num = len(usable)
  return Boxes(
    origin=np.repeat([0, 1, 1], num),
    image_ids=np.tile(one.image_ids, 3),
    person_ids=np.concatenate([one.person_ids, np.full(2 * num, NOBODY)]),
    score=np.concatenate([one.score, np.full(num, 0.9), np.full(num, 0.5)]),
    area=np.tile(one.area, 3),
  )


def test_boxes_and_ways_are_measured_in_one_pass(make_people):
  people = make_people(5, skeleton=LSP14)
  boxes, passes = _two_origins(people), []
  exact = oracle(people, wrong_padding=False)

  def predict_fn(variables, batch):  # the second way is 30 pixels off
    passes.append(len(batch["images"]))
    out = exact(variables, batch)
    kpts = out["kpts_xy_img"]
    return {
      "kpts_xy_img": np.concatenate([kpts, kpts + 30], 1),
      "score": np.repeat(out["score"], 2, 1),
    }

  by_detector = dataclasses.replace(PROTOCOL, box_source="detector")
  found = evaluator.Evaluator(
    predict_fn,
    people,
    boxes,
    lambda: batches_of_boxes(people, boxes),
    measurements=(
      Measurement(PROTOCOL, way=0, metrics=("coco", "pck")),
      Measurement(PROTOCOL, way=1, metrics=("coco", "pck")),
      Measurement(by_detector, way=0, origin=1),
      Measurement(by_detector, way=0, origin=1, suppression="oks"),
    ),
  ).run(None)
  assert sum(passes) == 16  # 15 boxes, once each, and a padded row
  truth, moved, detected, suppressed = found
  assert truth.scores["AP"] == pytest.approx(1)
  assert truth.scores["PCK@0.2"] == 1
  assert moved.scores["AP"] < 0.5
  assert "PCK@0.2" not in detected.scores
  assert len(detected.predictions) == 10 and len(suppressed.predictions) == 5
  assert {p["score"] for p in suppressed.predictions} == {0.72}  # 0.9 * 0.8
  assert all("person_id" not in p for p in detected.predictions)
  assert detected.protocol.box_source == "detector"
  assert suppressed.scores["AP"] == pytest.approx(1)


def test_a_detectors_boxes_in_pictures_without_annotations(
  make_people, tmp_path
):
  """As on COCO's test set: nothing to score, but predictions to hand in."""
  people, nobody = make_people(5), make_people(0)
  boxes = dataclasses.replace(
    boxes_of(people), person_ids=np.full(5, NOBODY, np.int64)
  )
  found = evaluator.Evaluator(
    oracle(people, wrong_padding=False),
    nobody,
    boxes,
    lambda: batches_of_boxes(people, boxes),
    measurements=(Measurement(PROTOCOL),),
    settings=scoring.Settings(num_samples=50, with_diagnosis=True),
  ).run(None)
  assert set(found[0].scores.values()) == {None} and not found[0].intervals
  record.write(found, tmp_path)
  written = json.loads((tmp_path / "predictions.json").read_text())
  assert len(written) == 5 and "person_id" not in written[0]


def test_heatmaps_are_of_the_random_and_the_worst(make_people):
  people = make_people(20)
  usable = people.usable()

  def predict_fn(variables, batch):
    out = oracle(people)(variables, batch)
    rows = batch["images"][:, 0, 0, 0, 0].astype(int)
    return {
      **out,
      "kpts_xy_img": (
        usable.kpts_xy_img[rows] + 2.0 * (rows % 10)[:, None, None]
      )[:, None],
    }

  result = run(people, predict_fn=predict_fn, heatmaps_fn=predict_fn)
  worst = set(np.argsort(-result.details.error, kind="stable")[:3].tolist())
  rows = [row for row, _, _ in result.heatmaps]
  assert worst <= set(rows) and len(rows) == len(set(rows))
  for row, crop, heatmaps in result.heatmaps:
    assert crop[0, 0, 0] == row and (heatmaps == row).all()


def test_keepsakes_do_not_depend_on_the_order(make_people):
  people = make_people(20)
  error = np.random.default_rng(0).random(20)

  def kept(order):
    keeper = keepsakes.Keepsakes(20, count=3, seed=4)
    for batch in batches_of(people, order=order):
      keeper.offer(batch, batch["person"], error[batch["person"]])
    return {k.row for k in keeper.all()}

  rows = kept(range(20))
  assert rows == kept(np.random.default_rng(1).permutation(20))
  assert set(np.argsort(-error)[:3]) <= rows and 3 <= len(rows) <= 6


def test_results_without_person_ids_are_scored_by_coco_only(make_people):
  people = make_people(4, skeleton=LSP14)
  found = run(people).predictions
  bare = [{k: v for k, v in r.items() if k != "person_id"} for r in found]
  result = score_predictions(people, bare[::-1], protocol=PROTOCOL)
  assert result.scores["AR"] == 1
  np.testing.assert_allclose(result.details.error, 0, atol=1e-6)
  with pytest.raises(ValueError, match="has no 'person_id'"):
    score_predictions(people, bare, protocol=PROTOCOL, metrics=("pck",))


def test_truth_of_minival_fed_back_is_perfect(shared_data, tmp_path):
  folder = shared_data / "coco"
  truth = folder / "person_keypoints_minival.json"
  people = open_coco(truth, folder / "images", split="minival").people
  found = [
    {
      "image_id": a["image_id"],
      "category_id": a["category_id"],
      "keypoints": a["keypoints"],
      "score": 1.0,
    }
    for a in json.loads(truth.read_text())["annotations"]
    if a["num_keypoints"] and not a["iscrowd"]
  ]
  path = tmp_path / "truth.json"
  path.write_text(json.dumps(found))
  result = score_predictions(people, path, protocol=PROTOCOL)
  assert {f"{v:.3f}" for v in result.scores.values()} == {"1.000"}
  record.write((result,), tmp_path / "e")
  page = (tmp_path / "e" / "report.html").read_text()
  assert not re.search(r"https?://|src=\"(?!data:)", page)
