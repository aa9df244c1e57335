"""The table's file: bit for bit, fast, and never silently damaged."""

import dataclasses
import time

import numpy as np
import pytest

from pose_jax.data.images import DataError
from pose_jax.data.people import People
from pose_jax.data.people_file import digest, read_people, write_people
from pose_jax.skeleton import COCO17, LSP14, Skeleton

# Not one of the known ones: it must survive by content.
OWN = Skeleton(
  name="triangle",
  keypoints=("left_tip", "right_tip", "top"),
  flip_pairs=((0, 1),),
  links=(),
  bones=((0, 2), (1, 2)),
  upper=(2,),
  lower=(0, 1),
  oks_sigmas=(0.1, 0.1, 1 / 3),
  pck_pair=(0, 2),
)


def table(num=7, num_images=4, skeleton=OWN, seed=0):
  rng = np.random.default_rng(seed)
  k = skeleton.num_keypoints
  return People(
    skeleton=skeleton,
    image_names=tuple(f"f {i}/ä\n{i}.jpg" for i in range(num_images)),
    image_ids=rng.permutation(num_images).astype(np.int64) - 2,
    image_hw=rng.integers(0, 500, (num_images, 2)).astype(np.int32),
    image_index=rng.integers(0, num_images, num).astype(np.int32),
    person_ids=rng.permutation(num).astype(np.int64) + 2**40,
    box_xywh_img=rng.random((num, 4)).astype(np.float32),
    kpts_xy_img=rng.random((num, k, 2)).astype(np.float32),
    vis=rng.integers(0, 3, (num, k)).astype(np.int8),
    area=rng.random(num).astype(np.float32),
    is_crowd=rng.random(num) < 0.5,
    score=rng.random(num).astype(np.float32),
    box_source="detections “x”.json",
    head_size=rng.random(num).astype(np.float32),
    repeats=rng.random(num).astype(np.float32),
  )


def assert_bit_equal(a, b):
  for field in dataclasses.fields(People):
    x, y = getattr(a, field.name), getattr(b, field.name)
    if isinstance(x, np.ndarray):
      assert (x.dtype, x.shape) == (y.dtype, y.shape), field.name
      assert x.tobytes() == y.tobytes(), field.name
    else:
      assert x == y, field.name


@pytest.mark.parametrize(
  "people",
  [table(), table(0), table(0, 0), table(3, 1, LSP14), table(5, 5, COCO17)],
  ids=["own", "nobody", "nothing", "lsp14", "coco17"],
)
def test_every_field_comes_back_bit_for_bit(tmp_path, people):
  write_people(tmp_path / "people.npz", people)
  read = read_people(tmp_path / "people.npz")
  assert_bit_equal(people, read)
  assert digest(people) == digest(read)


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(People)])
def test_the_digest_sees_every_field(name):
  people = table()
  value = getattr(people, name)
  if name == "skeleton":
    changed = dataclasses.replace(OWN, oks_sigmas=(0.1, 0.1, 0.2))
  elif name == "image_names":
    changed = (*value[:-1], "other")
  elif isinstance(value, str):
    changed = value + "x"
  elif name == "image_index":
    changed = (value + 1) % np.int32(4)
  elif name == "vis":
    changed = (value + 1) % np.int8(3)
  else:
    changed = ~value if value.dtype == bool else value + value.dtype.type(1)
  other = dataclasses.replace(people, **{name: changed})
  assert digest(people) != digest(other)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.99])
def test_a_cut_file_is_no_table(tmp_path, share):
  path = tmp_path / "people.npz"
  write_people(path, table(50))
  data = path.read_bytes()
  path.write_bytes(data[: int(share * len(data))])
  with pytest.raises(DataError, match="people.npz"):
    read_people(path)


def test_a_changed_bit_is_found(tmp_path):
  path = tmp_path / "people.npz"
  people = table(50)
  write_people(path, people)
  data = bytearray(path.read_bytes())
  at = data.find(people.kpts_xy_img.tobytes())
  assert at > 0
  data[at + 5] ^= 4
  path.write_bytes(data)
  with pytest.raises(DataError, match="people.npz is damaged"):
    read_people(path)


def test_a_missing_file_is_named(tmp_path):
  with pytest.raises(DataError, match="no table of people .*nothing.npz"):
    read_people(tmp_path / "nothing.npz")


def test_a_table_as_large_as_coco_opens_in_less_than_two_seconds(tmp_path):
  people = table(150_000, 118_287, COCO17)
  write_people(tmp_path / "people.npz", people)
  start = time.perf_counter()
  read = read_people(tmp_path / "people.npz")
  assert time.perf_counter() - start < 2.0
  assert len(read) == 150_000
