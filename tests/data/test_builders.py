"""What is written, as TFDS alone sees it, and what is never left behind."""

import fcntl
import json
import sys

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from pose_jax.data import shards
from pose_jax.data.builders import without_images, write_prepared
from pose_jax.data.coco import open_coco
from pose_jax.data.images import DataError, decode
from pose_jax.data.prepared import open_prepared

NUM = 9


@pytest.fixture(autouse=True)
def four_a_shard(monkeypatch):
  monkeypatch.setattr(shards, "IMAGES_PER_SHARD", 4)


def edited(content):
  """Image 2 has nobody, image 4 a crowd."""
  content["annotations"] = [
    a for a in content["annotations"] if a["image_id"] != 102
  ]
  content["annotations"][4]["iscrowd"] = 1


@pytest.fixture
def raw(make_coco):
  return open_coco(*make_coco(num_images=NUM, edit=edited), split="mine")


def examples(tmp_path):
  folder = tmp_path / "out/coco/mine/1.0.0"
  return tfds.builder_from_directory(folder).as_data_source(split="images")


def test_tfds_alone_reads_images_and_people(tmp_path, raw):
  info, was_there = write_prepared(raw, tmp_path / "out", "mine")
  assert not was_there and (info.num_images, info.num_people) == (NUM, 16)
  found, people = examples(tmp_path), raw.people
  assert len(found) == NUM and "tensorflow" not in sys.modules
  for i in range(NUM):
    example, rows = found[i], np.flatnonzero(people.image_index == i)
    image = decode(raw.images.read(i), "")
    np.testing.assert_array_equal(example["image"], image)
    assert example["name"].decode() == people.image_names[i]
    assert example["image_id"] == people.image_ids[i]
    assert tuple(example["hw"]) == image.shape[:2]
    for feature, column in (
      ("id", people.person_ids),
      ("box_xywh", people.box_xywh_img),
      ("keypoints_xy", people.kpts_xy_img),
      ("vis", people.vis),
      ("area", people.area),
      ("is_crowd", people.is_crowd),
      ("score", people.score),
      ("head_size", people.head_size),
    ):
      got = example["people"][feature]
      assert got.dtype == column.dtype, feature
      np.testing.assert_array_equal(got, column[rows], err_msg=feature)
  assert found[2]["people"]["keypoints_xy"].shape == (0, 17, 2)


def test_other_kinds_of_images_keep_their_bytes(tmp_path, make_coco):
  """A grey JPEG, a PNG with alpha and one of 16 bits, as data may have them."""
  annotations, folder = make_coco(num_images=3)
  picture = np.random.default_rng(0).integers(0, 255, (96, 128, 4), np.uint8)
  cv2.imwrite(str(folder / "000.jpg"), picture[..., 0])
  for name, image in (
    ("001.jpg", picture),
    ("002.jpg", picture * np.uint16(9)),
  ):
    (folder / name).write_bytes(cv2.imencode(".png", image)[1].tobytes())
  raw = open_coco(annotations, folder)
  write_prepared(raw, tmp_path / "out", "mine")
  prepared = open_prepared(tmp_path / "out", "coco", "mine")
  for i in range(3):
    assert prepared.images.read(i) == raw.images.read(i)


def test_what_is_there_is_not_written_again(tmp_path, raw):
  first, _ = write_prepared(raw, tmp_path / "out", "mine")
  folder = tmp_path / "out/coco/mine/1.0.0"
  before = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
  told = []
  again, was_there = write_prepared(
    raw, tmp_path / "out", "mine", progress=lambda *n: told.append(n)
  )
  assert was_there and again == first and not told
  assert before == {p: p.stat().st_mtime_ns for p in folder.iterdir()}


def test_another_set_of_that_name_is_not_overwritten(tmp_path, raw, make_coco):
  write_prepared(raw, tmp_path / "out", "mine", source="here")
  other = open_coco(*make_coco(num_images=NUM), split="mine")
  with pytest.raises(DataError, match="holds another set .made from here"):
    write_prepared(other, tmp_path / "out", "mine")
  with pytest.raises(DataError, match="holds another set"):
    write_prepared(raw, tmp_path / "out", "mine", options={"boxes": "image"})


