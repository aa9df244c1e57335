"""Each kind of finding: one case that triggers it, one that must not."""

import dataclasses
import pathlib

import numpy as np
import pytest
from made_people import HW, make_people, standing

from pose_jax.data import inspection
from pose_jax.data.findings import KINDS, Finding, ordered
from pose_jax.data.image_facts import ImageFacts
from pose_jax.data.images import FolderImages
from pose_jax.data.people import Dataset
from pose_jax.skeleton import LSP14

HEAD, NECK = LSP14.index("head_top"), LSP14.index("neck")


def hw_of(people):
  return np.array(people.image_hw)


def source(people):
  return FolderImages(pathlib.Path("nowhere"), people.image_names)


def kinds(findings):
  return [f.kind for f in findings]


def facts_of(fault, hw):
  return ImageFacts(
    image_hw=np.array(hw, np.int32),
    fault=tuple(fault),
    why=tuple(f and f"it is {f}" for f in fault),
    digest=tuple(b"" for _ in fault),
    thumbnails=np.zeros((len(fault), 32, 32), np.uint8),
  )


def test_good_people_give_no_finding():
  people = make_people(standing(3))
  assert not list(inspection.flag_findings(people))
  assert not list(inspection.box_findings(people, hw_of(people)))
  assert not list(inspection.keypoint_findings(people, hw_of(people)))
  assert not list(inspection.duplicate_people(people))
  facts = facts_of(["", "", ""], [HW] * 3)
  assert not list(inspection.image_findings(people, facts))


def test_images_missing_broken_or_of_another_size_are_named():
  people = make_people(standing(4))
  facts = facts_of(
    ["", "missing", "broken", ""], [HW, (0, 0), (0, 0), (HW[0], 190)]
  )
  found = list(inspection.image_findings(people, facts))
  assert [(f.kind, f.image) for f in found] == [
    ("missing_image", 1),
    ("broken_image", 2),
    ("image_size", 3),
  ]
  assert found[0].text == "it is missing"
  assert "190 x 300, annotated as 200 x 300" in found[2].text
  assert found[2].size == 10
  assert all(KINDS[f.kind].is_wrong for f in found)


def test_unknown_annotated_size_is_no_finding():
  people = make_people(standing(1), image_hw=np.zeros((1, 2), np.int32))
  assert not list(inspection.image_findings(people, facts_of([""], [HW])))


def test_true_sizes_replace_annotated_ones_where_known():
  people = make_people(standing(2))
  facts = facts_of(["", "broken"], [(7, 9), (0, 0)])
  assert inspection.true_hw(people, facts).tolist() == [[7, 9], list(HW)]


def test_another_number_of_people_than_published_is_told():
  people = make_people(standing(3))
  found = list(
    inspection.count_findings(Dataset("lsp", "test", people, source(people)))
  )
  assert kinds(found) == ["counts"] and "1,000" in found[0].text
  own = Dataset("mine", "test", people, source(people))
  assert not list(inspection.count_findings(own))


@pytest.mark.parametrize("value", [0, 1, 2])
def test_flags_read_by_the_wrong_convention(value):
  """LSP's flags by LSPet's rule: few labelled; the reverse: all hidden."""
  vis = np.full((10, 14), value, np.int8)
  vis[:, 0] = 2
  people = make_people(standing(10), vis=vis)
  found = list(inspection.flag_findings(people))
  if value == 2:
    assert not found
  else:
    assert kinds(found) == ["flags"]
    word = "only 7.1 %" if value == 0 else "92.9 %"
    assert word in found[0].text


def test_a_person_of_whom_nothing_is_visible():
  vis = np.full((10, 14), 2, np.int8)
  vis[3] = 1
  vis[4, :4], vis[4, 4:] = 1, 0  # only four are labelled
  vis[5, 1:] = 1
  found = list(inspection.flag_findings(make_people(standing(10), vis=vis)))
  assert [(f.kind, f.person) for f in found] == [("all_hidden", 3)]


def test_boxes_empty_outside_or_cut():
  box = np.array(
    [
      [10, 10, 50, 0],  # no height
      [250, 10, 50, 50],  # right of the image
      [-10, 10, 100, 100],  # cut at the left
      [120, 10, 80, 290],  # touches the border
      [170, 10, 30.9, 50],  # by less than a pixel
    ]
  )
  people = make_people(standing(5), box=box)
  found = list(inspection.box_findings(people, hw_of(people)))
  assert [(f.kind, f.person) for f in found] == [
    ("empty_box", 0),
    ("empty_box", 1),
    ("box_cut", 2),
  ]
  assert found[2].size == pytest.approx(0.1) and "10.0 px" in found[2].text


def test_empty_boxes_of_crowds_and_of_nobody_do_not_matter():
  people = make_people(
    standing(2),
    box=np.zeros((2, 4)),
    vis=np.repeat([[0], [2]], 14, 1).astype(np.int8),
    is_crowd=np.array([False, True]),
  )
  assert not list(inspection.box_findings(people, hw_of(people)))


def test_unknown_image_size_hides_no_empty_box():
  people = make_people(standing(1), box=np.array([[5, 5, 0, 9]]))
  unknown = np.zeros((1, 2), np.int32)
  assert kinds(inspection.box_findings(people, unknown)) == ["empty_box"]


