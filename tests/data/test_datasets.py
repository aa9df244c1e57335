import numpy as np
import pytest

from pose_jax.data.datasets import DATASETS, open_dataset, prepared_as
from pose_jax.data.images import DataError, decode
from pose_jax.skeleton import COCO17, LSP14, MPII16


def test_coco_paths_are_below_root(make_coco):
  annotations, images = make_coco()
  section = dict(
    name="coco",
    root=str(annotations.parent),
    annotations=annotations.name,
    images=images.name,
    split="train2017",
  )
  dataset = open_dataset(section, skeleton=COCO17)
  assert (dataset.name, dataset.split) == ("coco", "annotations")
  assert len(dataset.people) == 12
  with pytest.raises(ValueError, match="coco needs annotations"):
    open_dataset(section | {"annotations": ""})


def test_names_joined_by_plus_are_concatenated(shared_data):
  section = dict(name="lsp+lspet", root=str(shared_data), split="train")
  dataset = open_dataset(section, skeleton=LSP14)
  assert dataset.name == "lsp+lspet" and len(dataset.people) == 10_000
  first, later = 3, 1000 + 8  # number 9 of lspet; 10 is held out
  assert dataset.people.image_names[later] == "images/im00009.jpg"
  for i in (first, later):
    image = decode(dataset.images.read(i), dataset.images.name(i))
    inside = dataset.people.kpts_xy_img[i] <= image.shape[1::-1]
    assert inside.all()
  assert dataset.people.box_source == "keypoints"


def test_members_of_a_mixture_have_their_own_splits_and_weights(shared_data):
  section = dict(
    name="lspet+lsp",
    root=str(shared_data),
    split="val+test",
    weights=(0.5, 2),
  )
  dataset = open_dataset(section, skeleton=LSP14)
  assert (dataset.name, dataset.split) == ("lspet+lsp", "val+test")
  repeats = dataset.people.repeats
  assert (repeats[:1000] == 0.5).all() and (repeats[1000:] == 2).all()
  assert dataset.people.image_names[1000] == "images/im1001.jpg"


def test_sets_of_two_skeletons_are_joined_by_keypoint_names(
  shared_data, make_coco
):
  annotations, _ = make_coco()
  section = dict(
    name="coco+lsp",
    root=f"{annotations.parent}+{shared_data}",
    annotations=f"{annotations.name}+",
    images="images+",
    split="",
  )
  dataset = open_dataset(section, skeleton=LSP14)
  people = dataset.people
  assert dataset.name == "coco as lsp14+lsp" and people.skeleton == LSP14
  assert len(people) == 12 + 1000
  # Ids of the annotations, 1000 to 1011, do not occur twice in LSP's 1 to 1000
  # but for one: LSP's are moved.
  assert people.person_ids[0] == 1000 and people.person_ids[12] == 10_001
  wrist, neck = LSP14.index("left_wrist"), LSP14.index("neck")
  alone = open_dataset(
    section
    | dict(
      name="coco",
      root=str(annotations.parent),
      annotations=annotations.name,
      images="images",
    )
  ).people
  np.testing.assert_array_equal(
    people.kpts_xy_img[:12, wrist],
    alone.kpts_xy_img[:, COCO17.index("left_wrist")],
  )
  assert not people.vis[:12, neck].any() and people.vis[12:, neck].all()
  mapped = open_dataset(
    section | {"keypoint_map": ("neck=nose",)}, skeleton=LSP14
  ).people
  np.testing.assert_array_equal(mapped.vis[:12, neck], alone.vis[:, 0])


def test_two_files_of_one_kind_are_joined_whatever_their_ids(make_coco):
  annotations, _ = make_coco()
  again = annotations.with_name("again.json")
  again.write_bytes(annotations.read_bytes())
  dataset = open_dataset(
    dict(
      name="coco+coco",
      root=str(annotations.parent),
      annotations="annotations.json+again.json",
      images="images",
    ),
    skeleton=COCO17,
  )
  assert dataset.split == "annotations+again"
  assert dataset.people.person_ids[[0, 11, 12, 23]].tolist() == [
    *(1000, 1011, 11_000, 11_011),
  ]
  assert dataset.images.read(0) == dataset.images.read(6)


