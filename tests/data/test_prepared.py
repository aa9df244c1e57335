"""Prepared sets: the same people, the same bytes, and sentences."""

import concurrent.futures
import json
import pathlib
import pickle
import shutil

import numpy as np
import pytest
from test_people_file import assert_bit_equal

from pose_jax.data import shards
from pose_jax.data.augment import Augmentation
from pose_jax.data.builders import write_prepared
from pose_jax.data.datasets import DATASETS, open_dataset, prepared_as
from pose_jax.data.images import DataError
from pose_jax.data.pipeline import make_batches
from pose_jax.data.prepared import open_prepared
from pose_jax.geometry import Frames
from pose_jax.skeleton import COCO17, LSP14

FRAMES = Frames(crop_hw=(64, 48), map_hw=(16, 12))


def prepare(section, data_dir, skeleton=COCO17):
  """As launch.prepare does."""
  dataset = DATASETS[section["name"]](section, skeleton)
  wanted = prepared_as(section)
  write_prepared(dataset, data_dir, wanted.split, options=wanted.options)


def assert_same_set(raw, prepared):
  assert (raw.name, raw.split) == (prepared.name, prepared.split)
  assert_bit_equal(raw.people, prepared.people)
  assert len(raw.images) == len(prepared.images)
  for i in range(len(raw.images)):
    assert raw.images.name(i) == prepared.images.name(i)
    assert raw.images.read(i) == prepared.images.read(np.int64(i))


@pytest.fixture
def section(make_coco, monkeypatch):
  monkeypatch.setattr(shards, "IMAGES_PER_SHARD", 4)
  annotations, images = make_coco(num_images=11)
  return dict(
    name="coco",
    root=str(annotations.parent),
    annotations=annotations.name,
    images=images.name,
    split="mine",
  )


@pytest.fixture
def prepared(section, tmp_path):
  """The section of the prepared form; needs no root."""
  prepare(section, tmp_path / "out")
  return section | {"root": None, "data_dir": str(tmp_path / "out")}


def folder_of(prepared):
  return pathlib.Path(prepared["data_dir"]) / "coco/mine/1.0.0"


def test_coco_is_the_same_raw_and_prepared(section, prepared):
  assert_same_set(open_dataset(section), open_dataset(prepared))
  # The split is enough to find it.
  short = dict(name="coco", data_dir=prepared["data_dir"], split="mine")
  assert_same_set(open_dataset(section), open_dataset(short))


def test_a_configs_own_file_plays_no_part_in_a_prepared_split(prepared):
  other = prepared | dict(
    annotations="annotations/person_keypoints_train2017.json",
    images="train2017",
  )
  assert_same_set(open_dataset(prepared), open_dataset(other))


def test_drawn_people_are_the_same_raw_and_prepared(tmp_path):
  section = dict(name="drawn", root=str(tmp_path), num_images=3, seed=4)
  prepare(section, tmp_path / "out")
  for split in ("train", "val", ""):
    raw = section | {"split": split}
    prepared = raw | {"root": None, "data_dir": str(tmp_path / "out")}
    assert_same_set(open_dataset(raw), open_dataset(prepared))


@pytest.mark.parametrize("name, split", [("lsp", "test"), ("lspet", "val")])
def test_leeds_is_the_same_raw_and_prepared(shared_data, tmp_path, name, split):
  section = dict(name=name, root=str(shared_data), split=split)
  prepare(section, tmp_path)
  prepared = dict(name=name, data_dir=str(tmp_path), split=split)
  assert_same_set(open_dataset(section), open_dataset(prepared))


def test_the_values_of_a_prepared_set_open_it(section, prepared, tmp_path):
  drawn = dict(name="drawn", root=str(tmp_path), num_images=2, seed=4)
  prepare(drawn, prepared["data_dir"])
  for raw in (section, drawn):
    values = prepared_as(raw).values
    short = dict(name=raw["name"], data_dir=prepared["data_dir"], **values)
    assert_same_set(open_dataset(raw), open_dataset(short))


def test_raw_and_prepared_sets_can_be_joined(shared_data, tmp_path):
  prepare(dict(name="lsp", root=str(shared_data), split="test"), tmp_path)
  section = dict(name="lsp+lspet", root=str(shared_data), split="test+val")
  mixed = section | {"data_dir": f"{tmp_path}+"}
  assert_same_set(
    open_dataset(section, skeleton=LSP14), open_dataset(mixed, skeleton=LSP14)
  )


