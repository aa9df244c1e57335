"""Boxes cut at the border, and those of several tables as one table to crop.

The same pictures evaluated in ground-truth boxes, in a detector's and in
moved ones need one pass: their boxes are joined, and rows of one picture lie
next to each other, so that it is decoded once.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer

from pose_jax.data.images import DataError
from pose_jax.data.people import People


def cut_boxes(
  box_xywh_img: Float64[np.ndarray, "N 4"], image_hw: np.ndarray
) -> Float64[np.ndarray, "N 4"]:
  """Boxes cut at their image's border; untouched where image_hw is (0, 0).

  Negative sizes become zero.
  """
  size_wh = image_hw[:, ::-1]
  low = np.clip(box_xywh_img[:, :2], 0, size_wh)
  high = np.clip(box_xywh_img[:, :2] + box_xywh_img[:, 2:], low, size_wh)
  cut = np.concatenate([low, high - low], 1)
  return np.where((size_wh > 0).all(1, keepdims=True), cut, box_xywh_img)


def cut_and_kept(
  box_xywh_img: Float64[np.ndarray, "N 4"],
  is_wanted: Bool[np.ndarray, " N"],
  image_index: Integer[np.ndarray, " N"],
  image_hw: Integer[np.ndarray, "I 2"],
) -> tuple[Int64[np.ndarray, " R"], Float64[np.ndarray, "R 4"]]:
  """Rows of wanted boxes of which a pixel or more is in the image; cut boxes.

  Args:
    image_index: row of each box's image; that of a box not wanted may be any.
  """
  rows = np.flatnonzero(is_wanted)
  cut = cut_boxes(box_xywh_img[rows], image_hw[image_index[rows]])
  has_extent = (cut[:, 2:] >= 1).all(1)
  return rows[has_extent], cut[has_extent]


def join_boxes(
  tables: Sequence[People],
) -> tuple[People, Int64[np.ndarray, "R"], Int64[np.ndarray, "R"]]:
  """One table of the boxes of all tables, and where each row came from.

  Args:
    tables: all with the same images.
  Returns:
    The table, without keypoints and with person ids of its own; for each row
    its table's index and its row there.
  Raises:
    DataError: if the tables speak of different images.
  """
  first = tables[0]
  for table in tables[1:]:
    if table.image_names != first.image_names:
      raise DataError(
        f"boxes to join must be of the same images: {first.box_source} have "
        f"{len(first.image_names)}, {table.box_source} "
        f"{len(table.image_names)}, or others in between"
      )
  table_of = np.repeat(np.arange(len(tables)), [len(t) for t in tables])
  row_of = np.concatenate([np.arange(len(t)) for t in tables])
  image_index = np.concatenate([t.image_index for t in tables])
  order = np.argsort(image_index, kind="stable")
  num, keypoints = len(order), first.skeleton.num_keypoints

  def joined(name: str) -> np.ndarray:
    return np.concatenate([getattr(t, name) for t in tables])[order]

  people = dataclasses.replace(
    first,
    image_index=image_index[order],
    person_ids=np.arange(num, dtype=np.int64),
    box_xywh_img=joined("box_xywh_img"),
    kpts_xy_img=np.zeros((num, keypoints, 2), np.float32),
    vis=np.zeros((num, keypoints), np.int8),
    area=joined("area"),
    is_crowd=joined("is_crowd"),
    score=joined("score"),
    head_size=np.zeros(num, np.float32),
    repeats=np.ones(num, np.float32),
    box_source=" + ".join(dict.fromkeys(t.box_source for t in tables)),
  )
  return people, table_of[order], row_of[order]
