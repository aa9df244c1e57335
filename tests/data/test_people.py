import dataclasses

import numpy as np
import pytest

from pose_jax.data.images import FolderImages
from pose_jax.data.people import (
  DataError,
  Dataset,
  People,
  concatenate,
)
from pose_jax.skeleton import COCO17, LSP14


def table(num=4, first_id=1, skeleton=LSP14, **changes):
  """`num` people, two an image, all usable."""
  num_images = -(-num // 2)
  num_keypoints = skeleton.num_keypoints
  rng = np.random.default_rng(first_id)
  fields = dict(
    skeleton=skeleton,
    image_names=tuple(f"im{first_id + i}.jpg" for i in range(num_images)),
    image_ids=np.arange(first_id, first_id + num_images),
    image_hw=np.full((num_images, 2), 100, np.int32),
    image_index=np.arange(num, dtype=np.int32) // 2,
    person_ids=np.arange(first_id, first_id + num),
    box_xywh_img=rng.uniform(5, 50, (num, 4)).astype(np.float32),
    kpts_xy_img=rng.uniform(0, 100, (num, num_keypoints, 2)).astype(np.float32),
    vis=np.full((num, num_keypoints), 2, np.int8),
    area=np.full(num, 50, np.float32),
    is_crowd=np.zeros(num, bool),
    score=np.ones(num, np.float32),
  )
  return People(**(fields | changes))


def edited(name, at, value):
  people = table()
  array = getattr(people, name).copy()
  array[at] = value
  return dataclasses.replace(people, **{name: array})


def test_select_takes_rows_and_keeps_images():
  people = table(5)
  mask = np.array([True, False, True, False, True])
  by_mask, by_index = people.select(mask), people.select(np.array([0, 2, 4]))
  for picked in (by_mask, by_index):
    assert len(picked) == 3
    assert picked.image_names == people.image_names
    np.testing.assert_array_equal(picked.person_ids, [1, 3, 5])
    np.testing.assert_array_equal(picked.kpts_xy_img, people.kpts_xy_img[mask])
  assert len(people.select(np.array([4, 0])).select(np.array([1]))) == 1


def test_usable_leaves_out_crowds_empty_boxes_and_unlabelled_people():
  people = table(5)
  box, vis = people.box_xywh_img.copy(), people.vis.copy()
  crowd = np.array([True, False, False, False, False])
  box[1, 2] = 0
  vis[2] = 0
  people = dataclasses.replace(
    people, box_xywh_img=box, vis=vis, is_crowd=crowd
  )
  np.testing.assert_array_equal(people.usable().person_ids, [4, 5])
  crowd, empty, bare = people.unusable()
  assert crowd == "person 1 in image 'im1.jpg' is a crowd region"
  assert empty.startswith("person 2 in image 'im1.jpg' has a box of zero area")
  assert bare == "person 3 in image 'im2.jpg' has no labelled keypoint"
  assert people.usable().unusable() == ()
  np.testing.assert_array_equal(
    people.is_croppable(), [False, False, True, True, True]
  )


@pytest.mark.parametrize(
  "name", ["box_xywh_img", "kpts_xy_img", "area", "score"]
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_named(name, value):
  with pytest.raises(
    DataError, match=f"^person 3 in image 'im2.jpg': {name} is not finite"
  ):
    edited(name, 2, value)


def test_other_faults_are_named():
  with pytest.raises(DataError, match="person 2 in image .*vis is not 0, 1"):
    edited("vis", (1, 0), 3)
  with pytest.raises(DataError, match="person 4 is in image row 2, but .* 2"):
    edited("image_index", 3, 2)
  with pytest.raises(DataError, match="person 1 is in image row -1"):
    edited("image_index", 0, -1)
  with pytest.raises(DataError, match="person id 2 is used more than once"):
    edited("person_ids", 0, 2)
  with pytest.raises(DataError, match="image id 1 is used more than once"):
    edited("image_ids", 1, 1)
  with pytest.raises(DataError, match="17 keypoints, but .*lsp14 has 14"):
    table(
      kpts_xy_img=np.zeros((4, 17, 2), np.float32), vis=np.ones((4, 17), "i1")
    )
  with pytest.raises(DataError, match="1 image names for 2 image ids"):
    table(image_names=("a.jpg",))


def test_an_empty_table_is_fine():
  people = table(0)
  assert len(people) == len(people.usable()) == 0
  assert people.unusable() == ()


def test_concatenation_moves_image_rows():
  a, b = table(4), table(3, first_id=50)
  joined = concatenate([a, dataclasses.replace(b, box_source="keypoints")])
  assert len(joined) == 7 and len(joined.image_names) == 4
  assert joined.box_source == "ground truth + keypoints"
  for i in range(7):
    table_, row = (a, i) if i < 4 else (b, i - 4)
    assert joined.describe(i) == table_.describe(row)
    np.testing.assert_array_equal(
      joined.kpts_xy_img[i], table_.kpts_xy_img[row]
    )


def test_concatenation_refuses_mixed_skeletons_and_shared_ids():
  with pytest.raises(DataError, match="share one skeleton, got .*coco17"):
    concatenate([table(), table(first_id=50, skeleton=COCO17)])
  with pytest.raises(DataError, match="image id 2 is used more than once"):
    concatenate([table(4), table(4, first_id=2)])


def test_a_dataset_has_one_image_in_the_source_for_each_of_the_table(tmp_path):
  with pytest.raises(DataError, match="2 images in the table, 1 in the source"):
    Dataset("a", "b", table(), FolderImages(tmp_path, ("x",)))
