import dataclasses

import numpy as np
import pytest

from pose_jax.data.boxes import cut_boxes, join_boxes
from pose_jax.data.coco import open_coco
from pose_jax.data.images import DataError


@pytest.fixture
def people(make_coco):
  return open_coco(*make_coco(num_images=4)).people.usable()


def test_images_of_unknown_size_cut_nothing():
  boxes = np.array([[-5.0, -5, 10, 10], [-5, -5, 10, 10]])
  cut = cut_boxes(boxes, np.array([[0, 0], [20, 30]], np.int32))
  np.testing.assert_array_equal(cut, [[-5, -5, 10, 10], [0, 0, 5, 5]])


def test_coco_boxes_of_images_of_unknown_size_stay(make_coco):
  def edit(content):
    content["images"][0].update(height=0, width=0)
    for row in (0, 2):  # in the first image and in the second
      content["annotations"][row]["bbox"] = [-5, -6, 40, 50]

  boxes = open_coco(*make_coco(num_images=4, edit=edit)).people.box_xywh_img
  np.testing.assert_array_equal(
    boxes[[0, 2]], [[-5, -6, 40, 50], [0, 0, 35, 44]]
  )


def test_rows_of_one_picture_lie_together_and_know_their_origin(people):
  other = dataclasses.replace(
    people.select(np.array([5, 0, 3])), box_source="detector"
  )
  table, origin, row = join_boxes([people, other])
  assert len(table) == len(people) + 3
  assert (np.diff(table.image_index) >= 0).all()
  for i, (t, r) in enumerate(zip(origin, row, strict=True)):
    source = (people, other)[t]
    np.testing.assert_array_equal(table.box_xywh_img[i], source.box_xywh_img[r])
    assert table.image_index[i] == source.image_index[r]
  assert table.box_source == f"{people.box_source} + detector"
  assert len(set(zip(origin.tolist(), row.tolist(), strict=True))) == len(table)


def test_tables_of_other_images_are_refused(people):
  other = dataclasses.replace(
    people, image_names=tuple(f"x{n}" for n in people.image_names)
  )
  with pytest.raises(DataError, match="must be of the same images"):
    join_boxes([people, other])
