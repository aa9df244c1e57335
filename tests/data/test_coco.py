import dataclasses
import json

import numpy as np
import pytest

from pose_jax.data.coco import open_coco
from pose_jax.data.images import DataError
from pose_jax.skeleton import COCO17, LSP14, MPII16

COUNTS = {  # images, rows, crowds, with keypoints
  "minitrain": (41, 173, 4, 98),
  "minival": (65, 321, 10, 158),
  "extra": (52, 219, 5, 117),
}


@pytest.mark.parametrize("part", COUNTS)
def test_shared_excerpts_hold_what_their_readme_says(shared_data, part):
  path = shared_data / "coco" / f"person_keypoints_{part}.json"
  dataset = open_coco(path, shared_data / "coco" / "images", split=part)
  people = dataset.people
  assert COUNTS[part] == (
    len(people.image_names),
    len(people),
    people.is_crowd.sum(),
    len(people.usable()),
  )
  assert len(people.unusable()) + len(people.usable()) == len(people)
  assert (dataset.name, dataset.split) == ("coco", part)
  assert people.box_source == "ground truth"


def test_rows_equal_the_file_read_by_hand(shared_data):
  path = shared_data / "coco" / "person_keypoints_minival.json"
  people = open_coco(path, shared_data / "coco" / "images").people
  content = json.loads(path.read_text())
  images = {image["id"]: image for image in content["images"]}
  for i, wanted in enumerate(content["annotations"]):
    image = images[wanted["image_id"]]
    row = people.image_index[i]
    assert people.image_ids[row] == image["id"]
    assert people.image_names[row] == image["file_name"]
    assert tuple(people.image_hw[row]) == (image["height"], image["width"])
    assert people.person_ids[i] == wanted["id"]
    assert people.is_crowd[i] == wanted["iscrowd"]
    assert people.area[i] == np.float32(wanted["area"])
    np.testing.assert_allclose(people.box_xywh_img[i], wanted["bbox"], 1e-5)
    for k in range(17):
      x, y, v = wanted["keypoints"][3 * k : 3 * k + 3]
      assert people.vis[i, k] == v
      assert tuple(people.kpts_xy_img[i, k]) == (x, y)


def test_boxes_are_cut_at_the_border_and_unlabelled_keypoints_zeroed(make_coco):
  def edit(content):
    boxes = [[-5, -7, 50, 60], [100, 90, 50, 60], [200, 0, 5, 5], [0, 0, 0, 9]]
    for annotation, box in zip(content["annotations"], boxes, strict=False):
      annotation["bbox"] = box
    content["annotations"][0]["keypoints"][:3] = [12, 13, 0]

  people = open_coco(*make_coco(hw=(96, 128), edit=edit)).people
  np.testing.assert_array_equal(
    people.box_xywh_img[:4],
    [[0, 0, 45, 53], [100, 90, 28, 6], [128, 0, 0, 5], [0, 0, 0, 9]],
  )
  assert people.vis[0, 0] == 0
  np.testing.assert_array_equal(people.kpts_xy_img[0, 0], [0, 0])
  gone = [s for s in people.unusable() if "zero area" in s]
  assert len(gone) == 2 and gone[0].startswith("person 1002 in image '001.jpg'")


def test_other_categories_are_left_out(make_coco):
  def edit(content):
    content["categories"].append(dict(id=7, name="dog"))
    content["annotations"][1]["category_id"] = 7

  dataset = open_coco(*make_coco(edit=edit))
  people = dataset.people
  assert len(people) == 11 and 1001 not in people.person_ids
  assert dataset.left_out == "1 annotation of other categories"


def hands(content):
  """A second category with keypoints, for every other annotation."""
  content["categories"].append(dict(id=7, name="hand", keypoints=["a", "b"]))
  for annotation in content["annotations"][::2]:
    annotation.update(category_id=7, keypoints=[1, 2, 2, 3, 4, 1])


HAND = dataclasses.replace(
  LSP14, name="two", keypoints=("a", "b"), category="hand"
)


def test_the_skeleton_says_which_of_several_categories_is_read(make_coco):
  annotations, images = make_coco(edit=hands)
  dataset = open_coco(annotations, images)
  assert dataset.left_out == "6 annotations of other categories"
  people = dataset.people
  assert people.person_ids.tolist() == list(range(1001, 1012, 2))
  people = open_coco(annotations, images, skeleton=HAND).people
  assert people.person_ids.tolist() == list(range(1000, 1012, 2))
  assert people.kpts_xy_img[0].tolist() == [[1, 2], [3, 4]]
  with pytest.raises(
    DataError, match=r"several .*\(person, hand\), and 0 .* called 'foot'"
  ):
    foot = dataclasses.replace(HAND, category="foot")
    open_coco(annotations, images, skeleton=foot)


def test_a_files_only_category_may_be_called_anything(make_coco):
  annotations, images = make_coco(
    edit=lambda c: c["categories"][0].update(name="player")
  )
  dataset = open_coco(annotations, images)
  assert len(dataset.people) == 12 and dataset.left_out == ""


def test_names_in_another_order_are_refused_at_the_first(make_coco):
  def swap(content):
    names = list(COCO17.keypoints)
    names[5], names[6] = names[6], names[5]
    content["categories"][0]["keypoints"] = names

  annotations, images = make_coco(edit=swap)
  with pytest.raises(
    DataError,
    match="'person' has keypoint 'right_shoulder' at place 6, where skeleton "
    "coco17 has 'left_shoulder'",
  ):
    open_coco(annotations, images)


