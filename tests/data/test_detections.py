import dataclasses
import hashlib
import json

import numpy as np
import pytest

from pose_jax.data.coco import open_coco
from pose_jax.data.detections import (
  jitter_boxes,
  read_boxes,
)
from pose_jax.data.images import DataError
from pose_jax.data.people import concatenate
from pose_jax.geometry import Frames

NUM_FILE = "person_detections_AP_H_56_4images.json"


@pytest.fixture
def people(make_coco):
  """Twelve people in six images of 96 x 128, ids 100 to 105."""
  return open_coco(*make_coco()).people


@pytest.fixture
def write(tmp_path):
  def write_boxes(boxes, name="boxes.json"):
    path = tmp_path / name
    path.write_text(json.dumps(boxes))
    return path

  return write_boxes


def box(image_id=100, bbox=(10, 20, 30, 40), score=0.5, category_id=1):
  return dict(
    image_id=image_id, bbox=list(bbox), score=score, category_id=category_id
  )


def test_the_shared_file_is_read_box_by_box(shared_data):
  folder = shared_data / "coco"
  people = open_coco(
    folder / "person_keypoints_minival.json", folder / "images"
  ).people
  path = folder / NUM_FILE
  boxes = read_boxes(path, people)
  table, wanted = boxes.people, json.loads(path.read_text())
  assert len(table) == len(wanted) == 118
  assert boxes.describe() == f"118 boxes from detections {NUM_FILE}"
  assert boxes.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
  assert table.image_names == people.image_names
  assert set(table.image_ids[table.image_index]) == {785, 40083, 196141, 197388}
  assert not table.vis.any() and table.is_croppable().all()
  for i, entry in enumerate(wanted):
    height, width = table.image_hw[table.image_index[i]]
    x, y, w, h = entry["bbox"]
    right, bottom = min(x + w, width), min(y + h, height)
    x, y = max(x, 0), max(y, 0)
    assert table.image_ids[table.image_index[i]] == entry["image_id"]
    assert table.score[i] == np.float32(entry["score"])
    np.testing.assert_allclose(
      table.box_xywh_img[i], [x, y, right - x, bottom - y], atol=1e-4
    )
    assert table.area[i] == pytest.approx((right - x) * (bottom - y), rel=1e-5)


def test_what_is_left_out_is_counted(people, write):
  boxes = read_boxes(
    write(
      [
        box(score=0.1),
        box(image_id=105, bbox=(-5, -6, 20, 30)),
        box(image_id=7),
        box(category_id=18),
        box(bbox=(127.5, 0, 50, 50)),
        box(bbox=(10, 20, 0, 40)),
        box(bbox=(100, 90, 50, 60), score=0.3),
      ]
    ),
    people,
    min_score=0.3,
  )
  table = boxes.people
  assert boxes.describe() == (
    "2 boxes from detections boxes.json; left out: 1 of other categories, 1 "
    "in images that are not in the data set, 1 of low score, 2 of less than a "
    "pixel"
  )
  np.testing.assert_array_equal(table.image_ids[table.image_index], [105, 100])
  np.testing.assert_array_equal(
    table.box_xywh_img, [[0, 0, 15, 24], [100, 90, 28, 6]]
  )
  np.testing.assert_array_equal(table.person_ids, [2, 7])
  np.testing.assert_array_equal(table.area, [360, 168])
  assert table.box_source == "detections boxes.json"
  assert len(read_boxes(write([box()] * 3), people).people) == 3


@pytest.mark.parametrize(
  "change,wanted",
  [
    ({"bbox": [1, 2, 3]}, "box entry 1 has 3 numbers in bbox, wanted 4"),
    ({"bbox": None}, "box entry 1 has 1 numbers in bbox, wanted 4"),
    ({"bbox": [1, 2, 3, "4"]}, r"box entry 1 has bbox .*'4'\], wanted numbers"),
    (
      {"bbox": [9, 8, 7, -1]},
      r"box entry 1 has bbox \[9, 8, 7, -1\]: .*below 0",
    ),
    (
      {"bbox": [9, 8, -7, 1], "category_id": 3},
      "box entry 1 has bbox .*below 0",
    ),
    ({"score": float("nan")}, "box entry 1 has score nan, wanted a finite"),
    ({"score": "high"}, "box entry 1 has score 'high', wanted a number"),
    ({"image_id": "100"}, "box entry 1 has image_id '100', wanted a whole"),
    ({"image_id": 100.5}, "box entry 1 has image_id 100.5, wanted a whole"),
  ],
)
def test_malformed_entries_are_named(people, write, change, wanted):
  path = write([box(), box() | change, box()])
  with pytest.raises(DataError, match=wanted) as caught:
    read_boxes(path, people)
  assert str(caught.value).startswith(f"{path}: ")


