"""The release's .mat, written by scipy in the structure that users report."""

import numpy as np
import pytest
import scipy.io

from pose_jax.data.images import DataError
from pose_jax.data.mpii_release import open_mpii_release
from pose_jax.geometry import Frames
from pose_jax.skeleton import MPII16

EMPTY = np.zeros((0, 0))


def structs(*fields):
  """A MATLAB struct array, 1 x n; a field that one lacks is [] there."""
  keys = list(dict.fromkeys(key for one in fields for key in one))
  array = np.empty((1, len(fields)), [(key, object) for key in keys])
  for i, one in enumerate(fields):
    for key in keys:
      array[0, i][key] = one.get(key, EMPTY)
  return array


def point(number, x=None, y=None, **fields):
  x = 10.5 + number if x is None else x
  y = 20 + 2 * number if y is None else y
  return dict(fields, id=number, x=x, y=y)


def person(points=None, **fields):
  whole = dict(x1=100, y1=50, x2=130, y2=90, scale=1.5)
  whole["objpos"] = structs(dict(x=200, y=150))
  if points is not None:
    points = structs(*points) if points else EMPTY
    whole["annopoints"] = structs(dict(point=points))
  return {k: v for k, v in (whole | fields).items() if v is not None}


def image(name, *people, **fields):
  entry = dict(image=structs(dict(name=name)), **fields)
  return entry | {"annorect": structs(*people)} if people else entry


ALL = [point(k, is_visible="1") for k in range(16)]
SEEN = {  # what stands in is_visible, and what it means
  0: ("1", 2),
  1: ("0", 1),
  2: (1, 2),
  3: (0, 1),
  4: (EMPTY, 2),
  5: ("", 2),
  6: (True, 2),
  7: (1.0, 2),
}


@pytest.fixture
def release(tmp_path):
  """Function that writes a release and returns its path and image folder."""

  def write(images, train, single=None, **more):
    for entry in images:
      (tmp_path / str(entry["image"][0, 0]["name"])).touch()
    content = dict(annolist=structs(*images), img_train=np.array([train]))
    if single is not None:
      cells = np.empty((len(single), 1), object)
      for i, numbers in enumerate(single):
        cells[i, 0] = np.array(numbers, float).reshape(-1, 1)
      content["single_person"] = cells
    path = tmp_path / "release.mat"
    scipy.io.savemat(path, {"RELEASE": content | more})
    return path, tmp_path

  return write


def every_irregularity():
  """Images, training marks and single people."""
  shuffled = structs(
    *[
      {"is_visible": seen, "y": 20 + 2 * k, "id": k, "x": 10.5 + k}
      for k, (seen, _) in reversed(SEEN.items())
    ]
  )
  images = [
    image("000000009.jpg", person(ALL), person(ALL, scale=None)),
    image("000000004.jpg"),  # annorect missing, here [] beside the others
    image("000000002.jpg", person(annopoints=structs(dict(point=shuffled)))),
    image("000000005.jpg", person(), person(annopoints=EMPTY), person([])),
    image("000000006.jpg", person([point(9)], x1=None)),
    image("000000007.jpg", person(ALL, objpos=EMPTY)),
    image("000000001.jpg", person(), person(scale=0.5), person(scale=EMPTY)),
    image("000000003.jpg", person()),
    image("000000008.jpg", {"x1": 1}),
  ]
  train = [1, 1, 1, 1, 1, 1, 0, 0, 0]
  single = [[1], [], [1], [1, 2], [], [1], [2, 3], [1], []]
  return images, train, single


def test_training_part_is_everybody_with_a_keypoint(release):
  dataset = open_mpii_release(*release(*every_irregularity()))
  people = dataset.people
  assert (dataset.name, dataset.split) == ("mpii", "release_train")
  assert people.skeleton == MPII16
  assert people.image_names == tuple(f"00000000{n}.jpg" for n in (9, 2, 6, 7))
  np.testing.assert_array_equal(
    people.person_ids, [9000, 9001, 2000, 6000, 7000]
  )
  np.testing.assert_array_equal(people.image_index, [0, 0, 1, 2, 3])
  np.testing.assert_array_equal(
    people.is_croppable(), [True, False, True, True, False]
  )
  assert (
    "9001 in image '000000009.jpg' has a box of zero" in people.unusable()[0]
  )
  # The head rectangle is 30 x 40, its diagonal 50.
  np.testing.assert_array_equal(people.head_size, [30, 30, 30, 0, 30])
  for k in range(16):
    np.testing.assert_array_equal(
      people.kpts_xy_img[0, k], [9.5 + k, 19 + 2 * k]
    )
  assert people.vis[0].tolist() == [2] * 16
  wanted = [SEEN[k][1] if k in SEEN else 0 for k in range(16)]
  assert people.vis[2].tolist() == wanted
  np.testing.assert_array_equal(people.kpts_xy_img[2, 3], [12.5, 25])
  assert people.vis[3].tolist() == [0] * 9 + [2] + [0] * 6
  frames = Frames((256, 256), (64, 64))
  center_xy, size_wh = frames.center_size(people.box_xywh_img)
  np.testing.assert_allclose(center_xy[0], [199, 149 + 15 * 1.5])
  np.testing.assert_allclose(size_wh[0], 200 * 1.5 * 1.25)


