"""What a run is resumed with must be what it was started with."""

import dataclasses

import numpy as np

from launch.experiment import fingerprint
from pose_jax.data.people import People
from pose_jax.skeleton import LSP14


def people():
  rng = np.random.default_rng(0)
  return People(
    skeleton=LSP14,
    image_names=("a.jpg",),
    image_ids=np.array([1]),
    image_hw=np.zeros((1, 2), np.int32),
    image_index=np.zeros(3, np.int32),
    person_ids=np.arange(3),
    box_xywh_img=np.full((3, 4), 50, np.float32),
    kpts_xy_img=rng.uniform(0, 99, (3, 14, 2)).astype(np.float32),
    vis=np.full((3, 14), 2, np.int8),
    area=np.ones(3, np.float32),
    is_crowd=np.zeros(3, bool),
    score=np.ones(3, np.float32),
  )


def test_order_keypoints_boxes_and_weights_show_in_the_fingerprint():
  plain = people()
  seen = [fingerprint(plain), fingerprint(plain.select(np.array([1, 0, 2])))]
  moved = dataclasses.replace(plain, kpts_xy_img=plain.kpts_xy_img + 1)
  seen.append(fingerprint(moved))
  grown = dataclasses.replace(plain, box_xywh_img=plain.box_xywh_img + 1)
  seen.append(fingerprint(grown))
  for weight in (0.5, 2.0):
    repeats = np.full(3, weight, np.float32)
    seen.append(fingerprint(dataclasses.replace(plain, repeats=repeats)))
  assert len(set(seen)) == len(seen)
  once = dataclasses.replace(plain, repeats=np.ones(3, np.float32))
  assert fingerprint(once) == fingerprint(plain)
