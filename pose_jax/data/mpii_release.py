"""MPII Human Pose from the .mat of the official release, without MATLAB.

`mpii_human_pose_v1_u12_1.mat` holds one struct RELEASE: `annolist`, one entry
an image with `image.name` and `annorect`, the people (head rectangle x1, y1,
x2, y2; scale; objpos.x, .y; annopoints.point with x, y, id, is_visible);
`img_train`, 1 for the training part; `single_person`, which people of an image
stand apart from the others, numbered from 1. Any part of it may be missing,
empty or, where there is one of it, not a list. The test part has no keypoints.

Which people a split has, and the counts that others publish:

  train         training images, people with at least one keypoint. HRNet's
                trainval.json has 29,116, the lists of CPM's scripts 28,883.
  test          test images, people of `single_person`: the official
                single-person test. 7,247, also HRNet's test.json.
  test_all      test images, everybody. 11,823.

The release does not know the usual 22,246 for training and 2,958 for
validation (Tompson et al. 2015, and nobody else of their images); those come
as JSON, see `mpii.py`.

The file itself was not at hand when this was written: the reader was tested on
files of this structure with each of the irregularities that users of the
release report, and the counts above were not verified. 7,247 and 11,823 are
given for these rules by a user of the release (anibali/eval-mpii-pose, issue
18); that 29,116 rather than 28,883 belongs to the rule of "train" is a guess,
the difference may be people without a position, who have no box here.
"""

import math
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int8

from pose_jax.data import entries
from pose_jax.data.images import DataError, FolderImages
from pose_jax.data.mpii_people import (
  HEAD_SHARE,
  UNKNOWN,
  people_from_columns,
  read_mat,
)
from pose_jax.data.people import Dataset
from pose_jax.skeleton import MPII16

RELEASE_SPLITS = ("train", "test", "test_all")


class _Person(NamedTuple):
  """One annorect; 1-based pixels."""

  image: str
  place: int  # in annorect, from 0
  center_xy: tuple[float, float]
  scale: float
  kpts_xy: Float64[np.ndarray, "16 2"]
  vis: Int8[np.ndarray, "16"]
  head_size: float


def open_mpii_release(
  mat: str | pathlib.Path,
  images: str | pathlib.Path,
  split: str = "train",
  *,
  check_images: bool = True,
) -> Dataset:
  """One part of the official release; reads no image.

  A keypoint is visible (2) where is_visible is 1 or not given (as for the
  head, whose points the release does not judge), else hidden (1). A person
  without scale or objpos gets a box without area, so `usable` leaves it out
  and says so. head_size comes from the head rectangle, 0 without one. Image
  and person ids are as in `open_mpii`, with the place in annorect.

  Args:
    mat: mpii_human_pose_v1_u12_1.mat.
    images: folder of the release's images.
    split: one of RELEASE_SPLITS, see above; reports say "release_train", as
      the JSON's train is another.
    check_images: False leaves it to the reader to miss an image file.
  Raises:
    ValueError: on an unknown split.
    DataError: if the file is missing, is not the release, or has an entry
      that cannot be read (names image and person), or an image is missing.
  """
  if split not in RELEASE_SPLITS:
    raise ValueError(
      f"split must be one of {', '.join(RELEASE_SPLITS)}, got {split!r}"
    )
  path = pathlib.Path(mat)
  persons = [
    person
    for name, rects, is_train, single in _images(path)
    if is_train == (split == "train")
    for person in _persons(name, rects, path)
    if (person.vis.any() if is_train else True)
    and (split != "test" or person.place + 1 in single)
  ]
  if not persons:
    raise DataError(f"{path} has nobody in its {split} part")
  people = people_from_columns(
    [person.image for person in persons],
    center_xy=np.array([person.center_xy for person in persons]),
    scale=np.array([person.scale for person in persons]),
    kpts_xy=np.array([person.kpts_xy for person in persons]),
    vis=np.array([person.vis for person in persons]),
    head_size=np.array([person.head_size for person in persons]),
    place=[person.place for person in persons],
    image_hw=np.zeros((len(persons), 2)),
    origin=path,
  )
  source = FolderImages(pathlib.Path(images), people.image_names)
  if check_images:
    source.check()
  return Dataset("mpii", f"release_{split}", people, source)