def test_test_part_is_who_stands_apart(release):
  path, images = release(*every_irregularity())
  people = open_mpii_release(path, images, "test").people
  assert people.image_names == ("000000001.jpg", "000000003.jpg")
  np.testing.assert_array_equal(people.person_ids, [1001, 1002, 3000])
  assert not people.vis.any() and not people.area.any()
  np.testing.assert_array_equal(people.is_croppable(), [True, False, True])
  np.testing.assert_array_equal(people.box_xywh_img[0, 2:], [100, 100])
  everybody = open_mpii_release(path, images, "test_all").people
  np.testing.assert_array_equal(
    everybody.person_ids, [1000, 1001, 1002, 3000, 8000]
  )


def test_one_image_with_one_person_with_one_point(release):
  path, images = release([image("a.jpg", person([point(3)]))], [1], [[1]])
  people = open_mpii_release(path, images).people
  assert len(people) == 1 and people.vis[0].nonzero()[0].tolist() == [3]
  path, images = release([image("a.jpg", person(), person())], [0], [[1, 2]])
  assert len(open_mpii_release(path, images, "test").people) == 2


def test_points_without_the_field_is_visible_count_as_visible(release):
  path, images = release([image("a.jpg", person([point(3), point(4)]))], [1])
  assert open_mpii_release(path, images).people.vis.sum() == 4


@pytest.mark.parametrize(
  "fault,wanted",
  [
    (person([point(16)]), "a keypoint has id 16, wanted 0 to 15"),
    (person([point(2, x=EMPTY)]), "a keypoint has id 2.0, x None and y 24"),
    (person([point(2, is_visible="2")]), "has is_visible 2, wanted 0 or 1"),
    (person([point(2, is_visible="no")]), "is_visible is 'no', wanted a num"),
    (person([point(2, x=np.nan)]), "x is nan, wanted a finite number"),
    (person(ALL, scale=np.array([[1, 2]])), r"scale is \[1 2\], wanted one"),
    (person(ALL, scale="tall"), "scale is 'tall', wanted a number"),
  ],
)
def test_what_cannot_be_read_names_image_and_person(release, fault, wanted):
  path, images = release([image("a.jpg", person(ALL), fault)], [1])
  with pytest.raises(
    DataError, match=f"release.mat: person 2 of image 'a.jpg': .*{wanted}"
  ):
    open_mpii_release(path, images)


def test_other_faults_are_named(release, tmp_path):
  with pytest.raises(ValueError, match="train, test, test_all, got 'valid'"):
    open_mpii_release(tmp_path / "x.mat", tmp_path, "valid")
  with pytest.raises(DataError, match="cannot read .*x.mat: No such file"):
    open_mpii_release(tmp_path / "x.mat", tmp_path)
  scipy.io.savemat(tmp_path / "x.mat", {"joints": np.ones(3)})
  with pytest.raises(
    DataError, match="not the MPII release: .* 0 images and 0"
  ):
    open_mpii_release(tmp_path / "x.mat", tmp_path)
  two = [image("a.jpg", person(ALL)), image("b.jpg")]
  with pytest.raises(DataError, match="found 2 images and 1 marks"):
    open_mpii_release(*release(two, [1]))
  with pytest.raises(DataError, match="single_person speaks of 3 images, .* 2"):
    open_mpii_release(*release(two, [1, 0], [[], [], []]))
  with pytest.raises(DataError, match="has nobody in its test part"):
    open_mpii_release(*release(two, [1, 0], [[1], []]), "test")
  path, images = release(two, [1, 0])
  (images / "a.jpg").unlink()
  with pytest.raises(DataError, match="1 of 1 annotated images are missing"):
    open_mpii_release(path, images)
  assert len(open_mpii_release(path, images, check_images=False).people) == 1
  nameless = [{"image": EMPTY}, image("b.jpg", person(ALL))]
  mat = dict(annolist=structs(*nameless), img_train=np.array([[1, 1]]))
  scipy.io.savemat(path, {"RELEASE": mat})
  with pytest.raises(DataError, match="image 1 of annolist has no name"):
    open_mpii_release(path, images)
