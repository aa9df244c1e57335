"""A small COCO-format data set, written from scratch for each test."""

import json

import cv2
import numpy as np
import pytest

from pose_jax.skeleton import COCO17


def photograph(hw, seed):
  """Smooth coloured noise, uint8 RGB: compresses and interpolates well."""
  rng = np.random.default_rng(seed)
  coarse = rng.random((hw[0] // 16 + 2, hw[1] // 16 + 2, 3)) * 255
  return cv2.resize(coarse, hw[::-1], interpolation=cv2.INTER_CUBIC).clip(
    0, 255
  )


def content_of(num_images, people_per_image, hw, seed=0):
  """COCO keypoint JSON as Python values; all keypoints labelled."""
  rng = np.random.default_rng(seed)
  images, annotations = [], []
  for i in range(num_images):
    images.append(
      dict(id=100 + i, file_name=f"{i:03d}.jpg", height=hw[0], width=hw[1])
    )
    for _ in range(people_per_image):
      width, height = rng.integers(20, 60), rng.integers(30, 70)
      x = rng.integers(0, hw[1] - width)
      y = rng.integers(0, hw[0] - height)
      points = rng.random((17, 2)) * (width, height) + (x, y)
      vis = rng.integers(1, 3, (17, 1))
      annotations.append(
        dict(
          id=1000 + len(annotations),
          image_id=100 + i,
          category_id=1,
          bbox=[float(x), float(y), float(width), float(height)],
          area=float(width * height) / 2,
          iscrowd=0,
          keypoints=np.concatenate([points, vis], 1).ravel().tolist(),
        )
      )
  return dict(
    images=images,
    annotations=annotations,
    categories=[dict(id=1, name="person", keypoints=COCO17.keypoints)],
  )


@pytest.fixture
def make_coco(tmp_path):
  """Function that writes a data set and returns (annotations, images)."""

  def make(num_images=6, people_per_image=2, hw=(96, 128), edit=None):
    content = content_of(num_images, people_per_image, hw)
    folder = tmp_path / "images"
    folder.mkdir(exist_ok=True)
    for i, image in enumerate(content["images"]):
      path = str(folder / image["file_name"])
      cv2.imwrite(path, photograph(hw, i).astype(np.uint8)[..., ::-1])
    if edit:
      edit(content)
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(content))
    return path, folder

  return make
