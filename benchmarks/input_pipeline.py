"""Input pipeline: our people per second and core against the reference way.

    python -m benchmarks.input_pipeline [--rounds 9] [--people 128]
        [--images FOLDER --annotations JSON]

The reference way is what HRNet's and SimpleBaseline's loaders do for one
person, rewritten here in NumPy: read and decode, BGR to RGB, flip the
picture, warp, normalise to float32 channels first, draw 17 heatmaps with
sigma 2, stack the batch. Ours decodes, warps once and hands over uint8; the
device does the rest. Both draw HRNet's training augmentation for the same
people, 256x192 crops, one thread, no worker processes, and take turns. Time
is the process's processor time, files come from the page cache, and the ratio
is the median over rounds of reference time / our time.

Without a data set, photograph-like noise is used: 640x480 JPEGs of 90 to 140
KB and people of COCO's range of heights.
"""

import argparse
import math
import os
import pathlib
import statistics
import tempfile
import time

import cv2
import numpy as np

from pose_jax.data.augment import Augmentation
from pose_jax.data.coco import open_coco
from pose_jax.data.images import FolderImages, decode
from pose_jax.data.people import Dataset, People
from pose_jax.data.pipeline import make_batches
from pose_jax.geometry import Frames
from pose_jax.skeleton import COCO17

TARGET = 1.5
BATCH = 32
FRAMES = Frames(crop_hw=(256, 192), map_hw=(64, 48))
AUGMENTATION = Augmentation(
  scale_factor=0.35,
  scale_distribution="clipped_normal",
  rotation_deg=45.0,
  rotation_distribution="clipped_normal",
  rotation_probability=0.6,
  flip_probability=0.5,
)
MEAN_RGB = np.array([0.485, 0.456, 0.406], np.float32)
STD_RGB = np.array([0.229, 0.224, 0.225], np.float32)


def main() -> None:
  """Measures and prints the ratio."""
  options = _parse()
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
  cv2.setNumThreads(1)
  with tempfile.TemporaryDirectory() as folder:
    if options.images:
      dataset = open_coco(options.annotations, options.images)
    else:
      dataset = made_up(pathlib.Path(folder), num_images=32)
    report(dataset, options.rounds, options.people)


