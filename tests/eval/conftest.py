"""A small table of people in two pictures, for the tests of evaluation."""

import numpy as np
import pytest

from pose_jax.data.people import People
from pose_jax.skeleton import COCO17


def _make_people(num=4, *, skeleton=COCO17, seed=0, num_images=2):
  """Everybody labelled and of about 100 pixels, ids far from row numbers."""
  rng = np.random.default_rng(seed)
  k = skeleton.num_keypoints
  corner = rng.uniform(10, 200, (num, 1, 2))
  kpts = corner + rng.uniform(0, 100, (num, k, 2))
  low, high = kpts.min(1), kpts.max(1)
  return People(
    skeleton=skeleton,
    image_names=tuple(f"image{i}.jpg" for i in range(num_images)),
    image_ids=np.arange(num_images, dtype=np.int64) * 7 + 100,
    image_hw=np.full((num_images, 2), 400, np.int32),
    image_index=(np.arange(num) % num_images).astype(np.int32),
    person_ids=np.arange(num, dtype=np.int64) * 3 + 1000,
    box_xywh_img=np.concatenate([low, high - low], 1).astype(np.float32),
    kpts_xy_img=kpts.astype(np.float32),
    vis=np.full((num, k), 2, np.int8),
    area=np.prod(high - low, 1).astype(np.float32),
    is_crowd=np.zeros(num, bool),
    score=np.ones(num, np.float32),
  )


@pytest.fixture
def make_people():
  return _make_people
