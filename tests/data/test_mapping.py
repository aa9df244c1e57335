"""People between skeletons: by hand, back and forth, and on real tables."""

import dataclasses
import pathlib

import numpy as np
import pytest

from pose_jax.data.images import FolderImages
from pose_jax.data.leeds import open_lsp
from pose_jax.data.mapping import (
  COUNTERPARTS,
  counterparts,
  fit,
  parse_keypoint_map,
  remap,
)
from pose_jax.data.people import Dataset, People
from pose_jax.skeleton import COCO17, LSP14, MPII16, SKELETONS

LIMBS = {
  f"{side}_{part}"
  for side in ("left", "right")
  for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
}


def crowd(skeleton, num=5, seed=0):
  """A table with random keypoints, a third of them unlabelled."""
  rng = np.random.default_rng(seed)
  vis = rng.integers(0, 3, (num, skeleton.num_keypoints)).astype(np.int8)
  kpts = rng.random((num, skeleton.num_keypoints, 2)).astype(np.float32) * 99
  return People(
    skeleton=skeleton,
    image_names=("a.jpg",),
    image_ids=np.array([7]),
    image_hw=np.array([[99, 99]], np.int32),
    image_index=np.zeros(num, np.int32),
    person_ids=np.arange(num) + 1,
    box_xywh_img=np.tile(np.float32([1, 2, 30, 40]), (num, 1)),
    kpts_xy_img=np.where(vis[..., None] > 0, kpts, 0),
    vis=vis,
    area=rng.random(num).astype(np.float32) * 100,
    is_crowd=np.zeros(num, bool),
    score=np.ones(num, np.float32),
    head_size=rng.random(num).astype(np.float32),
    repeats=rng.random(num).astype(np.float32),
  )


def dataset(skeleton, name="set"):
  people = crowd(skeleton)
  return Dataset(
    name, "train", people, FolderImages(pathlib.Path("."), people.image_names)
  )


def test_only_keypoints_of_one_meaning_are_counterparts():
  for a in SKELETONS.values():
    for b in SKELETONS.values():
      if a is b:
        continue
      pairs = counterparts(a, b)
      same = {target for target, own in pairs.items() if target == own}
      assert same - {"head_top"} == LIMBS
      assert {"head_top"} & same == (
        {"head_top"} if COCO17 not in (a, b) else set()
      )
  assert {t: s for t, s in counterparts(LSP14, MPII16).items() if t != s} == {
    "neck": "upper_neck"
  }
  for (wanted, own), pairs in COUNTERPARTS.items():
    inverse = {source: target for target, source in pairs.items()}
    assert COUNTERPARTS[own, wanted] == inverse


@pytest.mark.parametrize("own", SKELETONS.values(), ids=SKELETONS)
@pytest.mark.parametrize("wanted", SKELETONS.values(), ids=SKELETONS)
def test_remap_agrees_with_a_loop_over_people_and_names(own, wanted):
  people = crowd(own)
  mapped = remap(people, wanted)
  assert mapped.skeleton is wanted
  other_name = {"neck": "upper_neck", "upper_neck": "neck"}
  for i in range(len(people)):
    for k, name in enumerate(wanted.keypoints):
      found = (0.0, 0.0, 0)
      for alias in (name, other_name.get(name)):
        if alias in own.keypoints:
          j = own.keypoints.index(alias)
          found = (*people.kpts_xy_img[i, j], people.vis[i, j])
          break
      assert (*mapped.kpts_xy_img[i, k], mapped.vis[i, k]) == found


def test_everything_but_the_keypoints_stays():
  people = crowd(MPII16)
  mapped = remap(people, LSP14)
  for field in dataclasses.fields(people):
    if field.name not in ("skeleton", "kpts_xy_img", "vis"):
      before, after = (getattr(p, field.name) for p in (people, mapped))
      np.testing.assert_array_equal(before, after)
  assert mapped.kpts_xy_img.dtype == np.float32 and mapped.vis.dtype == np.int8


def test_there_and_back_loses_what_has_no_counterpart_and_no_more():
  people = crowd(MPII16)
  back = remap(remap(people, LSP14), MPII16)
  lost = [MPII16.index("pelvis"), MPII16.index("thorax")]
  kept = [k for k in range(16) if k not in lost]
  np.testing.assert_array_equal(
    back.kpts_xy_img[:, kept], people.kpts_xy_img[:, kept]
  )
  np.testing.assert_array_equal(back.vis[:, kept], people.vis[:, kept])
  assert not back.vis[:, lost].any() and not back.kpts_xy_img[:, lost].any()


