"""What predictions are written as, without a network."""

import dataclasses
import json
import types

import cv2
import numpy as np
import pytest

from launch.mistakes import ConfigError
from launch.predicted import make_folder
from pose_jax import draw
from pose_jax.data.pictures import open_pictures, with_boxes
from pose_jax.eval.predictions import of_people
from pose_jax.geometry import Frames
from pose_jax.skeleton import LSP14

ATTENTION = {"holistic": "crf", "crf_steps": 3}
EXPERIMENT = types.SimpleNamespace(
  skeleton=LSP14,
  frames=Frames((64, 48), (16, 12)),
  config=types.SimpleNamespace(model={"attention": ATTENTION}),
)


def pictures_of(folder, names=("a.jpg", "b.png"), boxes=()):
  folder.mkdir()
  _, data = cv2.imencode(".png", np.full((160, 200, 3), 90, np.uint8))
  for name in names:
    (folder / name).write_bytes(data.tobytes())
  pictures = open_pictures(folder, LSP14)
  if not boxes:
    return pictures
  path = folder / "boxes.json"
  entry = {"category_id": 1, "score": 0.5}
  rows = [{"image_id": i, "bbox": box, **entry} for i, box in boxes]
  path.write_text(json.dumps(rows))
  return with_boxes(pictures, path)


BOXES = (
  *((2, [10, 10, 50, 90]), (1, [5, 5, 60, 60])),
  *((2, [90, 20, 80, 80]), (2, [20, 90, 40, 40])),
)


def predicted(pictures, score=0.8):
  """Row r's keypoint k at (20 + 12 k, 30 + 30 r)."""
  people = pictures.dataset.people
  rows = np.arange(len(people))
  kpts = np.zeros((len(rows), 14, 2))
  kpts[..., 0] = 20 + 12 * np.arange(14)
  kpts[..., 1] = 30 + 30 * rows[:, None]
  found = of_people(people, rows, kpts, np.full((len(rows), 14), score))
  found.person_ids[:] = rows
  return found


def test_results_name_the_picture_and_count_its_people(tmp_path):
  pictures = pictures_of(tmp_path / "in", boxes=BOXES)
  folder = make_folder(tmp_path / "out", EXPERIMENT, pictures)
  found = predicted(pictures)
  folder.write_results(found.select(np.array([3, 0, 1])))  # suppressed: 2
  entries = json.loads((tmp_path / "out/predictions.json").read_text())
  assert [(e["file_name"], e["image_id"], e["number"]) for e in entries] == [
    *(("b.png", 2, 3), ("a.jpg", 1, 1), ("b.png", 2, 1)),
  ]
  assert entries[0]["keypoints"][:3] == [20, 120, 0.8]
  assert not any("person_id" in e for e in entries)


@pytest.mark.parametrize("boxes", [(), BOXES])
def test_keypoints_stand_where_they_are_in_the_enlarged_picture(
  tmp_path, boxes
):
  pictures = pictures_of(tmp_path / "in", boxes=boxes)
  folder = make_folder(tmp_path / "out", EXPERIMENT, pictures)
  assert folder.write_pictures(predicted(pictures)) == 2
  images = {p.name for p in (tmp_path / "out").iterdir()}
  assert images == {"a.jpg", "b.jpg"}
  image = folder._drawn(0, predicted(pictures).select(np.array([0])))
  assert image.shape == (512, 640, 3)  # 3.2 times
  for k in (0, 6, 13):
    x, y = (np.array([20 + 12 * k, 30]) + 0.5) * 3.2 - 0.5
    assert tuple(image[round(y), round(x)]) == draw.side(LSP14.keypoints[k])
  is_white = (image[24:200, 15:20] > 200).all(-1).any(1)  # box 5 5 60 60
  assert is_white.mean() > 0.9 if boxes else not is_white.any()


def test_unsure_keypoints_are_hollow_and_those_not_found_are_not_drawn(
  tmp_path,
):
  pictures = pictures_of(tmp_path / "in")
  folder = make_folder(tmp_path / "out", EXPERIMENT, pictures)
  x, y = (np.array([20, 30]) + 0.5) * 3.2 - 0.5
  for score, color in ((0.1, draw.RIM), (0.0, (90, 90, 90))):
    found = predicted(pictures, score).select(np.array([0]))
    image = folder._drawn(0, found)
    assert tuple(image[round(y), round(x)]) == color


def test_absent_keypoints_are_written_and_not_drawn(tmp_path):
  """Of the probabilities 0, 0.1, ..., 1.3 those below a half."""
  pictures = pictures_of(tmp_path / "in")
  folder = make_folder(tmp_path / "out", EXPERIMENT, pictures)
  people = pictures.dataset.people
  sure = predicted(pictures)
  presence = np.minimum(np.arange(14) / 10, 1)[None]
  found = of_people(
    *(people, np.array([0]), sure.kpts_xys_img[:1, :, :2]),
    np.full((1, 14), 0.8),
    presence=presence,
    presence_threshold=0.5,
  )
  found.person_ids[:] = 0
  folder.write_results(found)
  (entry,) = json.loads((tmp_path / "out/predictions.json").read_text())
  assert entry["presence"] == presence[0].tolist()
  assert entry["keypoints"][:6] == [20, 30, 0, 32, 30, 0]
  image = folder._drawn(0, found)
  for k in (0, 4, 5, 13):
    x, y = (np.array([20 + 12 * k, 30]) + 0.5) * 3.2 - 0.5
    color = draw.side(LSP14.keypoints[k]) if k >= 5 else (90, 90, 90)
    assert tuple(image[round(y), round(x)]) == color