def test_the_published_mixture_for_lsp_is_a_section(shared_data):
  """MPII, LSP-extended and LSP's first thousand (Chu et al. 2017)."""
  section = dict(
    name="mpii+lspet+lsp",
    root=str(shared_data),
    split="train+all+train",
    weights=(1, 0.5, 2),
  )
  dataset = open_dataset(section, skeleton=LSP14)
  people = dataset.people
  assert dataset.name == "mpii as lsp14+lspet+lsp"
  assert dataset.split == "train+all+train"
  assert len(people) == 120 + 10_000 + 1000
  assert people.repeats.sum() == 120 + 5000 + 2000
  for ids in (people.image_ids, people.person_ids):
    assert len(np.unique(ids)) == len(ids)
  mpii = open_dataset(dict(name="mpii", root=str(shared_data), split="train"))
  for target, source in (("neck", "upper_neck"), ("right_knee", "right_knee")):
    k, j = LSP14.index(target), MPII16.index(source)
    np.testing.assert_array_equal(people.vis[:120, k], mpii.people.vis[:, j])
    np.testing.assert_array_equal(
      people.kpts_xy_img[:120, k], mpii.people.kpts_xy_img[:, j]
    )
  for i in (0, 120, 10_120):
    row = people.image_index[i]
    image = decode(dataset.images.read(row), dataset.images.name(row))
    labelled = people.vis[i] > 0
    assert (people.kpts_xy_img[i, labelled] <= image.shape[1::-1]).all()


def test_drawn_people_are_drawn_once_and_told_apart_by_seed(tmp_path):
  told = []
  section = dict(
    name="drawn",
    root=str(tmp_path),
    split="val",
    num_images=3,
    seed=5,
    progress=lambda done, total: told.append((done, total)),
  )
  first = open_dataset(section)
  again = open_dataset(section)
  assert told == [(1, 3), (2, 3), (3, 3)] and first.split == "val (3 of seed 5)"
  np.testing.assert_array_equal(
    first.people.kpts_xy_img, again.people.kpts_xy_img
  )
  other = open_dataset(section | {"seed": 6})
  assert first.images.read(0) == again.images.read(0) != other.images.read(0)


def test_wrong_sections_are_refused_in_one_sentence(shared_data, tmp_path):
  with pytest.raises(ValueError, match="unknown dataset 'mars': choose from"):
    open_dataset(dict(name="lsp+mars", root="x"))
  for name in DATASETS:
    with pytest.raises(ValueError, match=f"dataset {name} needs root"):
      open_dataset(dict(name=name, num_images=1, seed=0))
  with pytest.raises(
    ValueError, match="nothing in lsp .lsp14. labels its nose"
  ):
    open_dataset(dict(name="lsp", root=str(shared_data)), skeleton=COCO17)
  with pytest.raises(DataError, match="joints.mat does not exist"):
    open_dataset(dict(name="lspet", root=str(tmp_path)))


def test_mpii_is_opened_by_split_or_from_the_release(shared_data, tmp_path):
  section = dict(name="mpii", root=str(shared_data), split="valid")
  people = open_dataset(section, skeleton=MPII16).people
  assert len(people) == 179 and (people.head_size > 0).all()
  with pytest.raises(ValueError, match="annotations 'a.json': wanted none"):
    open_dataset(section | {"annotations": "a.json"})
  with pytest.raises(DataError, match="cannot read .*mpii/r.mat: No such file"):
    open_dataset(section | {"annotations": "r.mat", "split": "test"})
  lone = section | {"root": str(shared_data / "mpii"), "split": "train"}
  assert len(open_dataset(lone).people) == 120
  with pytest.raises(DataError, match="no train.json in .*: wrong folder"):
    open_dataset(dict(name="mpii", root=str(tmp_path)))


def test_mpiis_release_is_prepared_apart_from_its_json():
  section = dict(name="mpii", root="r", split="train")
  assert prepared_as(section).split == "train"
  release = prepared_as(section | {"annotations": "annot/release.mat"})
  assert release.split == "release_train"
  assert release.options == {"annotations": "release"}
  assert release.flags == "--split=train --annotations=annot/release.mat"
  assert release.demanded == release.options


@pytest.mark.parametrize("name, split", [("lsp", "test"), ("lspet", "val")])
def test_root_is_the_sets_folder_or_the_one_above(shared_data, name, split):
  above = dict(name=name, root=str(shared_data), split=split)
  own = above | {"root": str(shared_data / name)}
  np.testing.assert_array_equal(
    open_dataset(own).people.kpts_xy_img, open_dataset(above).people.kpts_xy_img
  )


def test_the_joints_that_are_missing_are_those_looked_for(tmp_path):
  section = dict(name="lsp", root=str(tmp_path))
  with pytest.raises(DataError, match=f"^{tmp_path}/joints.mat does not exist"):
    open_dataset(section)
  (tmp_path / "lsp").mkdir()
  with pytest.raises(DataError, match=f"^{tmp_path}/lsp/joints.mat does not"):
    open_dataset(section)
