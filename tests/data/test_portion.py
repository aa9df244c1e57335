"""Portions: the order against Vigna's generator, rows, ids, bytes, names."""

import dataclasses

import numpy as np
import pytest
from made_people import make_people, standing
from test_people_file import assert_bit_equal
from test_prepared import prepare

from pose_jax.data.datasets import open_dataset
from pose_jax.data.people import Dataset
from pose_jax.data.portion import drawn_order, parse_portion, portion_of


@dataclasses.dataclass(frozen=True)
class Numbers:
  """A source whose image i is its number, as text."""

  ids: tuple[int, ...]

  def __len__(self):
    return len(self.ids)

  def name(self, i):
    return f"number {self.ids[i]}"

  def read(self, i):
    return str(self.ids[i]).encode()


def numbered(num_images=40, every=3):
  """People in every `every`-th image only, two in each."""
  images = np.repeat(np.arange(0, num_images, every), 2)
  ids = 100 + 7 * np.arange(num_images)
  people = make_people(
    standing(len(images)),
    images=images,
    image_names=tuple(f"{i}.png" for i in range(num_images)),
    image_ids=ids,
    image_hw=np.full((num_images, 2), 300, np.int32),
  )
  return Dataset("set", "train", people, Numbers(tuple(ids.tolist())))


def splitmix64(seed):
  """Vigna's splitmix64.c with Python's whole numbers: the first output."""
  wrap = 2**64 - 1
  z = (seed + 0x9E3779B97F4A7C15) & wrap
  z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & wrap
  z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & wrap
  return z ^ (z >> 31)


def test_the_order_is_that_of_hashes_salted_with_the_seed():
  assert splitmix64(0) == 0xE220A8397B1DCDAF  # as published for seed 0
  ids = np.array([5, 0, -3, 10**12, 139, 785], np.int64)
  for seed in (0, 1, 2**40):
    wanted = sorted(
      range(len(ids)),
      key=lambda i, s=seed: splitmix64((int(ids[i]) % 2**64) ^ splitmix64(s)),
    )
    assert drawn_order(ids, seed).tolist() == wanted


def test_people_and_images_of_a_portion_are_those_of_the_set():
  whole = numbered()
  part = portion_of(whole, 5, 30, seed=3)
  assert part.split == "train[5:30 of seed 3]" and part.name == "set"
  assert len(part.images) == len(part.people.image_names) == 25
  drawn = set(drawn_order(whole.people.image_ids, 3)[5:30].tolist())
  wanted = [
    person
    for person, row in zip(
      whole.people.person_ids, whole.people.image_index, strict=True
    )
    if row in drawn
  ]
  assert part.people.person_ids.tolist() == wanted and 0 < len(wanted) < 28
  for i in range(25):
    number = part.people.image_ids[i]
    assert part.images.read(i) == str(number).encode()
    assert part.images.name(np.int64(i)) == f"number {number}"
    assert part.people.image_names[i] == f"{(number - 100) // 7}.png"
  for person, row in zip(
    part.people.person_ids, part.people.image_index, strict=True
  ):
    before = np.flatnonzero(whole.people.person_ids == person)[0]
    assert (
      part.people.image_ids[row]
      == (whole.people.image_ids[whole.people.image_index[before]])
    )


def test_portions_of_one_seed_share_no_image_and_make_up_the_whole():
  whole = numbered()
  parts = [portion_of(whole, *p, seed=0) for p in ((0, 7), (7, 30), (30, 40))]
  ids = np.concatenate([part.people.image_ids for part in parts])
  np.testing.assert_array_equal(np.sort(ids), whole.people.image_ids)
  assert sum(len(part.people) for part in parts) == len(whole.people)
  other = portion_of(whole, 0, 7, seed=1).people.image_ids
  assert set(other.tolist()) != set(parts[0].people.image_ids.tolist())


def test_a_portion_is_no_run_of_numbers_and_all_images_are_as_likely():
  """Over seeds, each of 40 images is in the first half about half the time."""
  ids = np.arange(40, dtype=np.int64)
  counts = np.zeros(40)
  for seed in range(400):
    counts[drawn_order(ids, seed)[:20]] += 1
  # 400 fair coins: deviation 10; the extreme of 40 images is below 4 of them.
  assert np.abs(counts - 200).max() < 40


def test_an_image_that_is_missing_moves_the_others_by_one_place():
  ids = np.arange(1000, 1100, dtype=np.int64)
  order = ids[drawn_order(ids, 0)]
  without = np.delete(ids, 40)
  again = without[drawn_order(without, 0)]
  np.testing.assert_array_equal(again, order[order != ids[40]])


def test_prepared_and_raw_portions_are_the_same(make_coco, tmp_path):
  annotations, images = make_coco(num_images=9)
  section = dict(
    name="coco",
    root=str(annotations.parent),
    annotations=annotations.name,
    images=images.name,
    split="mine",
    portion=(2, 7),
    seed=4,
  )
  raw = open_dataset(section)
  prepare(section, tmp_path / "out")
  prepared = open_dataset(
    section | {"root": None, "data_dir": str(tmp_path / "out")}
  )
  assert raw.split == prepared.split == "annotations[2:7 of seed 4]"
  assert_bit_equal(raw.people, prepared.people)
  for i in range(5):
    assert raw.images.read(i) == prepared.images.read(i)
    assert raw.images.name(i) == prepared.images.name(i)
  assert len(open_dataset(section | {"portion": ()}).images) == 9


def test_joined_sets_are_portioned_as_one(make_coco):
  annotations, _ = make_coco()
  again = annotations.with_name("again.json")
  again.write_bytes(annotations.read_bytes())
  dataset = open_dataset(
    dict(
      name="coco+coco",
      root=str(annotations.parent),
      annotations="annotations.json+again.json",
      images="images",
      portion=(0, 8),
    )
  )
  assert dataset.split == "annotations+again[0:8 of seed 0]"
  assert len(dataset.images) == 8 and len(dataset.people) == 16
  assert "coco a" in dataset.images.name(0)


@pytest.mark.parametrize(
  "first, last, seed, sentence",
  [
    (0, 41, 0, r"\(0, 41\), but set train has 40 images: end it at 40 at most"),
    (3, 3, 0, "wanted 0 <= first < last"),
    (-1, 3, 0, "wanted 0 <= first < last"),
    (0, 3, -1, "a seed from 0"),
  ],
)
def test_portions_that_are_none_are_refused(first, last, seed, sentence):
  with pytest.raises(ValueError, match=sentence):
    portion_of(numbered(), first, last, seed=seed)


def test_a_section_says_nothing_or_two_places():
  assert parse_portion(()) is None and parse_portion([0, 5]) == (0, 5)
  for wrong in ((5,), (0, 1.0), (True, 5), (7, 5), "ab"):
    with pytest.raises(ValueError, match="wanted .first, last., places in"):
      parse_portion(wrong)
