import numpy as np
import pytest
import scipy.io

from pose_jax.data.images import DataError, decode
from pose_jax.data.leeds import open_lsp, open_lspet
from pose_jax.data.people import concatenate
from pose_jax.skeleton import LSP14

NUMBERS = {
  ("lsp", "train"): range(1, 1001),
  ("lsp", "test"): range(1001, 2001),
  ("lspet", "train"): [n for n in range(1, 10_001) if n % 10],
  ("lspet", "val"): range(10, 10_001, 10),
  ("lspet", "all"): range(1, 10_001),
}
OPEN = {"lsp": open_lsp, "lspet": open_lspet}


@pytest.mark.parametrize("name,split", NUMBERS)
def test_rows_equal_the_file_read_by_hand(shared_data, name, split):
  dataset = OPEN[name](shared_data / name, split)
  people = dataset.people
  numbers = NUMBERS[name, split]
  assert len(people) == len(people.usable()) == len(numbers)
  assert people.skeleton == LSP14 and people.box_source == "keypoints"
  joints = scipy.io.loadmat(shared_data / name / "joints.mat")["joints"]
  for i in range(0, len(people), 37):
    number = numbers[i]
    digits = 4 if name == "lsp" else 5
    assert people.image_names[i] == f"images/im{number:0{digits}d}.jpg"
    labelled = []
    for k in range(14):
      if name == "lsp":
        x, y, flag = joints[:, k, number - 1]
        vis = 2 if flag == 0 else 1
      else:
        x, y, flag = joints[k, :, number - 1]
        vis = 0 if flag == 0 else 2
      assert people.vis[i, k] == vis
      wanted = (x - 1, y - 1) if vis else (0, 0)
      np.testing.assert_allclose(people.kpts_xy_img[i, k], wanted, atol=1e-4)
      if vis:
        labelled.append(wanted)
    low, high = np.min(labelled, 0), np.max(labelled, 0)
    np.testing.assert_allclose(
      people.box_xywh_img[i], [*low, *(high - low)], atol=1e-3
    )
    assert people.area[i] == pytest.approx(np.prod(high - low), rel=1e-4)


def test_flags_mean_opposite_things(shared_data):
  lsp = np.concatenate(
    [open_lsp(shared_data / "lsp", s).people.vis for s in ("train", "test")]
  )
  lspet = open_lspet(shared_data / "lspet", "all").people.vis
  assert set(np.unique(lsp)) == {1, 2} and set(np.unique(lspet)) == {0, 2}
  assert (lsp == 1).mean() == pytest.approx(0.073, abs=0.001)
  assert (lspet == 0).mean() == pytest.approx(0.120, abs=0.001)
  assert (lspet > 0).all(1).mean() == pytest.approx(0.395, abs=0.001)


def test_train_and_val_of_lspet_share_nobody(shared_data):
  parts = [
    open_lspet(shared_data / "lspet", split).people
    for split in ("train", "val")
  ]
  assert len(concatenate(parts)) == 10_000  # ids would clash
  lsp = open_lsp(shared_data / "lsp").people
  assert len(concatenate([lsp, *parts])) == 11_000


def test_image_boxes_are_the_whole_image(shared_data):
  dataset = open_lsp(shared_data / "lsp", "test", boxes="image")
  people = dataset.people
  assert people.box_source == "image"
  for i in range(0, 1000, 83):
    height, width = decode(dataset.images.read(i), "a").shape[:2]
    np.testing.assert_array_equal(people.box_xywh_img[i], [0, 0, width, height])
    assert tuple(people.image_hw[i]) == (height, width)
  boxes = open_lsp(shared_data / "lsp", "test").people
  np.testing.assert_array_equal(people.area, boxes.area)
  assert not boxes.image_hw.any()


def test_keypoints_lie_inside_their_images(shared_data):
  people = open_lspet(shared_data / "lspet", "val", boxes="image").people
  size = people.image_hw[people.image_index, ::-1][:, None]
  is_inside = ((people.kpts_xy_img >= 0) & (people.kpts_xy_img < size)).all(-1)
  assert is_inside[people.vis > 0].mean() > 0.999


def fake(folder, joints):
  (folder / "images").mkdir()
  for number in range(1, 2001):
    (folder / "images" / f"im{number:04d}.jpg").touch()
  scipy.io.savemat(folder / "joints.mat", {"joints": joints})
  return folder


def test_either_layout_is_read(tmp_path):
  joints = np.zeros((3, 14, 2000))
  joints[:2] = np.random.default_rng(0).uniform(1, 99, (2, 14, 2000))
  root = fake(tmp_path, joints)
  first = open_lsp(root).people.kpts_xy_img
  scipy.io.savemat(root / "joints.mat", {"joints": joints.swapaxes(0, 1)})
  np.testing.assert_array_equal(open_lsp(root).people.kpts_xy_img, first)
  np.testing.assert_allclose(first[7, 3], joints[:2, 3, 7] - 1, atol=1e-5)


def test_faults_are_named(tmp_path):
  with pytest.raises(
    DataError,
    match="joints.mat does not exist: give the folder .* of lsp, or the one "
    "that holds it under the name lsp$",
  ):
    open_lsp(tmp_path)
  joints = np.ones((3, 14, 2000))
  root = fake(tmp_path, joints)
  joints[0, 3, 41] = np.nan
  scipy.io.savemat(root / "joints.mat", {"joints": joints})
  with pytest.raises(DataError, match="joints.mat: image 42 has a keypoint"):
    open_lsp(root)
  joints[0, 3, 41], joints[2, 5, 17] = 1, 2
  scipy.io.savemat(root / "joints.mat", {"joints": joints})
  with pytest.raises(
    DataError, match="image 18 has .* flag other than 0 and 1"
  ):
    open_lsp(root)
  with pytest.raises(
    DataError,
    match=r"wanted joints of lspet, of .*\(14, 3, 10000\), found shape \(3, 14"
    r", 2000\), which are those of lsp: give the other folder$",
  ):
    open_lspet(root)
  scipy.io.savemat(root / "joints.mat", {"other": joints})
  with pytest.raises(DataError, match="found nothing"):
    open_lsp(root)
  (root / "joints.mat").write_bytes(b"not a matrix")
  with pytest.raises(DataError, match="joints.mat is no readable .mat file"):
    open_lsp(root)


def test_wrong_choices_list_the_right_ones(tmp_path):
  root = fake(tmp_path, np.ones((3, 14, 2000)))
  with pytest.raises(ValueError, match="split must be one of train, test, got"):
    open_lsp(root, "val")
  with pytest.raises(ValueError, match="boxes must be one of keypoints, image"):
    open_lsp(root, boxes="torso")
  (root / "images" / "im0005.jpg").unlink()
  with pytest.raises(DataError, match="1 of 1000 .*images/im0005.jpg"):
    open_lsp(root)