def batches(section, **options):
  return list(
    make_batches(
      open_dataset(section),
      FRAMES,
      batch_size=4,
      seed=3,
      augmentation=Augmentation(scale_factor=0.3, flip_probability=0.5),
      num_steps=4,
      **options,
    )
  )


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_in_threads_and_workers(
  section, prepared, workers
):
  got = batches(prepared, num_workers=workers, num_threads=2)
  for a, b in zip(batches(section), got, strict=True):
    assert a.keys() == b.keys()
    for key in a:
      np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_threads_share_a_source_and_pickles_take_no_open_file(prepared):
  images = open_dataset(prepared).images
  wanted = [images.read(i) for i in range(len(images))]
  order = np.random.default_rng(0).integers(0, len(images), 500)
  for source in (images, pickle.loads(pickle.dumps(images))):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
      for i, data in zip(order, pool.map(source.read, order), strict=True):
        assert data == wanted[i]


def test_what_is_not_prepared_names_the_command(prepared, tmp_path):
  for section, flags in (
    (dict(name="lsp", split="test"), "--dataset=lsp --split=test --boxes=keyp"),
    (
      dict(name="drawn", num_images=3, seed=2),
      "--dataset=drawn --num_images=3 --seed=2 --source=FOLDER",
    ),
    (
      prepared | {"split": "val"},
      "--split=val --annotations=FILE --images=FOLDER",
    ),
    (
      prepared | {"annotations": "of_mine.json"},
      "--split=mine --annotations=of_mine.json --images=images",
    ),
    (
      dict(
        name="coco",
        split="val2017",
        annotations="annotations/person_keypoints_val2017.json",
      ),
      "--dataset=coco --split=val2017 --source=FOLDER",
    ),
  ):
    with pytest.raises(
      DataError, match=f"is not prepared in .*launch.prepare .*{flags}"
    ):
      open_dataset(section | {"data_dir": str(tmp_path)})
  with pytest.raises(ValueError, match="coco needs split or annotations"):
    open_dataset(dict(name="coco", data_dir=str(tmp_path)))


def test_a_table_made_with_other_boxes_is_refused(prepared, shared_data):
  data_dir = prepared["data_dir"]
  prepare(dict(name="lsp", root=str(shared_data), split="test"), data_dir)
  with pytest.raises(DataError, match="boxes=keypoints, but boxes=image is"):
    open_dataset(
      dict(name="lsp", data_dir=data_dir, split="test", boxes="image")
    )


def test_another_version_is_said(prepared):
  folder = folder_of(prepared)
  folder.rename(folder.with_name("0.9.0"))
  with pytest.raises(
    DataError, match=r"another version .*0\.9\.0, wanted 1\.0"
  ):
    open_dataset(prepared)


def remove(name):
  return lambda folder: (folder / name).unlink()


def cut(name):
  def change(folder):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-7])

  return change


def fewer_images(folder):
  path = folder / "prepared.json"
  content = json.loads(path.read_text())
  path.write_text(json.dumps(content | {"num_images": 10}))


SHARD = "coco-images.array_record-00001-of-00003"


@pytest.mark.parametrize(
  "change, wanted",
  [
    (remove("prepared.json"), "prepared.json cannot be read"),
    (cut("prepared.json"), "prepared.json cannot be read"),
    (remove("people.npz"), "no table of people"),
    (cut("people.npz"), "people.npz is damaged"),
    (remove(SHARD), f"cannot read .*{SHARD}: No such"),
    (cut(SHARD), f"{SHARD} is damaged: it has"),
    (remove("features.json"), "is damaged"),
    (remove("dataset_info.json"), "is damaged"),
    (cut("dataset_info.json"), "is damaged"),
    (fewer_images, "it has 11 images, a table of 11 and should have 10"),
  ],
)
def test_a_damaged_set_is_not_opened(prepared, change, wanted):
  change(folder_of(prepared))
  with pytest.raises(DataError, match=wanted):
    open_prepared(prepared["data_dir"], "coco", "mine")


def test_a_changed_record_is_found_when_it_is_read(prepared):
  path = folder_of(prepared) / SHARD
  data = bytearray(path.read_bytes())
  image = open_dataset(prepared).images.read(5)
  at = data.find(image[-60:-20])  # headers are alike in all
  assert at > 0
  data[at] ^= 1
  path.write_bytes(data)
  images = open_dataset(prepared).images
  with pytest.raises(
    DataError, match="prepared image '005.jpg' .* cannot be read: .*mismatch"
  ):
    images.read(5)


def test_opening_reads_no_image(prepared):
  """The shards may be unreadable as long as their sizes are right."""
  for path in folder_of(prepared).glob("*.array_record-*"):
    path.write_bytes(bytes(path.stat().st_size))
  assert len(open_dataset(prepared).people) == 22


def test_a_set_can_be_moved(prepared, section, tmp_path):
  shutil.move(prepared["data_dir"], tmp_path / "elsewhere")
  moved = prepared | {"data_dir": str(tmp_path / "elsewhere")}
  assert_same_set(open_dataset(section), open_dataset(moved))
