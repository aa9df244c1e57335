"""Photographs without annotations: ids, boxes, and what is refused."""

import json

import cv2
import numpy as np
import pytest
from made_photographs import turned

from pose_jax.data.people import DataError
from pose_jax.data.pictures import WHOLE, open_pictures, with_boxes
from pose_jax.skeleton import LSP14


@pytest.fixture
def folder(tmp_path):
  """Three pictures of different sizes, a text and a folder with one more."""
  folder = tmp_path / "pictures"
  (folder / "more").mkdir(parents=True)
  for i, name in enumerate(("b.png", "a.jpg", "c.JPG", "more/d.jpg")):
    picture = np.full((40 + i, 60 + 10 * i, 3), 90, np.uint8)
    _, data = cv2.imencode(name[-4:].lower(), picture)
    (folder / name).write_bytes(data.tobytes())
  (folder / "notes.txt").write_text("not a picture")
  return folder


def _write(tmp_path, content):
  path = tmp_path / "boxes.json"
  path.write_text(json.dumps(content))
  return path


def _result(image_id, **changes):
  box = {"bbox": [5, 6, 20, 22], "score": 0.5, "category_id": 1}
  return {"image_id": image_id, **box, **changes}


def test_a_folder_is_its_pictures_in_the_order_of_names(folder):
  people = open_pictures(folder, LSP14).dataset.people
  assert people.image_names == ("a.jpg", "b.png", "c.JPG")
  assert people.image_ids.tolist() == [1, 2, 3]
  assert people.image_index.tolist() == [0, 1, 2]
  assert people.image_hw.tolist() == [[41, 70], [40, 60], [42, 80]]
  assert people.box_xywh_img.tolist() == [
    *([0, 0, 70, 41], [0, 0, 60, 40], [0, 0, 80, 42]),
  ]
  assert people.is_croppable().all() and people.box_source == WHOLE


def test_one_picture_is_a_table_of_one(folder):
  pictures = open_pictures(folder / "b.png", LSP14)
  assert pictures.dataset.people.image_names == ("b.png",)
  assert pictures.dataset.images.read(0) == (folder / "b.png").read_bytes()


def test_turned_pictures_are_named_and_taken_as_stored(folder, tmp_path):
  picture = np.zeros((40, 90, 3), np.uint8)
  (folder / "a.jpg").write_bytes(turned(6, picture=picture))
  (folder / "b.png").write_bytes(turned(1, picture=picture))
  pictures = open_pictures(folder, LSP14)
  assert pictures.turned == ("a.jpg",)
  assert pictures.dataset.people.image_hw[0].tolist() == [40, 90]
  boxed = with_boxes(pictures, _write(tmp_path, [_result(3)]))
  assert boxed.turned == ("a.jpg",)


@pytest.mark.parametrize(
  "names, wanted",
  [
    (("000000000139.jpg", "000000000785.jpg", "25.png"), [139, 785, 25]),
    (("7.jpg", "8.jpg", "x9.jpg"), [1, 2, 3]),  # not all are numbers
    (("7.jpg", "7.png", "8.jpg"), [1, 2, 3]),  # not all differ
    (("im0003.jpg", "im0004.jpg"), [1, 2]),
  ],
)
def test_ids_are_numbers_of_names_or_places(tmp_path, names, wanted):
  _, data = cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))
  for name in names:
    (tmp_path / name).write_bytes(data.tobytes())
  people = open_pictures(tmp_path, LSP14).dataset.people
  ids = dict(zip(people.image_names, people.image_ids.tolist(), strict=True))
  assert ids == dict(zip(names, wanted, strict=True))


def test_a_detectors_results_are_boxes_in_order_of_pictures(folder, tmp_path):
  rows = [
    _result(3, score=0.9),
    _result(1, bbox=[60, 30, 30, 30]),
    _result(3, score=0.1),
    _result(2, category_id=18),
    _result(77),
  ]
  pictures = open_pictures(folder, LSP14)
  found = with_boxes(pictures, _write(tmp_path, rows), min_score=0.3)
  people = found.dataset.people
  assert people.image_index.tolist() == [0, 2]
  assert people.box_xywh_img[0].tolist() == [60, 30, 10, 11]  # cut
  assert people.score.tolist() == pytest.approx([0.5, 0.9])
  assert not found.has_person_ids
  for part in ("2 boxes", "1 of other categories", "1 of low score"):
    assert part in found.note
  assert "1 in images that are not" in found.note