def test_broken_images_are_skipped_with_their_people(tmp_path, raw):
  root, people = raw.images.root, raw.people
  (root / "003.jpg").write_bytes((root / "003.jpg").read_bytes()[:200])
  (root / "008.jpg").unlink()
  info, _ = write_prepared(raw, tmp_path / "out", "mine", max_skipped=0.3)
  assert (info.num_images, info.num_people, info.num_skipped) == (7, 12, 2)
  folder = tmp_path / "out/coco/mine/1.0.0"
  skipped = json.loads((folder / "skipped.json").read_text())
  assert [s["image"] for s in skipped] == ["003.jpg", "008.jpg"]
  assert [s["image_id"] for s in skipped] == [103, 108]
  assert "ends early" in skipped[0]["reason"]
  assert "No such file" in skipped[1]["reason"]
  for s, i in zip(skipped, (3, 8), strict=True):
    assert s["people"] == people.person_ids[people.image_index == i].tolist()
  prepared = open_prepared(tmp_path / "out", "coco", "mine")
  kept = prepared.people
  assert len(prepared.images) == 7
  for row, i in enumerate((0, 1, 2, 4, 5, 6, 7)):
    assert prepared.images.read(row) == raw.images.read(i)
    assert kept.image_names[row] == people.image_names[i]
    np.testing.assert_array_equal(
      kept.kpts_xy_img[kept.image_index == row],
      people.kpts_xy_img[people.image_index == i],
    )
  # Mended later, a prepared set stays as it is until it is removed.
  _, was_there = write_prepared(raw, tmp_path / "out", "mine")
  assert was_there


def test_too_many_broken_images_are_an_error_that_leaves_no_set(tmp_path, raw):
  for name in ("001.jpg", "003.jpg"):
    (raw.images.root / name).write_text("no image")
  with pytest.raises(DataError, match="2 of the first 4 .*max_skipped"):
    write_prepared(raw, tmp_path / "out", "mine")
  with pytest.raises(DataError, match="is not prepared"):
    open_prepared(tmp_path / "out", "coco", "mine")


def test_tables_without_some_images_point_at_the_right_ones(raw):
  people = raw.people
  assert without_images(people, []).image_names == people.image_names
  kept = without_images(people, [0, 7])
  assert kept.image_names == tuple(
    name for i, name in enumerate(people.image_names) if i not in (0, 7)
  )
  for i, person in enumerate(kept.person_ids):
    (before,) = np.flatnonzero(people.person_ids == person)
    assert (
      kept.image_names[kept.image_index[i]]
      == people.image_names[people.image_index[before]]
    )
  assert len(kept) == len(people) - 4


def test_what_earlier_runs_left_is_cleaned_up(tmp_path, raw):
  parent = tmp_path / "out/coco/mine"
  for stale in ("incomplete.ABC123_1.0.0", ".writing-1.0.0-0123456789abcdef"):
    (parent / stale / "deep").mkdir(parents=True)
  write_prepared(raw, tmp_path / "out", "mine")
  assert sorted(p.name for p in parent.iterdir()) == [".lock", "1.0.0"]
  assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["coco"]


def test_a_run_that_was_stopped_goes_on(tmp_path, raw):
  def stop(done, total):
    if done == 6:
      raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    write_prepared(raw, tmp_path / "out", "mine", progress=stop)
  with pytest.raises(DataError, match="is not prepared"):
    open_prepared(tmp_path / "out", "coco", "mine")
  told = []
  write_prepared(
    raw, tmp_path / "out", "mine", progress=lambda *n: told.append(n[0])
  )
  assert told[:2] == [4, 5] and told[-1] == NUM
  write_prepared(raw, tmp_path / "unbroken", "mine")
  for path in (tmp_path / "unbroken/coco/mine/1.0.0").iterdir():
    other = tmp_path / "out/coco/mine/1.0.0" / path.name
    assert path.read_bytes() == other.read_bytes(), path.name


def test_one_process_at_a_time(tmp_path, raw):
  parent = tmp_path / "out/coco/mine"
  parent.mkdir(parents=True)
  with open(parent / ".lock", "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    with pytest.raises(DataError, match="another process is preparing"):
      write_prepared(raw, tmp_path / "out", "mine")


def test_impossible_requests_are_refused(tmp_path, raw):
  for split in ("", "a/b", "..", ".hidden", "a b"):
    with pytest.raises(DataError, match="split cannot be called"):
      write_prepared(raw, tmp_path / "out", split)
  (tmp_path / "file").write_text("")
  with pytest.raises(DataError, match="cannot write to .*file"):
    write_prepared(raw, tmp_path / "file", "mine")
  assert not (tmp_path / "out").exists()


def test_a_set_without_images_is_refused(tmp_path, make_coco):
  raw = open_coco(*make_coco(num_images=0))
  with pytest.raises(DataError, match="no images"):
    write_prepared(raw, tmp_path / "out", "mine")


def test_tfds_writes_nothing_on_the_screen(tmp_path, raw, capfd):
  write_prepared(raw, tmp_path / "out", "mine")
  out, err = capfd.readouterr()
  assert out == "" and "it/s" not in err and "Generating" not in err
