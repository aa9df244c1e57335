import json

import numpy as np
import pytest
import scipy.io

from pose_jax.data.images import DataError, decode
from pose_jax.data.mpii import open_mpii
from pose_jax.geometry import Frames
from pose_jax.skeleton import MPII16

COUNTS = {  # people, images, annotated but hidden keypoints or None
  "train": (120, 120, None),
  "valid": (179, 163, True),
  "valid_extra": (90, 82, True),
}


def rows_of(shared_data, split):
  return json.loads((shared_data / "mpii" / f"{split}.json").read_text())


@pytest.mark.parametrize("split", COUNTS)
def test_rows_equal_the_file_read_by_hand(shared_data, split):
  dataset = open_mpii(shared_data / "mpii", split)
  people, rows = dataset.people, rows_of(shared_data, split)
  num_people, num_images, tells_hidden = COUNTS[split]
  assert (len(people), len(people.image_names)) == (num_people, num_images)
  assert people.skeleton == MPII16 and len(people.usable()) == num_people
  assert (dataset.name, dataset.split) == ("mpii", split)
  assert people.box_source == "ground truth" + (
    "" if tells_hidden else ", centre estimated"
  )
  for i, row in enumerate(rows):
    image = people.image_index[i]
    assert people.image_names[image] == row["image"]
    assert people.image_ids[image] == int(row["image"][:9])
    assert people.person_ids[i] == 1000 * int(row["image"][:9]) + row.get(
      "person", 0
    )
    assert tuple(people.image_hw[image]) == tuple(row["image_size"][::-1])
    labelled = []
    for k in range(16):
      wanted = (0, 0)
      if row["joints_vis"][k]:
        wanted = (row["joints"][k][0] - 1, row["joints"][k][1] - 1)
        labelled.append(wanted)
        assert people.vis[i, k] == (2 if row.get("visible", [1] * 16)[k] else 1)
      else:
        assert people.vis[i, k] == 0
      np.testing.assert_allclose(people.kpts_xy_img[i, k], wanted, atol=1e-4)
    extent = np.ptp(labelled, axis=0)
    assert people.area[i] == pytest.approx(extent[0] * extent[1], rel=1e-4)
  hidden = (people.vis == 1).sum()
  assert (hidden > 0) == bool(tells_hidden)
  if split == "valid":
    assert hidden == 489  # the README of the excerpt


@pytest.mark.parametrize("split", COUNTS)
def test_square_crops_are_exactly_those_of_hrnet(shared_data, split):
  people = open_mpii(shared_data / "mpii", split).people
  frames = Frames((256, 256), (64, 64), alignment="corner", padding=1.25)
  center_xy, size_wh = frames.center_size(people.box_xywh_img)
  for i, row in enumerate(rows_of(shared_data, split)):
    center, scale = np.array(row["center"]), row["scale"]
    center[1] = center[1] + 15 * scale
    scale = scale * 1.25
    center = center - 1
    # Boxes are single precision, pixels in the hundreds: 1e-4 of a pixel.
    np.testing.assert_allclose(center_xy[i], center, atol=2e-4)
    np.testing.assert_allclose(size_wh[i], 200 * scale, rtol=1e-6)


@pytest.mark.parametrize("split", ["valid", "valid_extra"])
def test_head_sizes_are_those_of_the_mat_file(shared_data, split):
  people = open_mpii(shared_data / "mpii", split).people
  boxes = scipy.io.loadmat(shared_data / "mpii" / f"gt_{split}.mat")
  for i in range(len(people)):
    (x1, y1), (x2, y2) = boxes["headboxes_src"][:, :, i]
    wanted = 0.6 * ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    assert people.head_size[i] == pytest.approx(wanted, rel=1e-6)
  assert (people.head_size > 1).all()


def test_train_has_no_head_sizes(shared_data):
  assert not open_mpii(shared_data / "mpii", "train").people.head_size.any()


