"""People on a wide grid: no two keypoints are near each other."""

import numpy as np
import pytest

from pose_jax.data.people import People
from pose_jax.eval.predictions import Predictions
from pose_jax.skeleton import COCO17

SPACING = 400.0  # pixels; similarity 0.5 is at most 26 away for this area
AREA = 1e4


def _grid_people(num=3, *, skeleton=COCO17, num_images=1):
  k = skeleton.num_keypoints
  row, column = np.mgrid[:num, :k].astype(np.float64)
  kpts = np.stack([100 + SPACING * column, 100 + SPACING * row], -1)
  low, high = kpts.min(1), kpts.max(1)
  return People(
    skeleton=skeleton,
    image_names=tuple(f"image{i}.jpg" for i in range(num_images)),
    image_ids=np.arange(num_images, dtype=np.int64) * 7 + 100,
    image_hw=np.full((num_images, 2), 400, np.int32),
    image_index=(np.arange(num) % num_images).astype(np.int32),
    person_ids=np.arange(num, dtype=np.int64) * 3 + 1000,
    box_xywh_img=np.concatenate([low, high - low + 10], 1).astype(np.float32),
    kpts_xy_img=kpts.astype(np.float32),
    vis=np.full((num, k), 2, np.int8),
    area=np.full(num, AREA, np.float32),
    is_crowd=np.zeros(num, bool),
    score=np.ones(num, np.float32),
  )


def _predictions(people, rows=None, *, kpts_xy=None, score=None):
  """Predictions of the rows: exact ones, unless others are given."""
  rows = np.arange(len(people)) if rows is None else np.array(rows, int)
  if kpts_xy is None:
    kpts_xy = people.kpts_xy_img[rows].astype(np.float64)
  if score is None:
    score = np.linspace(0.9, 0.5, len(rows))
  each = np.full((*kpts_xy.shape[:2], 1), 0.8)
  return Predictions(
    image_ids=people.image_ids[people.image_index[rows]],
    kpts_xys_img=np.concatenate([kpts_xy, each], -1),
    score=np.asarray(score, np.float64),
    person_ids=people.person_ids[rows],
  )


def _crowded(seed=0, num=40, num_predictions=60, num_images=6):
  """People who overlap, some unlabelled, some crowds, and noisy predictions."""
  rng = np.random.default_rng(seed)
  k = COCO17.num_keypoints
  size = rng.uniform(40, 160, (num, 1, 1))
  kpts = rng.uniform(0, 150, (num, 1, 2)) + size * rng.uniform(
    0, 1, (num, k, 2)
  )
  vis = rng.choice([0, 1, 2], (num, k), p=[0.3, 0.2, 0.5]).astype(np.int8)
  vis[rng.uniform(size=num) < 0.15] = 0
  low, high = kpts.min(1), kpts.max(1)
  people = People(
    skeleton=COCO17,
    image_names=tuple(f"{i}.jpg" for i in range(num_images)),
    image_ids=rng.permutation(1000)[:num_images].astype(np.int64),
    image_hw=np.full((num_images, 2), 400, np.int32),
    image_index=rng.integers(0, num_images, num).astype(np.int32),
    person_ids=rng.permutation(1000)[:num].astype(np.int64),
    box_xywh_img=np.concatenate([low, high - low], 1).astype(np.float32),
    kpts_xy_img=np.where(vis[..., None] > 0, kpts, 0).astype(np.float32),
    vis=vis,
    area=(0.6 * np.prod(high - low, 1)).astype(np.float32),
    is_crowd=rng.uniform(size=num) < 0.05,
    score=np.ones(num, np.float32),
  )
  who = rng.integers(0, num, num_predictions)
  noise = rng.exponential(0.06, (num_predictions, 1, 1)) * size[who]
  found = kpts[who] + noise * rng.normal(size=(num_predictions, k, 2))
  is_mirrored = rng.uniform(size=(num_predictions, k, 1)) < 0.2
  found = np.where(is_mirrored, found[:, list(COCO17.flip_permutation)], found)
  strays = rng.uniform(size=(num_predictions, k)) < 0.2
  other = kpts[rng.integers(0, num, (num_predictions, k)), np.arange(k)]
  found = np.where(strays[..., None], other, found)
  scores = rng.uniform(0, 1, (num_predictions, k, 1))
  predictions = Predictions(
    image_ids=people.image_ids[people.image_index[who]],
    kpts_xys_img=np.concatenate([found, scores], -1),
    score=rng.uniform(0, 1, num_predictions),
    person_ids=people.person_ids[who],
  )
  return people, predictions


@pytest.fixture
def grid_people():
  return _grid_people


@pytest.fixture
def predictions_of():
  return _predictions


@pytest.fixture
def crowded():
  return _crowded