@pytest.mark.parametrize(
  "xy, is_outside",
  [
    ((199.5, 30), False),  # the edge of the last pixel
    ((199.6, 30), True),
    ((-0.5, 30), False),
    ((-0.6, 30), True),
    ((95, 299.4), False),
    ((95, 299.7), True),
  ],
)
def test_keypoint_outside_the_image(xy, is_outside):
  pose = standing(1)
  pose[0, HEAD] = xy
  people = make_people(pose)
  found = list(inspection.keypoint_findings(people, hw_of(people)))
  wanted = ["keypoint_outside_image"] if is_outside else []
  assert kinds(found) == wanted
  if found:
    assert found[0].keypoints == (HEAD,) and "head_top" in found[0].text


def test_unlabelled_keypoints_may_be_anywhere():
  pose = standing(1)
  pose[0, HEAD] = -50, -50
  vis = np.full((1, 14), 2, np.int8)
  vis[0, HEAD] = 0
  people = make_people(pose, vis=vis, box=[[40, 25, 120, 220]])
  assert not list(inspection.keypoint_findings(people, hw_of(people)))


def test_keypoint_outside_its_box_says_how_far():
  box = np.array([[40, 52, 120, 200], [40, 35, 120, 220]])  # 22 and 5 px
  people = make_people(standing(2), box=box)
  found = list(inspection.keypoint_findings(people, hw_of(people)))
  assert [(f.kind, f.person) for f in found] == [("keypoint_outside_box", 0)]
  assert found[0].size == pytest.approx(22 / 200) and "22.0 px" in found[0].text


@pytest.mark.parametrize("xy", [(0, 0), (-1, -1), (1, 0.5), (2, 0)])
def test_labelled_keypoint_in_the_corner_is_a_placeholder(xy):
  pose = standing(1)
  pose[0, HEAD] = xy
  found = kinds(inspection.keypoint_findings(make_people(pose), np.array([HW])))
  assert found == ([] if xy == (2, 0) else ["placeholder"])


def test_keypoints_at_one_place():
  pose = standing(2)
  pose[0, HEAD] = pose[0, NECK]
  pose[1, HEAD] = pose[1, NECK] + (0.5, 0)
  people = make_people(pose)
  found = list(inspection.keypoint_findings(people, hw_of(people)))
  assert [(f.kind, f.person) for f in found] == [("same_place", 0)]
  assert found[0].keypoints == (NECK, HEAD)


def test_one_person_annotated_twice():
  pose = standing(5)
  pose[1] += 1  # nearly the same, same image
  pose[2] += 60  # another place
  pose[4] += 1  # as row 1, but in another image
  people = make_people(pose, images=[0, 0, 0, 1, 2])
  found = list(inspection.duplicate_people(people))
  assert [(f.kind, f.person, f.other_person) for f in found] == [
    ("duplicate_person", 0, 1)
  ]
  assert "1000 and 1001" in found[0].text


def test_people_in_one_box_with_other_poses_are_two():
  pose = standing(2)
  pose[1] = pose[0].mean(0) + (pose[0] - pose[0].mean(0)) * (-1, 1)
  box = np.array([[40, 20, 120, 230]] * 2)
  people = make_people(pose, box=box, images=[0, 0])
  assert not list(inspection.duplicate_people(people))


def test_boxes_without_keypoints_must_agree_more():
  box = np.array([[40, 20, 100, 200], [40, 20, 100, 190], [40, 20, 100, 191]])
  vis = np.zeros((3, 14), np.int8)
  people = make_people(standing(3), vis=vis, box=box, images=[0, 0, 0])
  found = list(inspection.duplicate_people(people))
  assert [(f.person, f.other_person) for f in found] == [(1, 2)]


def test_crowds_are_no_duplicates():
  people = make_people(
    standing(2), images=[0, 0], is_crowd=np.array([False, True])
  )
  assert not list(inspection.duplicate_people(people))


def test_counts_by_hand():
  vis = np.full((3, 14), 2, np.int8)
  vis[0, :5], vis[1, HEAD], vis[2] = 0, 1, 0
  people = make_people(
    standing(3), vis=vis, images=[0, 0, 2], is_crowd=np.array([0, 0, 1], bool)
  )
  got = inspection.counts(people)
  assert got["images"] == 3 and got["images_without_people"] == 1
  assert got["people"] == 3 and got["people_with_keypoints"] == 2
  assert got["usable_people"] == 2 and got["crowds"] == 1
  assert got["labelled"] == 9 + 14 and got["hidden"] == 1
  assert got["keypoints"]["head_top"] == {"labelled": 2, "hidden": 1}
  assert got["keypoints"]["right_ankle"] == {"labelled": 1, "hidden": 0}


def test_files_without_a_hidden_keypoint_do_not_say_what_is_hidden():
  got = inspection.counts(make_people(standing(3)))
  assert got["hidden"] is None
  assert got["keypoints"]["neck"] == {"labelled": 3, "hidden": None}


def test_grave_kinds_come_first_then_large_findings():
  findings = [
    Finding("limb", "", 2.0),
    Finding("limb", "", 3.0),
    Finding("missing_image", ""),
  ]
  got = [(f.kind, f.size) for f in ordered(findings)]
  assert got == [("missing_image", 0.0), ("limb", 3.0), ("limb", 2.0)]


def test_everything_is_asked():
  pose = standing(2)
  pose[0, HEAD] = 0, 0
  people = make_people(pose)
  dataset = Dataset("lsp", "train", people, source(people))
  found = inspection.inspect_table(
    dataset, facts_of(["missing", ""], [(0, 0), HW])
  )
  wanted = {"missing_image", "counts", "placeholder", "box_cut"}
  assert set(kinds(found)) == wanted
  assert all(dataclasses.is_dataclass(f) for f in found)