def test_people_lie_in_their_pictures(shared_data):
  dataset = open_mpii(shared_data / "mpii", "valid")
  people = dataset.people
  image = decode(dataset.images.read(5), dataset.images.name(5))
  assert image.shape[:2] == tuple(people.image_hw[5])
  size = people.image_hw[people.image_index, ::-1][:, None]
  kpts = people.kpts_xy_img  # a pixel reaches half a pixel round its centre
  is_inside = ((kpts >= -0.5) & (kpts < size - 0.5)).all(-1)
  assert (is_inside[people.vis > 0].sum(), (people.vis > 0).sum()) == (
    2746,
    2750,
  )


# A list of three people in two images, written by hand.


def entry(image="000000007.jpg", **changes):
  joints = [[10.5 + k, 20.25 + 2 * k] for k in range(16)]
  fields = dict(image=image, center=[100.0, 80.0], scale=0.5, joints=joints)
  return fields | dict(joints_vis=[1] * 16) | changes


@pytest.fixture
def make(tmp_path):
  def make_root(rows, truth=None, split="valid", folder="annot"):
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / "images").mkdir(exist_ok=True)
    for row in rows:
      if isinstance(row, dict) and isinstance(row.get("image"), str):
        (tmp_path / "images" / row["image"]).touch()
    (tmp_path / folder / f"{split}.json").write_text(json.dumps(rows))
    if truth is not None:
      scipy.io.savemat(tmp_path / folder / f"gt_{split}.mat", truth)
    return tmp_path

  return make_root


def rows_and_truth():
  hidden = entry("000000003.jpg", joints_vis=[0] + [1] * 15)
  hidden["joints"][0] = [-1, -1]
  rows = [entry(), hidden, entry(center=[50.0, 60.0])]
  rows[2]["joints"] = [[x + 5, y] for x, y in rows[2]["joints"]]
  heads = [[[1, 1], [4, 5]], [[2, 2], [8, 10]], [[3, 3], [3, 8]]]
  truth = dict(
    headboxes_src=np.array(heads, float).transpose(1, 2, 0),
    pos_gt_src=np.array([r["joints"] for r in rows]).transpose(1, 2, 0),
    jnt_missing=1 - np.array([r["joints_vis"] for r in rows]).T,
  )
  return rows, truth


def test_hrnets_folders_and_two_people_in_one_image(make):
  dataset = open_mpii(make(*rows_and_truth()), "valid")
  people = dataset.people
  assert people.image_names == ("000000007.jpg", "000000003.jpg")
  np.testing.assert_array_equal(people.image_ids, [7, 3])
  np.testing.assert_array_equal(people.image_index, [0, 1, 0])
  np.testing.assert_array_equal(people.person_ids, [7000, 3000, 7001])
  np.testing.assert_allclose(people.head_size, [3, 6, 3], rtol=1e-6)
  # Centre (100, 80 + 15 * 0.5) less 1, side 200 * 0.5.
  np.testing.assert_array_equal(people.box_xywh_img[0], [49, 36.5, 100, 100])
  np.testing.assert_array_equal(people.kpts_xy_img[0, 3], [12.5, 25.25])
  assert people.vis[1].tolist() == [0] + [2] * 15
  assert people.area[0] == 15 * 30 and people.area[1] == 14 * 28
  assert not people.image_hw.any()


def test_an_unknown_centre_or_scale_leaves_no_box(make):
  rows = [entry(), entry(center=[-1.0, -1.0]), entry(scale=-1.0)]
  people = open_mpii(make(rows), "valid").people
  np.testing.assert_array_equal(people.is_croppable(), [True, False, False])
  assert "zero area" in people.unusable()[0]


def test_a_list_without_joints_labels_nobody(make):
  row = entry()
  del row["joints"], row["joints_vis"]
  people = open_mpii(make([row, row], split="test"), "test").people
  assert not people.vis.any() and people.is_croppable().all()
  assert not people.area.any()


