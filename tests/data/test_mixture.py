"""Mixtures: sections of members, weights, ids that stay apart."""

import dataclasses
import pathlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_jax.data.images import DataError, FolderImages
from pose_jax.data.mixture import disjoint, join, member_sections, weigh
from pose_jax.data.people import Dataset, People
from pose_jax.skeleton import COCO17, LSP14

CHU = dict(
  name="mpii+lspet+lsp",
  root="MPII+LEEDS+LEEDS",
  split="train+all+train",
  annotations="",
  boxes="keypoints",
  seed=3,
  weights=(1.0, 0.5, 2.0),
)


def dataset(ids, name="set", split="train", skeleton=LSP14):
  """One person in each of the images of these ids."""
  num, k = len(ids), skeleton.num_keypoints
  people = People(
    skeleton=skeleton,
    image_names=tuple(f"{name}/{i}.jpg" for i in ids),
    image_ids=np.array(ids, np.int64),
    image_hw=np.full((num, 2), 9, np.int32),
    image_index=np.arange(num, dtype=np.int32),
    person_ids=np.array(ids, np.int64),
    box_xywh_img=np.ones((num, 4), np.float32),
    kpts_xy_img=np.ones((num, k, 2), np.float32),
    vis=np.ones((num, k), np.int8),
    area=np.ones(num, np.float32),
    is_crowd=np.zeros(num, bool),
    score=np.ones(num, np.float32),
  )
  return Dataset(
    name, split, people, FolderImages(pathlib.Path("."), people.image_names)
  )


def test_members_have_their_own_values_or_share_one():
  members = member_sections(CHU)
  assert [m["name"] for m in members] == ["mpii", "lspet", "lsp"]
  assert [m["root"] for m in members] == ["MPII", "LEEDS", "LEEDS"]
  assert [m["split"] for m in members] == ["train", "all", "train"]
  assert all(m["boxes"] == "keypoints" and m["seed"] == 3 for m in members)
  assert all(m["annotations"] == "" for m in members)
  assert "images" not in members[0]
  assert CHU["root"] == "MPII+LEEDS+LEEDS"  # nothing was changed in place


def test_a_member_may_have_an_empty_value():
  members = member_sections(CHU | dict(annotations="train.json++"))
  assert [m["annotations"] for m in members] == ["train.json", "", ""]


def test_a_lone_data_sets_values_are_never_taken_apart():
  section = dict(name="coco", root="/data/c++/coco", annotations="a+b.json")
  assert member_sections(section) == [section]


def test_no_root_is_no_root_of_any_member():
  assert [m["root"] for m in member_sections(CHU | {"root": None})] == [
    None
  ] * 3


def test_a_wrong_number_of_values_is_refused():
  with pytest.raises(
    ValueError, match=r"split 'train\+all' has 2 values .* the 3 data sets of"
  ):
    member_sections(CHU | {"split": "train+all"})


def test_weights_multiply_how_often_people_are_shown():
  sets = [dataset([1, 2]), dataset([3])]
  sets[0] = dataclasses.replace(
    sets[0],
    people=dataclasses.replace(sets[0].people, repeats=np.float32([1, 3])),
  )
  weighed = weigh(sets, (0.5, 2))
  assert [w.people.repeats.tolist() for w in weighed] == [[0.5, 1.5], [2.0]]
  assert weigh(sets, ()) == sets
  joined = join(weighed)
  np.testing.assert_array_equal(joined.people.repeats, [0.5, 1.5, 2.0])


def test_wrong_weights_are_refused():
  sets = [dataset([1], "a"), dataset([2], "b")]
  with pytest.raises(ValueError, match="3 numbers for 2 data sets: .* a, b"):
    weigh(sets, (1, 2, 3))
  for wrong in (0, -1.0, float("nan"), float("inf")):
    with pytest.raises(ValueError, match="weights has .* for b: .*left out"):
      weigh(sets, (1, wrong))


def test_joining_puts_images_and_people_one_after_the_other():
  parts = [dataset([4, 2], "a"), dataset([9], "b"), dataset([5, 6], "c")]
  joined = join(parts)
  assert (joined.name, joined.split) == ("a+b+c", "train")
  assert joined.people.person_ids.tolist() == [4, 2, 9, 5, 6]  # as they were
  for i, row in enumerate(joined.people.image_index):
    name = joined.people.image_names[row]
    member = name.split("/")[0]
    assert joined.images.name(row) == f"{member} train: {name}"
    assert name.endswith(f"{joined.people.person_ids[i]}.jpg")
  assert joined.describe(3) == "person 5 in image 'c train: c/5.jpg'"
  assert parts[2].describe(0) == "person 5 in image 'c/5.jpg'"
  with pytest.raises(DataError, match="share one skeleton"):
    join([dataset([1]), dataset([2], skeleton=COCO17)])


def test_splits_are_listed_where_they_differ():
  parts = [dataset([i], "a", split) for i, split in enumerate("tat")]
  assert join(parts).split == "t+a+t"


def test_one_data_set_stays_itself():
  lone = dataset([1])
  assert join([lone]) is lone


def test_shared_ids_move_by_a_power_of_ten_above_all():
  joined = join([dataset([1, 42]), dataset([42, 7]), dataset([123])])
  wanted = [1, 42, 1042, 1007, 2123]
  assert joined.people.image_ids.tolist() == wanted
  assert joined.people.person_ids.tolist() == wanted


def test_image_and_person_ids_move_each_for_itself():
  a, b = dataset([1]), dataset([1])
  b = dataclasses.replace(
    b, people=dataclasses.replace(b.people, person_ids=np.array([77]))
  )
  people = join([a, b]).people
  assert people.image_ids.tolist() == [1, 11]
  assert people.person_ids.tolist() == [1, 77]


@given(
  st.lists(
    st.lists(st.integers(-(10**9), 10**12), max_size=5, unique=True),
    min_size=1,
    max_size=4,
  )
)
def test_ids_end_up_apart_and_the_first_set_keeps_its_own(ids):
  tables = [np.array(part, np.int64) for part in ids]
  moved = disjoint(tables)
  assert len(np.unique(np.concatenate(moved))) == sum(map(len, ids))
  np.testing.assert_array_equal(moved[0], tables[0])
  for before, after in zip(tables, moved, strict=True):
    assert len(set((after - before).tolist())) <= 1


def test_negative_ids_do_not_come_to_lie_on_others():
  moved = disjoint([np.array([5, -85]), np.array([5, -95])])
  assert [part.tolist() for part in moved] == [[5, -85], [1005, 905]]


def test_ids_that_have_no_room_are_refused():
  high = np.array([2**63 - 1])
  with pytest.raises(ValueError, match="cannot be told apart in 64 bits"):
    disjoint([high, high])
