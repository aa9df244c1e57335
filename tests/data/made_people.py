"""People made up for the tests of the inspection."""

import numpy as np

from pose_jax.data.people import People
from pose_jax.skeleton import LSP14

STANDING = {  # facing the camera, 100 x 210 pixels, left at the image's right
  "right_ankle": (80, 240),
  "right_knee": (80, 200),
  "right_hip": (80, 150),
  "left_hip": (110, 150),
  "left_knee": (110, 200),
  "left_ankle": (110, 240),
  "right_wrist": (50, 145),
  "right_elbow": (55, 110),
  "right_shoulder": (70, 70),
  "left_shoulder": (120, 70),
  "left_elbow": (135, 110),
  "left_wrist": (140, 145),
  "neck": (95, 65),
  "head_top": (95, 30),
}
HW = (300, 200)


def standing(num=1):
  """[num, 14, 2] keypoints."""
  pose = np.array([STANDING[name] for name in LSP14.keypoints], np.float32)
  return np.repeat(pose[None], num, 0)


def swap(pose, *names):
  """Exchanges left and right of the named keypoints, in place."""
  for name in names:
    a, b = LSP14.index(f"left_{name}"), LSP14.index(f"right_{name}")
    pose[[a, b]] = pose[[b, a]]


def make_people(kpts_xy, vis=None, box=None, images=None, **changes):
  """People of given keypoints, one an image unless `images` says where."""
  num = len(kpts_xy)
  images = np.arange(num) if images is None else np.array(images)
  num_images = int(images.max()) + 1
  low, high = kpts_xy.min(1) - 5, kpts_xy.max(1) + 5
  if box is None:
    box = np.concatenate([low, high - low], 1)
  columns = dict(
    skeleton=LSP14,
    image_names=tuple(f"{i}.png" for i in range(num_images)),
    image_ids=100 + np.arange(num_images),
    image_hw=np.tile(np.array(HW, np.int32), (num_images, 1)),
    image_index=images.astype(np.int32),
    person_ids=1000 + np.arange(num),
    box_xywh_img=np.array(box, np.float32),
    kpts_xy_img=kpts_xy.astype(np.float32),
    vis=np.full((num, 14), 2, np.int8) if vis is None else vis,
    area=np.full(num, 9000, np.float32),
    is_crowd=np.zeros(num, bool),
    score=np.ones(num, np.float32),
  )
  return People(**(columns | changes))