def test_faulty_files_are_named(people, write, tmp_path):
  missing = box()
  del missing["score"]
  with pytest.raises(DataError, match="box entry 0 has no 'score'"):
    read_boxes(write([missing]), people)
  with pytest.raises(DataError, match="cannot read detections file .*No such"):
    read_boxes(tmp_path / "nowhere.json", people)
  with pytest.raises(DataError, match="holds no list: wanted COCO's results"):
    read_boxes(write({"boxes": []}), people)
  (tmp_path / "broken.json").write_text("[{")
  with pytest.raises(DataError, match="broken.json is no valid JSON"):
    read_boxes(tmp_path / "broken.json", people)


def test_no_box_at_all_is_refused_and_explained(people, write):
  for boxes, numbers in (
    ([], "0 boxes, 0 of people, 0 in"),
    ([box(image_id=1), box(category_id=2)], "2 boxes, 1 of people, 0 in"),
    ([box(score=0.2)], "1 boxes, 1 of people, 1 in"),
  ):
    with pytest.raises(DataError, match=rf"6 images .*0.3 .*\({numbers} these"):
      read_boxes(write(boxes), people, min_score=0.3)
  nobody = dataclasses.replace(
    people.select(np.zeros(12, bool)),
    image_names=(),
    image_ids=people.image_ids[:0],
    image_hw=people.image_hw[:0],
  )
  with pytest.raises(DataError, match="any of the 0 images"):
    read_boxes(write([box()]), nobody)


def iou(a, b):
  """Intersection over union of two xywh boxes, by hand."""
  width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
  height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
  common = max(width, 0) * max(height, 0)
  return common / (a[2] * a[3] + b[2] * b[3] - common)


def test_jitter_belongs_to_seed_and_person_whatever_the_order(people):
  moved = jitter_boxes(people, amount=0.2, seed=3)
  assert moved.box_source == "ground truth, moved by 0.2"
  order = np.random.default_rng(0).permutation(12)[:7]
  np.testing.assert_array_equal(
    jitter_boxes(people.select(order), amount=0.2, seed=3).box_xywh_img,
    moved.box_xywh_img[order],
  )
  other = jitter_boxes(people, amount=0.2, seed=4).box_xywh_img
  assert (other != moved.box_xywh_img).all()
  for name in ("kpts_xy_img", "vis", "area", "person_ids", "image_index"):
    np.testing.assert_array_equal(getattr(moved, name), getattr(people, name))
  still = jitter_boxes(people, amount=0, seed=3)
  np.testing.assert_array_equal(still.box_xywh_img, people.box_xywh_img)


@pytest.mark.parametrize(
  "amount,mean_iou", [(0.05, 0.899), (0.1, 0.812), (0.2, 0.668), (0.5, 0.385)]
)
def test_jitter_keeps_its_bounds_and_its_mean_iou(people, amount, mean_iou):
  copies = concatenate(
    [
      dataclasses.replace(
        people,
        person_ids=people.person_ids + 100 * i,
        image_ids=people.image_ids + 100 * i,
      )
      for i in range(500)
    ]
  )
  old = copies.box_xywh_img.astype(float)
  new = jitter_boxes(copies, amount=amount, seed=0).box_xywh_img.astype(float)
  shift = (new[:, :2] + new[:, 2:] / 2 - old[:, :2] - old[:, 2:] / 2) / old[
    :, 2:
  ]
  assert amount * 0.99 < np.abs(shift).max() <= amount + 1e-6
  factor = np.log(new[:, 2:] / old[:, 2:]) / np.log1p(amount)
  assert 0.99 < np.abs(factor).max() <= 1 + 1e-5
  # Means of 6000 draws; the widest of these has a standard error of 0.0023.
  np.testing.assert_allclose(shift.mean(0), 0, atol=0.02)
  np.testing.assert_allclose(factor.mean(0), 0, atol=0.03)
  mean = np.mean([iou(a, b) for a, b in zip(old, new, strict=True)])
  assert mean == pytest.approx(mean_iou, abs=0.008)


def test_jitter_leaves_crowds_and_empty_boxes_alone(people):
  boxes, crowd = people.box_xywh_img.copy(), np.zeros(12, bool)
  boxes[2:, 2:] = 1
  boxes[0, 2], crowd[1] = 0, True
  people = dataclasses.replace(people, box_xywh_img=boxes, is_crowd=crowd)
  moved = jitter_boxes(people, amount=0.5, seed=0)
  np.testing.assert_array_equal(moved.box_xywh_img[:2], boxes[:2])
  assert (moved.box_xywh_img[2:] != boxes[2:]).any(1).all()
  np.testing.assert_array_equal(moved.is_croppable(), people.is_croppable())
  frames = Frames((256, 192), (64, 48))
  assert np.isfinite(frames.center_size(moved.box_xywh_img)[1]).all()


@pytest.mark.parametrize("amount", [-0.1, 1, float("nan")])
def test_jitter_out_of_range_is_refused(people, amount):
  with pytest.raises(ValueError, match="from 0 to below 1, got"):
    jitter_boxes(people, amount=amount, seed=0)
  with pytest.raises(ValueError, match="seed must not be negative, got -1"):
    jitter_boxes(people, amount=0.1, seed=-1)
