"""Scoring 6,352 people: own average precision against pycocotools' in one run.

    python -m benchmarks.evaluator [--people 6352] [--samples 5000]
        [--repeats 5]

Questions: how much faster than pycocotools are COCO's ten numbers here, what
do 5,000 bootstrap samples of all ten cost, and AP per keypoint? People are
drawn at random in 2,693 of 5,000 images, as many as COCO's val2017 has with
people whose keypoints are labelled; predictions are the people with noise.
The two sides take turns and must agree to the last bit. Memory is how much
the peak of the process grows while a stage runs, stages in the order printed.
"""

import argparse
import resource
import time

import numpy as np

from pose_jax.data.people import People
from pose_jax.eval import average_precision, bootstrap, coco
from pose_jax.eval.predictions import Predictions, of_people
from pose_jax.skeleton import COCO17

NUM_PEOPLE = 6352  # of val2017 with labelled keypoints
NUM_IMAGES = 5000
NUM_WITH_PEOPLE = 2693


def drawn_people(num: int) -> People:
  """People of all sizes, some unlabelled, some crowds, areas as in COCO.

  As many in an image as in val2017, whatever their number.
  """
  num_images = round(NUM_IMAGES * num / NUM_PEOPLE)
  num_inhabited = round(NUM_WITH_PEOPLE * num / NUM_PEOPLE)
  rng = np.random.default_rng(0)
  num_keypoints = COCO17.num_keypoints
  size = np.exp(rng.normal(4.5, 0.7, num)).clip(12, 500)
  corner = rng.uniform(0, 400, (num, 1, 2))
  inside = rng.random((num, num_keypoints, 2))
  kpts = corner + inside * size[:, None, None]
  vis = np.where(rng.random((num, num_keypoints)) < 0.7, 2, 0)
  vis[rng.random(num) < 0.1] = 0
  inhabited = rng.permutation(num_images)[:num_inhabited]
  more = rng.choice(inhabited, num - num_inhabited)
  image = np.concatenate([inhabited, more])[:num]
  low, high = kpts.min(1), kpts.max(1)
  return People(
    skeleton=COCO17,
    image_names=tuple(map(str, range(num_images))),
    image_ids=rng.permutation(10 * num_images)[:num_images].astype(np.int64),
    image_hw=np.full((num_images, 2), 640, np.int32),
    image_index=image.astype(np.int32),
    person_ids=np.arange(num, dtype=np.int64),
    box_xywh_img=np.concatenate([low, high - low], 1).astype(np.float32),
    kpts_xy_img=kpts.astype(np.float32),
    vis=vis.astype(np.int8),
    area=(0.6 * size**2).astype(np.float32),
    is_crowd=rng.random(num) < 0.02,
    score=np.ones(num, np.float32),
  )


def jittered(people: People, seed: int) -> Predictions:
  """A prediction of everybody, good, fair or bad; its score tells a little."""
  rng = np.random.default_rng(seed)
  rows = np.arange(len(people))
  quality = rng.choice([0.02, 0.05, 0.15], len(people))
  spread = quality * np.sqrt(people.area / 0.6)
  noise = rng.normal(size=people.kpts_xy_img.shape)
  score = np.exp(-5 * quality)[:, None] * rng.random(people.vis.shape) ** 0.2
  kpts = people.kpts_xy_img + noise * spread[:, None, None]
  return of_people(people, rows, kpts, score)


def peak_mb() -> float:
  """The highest memory of this process so far (Linux counts kilobytes)."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(label: str, call, repeats: int):
  """Prints the best of several runs and what the peak of memory grew by."""
  before, seconds = peak_mb(), []
  for _ in range(repeats):
    start = time.perf_counter()
    result = call()
    seconds.append(time.perf_counter() - start)
  grown = peak_mb() - before
  print(f"| {label} | {min(seconds):.2f} s | {grown:.0f} MB |", flush=True)
  return result


def scores_in_turns(people, predictions, repeats) -> float:
  """How many times as long pycocotools takes; both must agree."""
  found = predictions.to_results()
  own_s, theirs_s = [], []
  for _ in range(repeats):
    start = time.perf_counter()
    own = average_precision.coco_scores(people, predictions)
    middle = time.perf_counter()
    theirs = coco.evaluate_coco(people, found).values
    own_s.append(middle - start)
    theirs_s.append(time.perf_counter() - middle)
    if own != theirs:
      raise ValueError(f"scores differ: own {own}, pycocotools {theirs}")
  print(f"\nown {min(own_s):.3f} s, pycocotools {min(theirs_s):.2f} s")
  return min(theirs_s) / min(own_s)


def main() -> None:
  """Prints the table and the ratio."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--people", type=int, default=NUM_PEOPLE)
  parser.add_argument("--samples", type=int, default=5000)
  parser.add_argument("--repeats", type=int, default=5)
  options = parser.parse_args()
  people = drawn_people(options.people)
  a, b = jittered(people, 1), jittered(people, 2)
  samples, repeats = options.samples, options.repeats
  print(f"{len(people)} people, {len(people.image_ids)} images")
  print("| stage | best | peak grows by |\n|---|---|---|")
  measure(
    "ten COCO numbers",
    lambda: average_precision.coco_scores(people, a),
    repeats,
  )
  measure(
    f"AP of {COCO17.num_keypoints} keypoints",
    lambda: average_precision.keypoint_ap(people, a),
    repeats,
  )
  measure(
    f"intervals of ten numbers, {samples} samples",
    lambda: bootstrap.intervals(people, a, num_samples=samples),
    2,
  )
  measure(
    f"intervals of PCK, {samples} samples",
    lambda: bootstrap.intervals(
      people.usable(),
      a.select(people.is_usable()),
      metrics=["pck"],
      num_samples=samples,
    ),
    2,
  )
  compared = measure(
    f"two sets compared, {samples} samples",
    lambda: bootstrap.compare(people, a, b, num_samples=samples),
    1,
  )
  ratio = scores_in_turns(people, a, repeats)
  print(f"pycocotools / own: {ratio:.1f}\n\n{compared.describe()}")


if __name__ == "__main__":
  main()
