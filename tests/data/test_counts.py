import dataclasses

import pytest

from pose_jax.data import counts
from pose_jax.data.coco import open_coco
from pose_jax.data.datasets import open_dataset


@pytest.mark.parametrize(
  "name, split",
  [
    ("lsp", "train"),
    ("lsp", "test"),
    *(("lspet", split) for split in ("train", "val", "all")),
  ],
)
def test_the_complete_shared_sets_are_as_published(shared_data, name, split):
  section = dict(name=name, root=str(shared_data), split=split)
  people = open_dataset(section).people
  assert counts.difference(people, name, split) is None
  wanted = counts.PUBLISHED[name, split]
  assert counts.count(people) == dataclasses.replace(wanted, is_ours=False)
  # Only all of LSP-extended is published.
  assert wanted.is_ours == (name == "lspet" and split != "all")


def test_a_part_differs_in_words(shared_data):
  people = open_coco(
    shared_data / "coco/person_keypoints_minival.json",
    shared_data / "coco/images",
  ).people
  assert counts.count(people) == counts.Counts(65, 321, 158)
  by_file = counts.difference(people, "coco", "person_keypoints_val2017")
  assert (
    by_file
    == counts.difference(people, "coco", "val2017")
    == (
      "5,000 images expected, 65 found; 11,004 people expected, 321 found; "
      "6,352 people with keypoints expected, 158 found"
    )
  )


def test_of_unknown_splits_nothing_is_expected(make_coco):
  people = open_coco(*make_coco()).people
  assert counts.difference(people, "coco", "mine") is None


def test_only_what_is_known_is_compared(make_coco, monkeypatch):
  people = open_coco(*make_coco(num_images=3, people_per_image=2)).people
  known = dataclasses.replace(counts.Counts(), labelled=6)
  monkeypatch.setitem(counts.PUBLISHED, ("coco", "mine"), known)
  assert counts.difference(people, "coco", "mine") is None
  known = dataclasses.replace(known, people=7)
  monkeypatch.setitem(counts.PUBLISHED, ("coco", "mine"), known)
  assert counts.difference(people, "coco", "mine") == (
    "7 people expected, 6 found"
  )
