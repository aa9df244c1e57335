"""Person boxes that no human drew: a detector's, or ground truth moved about.

A detector's file is in COCO's results format, a JSON list of objects with
image_id, category_id, bbox (x, y, width, height) and score, as HRNet's
`COCO_val2017_detections_AP_H_56_person.json`. Non-maximum suppression is the
detector's business and is not done here.
"""

import dataclasses
import hashlib
import math
import pathlib

import numpy as np
from jaxtyping import Float64, Integer

from pose_jax.data import entries
from pose_jax.data.boxes import cut_and_kept
from pose_jax.data.images import DataError
from pose_jax.data.people import People

PERSON = 1  # COCO's category


@dataclasses.dataclass(frozen=True)
class DetectedBoxes:
  """A detections file as a table, and what was left out of it.

  Attributes:
    people: one row a box.
    sha256: of the file, for the protocol of a score.
    num_other_categories: boxes of something else than a person.
    num_other_images: boxes in images that the data set does not have.
    num_low_score: boxes below the score that was asked for.
    num_tiny: boxes of less than a pixel after the cut at the image's border.
  """

  people: People
  sha256: str
  num_other_categories: int
  num_other_images: int
  num_low_score: int
  num_tiny: int

  def describe(self) -> str:
    """One sentence: how many boxes there are and which were left out."""
    boxes = f"{len(self.people)} boxes from {self.people.box_source}"
    left_out = [
      f"{count} {why}"
      for count, why in (
        (self.num_other_categories, "of other categories"),
        (self.num_other_images, "in images that are not in the data set"),
        (self.num_low_score, "of low score"),
        (self.num_tiny, "of less than a pixel"),
      )
      if count
    ]
    return boxes + (f"; left out: {', '.join(left_out)}" if left_out else "")


def read_boxes(
  path: str | pathlib.Path, people: People, *, min_score: float | int = 0.0
) -> DetectedBoxes:
  """Reads a detections file for the images of a table; reads no image.

  Boxes of people in these images are taken, cut at the image's border where
  its size is known; the others are counted.

  Args:
    path: COCO results format.
    people: says which images there are; its own boxes play no part.
    min_score: boxes of a lower score are left out.
  Raises:
    DataError: if the file is missing or no list, an entry is faulty (named by
      its place in the file; a size below 0 is a fault), or no box at all is
      left.
  """
  path = pathlib.Path(path)
  boxes = entries.load(path, "detections file")
  if not isinstance(boxes, list):
    raise DataError(
      f"detections file {path} holds no list: wanted COCO's results format, "
      "a list of objects with image_id, category_id, bbox and score"
    )
  column = (boxes, "box")
  is_person = entries.ints(*column, "category_id", path) == PERSON
  image_index = _rows(entries.ints(*column, "image_id", path), people)
  score = entries.numbers(*column, "score", path)
  box = entries.vectors(*column, "bbox", 4, path)
  is_here = is_person & (image_index >= 0)
  is_sure = is_here & (score >= min_score)
  is_turned = (box[:, 2:] < 0).any(1)
  if is_turned.any():
    row = int(np.flatnonzero(is_turned)[0])
    fault = f"has bbox {boxes[row]['bbox']!r}: width or height is below 0"
    raise entries.faulty(*column, row, fault, path)
  kept, box = cut_and_kept(box, is_sure, image_index, people.image_hw)
  if not len(kept):
    raise DataError(
      f"detections file {path} has no box of a person in any of the "
      f"{len(people.image_ids)} images with a score of {min_score:g} or more "
      f"({len(boxes)} boxes, {is_person.sum()} of people, {is_here.sum()} in "
      "these images): is it of another data set or split?"
    )
  return DetectedBoxes(
    people=dataclasses.replace(
      unlabelled(people, image_index[kept], box),
      person_ids=kept + 1,
      score=score[kept].astype(np.float32),
      box_source=f"detections {path.name}",
    ),
    sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    num_other_categories=int((~is_person).sum()),
    num_other_images=int((is_person & ~is_here).sum()),
    num_low_score=int((is_here & ~is_sure).sum()),
    num_tiny=int(is_sure.sum()) - len(kept),
  )


