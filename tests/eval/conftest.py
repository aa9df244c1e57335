"""A small table of people in two pictures, for the tests of evaluation."""

import dataclasses

import numpy as np
import pytest

from pose_jax.data.people import People
from pose_jax.eval.predictions import NOBODY, Predictions
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


def _make_crowd(seed=0, *, num=60, num_images=12, skeleton=COCO17):
  """People and predictions with every case that matching must tell apart.

  Crowds, unlabelled people, people twice in the table, areas at the limits,
  images without people, without predictions and with more than 20; equal
  scores, exact copies, predictions of nobody, images in no order.
  """
  rng = np.random.default_rng(seed)
  people = _make_people(
    num, skeleton=skeleton, seed=seed, num_images=num_images
  )
  image = rng.integers(0, num_images - 3, num) // rng.integers(1, 4, num)
  vis = np.where(rng.random(people.vis.shape) < 0.6, people.vis, 0)
  vis[rng.random(num) < 0.15] = 0
  limits = rng.choice([32**2, 96**2, 31.9**2, 50**2, 2e4], num)
  people = dataclasses.replace(
    people,
    image_ids=rng.permutation(num_images * 3)[:num_images].astype(np.int64),
    image_index=image.astype(np.int32),
    vis=vis.astype(np.int8),
    area=np.where(rng.random(num) < 0.5, people.area, limits).astype(
      np.float32
    ),
    is_crowd=rng.random(num) < 0.1,
  )
  twice = rng.integers(0, num, num // 6)
  people.kpts_xy_img[twice] = people.kpts_xy_img[twice - 1]
  rows = rng.integers(0, num, 2 * num)
  spread = rng.choice([0.0, 1.0, 4.0, 15.0], len(rows))[:, None, None]
  kpts = people.kpts_xy_img[rows].astype(np.float64)
  kpts += np.round(spread * rng.normal(size=kpts.shape), 3)
  at = np.where(
    rng.random(len(rows)) < 0.9, image[rows], rng.integers(0, num_images - 1)
  )
  score = np.round(rng.random((*kpts.shape[:2], 1)), 6)
  return people, Predictions(
    image_ids=people.image_ids[at],
    kpts_xys_img=np.concatenate([kpts, score], -1),
    score=np.round(rng.random(len(rows)), rng.integers(1, 4)),
    person_ids=np.full(len(rows), NOBODY),
  )


@pytest.fixture
def make_crowd():
  return _make_crowd
