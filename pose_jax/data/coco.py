"""COCO keypoint annotations: one JSON file and a folder of images.

Serves COCO itself and anybody's own data in its format.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from pose_jax.data import entries
from pose_jax.data.boxes import cut_boxes
from pose_jax.data.images import DataError, FolderImages
from pose_jax.data.people import Dataset, People
from pose_jax.skeleton import COCO17, Skeleton


def open_coco(
  annotations: str | pathlib.Path,
  images: str | pathlib.Path,
  *,
  skeleton: Skeleton = COCO17,
  alternatives: Sequence[Skeleton] = (),
  name: str = "coco",
  split: str = "",
  check_images: bool = True,
  clip_boxes: bool = True,
) -> Dataset:
  """All people of a COCO keypoint file, crowd regions too; reads no image.

  Boxes are clipped to the image, [0, W] x [0, H]; one that lies outside it
  is left with zero area. Where the file gives a size of 0 x 0, nothing is
  clipped. Keypoints of visibility 0 are set to 0.

  Args:
    annotations: a `person_keypoints_*.json`.
    images: folder that the file names are relative to.
    skeleton: what the file's keypoints are: the same names in the same
      order. Of several categories with keypoints, its `category` is read.
      Annotations of the file's other categories are left out and counted.
    alternatives: skeletons that the file may have instead; the table has
      the one whose names are the file's.
    name: what reports call the dataset.
    split: likewise.
    check_images: False leaves it to the reader to miss an image file.
    clip_boxes: False leaves boxes as the file has them.
  Raises:
    DataError: if a file, a key or an image is missing or a number is not
      one; names the file and the entry.
  """
  path = pathlib.Path(annotations)
  content = _load(path)
  image_ids = entries.ints(content["images"], "image", "id", path)
  image_hw = np.stack(
    [
      entries.ints(content["images"], "image", k, path)
      for k in ("height", "width")
    ],
    axis=1,
  )
  category = _category(content, skeleton, path)
  skeleton = _skeleton(category, (skeleton, *alternatives), path)
  persons, left_out = _persons(content, category, path)
  index = _image_index(persons, image_ids, path)
  keypoints = _keypoints(persons, skeleton, path)
  is_labelled = keypoints[..., 2:] > 0
  box = entries.vectors(persons, "annotation", "bbox", 4, path)
  if clip_boxes:
    box = cut_boxes(box, image_hw[index])
  area = entries.numbers(persons, "annotation", "area", path)
  is_crowd = entries.ints(persons, "annotation", "iscrowd", path) > 0
  person_ids = entries.ints(persons, "annotation", "id", path)
  image_names = entries.texts(content["images"], "image", "file_name", path)
  try:
    people = People(
      skeleton=skeleton,
      image_names=image_names,
      image_ids=image_ids,
      image_hw=image_hw.astype(np.int32),
      image_index=index,
      person_ids=person_ids,
      box_xywh_img=box.astype(np.float32),
      kpts_xy_img=np.where(is_labelled, keypoints[..., :2], 0).astype(
        np.float32
      ),
      vis=keypoints[..., 2].astype(np.int8),
      area=area.astype(np.float32),
      is_crowd=is_crowd,
      score=np.ones(len(persons), np.float32),
    )
  except DataError as error:
    raise DataError(f"{path}: {error}") from None
  source = FolderImages(pathlib.Path(images), people.image_names)
  if check_images:
    source.check()
  return Dataset(name, split, people, source, left_out)


def _load(path: pathlib.Path) -> dict[str, Any]:
  content = entries.load(path, "annotation file")
  wanted = ("images", "annotations", "categories")
  missing = [
    k
    for k in wanted
    if not (isinstance(content, dict) and isinstance(content.get(k), list))
  ]
  if missing:
    raise DataError(
      f"annotation file {path} has no list {missing[0]!r}: a COCO keypoint "
      f"file has {', '.join(wanted)}"
    )
  return content


def _category(content, skeleton: Skeleton, path: pathlib.Path) -> dict:
  """The one category with keypoints; of several, the skeleton's."""
  with_keypoints = [
    c
    for c in content["categories"]
    if isinstance(c, dict) and isinstance(c.get("keypoints"), list)
  ]
  if not with_keypoints:
    raise DataError(
      f"{path}: wanted a category with keypoints, found none; is it an "
      "instances file?"
    )
  if len(with_keypoints) == 1:
    return with_keypoints[0]
  chosen = [c for c in with_keypoints if c.get("name") == skeleton.category]
  if len(chosen) != 1:
    names = ", ".join(str(c.get("name")) for c in with_keypoints)
    raise DataError(
      f"{path}: several categories have keypoints ({names}), and "
      f"{len(chosen)} of them are called {skeleton.category!r}, as skeleton "
      f"{skeleton.name} wants: name one as category in the skeleton's file"
    )
  return chosen[0]


