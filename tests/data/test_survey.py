"""Whole inspections: drawn parts with faults, and the real sets."""

import shutil

import cv2
import numpy as np
import pytest
from made_people import make_people, standing

from pose_jax.data.datasets import open_dataset
from pose_jax.data.image_facts import read_facts
from pose_jax.data.images import FolderImages
from pose_jax.data.inspection import keypoint_findings
from pose_jax.data.people import Dataset
from pose_jax.data.survey import same_files, survey


@pytest.fixture
def pictures(tmp_path):
  """Function (part, number) -> Dataset of pictures of noise."""

  def make(part, num):
    folder = tmp_path / part
    folder.mkdir()
    rng = np.random.default_rng(num)
    for i in range(num):
      coarse = rng.random((30, 20, 3)).astype(np.float32) * 255
      image = cv2.resize(coarse, (200, 300), interpolation=cv2.INTER_CUBIC)
      cv2.imwrite(str(folder / f"{i}.png"), image.clip(0, 255))
    people = make_people(standing(num))
    return Dataset(
      "made", part, people, FolderImages(folder, people.image_names)
    )

  return make


def test_good_parts_give_nothing(pictures):
  found = survey([pictures("a", 4), pictures("b", 5)])
  assert found.findings == () and not found.is_faulty
  got = found.as_json()
  assert [p["people"] for p in got["parts"]] == [4, 5]
  assert got["findings"] == [] and got["kinds"] == {}


def test_faults_stop_nothing_and_are_named_by_part(pictures):
  a, b = pictures("a", 4), pictures("b", 5)
  (a.images.root / "1.png").unlink()
  (b.images.root / "2.png").write_bytes(b"nothing")
  shutil.copy(a.images.root / "0.png", b.images.root / "3.png")
  told = []

  def progress(what, unit):
    told.append((what, unit))
    return lambda done, total: None

  found = survey([a, b], progress=progress)
  assert found.is_faulty
  rows = found.as_json()["findings"]
  got = [(r["kind"], r["split"], r["image"]) for r in rows]
  assert got == [
    ("missing_image", "a", "1.png"),
    ("broken_image", "b", "2.png"),
    ("copy_across", "a", "0.png"),
  ]
  assert rows[2]["other"] == {
    "dataset": "made",
    "split": "b",
    "image": "3.png",
    "image_id": 103,
  }
  assert [unit for _, unit in told] == ["images", "images", "pairs"]


def test_sets_compared_with_are_not_inspected(pictures):
  a, b = pictures("a", 4), pictures("b", 5)
  (b.images.root / "1.png").unlink()
  for name in ("3.png", "4.png"):
    shutil.copy(a.images.root / "0.png", b.images.root / name)
  found = survey([a], [b])
  kinds = [(f.kind, f.other_image) for f in found.findings]
  assert sorted(kinds) == [("copy_across", 3), ("copy_across", 4)]
  assert found.as_json()["compared_with"] == [{"name": "made", "split": "b"}]


def test_copies_within_a_part_are_told_apart(pictures):
  a = pictures("a", 4)
  shutil.copy(a.images.root / "0.png", a.images.root / "3.png")
  (finding,) = survey([a]).findings
  assert finding.kind == "copy"
  assert (finding.image, finding.other_image) == (0, 3)
  assert finding.size == pytest.approx(1.0, abs=1e-6)


def test_equal_files_are_found_without_looking_at_pictures(pictures):
  a = pictures("a", 4)
  shutil.copy(a.images.root / "0.png", a.images.root / "3.png")
  told = []

  def progress(what, unit):
    told.append(unit)
    return lambda done, wanted: None

  (finding,) = survey([a], with_near_copies=False, progress=progress).findings
  assert (finding.kind, finding.image, finding.other_image) == ("copy", 0, 3)
  assert told == ["images"]


def test_equal_files_are_pairs_however_flat():
  got = [(p.first, p.second) for p in same_files([b"x", b"", b"y", b"x", b""])]
  assert got == [(0, 3)]


def test_json_names_keypoints_and_people(pictures):
  pose = standing(3)
  pose[1, 13] = 0
  people = make_people(pose)
  made = pictures("a", 3)
  found = survey([Dataset("made", "a", people, made.images)])
  rows = {r["kind"]: r for r in found.as_json()["findings"]}
  assert rows["placeholder"]["keypoints"] == ["head_top"]
  assert rows["placeholder"]["person_id"] == 1001
  kind = found.as_json()["kinds"]["placeholder"]
  assert kind["is_wrong"] and kind["count"] == 1


def opened(shared_data, name, root="", **values):
  return open_dataset(
    {"name": name, "root": str(shared_data / root), "check_images": False}
    | {"clip_boxes": False}
    | values
  )


def outside(found, part):
  """Number of keypoints outside the image."""
  return sum(
    len(f.keypoints)
    for f in found.findings
    if f.kind == "keypoint_outside_image" and f.part == part
  )


def test_lsp_has_six_photographs_in_both_splits(shared_data):
  """Two are known; the other four were looked at: the same photographs."""
  parts = [opened(shared_data, "lsp", split=s) for s in ("train", "test")]
  found = survey(parts)
  pairs = {
    (f.image + 1, f.other_image + 1001) for f in found.by_kind()["copy_across"]
  }
  known = {(371, 1622), (550, 1366)}
  looked_at = {(175, 1924), (483, 1211), (492, 1436), (670, 1805)}
  assert pairs == known | looked_at
  same_split = {
    (f.part, f.image + 1, f.other_image + 1) for f in found.by_kind()["copy"]
  }
  assert same_split == {(0, 308, 987), (0, 575, 970)}
  assert outside(found, 0) + outside(found, 1) == 1
  assert not found.is_faulty


def test_coco_and_mpii_are_whole(shared_data):
  coco = [
    opened(
      shared_data,
      "coco",
      root="coco",
      images="images",
      annotations=f"person_keypoints_{part}.json",
    )
    for part in ("minitrain", "minival", "extra")
  ]
  found = survey(coco)
  assert not found.is_faulty
  numbers = found.as_json()["parts"]
  assert [p["images"] for p in numbers] == [41, 65, 52]
  assert [p["people"] for p in numbers] == [173, 321, 219]
  assert [p["people_with_keypoints"] for p in numbers] == [98, 158, 117]
  assert [p["crowds"] for p in numbers] == [4, 10, 5]
  assert sum(outside(found, part) for part in range(3)) == 0
  assert not {"copy", "copy_across"} & set(found.by_kind())

  mpii = [opened(shared_data, "mpii", split=s) for s in ("train", "valid")]
  found = survey(mpii)
  numbers = found.as_json()["parts"]
  assert [p["people"] for p in numbers] == [120, 179]
  assert [p["labelled"] for p in numbers] == [1860, 2750]
  assert numbers[1]["hidden"] == 489
  assert outside(found, 0) == 0 and outside(found, 1) == 4
  assert not {"copy", "copy_across"} & set(found.by_kind())


def test_lspet_has_the_published_joints_inside(shared_data):
  """Every seventh image, as the data's own description counts."""
  lspet = opened(shared_data, "lspet", split="all")
  names = lspet.people.image_names
  facts = read_facts(FolderImages(lspet.images.root, names[::7]))
  assert set(facts.fault) == {""}
  hw = np.zeros((len(names), 2), np.int32)
  hw[::7] = facts.image_hw
  found = [
    len(f.keypoints)
    for f in keypoint_findings(lspet.people, hw)
    if f.kind == "keypoint_outside_image"
  ]
  assert (lspet.people.vis[::7] > 0).sum() == 17_581
  assert sum(found) == 2
