"""Tests of eval/results.py."""

import copy
import json
import math

import numpy as np
import pytest

from pose_jax.eval import predictions, results


def _valid(people):
  return predictions.of_people(
    people,
    np.arange(len(people)),
    people.kpts_xy_img,
    np.full(people.vis.shape, 0.5),
  ).to_results()


def test_instance_score_by_hand():
  keypoints = np.array([[0.1, 0.2, 0.5, 0.7], [0.2, 0.0, 0.1, 0.2]])
  got = results.instance_score(np.array([0.5, 1.0]), keypoints)
  np.testing.assert_allclose(got, [0.5 * 0.6, 0])


def test_entries_are_cocos(make_people):
  people = make_people(3)
  people.score[1] = 0.25
  rows = np.array([1, 2])
  scores = np.linspace(0, 1, 34).reshape(2, 17)
  kpts = people.kpts_xy_img[rows] + 0.12345
  found = predictions.of_people(people, rows, kpts, scores)
  entry = found.to_results()[0]
  assert entry["image_id"] == 107 and entry["category_id"] == 1
  assert entry["person_id"] == 1003
  triplets = np.reshape(entry["keypoints"], (17, 3))
  np.testing.assert_allclose(triplets[:, :2], kpts[0], atol=6e-4)
  np.testing.assert_allclose(triplets[:, 2], scores[0], atol=1e-6)
  high = scores[0][scores[0] > 0.2]
  assert entry["score"] == pytest.approx(0.25 * high.mean(), abs=1e-6)
  json.dumps(entry, allow_nan=False)


def test_valid_results_pass(make_people):
  people = make_people(3)
  results.check_results(_valid(people), people)
  results.check_results([], people)


def _spoil(key, value):
  def spoil(found):
    found[1][key] = value

  return spoil


def _spoil_keypoint(value):
  def spoil(found):
    found[1]["keypoints"][4] = value

  return spoil


@pytest.mark.parametrize(
  ("spoil", "message"),
  [
    (_spoil("image_id", 5), "entry 1 has image_id 5.* not among the 2"),
    (_spoil("image_id", "100"), "entry 1 has image_id '100'"),
    (_spoil("category_id", 2), "entry 1 has category_id 2"),
    (_spoil("keypoints", [1.0] * 42), "entry 1 must have 51 .* got 42"),
    (_spoil("keypoints", None), "entry 1 must have 51 .* got NoneType"),
    (_spoil_keypoint(math.nan), "entry 1 holds nan"),
    (_spoil_keypoint("3"), "entry 1 holds '3'"),
    (_spoil("score", math.inf), "entry 1 holds inf"),
    (_spoil("person_id", []), r"entry 1 has person_id \[\]"),
    (lambda found: found[1].pop("score"), "entry 1 has no 'score'"),
    (lambda found: found.__setitem__(1, 3), "entry 1 must be an object"),
  ],
)
def test_bad_entry_is_named(make_people, spoil, message):
  people = make_people(3)
  found = copy.deepcopy(_valid(people))
  spoil(found)
  with pytest.raises(results.ResultsError, match=message):
    results.check_results(found, people)


def test_annotation_file_is_no_results_file(make_people):
  with pytest.raises(results.ResultsError, match="f.json: a list .* got dict"):
    results.check_results({"images": []}, make_people(1), source="f.json")


def test_unreadable_files_are_named(tmp_path):
  with pytest.raises(results.ResultsError, match="cannot read .*gone.json"):
    results.read_results(tmp_path / "gone.json")
  (tmp_path / "half.json").write_text("[{")
  with pytest.raises(
    results.ResultsError, match="half.json is not a JSON file"
  ):
    results.read_results(tmp_path / "half.json")


def test_predictions_find_their_person_in_any_order(make_people):
  people = make_people(5)
  found = _valid(people)[::-1]
  got = results.keypoints_of_people(found, people)
  np.testing.assert_allclose(got[..., :2], people.kpts_xy_img, atol=6e-4)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (lambda f: f[2].pop("person_id"), "entry 2 has no 'person_id'"),
    (lambda f: f[2].update(person_id=7), "person_id 7, which is not a"),
    (lambda f: f[2].update(person_id=1000), "1000, which an earlier entry"),
    (lambda f: f.pop(1), "only 3 of 4 people .* 1003 has none"),
  ],
)
def test_pck_needs_everybody_once(make_people, change, message):
  people = make_people(4)
  found = _valid(people)
  change(found)
  with pytest.raises(results.ResultsError, match=message):
    results.keypoints_of_people(found, people)


def _with_presence(people):
  rng = np.random.default_rng(0)
  presence = rng.random(people.vis.shape).astype(np.float32)
  return presence, predictions.of_people(
    people,
    np.arange(len(people)),
    people.kpts_xy_img,
    np.full(people.vis.shape, 0.8),
    presence=presence,
    presence_threshold=0.4,
  )


def test_an_absent_keypoint_has_no_score_and_keeps_its_place(make_people):
  people = make_people(4)
  presence, found = _with_presence(people)
  is_there = np.round(presence.astype(np.float64), 6) >= 0.4
  np.testing.assert_array_equal(
    found.kpts_xys_img[..., 2], np.where(is_there, 0.8, 0)
  )
  np.testing.assert_allclose(
    found.kpts_xys_img[..., :2], people.kpts_xy_img, atol=6e-4
  )
  np.testing.assert_allclose(found.score, 0.8)  # of what is there
  assert np.abs(found.presence - presence).max() < 1e-6


def test_presence_goes_to_a_file_and_back(make_people):
  people = make_people(4)
  _, found = _with_presence(people)
  listed = json.loads(json.dumps(found.to_results()))
  results.check_results(listed, people)
  again = predictions.from_results(listed, 17)
  np.testing.assert_array_equal(again.presence, found.presence)
  picked = found.select(np.array([2, 0]))
  np.testing.assert_array_equal(picked.presence, found.presence[[2, 0]])
  of_people = results.presence_of_people(listed[::-1], people)
  np.testing.assert_array_equal(of_people, found.presence)
  del listed[3]["presence"]
  assert predictions.from_results(listed, 17).presence is None
  assert "presence" not in _valid(people)[0]
  assert predictions.from_results([], 17).presence is None


@pytest.mark.parametrize(
  ("value", "message"),
  [
    ([0.5] * 16, "entry 1 must have 17 probabilities in 'presence', got 16"),
    (0.5, "'presence', got float"),
    ([1.5] * 17, r"entry 1 holds 1.5 in 'presence'; a probability is in 0 to"),
    ([math.nan] * 17, "entry 1 holds nan in 'presence'"),
    ([True] * 17, "entry 1 holds True in 'presence'"),
  ],
)
def test_bad_presence_is_named(make_people, value, message):
  people = make_people(3)
  listed = _with_presence(people)[1].to_results()
  listed[1]["presence"] = value
  with pytest.raises(results.ResultsError, match=message):
    results.check_results(listed, people)


def test_without_presence_it_cannot_be_measured(make_people):
  people = make_people(3)
  listed = _with_presence(people)[1].to_results()
  del listed[2]["presence"]
  message = "f.json: metrics asks for presence, but entry 2 has no 'presence'"
  with pytest.raises(results.ResultsError, match=message):
    results.presence_of_people(listed, people, source="f.json")
