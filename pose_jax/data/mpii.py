"""MPII Human Pose in the JSON form of the HRNet code base.

A list of people, each with its image, a centre, a scale (the person is about
200 * scale pixels high), 16 keypoints and which of them are annotated, in
MATLAB's 1-based pixels; beside it `gt_SPLIT.mat` with the head boxes. The
official .mat is read by `mpii_release.py`; `mpii_people.py` says what box and
area a person gets.

Source: Andriluka et al., CVPR 2014; HRNet's lib/dataset/mpii.py.
"""

import itertools
import pathlib

import numpy as np
from jaxtyping import Float64, Int8

from pose_jax.data import entries
from pose_jax.data.images import DataError, FolderImages
from pose_jax.data.mpii_people import (
  HEAD_SHARE,
  people_from_columns,
  read_mat,
)
from pose_jax.data.people import Dataset
from pose_jax.skeleton import MPII16

# Rounded positions agree, those of another person do not.
_AGREE_PX = 1.0


def open_mpii(
  root: str | pathlib.Path,
  split: str = "train",
  *,
  images: str | pathlib.Path | None = None,
  check_images: bool = True,
) -> Dataset:
  """One split of MPII from JSON; reads no image.

  Keypoints that are not annotated get visibility 0. The others get 2, as the
  form does not tell hidden ones, unless an entry has the key `visible`: then
  2 where it is 1, else 1. Entries without `joints` (test.json) label nothing.
  head_size comes from `gt_SPLIT.mat` and is 0 where there is no such file.
  Image ids are the numbers in the file names (places in the file if the names
  are no numbers), person ids 1000 times that plus the key `person` if all
  entries have it, else the place among the entries of the image.

  Args:
    root: folder with `SPLIT.json` or `annot/SPLIT.json` and `images/`.
    split: "train", "valid" or what other files there are ("trainval", "test").
    images: folder of the images if it is another.
    check_images: False leaves it to the reader to miss an image file.
  Raises:
    DataError: if a file is missing or faulty (names the entry), or the two
      files do not speak of the same people in the same order.
  """
  root = pathlib.Path(root)
  path = _find(root, split)
  rows = entries.load(path, "annotation file")
  if not isinstance(rows, list):
    raise DataError(
      f"annotation file {path} holds no list: wanted HRNet's form, a list of "
      "objects with image, center, scale, joints and joints_vis"
    )
  names = entries.texts(rows, "person", "image", path)
  kpts_xy, vis = _keypoints(rows, path)
  head_size = np.zeros(len(rows))
  truth = path.with_name(f"gt_{split}.mat")
  if truth.exists():
    head_size = _head_sizes(truth, path, kpts_xy, vis)
  people = people_from_columns(
    names,
    center_xy=entries.vectors(rows, "person", "center", 2, path),
    scale=entries.numbers(rows, "person", "scale", path),
    kpts_xy=kpts_xy,
    vis=vis,
    head_size=head_size,
    place=_places(rows, names, path),
    image_hw=_image_hw(rows, path),
    origin=path,
    box_source=_box_source(rows),
  )
  source = FolderImages(
    pathlib.Path(images) if images else root / "images", people.image_names
  )
  if check_images:
    source.check()
  return Dataset("mpii", split, people, source)


def _find(root: pathlib.Path, split: str) -> pathlib.Path:
  folders = (root, root / "annot")
  for folder in folders:
    if (folder / f"{split}.json").is_file():
      return folder / f"{split}.json"
  found = sorted(
    p.stem for f in folders if f.is_dir() for p in f.glob("*.json")
  )
  raise DataError(
    f"there is no {split}.json in {root} or {root / 'annot'}: "
    + (f"there are the splits {', '.join(found)}" if found else "wrong folder?")
  )