def test_a_table_has_the_alternative_whose_names_are_the_files(make_coco):
  annotations, images = make_coco()
  people = open_coco(
    annotations, images, skeleton=LSP14, alternatives=(MPII16, COCO17)
  ).people
  assert people.skeleton == COCO17
  with pytest.raises(DataError, match="has 17 keypoints, but skeleton lsp14"):
    open_coco(annotations, images, skeleton=LSP14, alternatives=(MPII16,))


def test_a_file_without_people_opens(make_coco):
  people = open_coco(*make_coco(edit=lambda c: c["annotations"].clear())).people
  assert len(people) == 0 and len(people.image_names) == 6


def put(where, key, value):
  def edit(content):
    content[where][2][key] = value

  return edit


def drop(where, key):
  return lambda content: content[where][2].pop(key)


NAN = float("nan")
FAULTS = {
  "annotation 1002 has 3 numbers in keypoints, wanted 51": put(
    "annotations", "keypoints", [1, 2, 2]
  ),
  "annotation 1002 has keypoints .*nan.*, wanted finite": put(
    "annotations", "keypoints", [NAN] * 50 + [2]
  ),
  "annotation 1002 has keypoints .*'x'.*, wanted numbers": put(
    "annotations", "keypoints", ["x"] * 51
  ),
  "annotation 1002 has keypoints .*, wanted numbers": put(
    "annotations", "keypoints", [[1, 2]] * 51
  ),
  "annotation 1002 has keypoint visibilities .*7.*, wanted 0, 1 or 2": put(
    "annotations", "keypoints", [7.0] * 51
  ),
  r"annotation 1002 has bbox \[.*nan.*, wanted finite": put(
    "annotations", "bbox", [0, NAN, 1, 1]
  ),
  "annotation 1002 has 3 numbers in bbox, wanted 4": put(
    "annotations", "bbox", [0, 1, 1]
  ),
  "annotation 1002 has no 'bbox'": drop("annotations", "bbox"),
  "annotation 1002 has no 'keypoints'": drop("annotations", "keypoints"),
  "annotation 1002 has no 'iscrowd'": drop("annotations", "iscrowd"),
  "annotation 1002 has area None, wanted a number": put(
    "annotations", "area", None
  ),
  "annotation 1002 has image_id 77, which is not among": put(
    "annotations", "image_id", 77
  ),
  r"annotation 1002 has category_id 4, which is not among .*'person' is 1": put(
    "annotations", "category_id", 4
  ),
  "annotation entry 2 has no 'id'": drop("annotations", "id"),
  "annotation 1000.5 has id 1000.5, wanted a whole number": put(
    "annotations", "id", 1000.5
  ),
  "person id 1001 is used more than once": put("annotations", "id", 1001),
  "image 102 has no 'file_name'": drop("images", "file_name"),
  "image 102 has height 'x', wanted a whole": put("images", "height", "x"),
  "image id 100 is used more than once": lambda content: content[
    "images"
  ].append(content["images"][0]),
  "no list 'images'": lambda content: content.pop("images"),
  "found none; is it an instances file": lambda content: content["categories"][
    0
  ].pop("keypoints"),
  "category 'person' has 2 keypoints, but skeleton coco17 has 17": (
    lambda content: content["categories"][0].update(keypoints=["a", "b"])
  ),
}


@pytest.mark.parametrize("message", FAULTS)
def test_faults_name_the_file_and_the_entry(make_coco, message):
  annotations, images = make_coco(edit=FAULTS[message])
  with pytest.raises(DataError, match=message) as caught:
    open_coco(annotations, images)
  assert str(annotations) in str(caught.value)
  assert "\n" not in str(caught.value)


def test_missing_files_are_named(make_coco, tmp_path):
  annotations, images = make_coco()
  with pytest.raises(
    DataError, match="cannot read annotation file .*gone.json"
  ):
    open_coco(tmp_path / "gone.json", images)
  (tmp_path / "bad.json").write_text("{,}")
  with pytest.raises(DataError, match="bad.json is no valid JSON"):
    open_coco(tmp_path / "bad.json", images)
  with pytest.raises(DataError, match="nowhere does not exist"):
    open_coco(annotations, tmp_path / "nowhere")
  (images / "004.jpg").unlink()
  with pytest.raises(DataError, match="1 of 6 annotated images.*'004.jpg'"):
    open_coco(annotations, images)
  with pytest.raises(DataError, match="skeleton lsp14 has 14"):
    open_coco(annotations, images, skeleton=LSP14)


@pytest.mark.parametrize(
  "part, key, value, wanted",
  [
    ("images", "file_name", 5, "file_name 5, wanted a text"),
    ("annotations", "id", 10**30, "wanted a whole number"),
    ("annotations", "area", 10**400, "wanted a number"),
    ("categories", "keypoints", 17, "wanted a category with keypoints"),
  ],
)
def test_values_of_another_kind_are_named_once(
  tmp_path, part, key, value, wanted
):
  content = {
    "images": [{"id": 1, "file_name": "a.jpg", "height": 9, "width": 9}],
    "annotations": [
      {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "iscrowd": 0,
        "area": 4,
        "bbox": [1, 1, 2, 2],
        "keypoints": [1, 1, 2] * 17,
      }
    ],
    "categories": [{"id": 1, "name": "person", "keypoints": COCO17.keypoints}],
  }
  content[part][0][key] = value
  path = tmp_path / "annotations.json"
  path.write_text(json.dumps(content))
  with pytest.raises(DataError, match=wanted) as caught:
    open_coco(path, tmp_path)
  assert str(caught.value).count(str(path)) == 1