def _annotations():
  image = {"height": 41, "width": 70}
  return {
    "images": [
      {"id": 900, "file_name": "val/c.JPG", **image},
      {"id": 31, "file_name": "a.jpg", **image},
      {"id": 2, "file_name": "elsewhere.jpg", **image},
    ],
    "categories": [{"id": 1, "name": "person"}, {"id": 4, "name": "dog"}],
    "annotations": [
      {"id": 11, "image_id": 900, "category_id": 1, "bbox": [1, 2, 30, 300]},
      {"id": 12, "image_id": 31, "category_id": 1, "bbox": [5, 5, 9, 9]},
      {"id": 13, "image_id": 31, "category_id": 4, "bbox": [5, 5, 9, 9]},
      {"id": 14, "image_id": 2, "category_id": 1, "bbox": [5, 5, 9, 9]},
      {
        **{"id": 15, "image_id": 31, "category_id": 1},
        **{"bbox": [5, 5, 9, 9], "iscrowd": 1},
      },
      {"id": 16, "image_id": 31, "category_id": 1, "bbox": [5, 5, 0.5, 9]},
    ],
  }


def test_an_annotation_file_names_pictures_and_brings_its_ids(folder, tmp_path):
  found = with_boxes(
    open_pictures(folder, LSP14), _write(tmp_path, _annotations())
  )
  people = found.dataset.people
  assert people.image_index.tolist() == [0, 2]
  assert people.image_ids[[0, 2]].tolist() == [31, 900]
  assert people.image_ids[1] not in (31, 900, 2)
  assert people.person_ids.tolist() == [12, 11] and found.has_person_ids
  assert people.box_xywh_img.tolist() == [[5, 5, 9, 9], [1, 2, 30, 40]]
  assert found.note.endswith("2 boxes from annotations boxes.json; 4 left out")


def test_boxes_of_the_one_category_there_is_are_taken(folder, tmp_path):
  content = _annotations()
  content["categories"] = [{"id": 1, "name": "runner"}]
  found = with_boxes(open_pictures(folder, LSP14), _write(tmp_path, content))
  assert len(found.dataset.people) == 3


@pytest.mark.parametrize(
  "change, message",
  [
    (lambda c: c.pop("images"), "has no list 'images'"),
    (lambda c: c["annotations"].clear(), "no box of a person in any of the 3"),
    (
      lambda c: c["images"].append({"id": 5, "file_name": "x/a.jpg"}),
      "image 5 has file_name 'x/a.jpg', and so has an image before it",
    ),
    (
      lambda c: c["annotations"][0].update(bbox=[1, 2, 3]),
      "annotation 11 has 3 numbers in bbox, wanted 4",
    ),
  ],
)
def test_a_faulty_annotation_file_is_refused(folder, tmp_path, change, message):
  content = _annotations()
  change(content)
  with pytest.raises(DataError, match=message):
    with_boxes(open_pictures(folder, LSP14), _write(tmp_path, content))


def test_damaged_pictures_of_a_folder_are_left_out_and_named(folder, tmp_path):
  whole = open_pictures(folder, LSP14)
  assert whole.damaged == ()
  ended = (folder / "a.jpg").read_bytes()[:-40]
  (folder / "a.jpg").write_bytes(ended)  # its size can still be read
  pictures = open_pictures(folder, LSP14)
  people = pictures.dataset.people
  assert (
    people.image_names == pictures.dataset.images.names == ("b.png", "c.JPG")
  )
  assert people.image_ids.tolist() == [2, 3]  # as if all were there
  assert people.image_hw.tolist() == [[40, 60], [42, 80]]
  (fault,) = pictures.damaged
  assert fault == (
    f"cannot decode image 'a.jpg' ({len(ended)} bytes): the JPEG ends early"
  )
  boxes = _write(tmp_path, [_result(i) for i in (1, 2, 3)])
  assert with_boxes(pictures, boxes).damaged == pictures.damaged


def test_only_damaged_pictures_are_an_error_without_talk_of_annotations(folder):
  for name in ("a.jpg", "b.png", "c.JPG"):
    (folder / name).write_bytes(b"no picture")
  with pytest.raises(DataError, match="'b.png'.*; give a picture") as error:
    open_pictures(folder / "b.png", LSP14)
  assert "annotations" not in str(error.value) and "all" not in str(error.value)
  with pytest.raises(DataError, match="'a.jpg'.*all 3 in .* are damaged"):
    open_pictures(folder, LSP14)


def test_what_is_no_picture_is_refused(folder, tmp_path):
  (tmp_path / "empty").mkdir()
  with pytest.raises(DataError, match="holds no picture"):
    open_pictures(tmp_path / "empty", LSP14)
  with pytest.raises(DataError, match=r"'notes.txt'.* no JPEG or PNG"):
    open_pictures(folder / "notes.txt", LSP14)
  with pytest.raises(DataError, match="cannot read image"):
    open_pictures(folder / "gone.jpg", LSP14)