def test_attention_is_named_after_its_person(tmp_path):
  pictures = pictures_of(tmp_path / "in", boxes=BOXES)
  folder = make_folder(tmp_path / "out", EXPERIMENT, pictures)
  maps = {"refined": np.ones((16, 12, 1), np.float32)}
  for row in range(4):
    folder.write_attention(row, np.zeros((64, 48, 3), np.uint8), maps)
  assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
    "a_attention.jpg",
    *(f"b_{n}_attention.jpg" for n in (1, 2, 3)),
  ]


def test_pictures_of_one_stem_have_names_of_their_own(tmp_path):
  names = ("a.jpg", "a.png", "b.jpg")
  folder = make_folder(
    tmp_path / "out", EXPERIMENT, pictures_of(tmp_path / "in", names)
  )
  assert folder.names == ("a_jpg", "a_png", "b")


def test_nothing_is_overwritten(tmp_path):
  pictures = pictures_of(tmp_path / "in")
  with pytest.raises(ConfigError, match="would be overwritten"):
    make_folder(tmp_path / "out" / ".." / "in", EXPERIMENT, pictures)


@pytest.mark.parametrize(
  "names, boxes, file",
  [
    (("a.jpg", "a_attention.jpg"), (), "a_attention.jpg"),
    # Two people in a, one in a_1.
    (("a.jpg", "a_1.jpg"), (1, 1, 2), "a_1_attention.jpg"),
    (("a.jpg", "a_2_attention.jpg"), (1, 1, 2), "a_2_attention.jpg"),
  ],
)
def test_no_two_files_have_one_name(tmp_path, names, boxes, file):
  boxes = [(i, [10, 10 * n, 50, 60]) for n, i in enumerate(boxes)]
  pictures = pictures_of(tmp_path / "in", names, boxes)
  out = tmp_path / "out"
  with pytest.raises(
    ConfigError, match=f"{file} would be written for .*: rename one of"
  ) as caught:
    make_folder(out, EXPERIMENT, pictures, with_attention=True)
  assert all(name in str(caught.value) for name in names)
  assert not out.exists()
  folder = make_folder(out, EXPERIMENT, pictures)
  folder.write_pictures(predicted(pictures))
  assert len(list(out.iterdir())) == 2


def test_names_made_longer_are_not_another_pictures(tmp_path):
  pictures = pictures_of(tmp_path / "in", ("a.jpg", "a.png", "a_png.jpg"))
  with pytest.raises(ConfigError, match="a_png.jpg would be written for a.png"):
    make_folder(tmp_path / "out", EXPERIMENT, pictures)


def test_pictures_that_get_no_file_stand_in_nobodys_way(tmp_path):
  names = ("a.jpg", "a_1.jpg", "a_1_attention.jpg")
  boxes = [(1, [10, 10, 50, 60]), (1, [90, 10, 50, 60])]
  pictures = pictures_of(tmp_path / "in", names, boxes)
  folder = make_folder(
    tmp_path / "out", EXPERIMENT, pictures, with_attention=True
  )
  assert folder.counts.tolist() == [2, 0, 0]


def test_as_many_pictures_as_coco_has_take_seconds(tmp_path):
  """Anything that looked through all pictures for each would take hours."""
  few, count = pictures_of(tmp_path / "in", ("0.jpg",)), 118_000
  rows, dataset = np.zeros(count, int), few.dataset
  people = dataclasses.replace(
    dataset.people.select(rows[:0]),
    image_names=tuple(f"{i:012}.jpg" for i in range(count)),
    image_ids=np.arange(count),
    image_hw=dataset.people.image_hw[rows],
  )
  images = dataclasses.replace(dataset.images, names=people.image_names)
  dataset = dataclasses.replace(dataset, people=people, images=images)
  content = {
    "images": [
      {"id": i, "file_name": name} for i, name in enumerate(people.image_names)
    ],
    "annotations": [
      {"id": i, "image_id": i // 2, "bbox": [1, 2, 30, 40], "category_id": 1}
      for i in range(2 * count)
    ],
  }
  path = tmp_path / "boxes.json"
  path.write_text(json.dumps(content))
  pictures = with_boxes(dataclasses.replace(few, dataset=dataset), path)
  folder = make_folder(
    tmp_path / "out", EXPERIMENT, pictures, with_attention=True
  )
  assert len(folder.names) == count and folder.who(5) == "000000000002_2"
