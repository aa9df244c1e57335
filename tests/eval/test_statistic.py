"""Tests of eval/statistic.py."""

import dataclasses

import numpy as np
import pytest

from pose_jax.eval import (
  average_precision,
  coco,
  limbs,
  pckh,
  scoring,
  statistic,
)
from pose_jax.eval.predictions import Predictions
from pose_jax.skeleton import LSP14, MPII16


def _one_each(people, shift=15.0):
  """A prediction of every person, some way off."""
  rng = np.random.default_rng(0)
  kpts = people.kpts_xy_img + shift * rng.normal(size=people.kpts_xy_img.shape)
  score = np.full((*people.vis.shape, 1), 0.5)
  return Predictions(
    image_ids=people.image_ids[people.image_index],
    kpts_xys_img=np.concatenate([kpts, score], -1).astype(np.float64),
    score=np.linspace(0.1, 0.9, len(people)),
    person_ids=people.person_ids,
    presence=np.round(rng.random(people.vis.shape), 6),
  )


def _once(people):
  return np.ones((1, len(people.image_ids)), int)


def _without(people, predictions, image):
  """The table and the predictions without the people of an image."""
  stays = people.image_index != image
  return people.select(stays), predictions.select(
    predictions.image_ids != people.image_ids[image]
  )


def test_pck_is_that_of_scoring(make_people):
  people = make_people(8, skeleton=LSP14)
  people.vis[:, 5] = 0
  people.vis[3, list(people.skeleton.pck_pair)] = 0  # a person left out
  predictions = _one_each(people)
  scores = scoring.pck_of_people(predictions.kpts_xys_img[..., :2], people)
  at = scores.at(0.2)
  got = statistic.pck_statistic(people, predictions)
  assert got.names == ("PCK@0.2", "PCK@0.2_mean")
  np.testing.assert_allclose(
    got.of_weights(_once(people))[0], (scores.total[at], scores.mean[at])
  )
  assert 0.1 < scores.total[at] < 0.9


@pytest.mark.parametrize("variant", ["hrnet", "mmpose", "pytorch_pose"])
def test_pckh_is_that_of_scoring(make_people, variant):
  people = make_people(8, skeleton=MPII16)
  people.head_size[:] = 40
  people.head_size[2] = 0
  people.vis[:3, 4] = 0
  predictions = _one_each(people)
  predictions.kpts_xys_img[:, 0, :2] = people.kpts_xy_img[:, 0]
  predictions.kpts_xys_img[:, 0, 0] += 20  # on the threshold exactly
  scores = pckh.pckh_of_people(
    predictions.kpts_xys_img[..., :2], people, variant=variant
  )
  got = statistic.pckh_statistic(people, predictions, variant=variant)
  values = dict(
    zip(got.names, got.of_weights(_once(people))[0].tolist(), strict=True)
  )
  assert values == pytest.approx(pckh.values(scores, variant))
  assert 0.1 < values[got.names[0]] < 0.9


@pytest.mark.parametrize("metric", ["located", "presence"])
def test_location_and_presence_are_those_of_scoring(make_people, metric):
  people = make_people(9, skeleton=LSP14, num_images=3)
  people.vis[np.random.default_rng(1).random(people.vis.shape) < 0.3] = 0
  predictions = _one_each(people, 8.0)
  settings = scoring.Settings(presence_threshold=0.3)
  scores = scoring.score(
    people, predictions.to_results(), metrics=(metric,), settings=settings
  )
  (make,) = scoring.statistics((metric,), settings)
  (got,) = statistic.make_statistics([make], people, predictions)
  values = got.of_weights(_once(people))[0]
  expected = [scores.values[name] for name in got.names]
  np.testing.assert_allclose(values, expected)
  assert len(got.names) == 2 and 0.1 < values.min() and values.max() < 0.9


def test_pcp_is_that_of_scoring(make_people):
  people = make_people(8, skeleton=LSP14)
  people.vis[:, 5] = 0
  people.vis[:5, 6:9] = 0
  predictions = _one_each(people)
  found = predictions.kpts_xys_img[..., :2]
  expected = {}
  for rule in ("strict", "loose"):
    counts = limbs.pcp_of_people(found, people, rule=rule)
    expected |= limbs.values(counts, people.skeleton, rule)
  got = statistic.pcp_statistic(people, predictions)
  values = got.of_weights(_once(people))[0].tolist()
  values = dict(zip(got.names, values, strict=True))
  assert values == pytest.approx(expected, nan_ok=True)
  assert 0.1 < values["PCP_strict@0.5"] < values["PCP_loose@0.5"] < 0.9


@pytest.mark.parametrize("make", statistic.METRICS.values())
def test_an_image_of_weight_zero_is_not_there(make_people, make):
  people = make_people(9, skeleton=LSP14, num_images=3)
  people.head_size[:] = 40
  people.vis[::2, 3:7] = 0
  predictions = _one_each(people)
  got = make(people, predictions).of_weights(np.array([[1, 0, 1], [2, 0, 2]]))
  fewer = make(*_without(people, predictions, 1))
  np.testing.assert_allclose(got[0], fewer.of_weights(_once(people))[0])
  np.testing.assert_allclose(got[0], got[1])


def test_ten_numbers_of_coco(make_crowd):
  people, predictions = make_crowd(1)
  got = statistic.coco_statistic(people, predictions)
  values = got.of_weights(_once(people))[0]
  expected = average_precision.coco_scores(people, predictions)
  assert dict(zip(got.names, values.tolist(), strict=True)) == expected
  assert got.names == coco.NAMES


def test_shares_by_hand(make_people):
  people = make_people(4, num_images=3)  # people 0 and 3 in image 0
  labelled = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 1, 0]], bool)
  correct = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], bool)
  got = statistic.ratio_statistic("hits", correct, labelled, people)
  weights = np.array([[1, 1, 1], [2, 0, 1], [0, 0, 0]])
  values = got.of_weights(weights)
  np.testing.assert_allclose(values[0], (3 / 7, (2 / 4 + 1 / 3) / 2))
  np.testing.assert_allclose(values[1], (2 / 9, (2 / 5 + 0 / 4) / 2))
  assert np.isnan(values[2]).all()


def test_metrics_are_names_or_functions(make_people):
  people = make_people(4)
  predictions = _one_each(people)

  def own(table, found):
    everything = np.ones((len(table), 1), bool)
    return statistic.ratio_statistic("own", everything, everything, table)

  made = statistic.make_statistics(["coco", own], people, predictions)
  assert [len(m.names) for m in made] == [10, 2]
  for metrics, got in ((["coco", "pkc"], "got pkc"), ([], "got none")):
    with pytest.raises(ValueError, match=f"some of coco, pck, .*{got}"):
      statistic.make_statistics(metrics, people, predictions)


def test_pck_needs_a_reference_pair(make_people):
  people = make_people(4)
  skeleton = dataclasses.replace(people.skeleton, pck_pair=None)
  people = dataclasses.replace(people, skeleton=skeleton)
  with pytest.raises(ValueError, match="states no pair of keypoints"):
    statistic.pck_statistic(people, _one_each(people))
