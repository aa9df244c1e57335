"""What to beat: predictions that look at no picture."""

import numpy as np
from jaxtyping import Array, Float

from pose_jax.eval.pck import Mask, Points


def mean_pose(
  kpts_xy_img: Points,
  labelled: Mask,
  box_xywh_img: Float[Array | np.ndarray, "N 4"],
  test_box_xywh_img: Float[Array | np.ndarray, "M 4"],
) -> Float[np.ndarray, "M K 2"]:
  """The mean training pose, put into each test box.

  It looks at no picture: a network that does not beat it has learned nothing
  but where people stand in their boxes.

  Args:
    kpts_xy_img, labelled, box_xywh_img: training people.
    test_box_xywh_img: where to predict.
  Returns:
    Keypoints in image pixels; one never labelled in training is put at the
    middle of the box.
  Raises:
    ValueError: if a training box has no width or no height.
  """
  box = np.asarray(box_xywh_img, np.float64)
  test_box = np.asarray(test_box_xywh_img, np.float64)
  if not (box[:, 2:] > 0).all():
    row = int(np.argmin((box[:, 2:] > 0).all(1)))
    raise ValueError(
      f"box_xywh_img: training person {row} has a box of no area "
      f"({box[row].tolist()}): leave such people out"
    )
  weight = np.asarray(labelled, np.float64)[..., None]
  kpts = np.asarray(kpts_xy_img, np.float64)
  inside = (kpts - box[:, None, :2]) / box[:, None, 2:]
  count = weight.sum(0)
  total = np.where(weight > 0, inside, 0).sum(0)
  mean = np.where(count > 0, total / np.maximum(count, 1), 0.5)
  return test_box[:, None, :2] + mean * test_box[:, None, 2:]
