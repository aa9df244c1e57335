"""Photographs that nobody has annotated, and where to look for people in them.

For prediction. One picture or a folder of them becomes a data set of people of
whom only boxes are known: each whole picture is one person's box, or a file
says where the boxes are.

A picture's id is the number that its name is, as COCO's are called
("000000000139.jpg" is 139), if all names are numbers and differ; else its
place in the order of names, from 1. A file of annotations has ids of its own.
"""

import dataclasses
import pathlib
from typing import Any

import numpy as np
from jaxtyping import Int64

from pose_jax.data import entries
from pose_jax.data.boxes import cut_and_kept
from pose_jax.data.detections import read_boxes, unlabelled
from pose_jax.data.images import (
  ADVICE,
  REDUCTIONS,
  DataError,
  FolderImages,
  decode,
)
from pose_jax.data.orientation import exif_orientation
from pose_jax.data.people import Dataset, People
from pose_jax.skeleton import Skeleton

WHOLE = "whole pictures"  # box source
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")


@dataclasses.dataclass(frozen=True, eq=False)
class Pictures:
  """What to predict in.

  Attributes:
    dataset: one row a box, in order of images; nobody is labelled.
    note: where the boxes are from and which were left out, a line.
    has_person_ids: whether the rows' person ids are annotations' ids.
    turned: pictures that are stored otherwise than the camera was held (EXIF);
      they are taken as they are stored.
    damaged: of each picture of the folder that cannot be read and is left out,
      a clause that names it and says why.
  """

  dataset: Dataset
  note: str
  has_person_ids: bool = False
  turned: tuple[str, ...] = ()
  damaged: tuple[str, ...] = ()


def open_pictures(path: str | pathlib.Path, skeleton: Skeleton) -> Pictures:
  """A picture, or all of a folder in the order of names, each a whole box.

  Folders in the folder are not looked into. Decodes all pictures, as small as
  the format allows: those of a folder that are damaged are left out and named,
  so that they do not end a long prediction. The others keep their ids.

  Args:
    path: of a picture or a folder.
    skeleton: what will be predicted.
  Raises:
    DataError: if there is no picture, or the only one or all of a folder's
      are damaged.
  """
  path = pathlib.Path(path)
  if path.is_dir():
    names = sorted(
      entry.name
      for entry in path.iterdir()
      if entry.suffix.lower() in SUFFIXES and entry.is_file()
    )
    if not names:
      raise DataError(
        f"{path} holds no picture ({', '.join(SUFFIXES)}): give a picture or "
        "the folder that they lie in; folders in it are not looked into"
      )
    every = FolderImages(path, tuple(names))
  else:
    every = FolderImages(path.parent, (path.name,))
  faults = [_fault(every, i) for i in range(len(every))]
  damaged = tuple(fault for fault in faults if fault)
  if len(damaged) == len(every):
    of_all = f" (all {len(every)} in {path} are damaged)"
    raise DataError(
      f"{damaged[0]}{of_all if len(every) > 1 else ''}; give a picture that "
      "can be opened"
    )
  kept = np.flatnonzero([not fault for fault in faults])
  images = FolderImages(every.root, tuple(every.names[i] for i in kept))
  image_hw = np.array([images.hw(i) for i in range(len(images))], np.int32)
  count = len(images)
  box = np.zeros((count, 4), np.float32)
  box[:, 2:] = image_hw[:, ::-1]
  nobody = People(
    skeleton=skeleton,
    image_names=images.names,
    image_ids=_ids(every.names)[kept],
    image_hw=image_hw,
    image_index=np.arange(count, dtype=np.int32),
    person_ids=np.arange(1, count + 1),
    box_xywh_img=box,
    kpts_xy_img=np.zeros((count, skeleton.num_keypoints, 2), np.float32),
    vis=np.zeros((count, skeleton.num_keypoints), np.int8),
    area=box[:, 2:].prod(1),
    is_crowd=np.zeros(count, bool),
    score=np.ones(count, np.float32),
    box_source=WHOLE,
  )
  return Pictures(
    Dataset("pictures", str(path), nobody, images),
    "each whole picture is one person's box",
    turned=tuple(
      name for name in images.names if _is_turned(images.root, name)
    ),
    damaged=damaged,
  )


def with_boxes(
  pictures: Pictures, path: str | pathlib.Path, *, min_score: float | int = 0.0
) -> Pictures:
  """The same pictures with the boxes of a file, in COCO's results format or
  a COCO annotation file.

  Results, a list of image_id, category_id 1, bbox and score, name pictures by
  the ids at the head of this file. An annotation file names them by file_name
  (folders before the name do not count) and brings the ids of its images and
  people along; crowds and boxes of less than a pixel are left out. Boxes are
  cut at the picture's border.

  Args:
    pictures: whose table says which pictures there are.
    path: JSON file.
    min_score: results of a lower score are left out.
  Raises:
    DataError: if the file is missing or faulty, or has no box in these
      pictures.
  """
  path = pathlib.Path(path)
  people = pictures.dataset.people
  content = entries.load(path, "boxes file")
  if isinstance(content, dict):
    boxed, note = _annotated(content, people, path)
  else:
    found = read_boxes(path, people, min_score=min_score)
    boxed, note = found.people, found.describe()
  order = np.argsort(boxed.image_index, kind="stable")
  dataset = dataclasses.replace(pictures.dataset, people=boxed.select(order))
  return dataclasses.replace(
    pictures,
    dataset=dataset,
    note=note,
    has_person_ids=isinstance(content, dict),
  )