def _skeleton(
  category: dict, skeletons: Sequence[Skeleton], path: pathlib.Path
) -> Skeleton:
  """The first skeleton whose names are the category's, in this order."""
  names, wanted = category["keypoints"], skeletons[0]
  for skeleton in skeletons:
    if names == list(skeleton.keypoints):
      return skeleton
  where = f"{path}: category {category.get('name')!r} has"
  if len(names) != wanted.num_keypoints:
    raise DataError(
      f"{where} {len(names)} keypoints, but skeleton {wanted.name} has "
      f"{wanted.num_keypoints}"
    )
  k = [a == b for a, b in zip(names, wanted.keypoints, strict=True)].index(0)
  raise DataError(
    f"{where} keypoint {names[k]!r} at place {k + 1}, where skeleton "
    f"{wanted.name} has {wanted.keypoints[k]!r}: names and order must be the "
    "same"
  )


def _persons(
  content, category: dict, path: pathlib.Path
) -> tuple[list[dict], str]:
  """The annotations of one category, and how many others there are."""
  annotations = content["annotations"]
  kinds = entries.ints(annotations, "annotation", "category_id", path)
  known = entries.ints(content["categories"], "category", "id", path)
  is_lost = ~np.isin(kinds, known)
  wanted = entries.ints([category], "category", "id", path)[0]
  if is_lost.any():
    row = int(np.flatnonzero(is_lost)[0])
    fault = (
      f"has category_id {kinds[row]}, which is not among the file's "
      f"categories: {category.get('name')!r} is {wanted}"
    )
    raise entries.faulty(annotations, "annotation", row, fault, path)
  persons = [a for a, k in zip(annotations, kinds, strict=True) if k == wanted]
  num = len(annotations) - len(persons)
  of = "annotation" if num == 1 else "annotations"
  return persons, f"{num:,} {of} of other categories" if num else ""


def _image_index(persons, image_ids, path: pathlib.Path) -> np.ndarray:
  rows = {image_id: row for row, image_id in enumerate(image_ids.tolist())}
  wanted = entries.ints(persons, "annotation", "image_id", path).tolist()
  try:
    return np.array([rows[i] for i in wanted], np.int32)
  except KeyError:
    row = next(i for i, image_id in enumerate(wanted) if image_id not in rows)
    raise DataError(
      f"{path}: annotation {persons[row].get('id')} has image_id "
      f"{wanted[row]}, which is not among the file's images"
    ) from None


def _keypoints(persons, skeleton: Skeleton, path: pathlib.Path) -> np.ndarray:
  """[N, K, 3] float64 x, y, v as in the file."""
  num = skeleton.num_keypoints
  flat = entries.vectors(persons, "annotation", "keypoints", 3 * num, path)
  keypoints = flat.reshape(len(persons), num, 3)
  is_wrong = ~np.isin(keypoints[..., 2], (0, 1, 2)).all(1)
  if is_wrong.any():
    i = np.flatnonzero(is_wrong)[0]
    raise DataError(
      f"{path}: annotation {persons[i].get('id')} has keypoint visibilities "
      f"{keypoints[i, :, 2].tolist()}, wanted 0, 1 or 2"
    )
  return keypoints
