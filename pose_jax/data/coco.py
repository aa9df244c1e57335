"""COCO keypoint annotations: one JSON file and a folder of images.

Serves COCO itself and anybody's own data in its format.
"""

import json
import pathlib
from typing import Any

import numpy as np
from jaxtyping import Float64

from pose_jax.data.images import DataError, FolderImages
from pose_jax.data.people import Dataset, People
from pose_jax.skeleton import COCO17, Skeleton


def open_coco(
  annotations: str | pathlib.Path,
  images: str | pathlib.Path,
  *,
  skeleton: Skeleton = COCO17,
  name: str = "coco",
  split: str = "",
) -> Dataset:
  """All people of a COCO keypoint file, crowd regions too; reads no image.

  Boxes are clipped to the image, [0, W] x [0, H]; one that lies outside it
  is left with zero area. Keypoints of visibility 0 are set to 0.

  Args:
    annotations: a `person_keypoints_*.json`.
    images: folder that the file names are relative to.
    skeleton: what the file's keypoints are, in order.
    name: what reports call the dataset.
    split: likewise.
  Raises:
    DataError: if a file, a key or an image is missing or a number is not
      one; names the file and the entry.
  """
  path = pathlib.Path(annotations)
  content = _load(path)
  image_ids = _ints(content["images"], "image", "id", path)
  image_hw = np.stack(
    [_ints(content["images"], "image", k, path) for k in ("height", "width")],
    axis=1,
  )
  persons = _persons(content, skeleton, path)
  index = _image_index(persons, image_ids, path)
  keypoints = _keypoints(persons, skeleton, path)
  is_labelled = keypoints[..., 2:] > 0
  box = _floats(persons, "bbox", 4, path)
  area = _floats(persons, "area", 1, path)[:, 0]
  is_crowd = _ints(persons, "annotation", "iscrowd", path) > 0
  person_ids = _ints(persons, "annotation", "id", path)
  image_names = _names(content["images"], path)
  try:
    people = People(
      skeleton=skeleton,
      image_names=image_names,
      image_ids=image_ids,
      image_hw=image_hw.astype(np.int32),
      image_index=index,
      person_ids=person_ids,
      box_xywh_img=_clip(box, image_hw[index]).astype(np.float32),
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
  source.check()
  return Dataset(name, split, people, source)


def _load(path: pathlib.Path) -> dict[str, Any]:
  try:
    content = json.loads(path.read_bytes())
  except OSError as error:
    raise DataError(
      f"cannot read annotation file {path}: {error.strerror}"
    ) from None
  except ValueError as error:
    raise DataError(
      f"annotation file {path} is no valid JSON: {error}"
    ) from None
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


def _persons(content, skeleton: Skeleton, path: pathlib.Path) -> list[dict]:
  """The annotations of the one category that has the skeleton's keypoints."""
  with_keypoints = [
    c
    for c in content["categories"]
    if isinstance(c, dict) and isinstance(c.get("keypoints"), list)
  ]
  if len(with_keypoints) > 1:
    with_keypoints = [c for c in with_keypoints if c.get("name") == "person"]
  if len(with_keypoints) != 1:
    raise DataError(
      f"{path}: wanted one category with keypoints (or one of them called "
      f"person), found {len(with_keypoints)}; is it an instances file?"
    )
  category = with_keypoints[0]
  if len(category["keypoints"]) != skeleton.num_keypoints:
    raise DataError(
      f"{path}: category {category.get('name')!r} has "
      f"{len(category['keypoints'])} keypoints, but skeleton {skeleton.name} "
      f"has {skeleton.num_keypoints}"
    )
  annotations = content["annotations"]
  kinds = _ints(annotations, "annotation", "category_id", path)
  wanted = _ints([category], "category", "id", path)[0]
  return [a for a, k in zip(annotations, kinds, strict=True) if k == wanted]


def _image_index(persons, image_ids, path: pathlib.Path) -> np.ndarray:
  rows = {image_id: row for row, image_id in enumerate(image_ids.tolist())}
  wanted = _ints(persons, "annotation", "image_id", path).tolist()
  for person, image_id in zip(persons, wanted, strict=True):
    if image_id not in rows:
      raise DataError(
        f"{path}: annotation {person.get('id')} has image_id {image_id}, "
        "which is not among the file's images"
      )
  return np.array([rows[i] for i in wanted], np.int32)


def _keypoints(persons, skeleton: Skeleton, path: pathlib.Path) -> np.ndarray:
  """[N, K, 3] float64 x, y, v as in the file."""
  num = skeleton.num_keypoints
  flat = _floats(persons, "keypoints", 3 * num, path)
  keypoints = flat.reshape(len(persons), num, 3)
  is_wrong = ~np.isin(keypoints[..., 2], (0, 1, 2)).all(1)
  if is_wrong.any():
    i = np.flatnonzero(is_wrong)[0]
    raise DataError(
      f"{path}: annotation {persons[i].get('id')} has keypoint visibilities "
      f"{keypoints[i, :, 2].tolist()}, wanted 0, 1 or 2"
    )
  return keypoints


def _clip(
  box_xywh: Float64[np.ndarray, "N 4"], image_hw: np.ndarray
) -> Float64[np.ndarray, "N 4"]:
  """Boxes cut at the image's border; negative sizes become zero."""
  size_wh = image_hw[:, ::-1]
  low = np.clip(box_xywh[:, :2], 0, size_wh)
  high = np.clip(box_xywh[:, :2] + box_xywh[:, 2:], low, size_wh)
  return np.concatenate([low, high - low], 1)


def _column(entries, kind: str, key: str, path: pathlib.Path) -> list:
  try:
    return [entry[key] for entry in entries]
  except (KeyError, TypeError):
    row = next(
      i
      for i, entry in enumerate(entries)
      if not isinstance(entry, dict) or key not in entry
    )
    raise _faulty(entries, kind, row, f"has no {key!r}", path) from None


def _names(images, path: pathlib.Path) -> tuple[str, ...]:
  names = _column(images, "image", "file_name", path)
  for row, name in enumerate(names):
    if not isinstance(name, str):
      fault = f"has file_name {name!r}, wanted a text"
      raise _faulty(images, "image", row, fault, path)
  return tuple(names)


def _ints(entries, kind: str, key: str, path: pathlib.Path) -> np.ndarray:
  column = _column(entries, kind, key, path)
  for row, value in enumerate(column):
    if not isinstance(value, int) or abs(value) >= 2**63:
      fault = f"has {key} {value!r}, wanted a whole number"
      raise _faulty(entries, kind, row, fault, path)
  return np.array(column, np.int64)


def _floats(
  entries, key: str, num: int, path: pathlib.Path
) -> Float64[np.ndarray, "N num"]:
  """[N, num] finite numbers of the annotations."""
  column = _column(entries, "annotation", key, path)
  for row, value in enumerate(column):
    length = len(value) if isinstance(value, list) else 1
    if length != num:
      fault = f"has {length} numbers in {key}, wanted {num}"
      raise _faulty(entries, "annotation", row, fault, path)
  try:
    array = np.array(column).reshape(len(column), num)
  except ValueError:  # lists within lists
    array = np.array(column, object)
  if column and array.dtype.kind not in "if":
    row = [_are_numbers(value) for value in column].index(False)
    fault = f"has {key} {column[row]!r}, wanted numbers"
    raise _faulty(entries, "annotation", row, fault, path)
  array = array.astype(np.float64)
  is_bad = ~np.isfinite(array).all(1)
  if is_bad.any():
    row = int(np.flatnonzero(is_bad)[0])
    fault = f"has {key} {array[row].tolist()}, wanted finite numbers"
    raise _faulty(entries, "annotation", row, fault, path)
  return array


def _are_numbers(value) -> bool:
  values = value if isinstance(value, list) else [value]
  return all(
    isinstance(v, float) or (isinstance(v, int) and abs(v) < 2**63)
    for v in values
  )


def _faulty(
  entries, kind: str, row: int, fault: str, path: pathlib.Path
) -> DataError:
  """ "FILE: annotation 17 has ...", by id where the entry has one."""
  entry = entries[row]
  number = entry.get("id") if isinstance(entry, dict) else None
  which = f"{kind} {number}" if number is not None else f"{kind} entry {row}"
  return DataError(f"{path}: {which} {fault}")
