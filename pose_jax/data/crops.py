"""Rows of the table and their warps, cut into a batch of crops.

One decode and one affine warp a person.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from pose_jax.data.augment import (
  Warp,
  crop_from_img,
  crop_person,
  warp_keypoints,
)
from pose_jax.data.people import Dataset
from pose_jax.geometry import Frames

Batch = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, repr=False)
class Crops:
  """Turns rows of the table and their warps into a batch."""

  dataset: Dataset
  frames: Frames
  reduce: bool

  def center_size(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return self.frames.center_size(self.dataset.people.box_xywh_img[rows])

  def batch(
    self,
    rows: np.ndarray,
    warps: Sequence[Warp],
    center_size: tuple[np.ndarray, np.ndarray] | None = None,
  ) -> Batch:
    """Crops of the rows' boxes, or of what `center_size` says instead."""
    people = self.dataset.people
    center_xy_img, size_wh_img = center_size or self.center_size(rows)
    matrix = crop_from_img(self.frames, center_xy_img, size_wh_img, warps)
    kpts_xy_crop, vis = warp_keypoints(
      people.kpts_xy_img[rows],
      people.vis[rows],
      matrix,
      warps,
      people.skeleton.flip_permutation,
    )
    images = [
      self._crop(image, row_matrix)
      for image, row_matrix in zip(
        people.image_index[rows], matrix, strict=True
      )
    ]
    return {
      "image": np.stack(images),
      "kpts_xy_crop": kpts_xy_crop.astype(np.float32),
      "vis": vis,
      "crop_from_img": matrix.astype(np.float32),
      "person": rows.astype(np.int32),
    }

  def _crop(self, image, matrix: np.ndarray) -> np.ndarray:
    source = self.dataset.images
    return crop_person(
      source.read(image),
      source.name(image),
      matrix,
      self.frames.crop_hw,
      reduce=self.reduce,
    )


def title(dataset: Dataset) -> str:
  return f"{dataset.name} {dataset.split}".strip()


def usable(dataset: Dataset) -> Dataset:
  return dataclasses.replace(dataset, people=dataset.people.usable())


def positive(name: str, value: int) -> int:
  if value < 1:
    raise ValueError(f"{name} must be at least 1, got {value}")
  return value


def check_process(process: tuple[int, int]) -> None:
  index, count = process
  if not 0 <= index < count:
    raise ValueError(
      f"process must be (index, count) with 0 <= index < count, got {process}"
    )
