"""Pictures of people whose keypoints are wrong, with the wrong ones marked."""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Bool, Float, Integer, UInt8

from pose_jax import draw, geometry
from pose_jax.skeleton import Skeleton


@dataclasses.dataclass(frozen=True, eq=False)
class Mistake:
  """A person to draw, image pixels, and which keypoints to mark."""

  caption: str
  image: UInt8[np.ndarray, "H W 3"]
  box_xywh_img: Float[np.ndarray, "4"]
  kpts_xy_img: Float[np.ndarray, "K 2"]
  true_xy_img: Float[np.ndarray, "K 2"]
  vis: Integer[np.ndarray, "K"]
  is_wrong: Bool[np.ndarray, "K"]


def picture(
  person: Mistake, skeleton: Skeleton, *, color: str
) -> UInt8[np.ndarray, "H W 3"]:
  """The surroundings of a person, the prediction over the annotation.

  Only labelled keypoints are drawn: nothing is known of the others.
  Each wrong keypoint has a ring of the given colour ("#rrggbb") and a line to
  where it is annotated.
  """
  box = _with_keypoints(person)
  small, cut_from_img = draw.cut(person.image, box, height=300, max_width=262)
  true_xy = geometry.transform(person.true_xy_img, cut_from_img)
  kpts_xy = geometry.transform(person.kpts_xy_img, cut_from_img)
  labelled = person.vis > 0
  image = draw.draw_truth(small, true_xy, skeleton, shown=labelled)
  image = draw.draw_skeleton(image, kpts_xy, skeleton, shown=labelled)
  rgb = tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))
  return _marked(image, kpts_xy, true_xy, person.is_wrong, rgb)


def _with_keypoints(person: Mistake) -> Float[np.ndarray, "4"]:
  """The box, grown to hold what is wrong; at most thrice its size each way."""
  low, size = np.split(person.box_xywh_img.astype(np.float64), 2)
  wrong = person.kpts_xy_img[person.is_wrong]
  first = np.maximum(np.vstack([low, wrong]).min(0), low - 3 * size)
  last = np.minimum(np.vstack([low + size, wrong]).max(0), low + 4 * size)
  return np.concatenate([first, last - first])


def _marked(image, kpts_xy, true_xy, is_wrong, color):
  """Rings round keypoints, and lines to where they belong."""
  image = image.copy()
  radius = max(7, round(min(image.shape[:2]) / 26))
  reach = 4 * max(image.shape[:2])
  for k in np.flatnonzero(is_wrong):
    ends = np.clip([kpts_xy[k], true_xy[k]], -reach, reach)
    start, end = (tuple(np.round(p).astype(int).tolist()) for p in ends)
    for line, width in ((draw.RIM, 4), (color, 2)):
      cv2.line(image, start, end, line, width, cv2.LINE_AA)
      cv2.circle(image, start, radius, line, width, cv2.LINE_AA)
  return image