def _fault(images: FolderImages, i: int) -> str:
  """What is wrong with a picture; empty if it can be decoded."""
  try:
    decode(images.read(i), images.name(i), REDUCTIONS[-1])
  except DataError as error:
    return str(error).removesuffix(ADVICE)
  return ""


def _is_turned(root: pathlib.Path, name: str) -> bool:
  with open(root / name, "rb") as file:
    return exif_orientation(file.read(1 << 16)) != 1


def _ids(names: tuple[str, ...]) -> Int64[np.ndarray, "M"]:
  stems = [pathlib.PurePath(name).stem for name in names]
  if all(s.isascii() and s.isdigit() and len(s) < 19 for s in stems):
    numbers = np.array([int(stem) for stem in stems], np.int64)
    if len(np.unique(numbers)) == len(numbers):
      return numbers
  return np.arange(1, len(names) + 1)


def _annotated(
  content: dict[str, Any], people: People, path: pathlib.Path
) -> tuple[People, str]:
  """The boxes of a COCO annotation file, and what to say of them."""
  for key in ("images", "annotations"):
    if not isinstance(content.get(key), list):
      raise DataError(
        f"boxes file {path} has no list {key!r}: wanted a COCO annotation "
        "file, or a list in COCO's results format"
      )
  image_ids, known = _ids_in_file(content["images"], people, path)
  rows = content["annotations"]
  column = (rows, "annotation")
  is_wanted = _is_of_category(content, people.skeleton, path)
  box = entries.vectors(*column, "bbox", 4, path)
  person_ids = entries.ints(*column, "id", path)
  image_index = np.array(
    [
      known.get(i, -1) for i in entries.ints(*column, "image_id", path).tolist()
    ],
    np.int32,
  )
  is_crowd = np.array([bool(row.get("iscrowd")) for row in rows], bool)
  is_here = is_wanted & (image_index >= 0) & ~is_crowd
  kept, box = cut_and_kept(box, is_here, image_index, people.image_hw)
  if not len(kept):
    raise DataError(
      f"boxes file {path} has no box of a {people.skeleton.category} in any of "
      f"the {len(people.image_names)} pictures ({len(rows)} annotations of "
      f"{len(content['images'])} images, {len(known)} of which are there): are "
      "its file_names those of the pictures?"
    )
  boxed = dataclasses.replace(
    unlabelled(people, image_index[kept], box),
    image_ids=image_ids,
    person_ids=person_ids[kept],
    box_source=f"annotations {path.name}",
  )
  left_out = len(rows) - len(kept)
  note = f"{len(kept)} boxes from {boxed.box_source}"
  return boxed, note + (f"; {left_out} left out" if left_out else "")


def _ids_in_file(
  images: list, people: People, path: pathlib.Path
) -> tuple[np.ndarray, dict[int, int]]:
  """Ids of the table's images in a file; and id -> row of those it has.

  Images that it does not have get numbers that it does not have either.
  """
  ids = entries.ints(images, "image", "id", path)
  names = entries.texts(images, "image", "file_name", path)
  row_of = {name: row for row, name in enumerate(people.image_names)}
  first_free = int(ids.max(initial=0)) + 1
  image_ids = first_free + np.arange(len(row_of), dtype=np.int64)
  known: dict[int, int] = {}
  found: set[int] = set()
  for place, (number, name) in enumerate(zip(ids.tolist(), names, strict=True)):
    row = row_of.get(pathlib.PurePath(name).name)
    if row is None:
      continue
    if row in found or number in known:
      fault = f"has file_name {name!r}, and so has an image before it"
      raise entries.faulty(images, "image", place, fault, path)
    known[number] = row
    found.add(row)
    image_ids[row] = number
  return image_ids, known


def _is_of_category(
  content: dict[str, Any], skeleton: Skeleton, path: pathlib.Path
) -> np.ndarray:
  """Which annotations are of what the skeleton is of.

  All of them where the file has one category or none.
  """
  kinds = entries.ints(
    content["annotations"], "annotation", "category_id", path
  )
  categories = content.get("categories") or []
  if len(categories) < 2:
    return np.ones(len(kinds), bool)
  wanted = [
    c.get("id")
    for c in categories
    if isinstance(c, dict) and c.get("name") == skeleton.category
  ]
  return np.isin(kinds, wanted)
