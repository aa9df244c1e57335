"""Tests of eval/pairs.py."""

import dataclasses

import numpy as np
import pytest

from pose_jax.eval import oks, pairs


def test_every_prediction_meets_everybody_of_its_image(make_crowd):
  people, predictions = make_crowd(1)
  got = pairs.pair_up(people, predictions, max_per_image=1000)
  met = set(
    zip(got.row[got.prediction].tolist(), got.person.tolist(), strict=True)
  )
  image_of = people.image_ids[people.image_index]
  expected = {
    (d, g)
    for d in range(len(predictions))
    for g in range(len(people))
    if predictions.image_ids[d] == image_of[g]
  }
  assert met == expected and len(got.person) == len(expected)
  assert sorted(got.row) == list(range(len(predictions)))
  np.testing.assert_array_equal(
    people.image_ids[got.image], predictions.image_ids[got.row]
  )


def test_best_twenty_of_each_image_in_the_order_given(make_crowd):
  people, predictions = make_crowd(2, num=300, num_images=6)
  got = pairs.pair_up(people, predictions)
  expected = []
  for image_id in np.sort(people.image_ids):
    rows = np.flatnonzero(predictions.image_ids == image_id).tolist()
    expected += sorted(rows, key=lambda d: -predictions.score[d])[:20]
  assert got.row.tolist() == expected
  assert len(expected) < len(predictions)


def test_area_is_the_extent_of_all_keypoints(make_people, make_crowd):
  people, predictions = make_crowd(3)
  predictions.kpts_xys_img[0, 0] = (-1000, -500, 0)  # score 0 counts too
  got = pairs.pair_up(people, predictions)
  x, y = predictions.kpts_xys_img[got.row, :, :2].transpose(2, 0, 1)
  expected = (x.max(1) - x.min(1)) * (y.max(1) - y.min(1))
  np.testing.assert_array_equal(got.area, expected)


@pytest.mark.parametrize("seed", range(3))
def test_oks_is_that_of_single_images(make_crowd, seed):
  people, predictions = make_crowd(seed)
  got = pairs.pair_up(people, predictions)
  similarity = pairs.oks_of_pairs(got, people, predictions, vis=people.vis)
  alike = oks.oks(
    predictions.kpts_xys_img[..., :2],
    people.kpts_xy_img,
    people.vis,
    area=people.area,
    box_xywh=people.box_xywh_img,
    sigmas=people.skeleton.oks_sigmas,
  )
  expected = alike[got.row[got.prediction], got.person]
  np.testing.assert_array_equal(similarity, expected)  # to the last bit
  assert (people.vis[got.person] == 0).all(1).any()


def test_parts_change_nothing(make_crowd, monkeypatch):
  people, predictions = make_crowd(4)
  got = pairs.pair_up(people, predictions)
  whole = pairs.oks_of_pairs(got, people, predictions, vis=people.vis)
  monkeypatch.setattr(pairs, "_CHUNK", 7)
  parts = pairs.oks_of_pairs(got, people, predictions, vis=people.vis)
  np.testing.assert_array_equal(whole, parts)


def test_images_of_another_dataset_are_named(make_crowd):
  people, predictions = make_crowd(5)
  for stranger in (-1, 1, 10**6):
    predictions.image_ids[2] = stranger
    people.image_ids[people.image_ids == stranger] = 777
    with pytest.raises(ValueError, match=f"image_id {stranger} is not among"):
      pairs.pair_up(people, predictions)


def test_an_image_above_all_others_is_not_known(make_crowd):
  people, predictions = make_crowd(5)
  lower = dataclasses.replace(people, image_ids=people.image_ids - 1000)
  with pytest.raises(ValueError, match="image_id 0 is not among"):
    pairs.pair_up(
      lower,
      dataclasses.replace(
        predictions, image_ids=np.zeros_like(predictions.image_ids)
      ),
    )


def test_no_predictions_make_no_pairs(make_crowd):
  people, predictions = make_crowd(6)
  got = pairs.pair_up(people, predictions.select(np.arange(0)))
  assert len(got.row) == len(got.person) == 0
  assert got.people_in_image.sum() == len(people)