def test_a_mirrored_person_is_the_mirror_image_of_the_mapped_one():
  """Left stays left: mapping and flip permutations commute."""
  for own, wanted in ((MPII16, LSP14), (LSP14, COCO17), (COCO17, MPII16)):
    people = crowd(own)
    order = list(own.flip_permutation)
    flipped = dataclasses.replace(
      people,
      kpts_xy_img=people.kpts_xy_img[:, order],
      vis=people.vis[:, order],
    )
    np.testing.assert_array_equal(
      remap(flipped, wanted).kpts_xy_img,
      remap(people, wanted).kpts_xy_img[:, list(wanted.flip_permutation)],
    )


def test_ones_own_map_goes_before_what_is_known():
  people = crowd(MPII16)
  mapped = remap(people, LSP14, {"neck": "thorax", "head_top": ""})
  neck, top = LSP14.index("neck"), LSP14.index("head_top")
  thorax = MPII16.index("thorax")
  np.testing.assert_array_equal(
    mapped.kpts_xy_img[:, neck], people.kpts_xy_img[:, thorax]
  )
  assert not mapped.vis[:, top].any()
  with pytest.raises(ValueError, match="lsp14 has no keypoint 'tail'"):
    remap(people, LSP14, {"tail": "neck"})
  with pytest.raises(ValueError, match="mpii16 has no keypoint 'nose'"):
    remap(people, LSP14, {"neck": "nose"})


def test_real_people_keep_their_limbs(shared_data):
  people = open_lsp(shared_data / "lsp").people
  mapped = remap(people, COCO17)
  for name in ("left_wrist", "right_ankle"):
    np.testing.assert_array_equal(
      mapped.kpts_xy_img[:, COCO17.index(name)],
      people.kpts_xy_img[:, LSP14.index(name)],
    )
  assert not mapped.vis[:, :5].any() and len(mapped.usable()) == 1000


def test_a_data_set_with_the_wanted_keypoints_keeps_them_and_its_name():
  given = dataset(LSP14, "lsp")
  for wanted in (LSP14, dataclasses.replace(LSP14, oks_sigmas=(0.1,) * 14)):
    (fitted,) = fit([given], wanted)
    assert fitted.name == "lsp" and fitted.people.skeleton is wanted
    np.testing.assert_array_equal(
      fitted.people.kpts_xy_img, given.people.kpts_xy_img
    )
    np.testing.assert_array_equal(fitted.people.vis, given.people.vis)


def test_a_mixture_fits_if_somebody_labels_every_keypoint():
  sets = [dataset(COCO17, "coco"), dataset(LSP14, "lsp")]
  fitted = fit(sets, LSP14)
  assert [d.name for d in fitted] == ["coco as lsp14", "lsp"]
  assert not fitted[0].people.vis[:, LSP14.index("neck")].any()
  with pytest.raises(
    ValueError, match=r"nothing in coco \(coco17\) labels its neck, head_top: "
  ):
    fit(sets[:1], LSP14)
  fit([dataset(MPII16)], LSP14)  # has all fourteen


def test_ones_own_map_makes_a_data_set_fit():
  sets = [dataset(COCO17, "coco")]
  fitted = fit(sets, LSP14, {"head_top": "nose", "neck": ""})
  np.testing.assert_array_equal(
    fitted[0].people.vis[:, LSP14.index("head_top")], sets[0].people.vis[:, 0]
  )
  assert not fitted[0].people.vis[:, LSP14.index("neck")].any()


def test_an_entry_speaks_of_the_sets_that_have_its_keypoint():
  sets = [dataset(MPII16, "mpii"), dataset(COCO17, "coco"), dataset(LSP14)]
  fitted = fit(sets, LSP14, {"neck": "thorax"})
  neck = LSP14.index("neck")
  np.testing.assert_array_equal(
    fitted[0].people.vis[:, neck], sets[0].people.vis[:, 7]
  )
  assert not fitted[1].people.vis[:, neck].any()
  np.testing.assert_array_equal(
    fitted[2].people.vis[:, neck], sets[2].people.vis[:, neck]
  )


def test_entries_of_no_data_set_are_refused():
  with pytest.raises(ValueError, match="'neck=nape', but no data set .*lsp14"):
    fit([dataset(LSP14), dataset(MPII16)], LSP14, {"neck": "nape"})
  with pytest.raises(ValueError, match="lsp14 has no keypoint 'nek'"):
    fit([dataset(MPII16)], LSP14, {"nek": "thorax"})
  with pytest.raises(ValueError, match="lsp14 has no keypoint 'nek'"):
    fit([dataset(LSP14)], LSP14, {"nek": ""})


def test_entries_of_a_config_are_read():
  entries = ("neck=upper_neck", " head_top = nose ", "left_hip=")
  assert parse_keypoint_map(entries) == {
    "neck": "upper_neck",
    "head_top": "nose",
    "left_hip": "",
  }
  for wrong in ("neck", "=neck", 3):
    with pytest.raises(ValueError, match="keypoint_map has .*wanted 'KEYPOINT"):
      parse_keypoint_map((wrong,))
  with pytest.raises(ValueError, match="names 'a' twice"):
    parse_keypoint_map(("a=b", "a=c"))