def _keypoints(rows: list, path: pathlib.Path) -> tuple:
  """1-based [N, 16, 2] and visibilities [N, 16]."""
  num = MPII16.num_keypoints
  if rows and not any("joints" in row for row in rows):
    return np.zeros((len(rows), num, 2)), np.zeros((len(rows), num), np.int8)
  flat = [
    {"joints": _flat(value)}
    for value in entries.column(rows, "person", "joints", path)
  ]
  kpts_xy = entries.vectors(flat, "person", "joints", 2 * num, path)
  is_labelled = _flags(rows, "joints_vis", path)
  seen = [{"visible": r.get("visible", r["joints_vis"])} for r in rows]
  is_seen = _flags(seen, "visible", path)
  vis = np.where(is_labelled, np.where(is_seen, 2, 1), 0).astype(np.int8)
  return kpts_xy.reshape(-1, num, 2), vis


def _flat(points):
  """[[x, y], ...] as one list; anything else as it is, for its sentence."""
  if isinstance(points, list) and all(isinstance(p, list) for p in points):
    return list(itertools.chain.from_iterable(points))
  return points


def _flags(rows: list, key: str, path: pathlib.Path) -> np.ndarray:
  flags = entries.vectors(rows, "person", key, MPII16.num_keypoints, path)
  is_wrong = ~np.isin(flags, (0, 1)).all(1)
  if is_wrong.any():
    row = int(np.flatnonzero(is_wrong)[0])
    fault = f"has {key} {rows[row][key]}, wanted 0 or 1"
    raise entries.faulty(rows, "person", row, fault, path)
  return flags > 0


def _places(rows: list, names: tuple, path: pathlib.Path) -> list[int]:
  if rows and all("person" in row for row in rows):
    return entries.ints(rows, "person", "person", path).tolist()
  seen = {}
  for name in names:
    seen.setdefault(name, itertools.count())
  return [next(seen[name]) for name in names]


def _image_hw(rows: list, path: pathlib.Path) -> np.ndarray:
  """[N, 2] from the key `image_size` ([w, h]); zeros if not all have it."""
  if not rows or not all("image_size" in row for row in rows):
    return np.zeros((len(rows), 2))
  return entries.vectors(rows, "person", "image_size", 2, path)[:, ::-1]


def _box_source(rows: list) -> str:
  is_estimated = any(row.get("center_estimated") for row in rows)
  return "ground truth" + ", centre estimated" * is_estimated


def _head_sizes(
  truth: pathlib.Path,
  path: pathlib.Path,
  kpts_xy: Float64[np.ndarray, "N 16 2"],
  vis: Int8[np.ndarray, "N 16"],
) -> Float64[np.ndarray, "N"]:
  """PCKh's reference lengths, once the .mat is seen to be of these people."""
  content = read_mat(truth)
  shapes = {"headboxes_src": (2, 2, -1), "pos_gt_src": (16, 2, -1)}
  shapes["jnt_missing"] = (16, -1)
  columns = []
  for key, shape in shapes.items():
    if key not in content:
      raise DataError(f"{truth} has no {key}: wanted {', '.join(shapes)}")
    try:
      column = np.moveaxis(content[key].reshape(shape), -1, 0).astype(float)
    except ValueError:
      column = ()
    if len(column) != len(vis):
      raise DataError(
        f"{truth}: {key} has shape {content[key].shape}, which is not that of "
        f"the {len(vis)} people of {path}: the two files belong to different "
        "lists"
      )
    columns.append(column)
  head_xyxy, wanted_xy, is_missing = columns
  off = np.where(vis[..., None] > 0, np.abs(kpts_xy - wanted_xy), 0)
  is_other = ~(off.max((1, 2)) <= _AGREE_PX)
  is_other |= ((is_missing > 0) != (vis == 0)).any(1)
  if is_other.any():
    row = int(np.flatnonzero(is_other)[0])
    raise DataError(
      f"{path}: the keypoints of person entry {row} are not those of "
      f"{truth.name}, nor are those of {is_other.sum() - 1} others: the two "
      "files are not of the same people in the same order"
    )
  return HEAD_SHARE * np.linalg.norm(head_xyxy[:, 1] - head_xyxy[:, 0], axis=-1)