def _images(path: pathlib.Path) -> Iterator[tuple[str, list, bool, set[int]]]:
  """Name, people, whether for training, and single people of each image."""
  with entries.collector_off():
    content = read_mat(path, struct_as_record=False, squeeze_me=True)
  release = content.get("RELEASE")
  annolist = _structs(_get(release, "annolist"))
  train = np.atleast_1d(_get(release, "img_train", ())).ravel()
  single = _get(release, "single_person", ())
  single = [single] if len(annolist) == 1 else np.atleast_1d(single).ravel()
  if not annolist or len(train) != len(annolist):
    raise DataError(
      f"{path} is not the MPII release: wanted a struct RELEASE with annolist "
      f"and an img_train for each image, found {len(annolist)} images and "
      f"{len(train)} marks"
    )
  if len(single) not in (0, len(annolist)):
    raise DataError(
      f"{path}: single_person speaks of {len(single)} images, annolist of "
      f"{len(annolist)}"
    )
  for row, entry in enumerate(annolist):
    name = _get(_get(entry, "image"), "name")
    if not isinstance(name, str) or not name:
      raise DataError(f"{path}: image {row + 1} of annolist has no name")
    numbers = np.atleast_1d(single[row]).ravel() if len(single) else ()
    rects = _structs(_get(entry, "annorect"))
    yield name, rects, bool(train[row] == 1), {int(n) for n in numbers}


def _persons(name: str, rects: list, path: pathlib.Path) -> Iterator[_Person]:
  for place, rect in enumerate(rects):
    try:
      yield _person(name, place, rect)
    except (ValueError, TypeError) as error:
      raise DataError(
        f"{path}: person {place + 1} of image {name!r}: {error}"
      ) from None


def _person(name: str, place: int, rect: Any) -> _Person:
  position = _get(rect, "objpos")
  center = [_number(position, key) for key in ("x", "y")]
  scale = _number(rect, "scale")
  head = [_number(rect, key) for key in ("x1", "y1", "x2", "y2")]
  kpts_xy, vis = _points(_structs(_get(_get(rect, "annopoints"), "point")))
  head_size = 0.0
  if None not in head:
    head_size = HEAD_SHARE * float(
      np.hypot(head[2] - head[0], head[3] - head[1])
    )
  return _Person(
    name,
    place,
    (UNKNOWN, UNKNOWN) if None in center else tuple(center),
    UNKNOWN if scale is None else scale,
    kpts_xy,
    vis,
    head_size,
  )


def _points(points: list) -> tuple:
  """1-based [16, 2] and visibilities [16] of a person's points, by their id."""
  kpts_xy = np.zeros((MPII16.num_keypoints, 2))
  vis = np.zeros(MPII16.num_keypoints, np.int8)
  for point in points:
    number, x, y = (_number(point, key) for key in ("id", "x", "y"))
    if None in (number, x, y):
      raise ValueError(f"a keypoint has id {number}, x {x} and y {y}")
    if number not in range(MPII16.num_keypoints):
      raise ValueError(f"a keypoint has id {number:g}, wanted 0 to 15")
    seen = _number(point, "is_visible")
    if seen not in (None, 0, 1):
      raise ValueError(f"a keypoint has is_visible {seen:g}, wanted 0 or 1")
    kpts_xy[int(number)] = x, y
    vis[int(number)] = 1 if seen == 0 else 2
  return kpts_xy, vis


def _get(struct: Any, key: str, default: Any = None) -> Any:
  """A field of what scipy makes of a struct; the default if it is none."""
  return getattr(struct, key, default) if _is_struct(struct) else default


def _is_struct(value: Any) -> bool:
  return hasattr(value, "_fieldnames")


def _structs(value: Any) -> list:
  """The structs of a struct array, of any length."""
  return [v for v in np.atleast_1d(value).ravel() if _is_struct(v)]


def _number(struct: Any, key: str) -> float | None:
  """A field as a number, also if it is text; None if missing or empty."""
  value = _get(struct, key)
  if type(value) not in (int, float):  # two million of the values are
    if value is None or np.size(value) == 0 or not str(value).strip():
      return None
    if np.size(value) > 1:
      raise ValueError(f"{key} is {value}, wanted one number")
    try:
      value = float(np.asarray(value).item())
    except (ValueError, TypeError):
      raise ValueError(f"{key} is {value!r}, wanted a number") from None
  number = float(value)
  if not math.isfinite(number):
    raise ValueError(f"{key} is {number}, wanted a finite number")
  return number
