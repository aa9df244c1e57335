"""Pictures of findings: annotations over images, marked where to look."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from pose_jax import draw
from pose_jax.data.findings import Finding
from pose_jax.data.images import DataError, Row
from pose_jax.data.people import Dataset, People
from pose_jax.data.survey import Survey

Reader = Callable[[int, int], np.ndarray]  # (part, row) -> RGB [H, W, 3]
_HEIGHT, _WIDTH = 240, 250  # of a picture, pixels
_NARROWEST = 170  # pixels that a caption needs
_MAX_BORDER = 0.3  # of the picture's longer side, round what is drawn


def draw_finding(
  survey: Survey, finding: Finding, read_image: Reader
) -> np.ndarray | None:
  """What a finding is about; None if its picture cannot be read.

  People are shown with box and skeleton, the keypoints concerned with a ring;
  pairs of images side by side.

  Args:
    survey: that the finding is of.
    finding: one that has an image.
    read_image: gives its pictures.
  Returns:
    RGB [h, w, 3] uint8, some 250 pixels a side, wide enough for a caption.
  """
  try:
    if finding.other_part is not None:
      return _widened(_both(survey, finding, read_image))
    image = read_image(finding.part, finding.image)
  except DataError:
    return None
  dataset = survey.parts[finding.part]
  if finding.person is None:
    return _widened(_whole(dataset, image, finding.image))
  people = [finding.person]
  if finding.other_person is not None:
    people.append(finding.other_person)
  return _widened(_people(dataset, image, people, finding.keypoints))


def _widened(picture: np.ndarray) -> np.ndarray:
  """With dark sides, if it is too narrow for a caption below it."""
  lacking = max(_NARROWEST - picture.shape[1], 0)
  return cv2.copyMakeBorder(
    picture,
    *(0, 0, lacking // 2, lacking - lacking // 2),
    cv2.BORDER_CONSTANT,
    value=(24, 24, 24),
  )


def _both(survey: Survey, finding: Finding, read_image: Reader) -> np.ndarray:
  """Two images side by side, with the people annotated in them."""
  pictures = [
    _whole(survey.parts[part], read_image(part, image), image)
    for part, image in (
      (finding.part, finding.image),
      (finding.other_part, finding.other_image),
    )
  ]
  return draw.contact_sheet(pictures, columns=2)


def _whole(dataset: Dataset, image: np.ndarray, row: int) -> np.ndarray:
  """A whole image with all its people."""
  height, width = image.shape[:2]
  everything = np.array([0, 0, width - 1, height - 1], float)
  small, small_from_img = draw.cut(
    image, everything, height=_HEIGHT, max_width=_WIDTH
  )
  table = dataset.people
  for i in np.flatnonzero(table.image_index == row):
    if (table.vis[i] > 0).any():
      small = _skeleton(table, i, small, small_from_img)
  return small


def _people(
  dataset: Dataset,
  image: np.ndarray,
  rows: Sequence[int],
  keypoints: Sequence[int],
) -> np.ndarray:
  """The surroundings of people, with boxes, skeletons and marks on top."""
  table = dataset.people
  points = [table.kpts_xy_img[i][table.vis[i] > 0] for i in rows]
  corners = [
    box[:2] + np.array([[0, 0], [1, 1]]) * box[2:]
    for box in table.box_xywh_img[list(rows)]
  ]
  every = np.concatenate([*points, *corners]).astype(np.float64)
  image, shift = _bordered(image, every)
  low, high = every.min(0) + shift, every.max(0) + shift
  area = np.concatenate([low, np.maximum(high - low, 1)])
  small, small_from_bordered = draw.cut(
    image, area, height=_HEIGHT, max_width=_WIDTH
  )
  matrix = small_from_bordered.copy()
  matrix[:, 2] += matrix[:, :2] @ shift
  for i in rows:
    small = draw.draw_box(
      small, _moved(_corners(table.box_xywh_img[i]), matrix)
    )
    small = _skeleton(table, i, small, matrix)
    marked = table.kpts_xy_img[i][list(keypoints)].astype(np.float64)
    small = draw.mark(small, _moved(marked, matrix))
  return small


def _corners(box_xywh: np.ndarray) -> np.ndarray:
  """Top left and bottom right, [2, 2]."""
  low = box_xywh[:2].astype(np.float64)
  return np.stack([low, low + box_xywh[2:]])


def _bordered(
  image: np.ndarray, points_xy: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """The picture with a grey border that holds points outside it."""
  height, width = image.shape[:2]
  most = _MAX_BORDER * max(height, width)
  low = np.clip(-points_xy.min(0) + 8, 0, most)
  high = np.clip(points_xy.max(0) + 8 - (width, height), 0, most)
  if (points_xy.min(0) >= 0).all() and (
    points_xy.max(0) <= (width, height)
  ).all():
    low, high = np.zeros(2), np.zeros(2)
  left, top, right, bottom = np.ceil([*low, *high]).astype(int).tolist()
  bordered = cv2.copyMakeBorder(
    image,
    *(top, bottom, left, right),
    cv2.BORDER_CONSTANT,
    value=(96, 96, 96),
  )
  return bordered, np.array([left, top], float)


def _skeleton(
  table: People, i: Row, picture: np.ndarray, matrix: np.ndarray
) -> np.ndarray:
  vis = table.vis[i]
  return draw.draw_skeleton(
    picture,
    _moved(table.kpts_xy_img[i].astype(np.float64), matrix),
    table.skeleton,
    shown=vis > 0,
    hidden=vis == 1,
    width=2.0,
  )


def _moved(points_xy: np.ndarray, matrix: np.ndarray) -> np.ndarray:
  return points_xy @ matrix[:, :2].T + matrix[:, 2]
