"""Skeletons against the published lists, and against themselves."""

import dataclasses

import numpy as np
import pytest
from pycocotools.cocoeval import Params

from pose_jax.skeleton import COCO17, LSP14, MPII16, SKELETONS

ALL = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)


def test_coco_sigmas_are_those_of_pycocotools():
  np.testing.assert_allclose(
    COCO17.oks_sigmas, Params("keypoints").kpt_oks_sigmas
  )


def test_flip_pairs_are_the_published_ones():
  assert COCO17.flip_pairs == tuple((i, i + 1) for i in range(1, 17, 2))
  assert MPII16.flip_pairs == (
    *((0, 5), (1, 4), (2, 3)),
    *((10, 15), (11, 14), (12, 13)),
  )
  assert LSP14.flip_pairs == (
    *((0, 5), (1, 4), (2, 3)),
    *((6, 11), (7, 10), (8, 9)),
  )


def test_orders_match_the_annotation_files():
  assert COCO17.keypoints[5] == "left_shoulder"
  assert COCO17.keypoints[16] == "right_ankle"
  assert MPII16.keypoints[6:10] == (
    *("pelvis", "thorax"),
    *("upper_neck", "head_top"),
  )
  assert LSP14.keypoints[12:] == ("neck", "head_top")
  # 1-based 10 and 3 in bearpaw/eval_pose
  assert LSP14.pck_pair == (9, 2)


@ALL
def test_flip_permutation_swaps_sides_and_is_its_own_inverse(skeleton):
  permutation = skeleton.flip_permutation
  for k, other in enumerate(permutation):
    assert permutation[other] == k
    mirrored = skeleton.keypoints[k]
    for a, b in (("left", "right"), ("right", "left")):
      if skeleton.keypoints[k].startswith(a):
        mirrored = skeleton.keypoints[k].replace(a, b, 1)
    assert skeleton.keypoints[other] == mirrored


@ALL
def test_links_are_ten_physical_and_six_virtual_none_in_the_head(skeleton):
  kinds = [link.kind for link in skeleton.links]
  assert (kinds.count("physical"), kinds.count("virtual")) == (10, 6)
  # Kim et al. 2021: the upper three virtual links belong to the upper body.
  halves = [link.half for link in skeleton.links]
  assert (halves.count("upper"), halves.count("lower")) == (9, 7)
  for link in skeleton.links:
    for end in (link.start, link.end):
      assert skeleton.keypoints[end].startswith(("left_", "right_"))
      assert not skeleton.keypoints[end].endswith(("eye", "ear"))


@ALL
def test_mirrored_links_are_links(skeleton):
  permutation = skeleton.flip_permutation
  ends = {frozenset((link.start, link.end)) for link in skeleton.links}
  assert ends == {frozenset(permutation[i] for i in pair) for pair in ends}


@ALL
def test_halves_part_the_body(skeleton):
  assert sorted(skeleton.upper + skeleton.lower) == list(
    range(skeleton.num_keypoints)
  )
  assert all(
    skeleton.keypoints[i].endswith(("hip", "knee", "ankle", "pelvis"))
    for i in skeleton.lower
  )


@ALL
def test_every_keypoint_has_a_sigma_equal_on_both_sides(skeleton):
  assert len(skeleton.oks_sigmas) == skeleton.num_keypoints
  for a, b in skeleton.flip_pairs:
    assert skeleton.oks_sigmas[a] == skeleton.oks_sigmas[b]


@ALL
def test_bones_join_every_keypoint(skeleton):
  assert {i for bone in skeleton.bones for i in bone} == set(
    range(skeleton.num_keypoints)
  )


def test_skeletons_cannot_be_changed():
  with pytest.raises(dataclasses.FrozenInstanceError):
    COCO17.name = "other"


def test_unknown_keypoint_is_answered_with_the_names():
  assert COCO17.index("nose") == 0
  with pytest.raises(ValueError, match="no keypoint 'tail'; it has nose"):
    COCO17.index("tail")