def report(dataset: Dataset, rounds: int, num_people: int) -> None:
  """Times the three ways in turn and prints rates and ratio."""
  people = dataset.people.usable()
  batch_size = min(BATCH, len(people))
  num_batches = max(1, num_people // batch_size)
  num = num_batches * batch_size
  ways = {
    "reference": lambda seed: run_reference(
      dataset, people, batch_size, num_batches, seed
    ),
    "pose_jax": lambda seed: run_ours(dataset, batch_size, num_batches, seed),
    "JPEG decoding": lambda seed: run_decoding(dataset, people, num, seed),
  }
  seconds = {name: [] for name in ways}
  for way in ways.values():
    way(0)  # warms the page cache
  for seed in range(1, rounds + 1):
    for name, way in ways.items():
      start = time.process_time()
      way(seed)
      seconds[name].append(time.process_time() - start)
  sizes = [len(dataset.images.read(i)) for i in range(len(dataset.images))]
  print(
    f"{len(people)} people, {len(sizes)} images of "
    f"{statistics.median(sizes) / 1000:.0f} KB (median), OpenCV "
    f"{cv2.__version__}, one core, load average {os.getloadavg()[0]:.2f}"
  )
  for name, values in seconds.items():
    rates = [num / value for value in values]
    print(
      f"{name:14} median {statistics.median(rates):5.0f} best "
      f"{max(rates):5.0f} people per second and core"
    )
  ratio = statistics.median(
    a / b
    for a, b in zip(seconds["reference"], seconds["pose_jax"], strict=True)
  )
  best = min(seconds["reference"]) / min(seconds["pose_jax"])
  verdict = "met" if ratio >= TARGET else "MISSED"
  print(
    f"ratio: median {ratio:.2f}, of best rounds {best:.2f} "
    f"(target {TARGET}: {verdict})"
  )


def run_ours(dataset, batch_size: int, num_batches: int, seed: int) -> None:
  """Our training batches, in this thread."""
  batches = make_batches(
    dataset,
    FRAMES,
    batch_size=batch_size,
    seed=seed,
    augmentation=AUGMENTATION,
    num_steps=num_batches,
    num_threads=0,
  )
  for batch in batches:
    assert len(batch["image"]) == batch_size


def run_decoding(dataset, people: People, num: int, seed: int) -> None:
  """Reading and decoding alone: the floor."""
  rng = np.random.default_rng(seed)
  for row in rng.integers(len(people), size=num):
    i = people.image_index[row]
    decode(dataset.images.read(i), dataset.images.name(i))


def run_reference(dataset, people, batch_size, num_batches, seed) -> None:
  """The reference way, batch by batch."""
  rng = np.random.default_rng(seed)
  for _ in range(num_batches):
    rows = rng.integers(len(people), size=batch_size)
    samples = [reference_sample(dataset, people, row, rng) for row in rows]
    batch = [np.stack(column) for column in zip(*samples, strict=True)]
    assert len(batch[0]) == batch_size


def reference_sample(dataset, people: People, row: int, rng):
  """Image [3, 256, 192] float32, heatmaps [17, 64, 48] and their weights."""
  path = dataset.images.root / people.image_names[people.image_index[row]]
  image = cv2.imread(
    str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
  )
  image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
  kpts, weight = people.kpts_xy_img[row].copy(), people.vis[row] > 0
  centers, sizes = FRAMES.center_size(people.box_xywh_img[row][None])
  center, width = centers[0], sizes[0, 0]
  width *= np.clip(rng.standard_normal() * 0.35 + 1, 0.65, 1.35)
  angle = 0.0
  if rng.random() <= 0.6:
    angle = np.clip(rng.standard_normal() * 45, -90, 90)
  if rng.random() <= 0.5:
    image = image[:, ::-1]
    swap = list(COCO17.flip_permutation)
    kpts, weight = kpts[swap], weight[swap]
    kpts[:, 0] = image.shape[1] - 1 - kpts[:, 0]
    center[0] = image.shape[1] - 1 - center[0]
  matrix = three_point_matrix(center, width, math.radians(angle))
  crop = cv2.warpAffine(image, matrix, (192, 256), flags=cv2.INTER_LINEAR)
  for k in range(17):
    if weight[k]:
      kpts[k] = matrix @ np.array([kpts[k, 0], kpts[k, 1], 1.0])
  chw = np.ascontiguousarray(crop.transpose(2, 0, 1)).astype(np.float32) / 255
  chw = (chw - MEAN_RGB[:, None, None]) / STD_RGB[:, None, None]
  return chw, *host_heatmaps(kpts, weight)


def three_point_matrix(center, width: float, angle: float) -> np.ndarray:
  """Affine matrix from the centre, a point above it and one beside it."""
  up = np.array([np.sin(angle), -np.cos(angle)]) * width / 2
  source = np.array([center, center + up, center + [up[1], -up[0]]])
  target = np.array([[96, 128], [96, 32], [0, 128]])
  return cv2.getAffineTransform(
    source.astype(np.float32), target.astype(np.float32)
  )


def host_heatmaps(kpts_xy_crop, weight):
  """Truncated Gaussians of sigma 2 on a 64x48 map, one by one."""
  heatmaps = np.zeros((17, 64, 48), np.float32)
  weight = weight.astype(np.float32)
  for k in range(17):
    column, row = (int(c / 4 + 0.5) for c in kpts_xy_crop[k])
    low_x, low_y, high_x, high_y = column - 6, row - 6, column + 7, row + 7
    if low_x >= 48 or low_y >= 64 or high_x < 0 or high_y < 0:
      weight[k] = 0
      continue
    x = np.arange(13, dtype=np.float32)
    patch = np.exp(-((x - 6) ** 2 + (x[:, None] - 6) ** 2) / 8)
    to_x = max(0, low_x), min(high_x, 48)
    to_y = max(0, low_y), min(high_y, 64)
    if weight[k] > 0.5:
      heatmaps[k, to_y[0] : to_y[1], to_x[0] : to_x[1]] = patch[
        to_y[0] - low_y : to_y[1] - low_y, to_x[0] - low_x : to_x[1] - low_x
      ]
  return heatmaps, weight[:, None]


def made_up(folder: pathlib.Path, *, num_images: int) -> Dataset:
  """JPEGs of noise at all scales, two people in each."""
  rng = np.random.default_rng(0)
  names = tuple(f"{i}.jpg" for i in range(num_images))
  for name in names:
    image = np.zeros((480, 640, 3), np.float32)
    for level in range(1, 8):
      coarse = rng.standard_normal((480 >> level, 640 >> level, 3))
      grown = cv2.resize(coarse.astype(np.float32), (640, 480))
      image += grown * 1.5**level * 4
    pixels = np.clip(image + 128, 0, 255).astype(np.uint8)
    cv2.imwrite(str(folder / name), pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
  num = 2 * num_images
  height = np.exp(rng.uniform(np.log(60), np.log(440), num))
  box_wh = np.stack([height * rng.uniform(0.3, 0.8, num), height], 1)
  corner = rng.random((num, 2)) * ([640, 480] - box_wh)
  kpts = corner[:, None] + rng.random((num, 17, 2)) * box_wh[:, None]
  people = People(
    skeleton=COCO17,
    image_names=names,
    image_ids=np.arange(num_images),
    image_hw=np.full((num_images, 2), (480, 640), np.int32),
    image_index=(np.arange(num) // 2).astype(np.int32),
    person_ids=np.arange(num),
    box_xywh_img=np.concatenate([corner, box_wh], 1).astype(np.float32),
    kpts_xy_img=kpts.astype(np.float32),
    vis=rng.choice([0, 1, 2], (num, 17), p=[0.3, 0.1, 0.6]).astype(np.int8),
    area=box_wh.prod(1).astype(np.float32),
    is_crowd=np.zeros(num, bool),
    score=np.ones(num, np.float32),
  )
  return Dataset("noise", "", people, FolderImages(folder, names))


def _parse():
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--rounds", type=int, default=9)
  parser.add_argument("--people", type=int, default=128, help="per round")
  parser.add_argument("--images", help="folder of a COCO-format data set")
  parser.add_argument("--annotations", help="its JSON file")
  options = parser.parse_args()
  if (options.images is None) != (options.annotations is None):
    parser.error("--images and --annotations go together")
  return options


if __name__ == "__main__":
  main()
