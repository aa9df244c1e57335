"""Leeds Sports Pose and its extended training set, from their .mat files.

Both have 14 keypoints, person-centric, in MATLAB's 1-based pixels, one person
an image and no boxes. Their third value means opposite things:

                LSP                      LSP-extended
  flag 0        labelled, visible (2)    not labelled (0)
  flag 1        labelled, hidden (1)     labelled, visible (2)

Sources: Johnson and Everingham, BMVC 2010 and CVPR 2011.
"""

import pathlib

import numpy as np
import scipy.io
from jaxtyping import Float32, Float64

from pose_jax.data.images import DataError, FolderImages
from pose_jax.data.people import Dataset, People
from pose_jax.geometry import box_from_keypoints
from pose_jax.skeleton import LSP14

BOXES = ("keypoints", "image")
_NUM_IMAGES = {"lsp": 2_000, "lspet": 10_000}
_LSP_VIS = np.array([2, 1], np.int8)
_LSPET_VIS = np.array([0, 2], np.int8)
_LSPET_FIRST_ID = 10_000  # keeps ids apart when the two sets are joined


def open_lsp(
  root: str | pathlib.Path,
  split: str = "train",
  *,
  boxes: str = "keypoints",
  check_images: bool = True,
) -> Dataset:
  """LSP: images 1-1000 train, 1001-2000 test; reads no image.

  The sizes of the images stay unknown (0, 0) unless `boxes` needs them.

  Args:
    root: folder with `joints.mat` and `images/im0001.jpg` to `im2000.jpg`.
    split: "train" or "test".
    boxes: "keypoints", the box round the labelled keypoints, or "image", the
      whole image, whose size is read from the file's header.
    check_images: False leaves it to the reader to miss an image file.
  Raises:
    DataError: if a file is missing or not as the release has it.
    ValueError: on an unknown split or kind of box.
  """
  splits = {"train": np.arange(1, 1001), "test": np.arange(1001, 2001)}
  joints = _joints(pathlib.Path(root), "lsp")
  numbers = _choice("split", split, splits)
  source = _images(root, numbers, "im{:04d}", check_images)
  return _open("lsp", source, split, boxes, joints, numbers, _LSP_VIS)


def open_lspet(
  root: str | pathlib.Path,
  split: str = "train",
  *,
  boxes: str = "keypoints",
  check_images: bool = True,
) -> Dataset:
  """LSP-extended, 10,000 images; reads no image.

  It has no official split: "val" holds the images whose number is divisible
  by 10, "train" the others, "all" all. Arguments and errors as `open_lsp`;
  images are `im00001.jpg` to `im10000.jpg`.
  """
  numbers = np.arange(1, 10_001)
  splits = {
    "train": numbers[numbers % 10 != 0],
    "val": numbers[numbers % 10 == 0],
    "all": numbers,
  }
  joints = _joints(pathlib.Path(root), "lspet")
  numbers = _choice("split", split, splits)
  source = _images(root, numbers, "im{:05d}", check_images)
  return _open("lspet", source, split, boxes, joints, numbers, _LSPET_VIS)


def _images(root, numbers, pattern: str, is_checked: bool) -> FolderImages:
  names = (f"images/{pattern.format(number)}.jpg" for number in numbers)
  source = FolderImages(pathlib.Path(root), tuple(names))
  if is_checked:
    source.check()
  return source


def _open(name, source, split, boxes, joints, numbers, vis_of_flag):
  _choice("boxes", boxes, dict.fromkeys(BOXES))
  rows = joints[numbers - 1]
  vis = vis_of_flag[rows[..., 2].astype(int)]
  kpts_xy_img = np.where(vis[..., None] > 0, rows[..., :2] - 1, 0)
  kpts_box = _keypoint_boxes(kpts_xy_img, vis)
  image_hw = np.zeros((len(numbers), 2), np.int32)
  box = kpts_box
  if boxes == "image":
    image_hw = np.array([source.hw(i) for i in range(len(source))], np.int32)
    box = np.concatenate([np.zeros_like(image_hw), image_hw[:, ::-1]], 1)
  ids = numbers + (_LSPET_FIRST_ID if name == "lspet" else 0)
  people = People(
    skeleton=LSP14,
    image_names=source.names,
    image_ids=ids,
    image_hw=image_hw,
    image_index=np.arange(len(numbers), dtype=np.int32),
    person_ids=ids,
    box_xywh_img=box.astype(np.float32),
    kpts_xy_img=kpts_xy_img.astype(np.float32),
    vis=vis,
    area=kpts_box[:, 2] * kpts_box[:, 3],
    is_crowd=np.zeros(len(numbers), bool),
    score=np.ones(len(numbers), np.float32),
    box_source=boxes,
    area_source="box round the labelled keypoints",
  )
  return Dataset(name, split, people, source)


def _choice(what: str, wanted: str, options: dict):
  if wanted not in options:
    raise ValueError(
      f"{what} must be one of {', '.join(options)}, got {wanted!r}"
    )
  return options[wanted]


def _whose(joints: np.ndarray | None) -> str:
  """Says whose joints these are, if they are another set's."""
  for name, num in _NUM_IMAGES.items():
    if joints is not None and set(joints.shape) == {3, 14, num}:
      return f", which are those of {name}: give the other folder"
  return ""


def _joints(root: pathlib.Path, name: str) -> Float64[np.ndarray, "num 14 3"]:
  """x, y, flag of every image, from either of the two layouts in use."""
  path, num = root / "joints.mat", _NUM_IMAGES[name]
  try:
    content = scipy.io.loadmat(str(path))
  except FileNotFoundError:
    raise DataError(
      f"{path} does not exist: give the folder with joints.mat and images/ of "
      f"{name}, or the one that holds it under the name {name}"
    ) from None
  except Exception as error:  # scipy raises many kinds on a damaged file
    raise DataError(f"{path} is no readable .mat file: {error}") from None
  joints = content.get("joints")
  layouts = {(3, 14, num): (2, 1, 0), (14, 3, num): (2, 0, 1)}
  if joints is None or joints.shape not in layouts:
    found = "nothing" if joints is None else f"shape {joints.shape}"
    raise DataError(
      f"{path}: wanted joints of {name}, of shape (3, 14, {num}) or "
      f"(14, 3, {num}), found {found}{_whose(joints)}"
    )
  joints = joints.transpose(layouts[joints.shape]).astype(np.float64)
  is_good = np.isfinite(joints).all((1, 2)) & np.isin(
    joints[..., 2], (0, 1)
  ).all(1)
  if not is_good.all():
    row = np.flatnonzero(~is_good)[0]
    raise DataError(
      f"{path}: image {row + 1} has a keypoint that is not finite or a flag "
      "other than 0 and 1"
    )
  return joints


def _keypoint_boxes(
  kpts_xy_img: Float64[np.ndarray, "N K 2"], vis: np.ndarray
) -> Float32[np.ndarray, "N 4"]:
  boxes = [
    box_from_keypoints(kpts, row > 0)
    for kpts, row in zip(kpts_xy_img, vis, strict=True)
  ]
  return np.array(boxes, np.float32)