def test_names_that_are_no_numbers_get_places_as_ids(make):
  people = open_mpii(make([entry("b.jpg"), entry("a.jpg")]), "valid").people
  np.testing.assert_array_equal(people.image_ids, [1, 2])
  np.testing.assert_array_equal(people.person_ids, [1000, 2000])


def test_another_mat_file_is_refused(make):
  rows, truth = rows_and_truth()
  swapped = truth | {"pos_gt_src": truth["pos_gt_src"][..., ::-1]}
  with pytest.raises(DataError, match="person entry 0 are .*nor .* 1 others"):
    open_mpii(make(rows, swapped), "valid")
  missing = truth["jnt_missing"].copy()
  missing[4, 2] = 1
  with pytest.raises(DataError, match="person entry 2 are .*nor .* 0 others"):
    open_mpii(make(rows, truth | {"jnt_missing": missing}), "valid")
  rounded = truth | {"pos_gt_src": np.round(truth["pos_gt_src"])}
  assert len(open_mpii(make(rows, rounded), "valid").people) == 3
  short = truth | {"headboxes_src": truth["headboxes_src"][..., :2]}
  with pytest.raises(
    DataError, match=r"has shape \(2, 2, 2\), .* the 3 people"
  ):
    open_mpii(make(rows, short), "valid")
  del truth["headboxes_src"]
  with pytest.raises(DataError, match="gt_valid.mat has no headboxes_src"):
    open_mpii(make(rows, truth), "valid")
  (make(rows) / "annot" / "gt_valid.mat").write_bytes(b"nothing")
  with pytest.raises(DataError, match="gt_valid.mat is no readable .mat file"):
    open_mpii(make(rows), "valid")


@pytest.mark.parametrize(
  "changes,wanted",
  [
    (dict(joints=[[1, 2]] * 15), "entry 1 has 30 numbers in joints, wanted 32"),
    (dict(joints=[[1, "x"]] * 16), "entry 1 has joints .*'x'.*wanted numbers"),
    (dict(joints=[1, [2, 3]]), "entry 1 has 2 numbers in joints, wanted 32"),
    (dict(joints=None), "entry 1 has 1 numbers in joints, wanted 32"),
    (dict(joints_vis=[2] * 16), r"entry 1 has joints_vis \[2, .*wanted 0 or 1"),
    (dict(visible=[3] * 16), r"entry 1 has visible \[3, .*wanted 0 or 1"),
    (dict(center=[1]), "entry 1 has 1 numbers in center, wanted 2"),
    (dict(scale="big"), "entry 1 has scale 'big', wanted a number"),
    (dict(scale=float("inf")), "entry 1 has scale inf, wanted a finite"),
    (dict(image=7), "entry 1 has image 7, wanted a text"),
  ],
)
def test_faulty_entries_are_named(make, changes, wanted):
  root = make([entry(), entry(**changes)])
  with pytest.raises(DataError, match=f"valid.json: person {wanted}"):
    open_mpii(root, "valid")


def test_faulty_files_are_named(make, tmp_path):
  with pytest.raises(DataError, match="no valid.json in .*: wrong folder"):
    open_mpii(tmp_path, "valid")
  root = make([entry()], split="train", folder=".")
  with pytest.raises(DataError, match="there are the splits train$"):
    open_mpii(root, "valid")
  with pytest.raises(DataError, match="holds no list: wanted HRNet's form"):
    open_mpii(make({"a": 1}), "valid")
  with pytest.raises(DataError, match="person entry 0 has no 'image'"):
    open_mpii(make([17]), "valid")
  row = entry()
  del row["joints_vis"]
  with pytest.raises(DataError, match="person entry 0 has no 'joints_vis'"):
    open_mpii(make([row]), "valid")
  twins = [entry(person=4), entry(person=4)]
  with pytest.raises(
    DataError, match="valid.json: person id 7004 is used more"
  ):
    open_mpii(make(twins), "valid")
  (root / "images" / "000000007.jpg").unlink()
  with pytest.raises(DataError, match="1 of 1 annotated images are missing"):
    open_mpii(root, "train")