def jitter_boxes(people: People, *, amount: float | int, seed: int) -> People:
  """Boxes moved and stretched at random, to see what box noise costs.

  The centre moves by up to `amount` of the width and of the height, and each
  side is multiplied by a factor between 1 / (1 + amount) and 1 + amount, all
  evenly distributed (the factors in their logarithm) and independent. Whatever
  the box, the mean IoU with the box it came from is then

    amount    0.05   0.1    0.15   0.2    0.3    0.4    0.5
    mean IoU  0.899  0.812  0.736  0.668  0.554  0.461  0.385

  (10^7 draws each, rounded to 0.001). What happens to a box depends on the
  seed and its person id alone, not on the others in the table or their order.
  Boxes are not cut at the image's border and stay at least a pixel wide;
  crowds and boxes without extent are left alone.

  Args:
    people: the table; only its boxes and box_source change.
    amount: share of the box, 0 to below 1.
    seed: not negative.
  Raises:
    ValueError: on an amount or a seed out of range.
  """
  if not 0 <= amount < 1:
    raise ValueError(
      f"amount must be a share of the box, from 0 to below 1, got {amount}"
    )
  if seed < 0:
    raise ValueError(f"seed must not be negative, got {seed}")
  draws = np.array([_draws(seed, i) for i in people.person_ids.tolist()])
  draws = draws.reshape(len(people), 2, 2)
  box = people.box_xywh_img.astype(np.float64)
  size_wh = box[:, 2:]
  center_xy = box[:, :2] + size_wh / 2 + amount * draws[:, 0] * size_wh
  size_wh = size_wh * np.exp(math.log1p(amount) * draws[:, 1])
  size_wh = np.maximum(size_wh, 1)
  moved = np.concatenate([center_xy - size_wh / 2, size_wh], 1)
  is_moved = people.is_croppable() & (amount > 0)
  return dataclasses.replace(
    people,
    box_xywh_img=np.where(is_moved[:, None], moved, people.box_xywh_img).astype(
      np.float32
    ),
    box_source=f"{people.box_source}, moved by {amount:g}",
  )


def _draws(seed: int, person_id: int) -> Float64[np.ndarray, "4"]:
  """Four numbers in [-1, 1) that belong to a person."""
  rng = np.random.default_rng([seed, person_id % 2**64])
  return rng.uniform(-1, 1, 4)


def _rows(image_ids: np.ndarray, people: People) -> np.ndarray:
  """Row of each image in the table, -1 where it has none."""
  rows = {image_id: i for i, image_id in enumerate(people.image_ids.tolist())}
  found = [rows.get(image_id, -1) for image_id in image_ids.tolist()]
  return np.array(found, np.int32)


def unlabelled(
  people: People,
  image_index: Integer[np.ndarray, " N"],
  box_xywh_img: Float64[np.ndarray, "N 4"],
) -> People:
  """Boxes in the table's images, in place of its people; no keypoint is known.

  The area is that of the box, the score 1.
  """
  num, num_keypoints = len(box_xywh_img), people.skeleton.num_keypoints
  return dataclasses.replace(
    people,
    image_index=image_index,
    person_ids=np.arange(num),
    box_xywh_img=box_xywh_img.astype(np.float32),
    kpts_xy_img=np.zeros((num, num_keypoints, 2), np.float32),
    vis=np.zeros((num, num_keypoints), np.int8),
    area=box_xywh_img[:, 2:].prod(1).astype(np.float32),
    is_crowd=np.zeros(num, bool),
    score=np.ones(num, np.float32),
    head_size=None,
    repeats=None,
  )
