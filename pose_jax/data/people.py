"""The table of people: one row per person, arrays only.

Annotations of every origin (COCO, LSP, drawn people, one's own) become a
`People`; nothing downstream knows which. Rows name their image by index into
`image_names`. Keypoints are 0-based image pixels, visibility is COCO's: 0 not
labelled, 1 labelled but hidden, 2 visible.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Int8, Int32, Int64

from pose_jax.data.images import DataError, ImageSource
from pose_jax.skeleton import Skeleton


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class People:
  """N people in M images.

  Attributes:
    skeleton: says what the K keypoints are.
    image_names: M names, relative to the image source.
    image_ids: the data set's own image numbers, unique.
    image_hw: height and width; (0, 0) where unknown.
    image_index: row of the image a person is in.
    person_ids: the data set's own annotation numbers, unique.
    box_xywh_img: top-left corner and size.
    kpts_xy_img: 0 where not labelled.
    vis: 0 not labelled, 1 labelled but hidden, 2 visible.
    area: pixels the person covers, for OKS.
    is_crowd: the row is a region of people, not one person.
    score: of the box; 1 where a human drew it.
    box_source: where boxes come from, for the protocol of a score.
    area_source: likewise the areas.
    head_size: PCKh's reference length, image pixels; 0 where unknown (the
      default).
    repeats: how often an epoch of training shows the person, 1 by default; a
      fraction shows it in that share of the epochs.
  Raises:
    DataError: if numbers are not finite, ids not unique, or a row points at
      no image; names the image and the person.
  """

  skeleton: Skeleton
  image_names: tuple[str, ...]
  image_ids: Int64[np.ndarray, "M"]
  image_hw: Int32[np.ndarray, "M 2"]
  image_index: Int32[np.ndarray, "N"]
  person_ids: Int64[np.ndarray, "N"]
  box_xywh_img: Float32[np.ndarray, "N 4"]
  kpts_xy_img: Float32[np.ndarray, "N K 2"]
  vis: Int8[np.ndarray, "N K"]
  area: Float32[np.ndarray, "N"]
  is_crowd: Bool[np.ndarray, "N"]
  score: Float32[np.ndarray, "N"]
  box_source: str = "ground truth"
  area_source: str = "annotated"
  head_size: Float32[np.ndarray, "N"] | None = None
  repeats: Float32[np.ndarray, "N"] | None = None

  def __post_init__(self):
    for name, default in (("head_size", 0), ("repeats", 1)):
      if getattr(self, name) is None:
        column = np.full(len(self), default, np.float32)
        object.__setattr__(self, name, column)
    self._check_counts()
    lost = (self.image_index < 0) | (self.image_index >= len(self.image_names))
    if lost.any():
      i = np.flatnonzero(lost)[0]
      raise DataError(
        f"person {self.person_ids[i]} is in image row {self.image_index[i]}, "
        f"but there are {len(self.image_names)} images"
      )
    self._check_unique("image", self.image_ids)
    self._check_unique("person", self.person_ids)
    for name in (
      *("box_xywh_img", "kpts_xy_img", "area", "score"),
      *("head_size", "repeats"),
    ):
      self._check_rows(name, np.isfinite(getattr(self, name)), "is not finite")
    self._check_rows("vis", np.isin(self.vis, (0, 1, 2)), "is not 0, 1 or 2")

  def __len__(self) -> int:
    return len(self.person_ids)

  def __repr__(self) -> str:
    return (
      f"People({len(self)} people, {self.skeleton.name}, "
      f"{len(self.image_names)} images)"
    )

  def describe(self, i: int | np.integer) -> str:
    """Names person i and its image, for messages."""
    image = self.image_names[self.image_index[i]]
    return f"person {self.person_ids[i]} in image {image!r}"

  def select(self, rows: Bool[np.ndarray, "N"] | np.ndarray) -> "People":
    """The given rows, by mask or by index; all images stay."""
    picked = {name: getattr(self, name)[rows] for name in _ROW_FIELDS}
    return dataclasses.replace(self, **picked)

  def is_usable(self) -> Bool[np.ndarray, "N"]:
    """Which rows have something to learn from or to be measured on."""
    return self.is_croppable() & (self.vis > 0).any(1)

  def is_croppable(self) -> Bool[np.ndarray, "N"]:
    """Which rows are one person in a box of at least a pixel, labelled or not.

    A detector's boxes are of this kind and never `is_usable`.
    """
    return ~self.is_crowd & self._has_extent()

  def usable(self) -> "People":
    """Rows with a labelled keypoint and a box with area; no crowds."""
    return self.select(self.is_usable())

  def unusable(self) -> tuple[str, ...]:
    """One sentence for each row that `usable` leaves out: who and why."""
    has_extent = self._has_extent()

    def why(i) -> str:
      if self.is_crowd[i]:
        return "is a crowd region"
      if not has_extent[i]:
        width, height = self.box_xywh_img[i, 2:]
        what = "zero area" if width * height == 0 else "less than a pixel"
        return f"has a box of {what} ({width:g} x {height:g})"
      return "has no labelled keypoint"

    return tuple(
      f"{self.describe(i)} {why(i)}" for i in np.flatnonzero(~self.is_usable())
    )

  def _has_extent(self) -> Bool[np.ndarray, "N"]:
    # Less than a pixel cannot be cropped between pixel centres.
    return (self.box_xywh_img[:, 2:] >= 1).all(1)

  def _check_counts(self):
    """What the annotations of the fields cannot say."""
    wanted, got = self.skeleton.num_keypoints, self.vis.shape[1]
    if got != wanted:
      raise DataError(
        f"people have {got} keypoints, but skeleton {self.skeleton.name} has "
        f"{wanted}"
      )
    if len(self.image_names) != len(self.image_ids):
      raise DataError(
        f"{len(self.image_names)} image names for {len(self.image_ids)} image "
        "ids: wanted one each"
      )

  def _check_unique(self, what: str, ids: np.ndarray):
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
      raise DataError(
        f"{what} id {values[counts > 1][0]} is used more than once: ids must "
        "be unique within a table"
      )

  def _check_rows(self, name: str, is_good: np.ndarray, complaint: str):
    if is_good.all():
      return
    i = int(np.argwhere(~is_good)[0, 0])
    raise DataError(
      f"{self.describe(i)}: {name} {complaint}: "
      f"{getattr(self, name)[i].tolist()}"
    )


_ROW_FIELDS = (
  "image_index",
  "person_ids",
  "box_xywh_img",
  "kpts_xy_img",
  "vis",
  "area",
  "is_crowd",
  "score",
  "head_size",
  "repeats",
)


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
  """A table of people and the images it speaks of, row for row.

  Attributes:
    left_out: what the files have besides, in words; "" if nothing.
  """

  name: str
  split: str
  people: People
  images: ImageSource
  left_out: str = ""

  def __post_init__(self):
    if len(self.images) != len(self.people.image_names):
      raise DataError(
        f"{self.name}: {len(self.people.image_names)} images in the table, "
        f"{len(self.images)} in the source"
      )

  def describe(self, i: int | np.integer) -> str:
    """As `People.describe`; in a joined set, says which one the image is of."""
    image = self.images.name(self.people.image_index[i])
    return f"person {self.people.person_ids[i]} in image {image!r}"


def concatenate(tables: Sequence[People]) -> People:
  """One table of several with the same skeleton, images one after the other.

  Raises:
    DataError: if skeletons differ or an id occurs in two tables.
  """
  skeletons = {table.skeleton.name for table in tables}
  if len(skeletons) != 1:
    raise DataError(
      f"tables to join must share one skeleton, got {sorted(skeletons)}"
    )
  counts = [len(table.image_names) for table in tables]
  offsets = np.cumsum([0, *counts[:-1]])
  joined = {
    name: np.concatenate([getattr(table, name) for table in tables])
    for name in (*_ROW_FIELDS, "image_ids", "image_hw")
  }
  joined["image_index"] = np.concatenate(
    [t.image_index + np.int32(o) for t, o in zip(tables, offsets, strict=True)]
  )
  box_sources = dict.fromkeys(table.box_source for table in tables)
  area_sources = dict.fromkeys(table.area_source for table in tables)
  return People(
    skeleton=tables[0].skeleton,
    image_names=tuple(n for table in tables for n in table.image_names),
    box_source=" + ".join(box_sources),
    area_source=" + ".join(area_sources),
    **joined,
  )
