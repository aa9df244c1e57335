"""Located keypoints: right to within a twelfth of the person's box.

x is divided by the box's width and y by its height, as if the box had been
rescaled to a square, and a keypoint is located if it is at most 1/12 of the
square's side away. With the image as everybody's box that is the rule of paper
004, for data of which no head or torso is known. Only labelled keypoints
count, and no person is left out for want of a reference length.
"""

import numpy as np
from jaxtyping import Array, Float

from pose_jax.eval import pck
from pose_jax.eval.results import PeopleTable

THRESHOLD = 1 / 12
NAME = "located@1/12"
CURVE = np.arange(31) / 120  # to a quarter of the box; 1/12 is among them

Points = Float[Array | np.ndarray, "N K 2"]


def located_of_people(
  kpts_xy_img: Points,
  people: PeopleTable,
  *,
  thresholds: pck.Thresholds = CURVE,
) -> pck.Pck:
  """Counts over a curve of thresholds, in units of the box.

  Args:
    kpts_xy_img: the prediction of each person of the table, all of whose
      boxes have an area (`usable`).
  """
  return pck.pck(
    in_box(kpts_xy_img, people),
    in_box(people.kpts_xy_img, people),
    np.asarray(people.vis) > 0,
    reference=np.ones(len(people)),
    thresholds=thresholds,
  )


def in_box(
  kpts_xy_img: Points, people: PeopleTable
) -> Float[np.ndarray, "N K 2"]:
  """Image pixels -> units of each person's box: (0, 0) to (1, 1) is inside."""
  box = np.asarray(people.box_xywh_img, np.float64)[:, None]
  return (np.asarray(kpts_xy_img, np.float64) - box[..., :2]) / box[..., 2:]


def values(result: pck.Pck) -> dict[str, float]:
  """Name -> score in [0, 1]: of all labelled keypoints, and their mean."""
  at = result.at(THRESHOLD)
  return {
    NAME: float(result.total[at]),
    f"{NAME}_mean": float(result.mean[at]),
  }


def deviation(
  kpts_xy_img: Points, people: PeopleTable
) -> Float[np.ndarray, "K"]:
  """Root mean square error of a coordinate, each keypoint, in units of the box.

  Squared error (paper 004, Eq. 6) is the negative logarithm of a Gaussian
  round the prediction, but for a factor and a constant, and this is the
  deviation that makes these people most likely. nan for a keypoint that is
  never labelled.
  """
  labelled = np.asarray(people.vis) > 0
  error = in_box(kpts_xy_img, people) - in_box(people.kpts_xy_img, people)
  square = np.where(labelled, (error**2).mean(-1), 0).sum(0)
  num = labelled.sum(0)
  return np.sqrt(np.where(num > 0, square / np.maximum(num, 1), np.nan))


def describe() -> str:
  """How it is counted, in one line, for the protocol of a score."""
  return (
    "located: at most 1/12 with x in widths and y in heights of the box, "
    "labelled keypoints"
  )
