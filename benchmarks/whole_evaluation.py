"""An evaluation of 6,352 people: everything but the network.

    python -m benchmarks.whole_evaluation [--samples 1000]

Question: what does an evaluation cost besides the network and pycocotools, and
does its memory grow with the number of people? JPEGs of 640x480 are read,
decoded and cropped to 256x192, "predictions" (the people with noise) go
through rounding, OKS-NMS, scoring, AP per keypoint, 95 % intervals, diagnosis,
and the report with its pictures is written. pycocotools' share is measured and
taken out. Each number of people runs in a process of its own, which says what
its memory peaked at.
"""

import argparse
import dataclasses
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks import evaluator as synthetic
from benchmarks.input_pipeline import made_up
from pose_jax.data.eval_batches import make_eval_batches
from pose_jax.data.images import FolderImages, decode
from pose_jax.data.people import Dataset
from pose_jax.eval import coco, record, scoring
from pose_jax.eval.boxes import Boxes
from pose_jax.eval.evaluator import Evaluator, Measurement
from pose_jax.geometry import Frames
from pose_jax.protocol import Protocol

FRAMES = Frames((256, 192), (64, 48))
NUM_PICTURES = 64  # different ones; the page cache holds them all anyway
TIMES = (1, 4)  # of the people: memory must not follow


def dataset_of(folder: pathlib.Path, num: int) -> Dataset:
  """The people of the scoring benchmark in JPEGs of noise, in image order."""
  people = synthetic.drawn_people(num).usable()
  people = people.select(np.argsort(people.image_index, kind="stable"))
  names = tuple(
    f"{i % NUM_PICTURES}.jpg" for i in range(len(people.image_names))
  )
  people = dataclasses.replace(people, image_names=names)
  return Dataset("noise", "", people, FolderImages(folder, names))


def boxes_of(people) -> Boxes:
  return Boxes(
    origin=np.zeros(len(people), np.int64),
    image_ids=people.image_ids[people.image_index],
    person_ids=people.person_ids,
    score=people.score.astype(np.float64),
    area=people.area.astype(np.float64),
  )


class _Stopwatch:
  """Counts the seconds spent in a function."""

  def __init__(self, function):
    self._function, self.seconds = function, 0.0

  def __call__(self, *arguments, **options):
    start = time.perf_counter()
    result = self._function(*arguments, **options)
    self.seconds += time.perf_counter() - start
    return result


def run(num: int, samples: int) -> None:
  """One evaluation; prints its stages and the peak of memory."""
  coco.evaluate_coco = official = _Stopwatch(coco.evaluate_coco)
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    made_up(folder, num_images=NUM_PICTURES)
    dataset = dataset_of(folder, num)
    people, rows = dataset.people, [0]
    found = synthetic.jittered(people, 1).kpts_xys_img.astype(np.float32)

    def network(variables, batch):
      start = rows[0]
      at = np.arange(start, start + len(batch["images"])) % len(found)
      rows[0] += len(batch["images"])
      return {
        "kpts_xy_img": found[at, None, :, :2],
        "score": found[at, None, :, 2],
      }

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    evaluations = Evaluator(
      network,
      people,
      boxes_of(people),
      lambda: make_eval_batches(dataset, FRAMES, batch_size=64),
      measurements=(Measurement(_protocol(), suppression="oks"),),
      settings=scoring.Settings(
        num_samples=samples, with_keypoint_ap=True, with_diagnosis=True
      ),
    ).run(None)
    middle = time.perf_counter()
    record.write(
      evaluations,
      folder / "evaluation",
      read_image=lambda i: decode(
        dataset.images.read(i), dataset.images.name(i)
      ),
    )
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  seconds = evaluations[0].seconds
  images = seconds["first batch (compiles)"] + seconds["prediction"]
  scored = seconds["scoring"] - official.seconds
  cells = (
    *(len(people), f"{images:.1f}", f"{scored:.1f}"),
    *(f"{seconds['diagnosis']:.1f}", f"{end - middle:.1f}"),
    *(f"{end - start - official.seconds:.1f}", f"{official.seconds:.1f}"),
    f"{(peak - before) / 1024:.0f}",
  )
  print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def _protocol() -> Protocol:
  return Protocol(
    dataset="noise",
    split="",
    box_source="ground truth",
    flip_test=False,
    flip_shift=None,
    alignment="corner",
    codec=None,
    sigma_hm=None,
    decoder=None,
    nms="oks 0.9",
  )


def main() -> None:
  """Prints one row for each number of people."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--people", type=int, default=6352)
  parser.add_argument("--samples", type=int, default=1000)
  parser.add_argument("--once", action="store_true", help="this process only")
  options = parser.parse_args()
  if options.once:
    run(options.people, options.samples)
    return
  print(
    "| people | images s | scoring s | diagnosis s | report s | all s | "
    "pycocotools s | peak grows MB |\n|" + " --- |" * 8,
    flush=True,
  )
  for times in TIMES:
    # Drawn people include crowds and unlabelled ones: about 11 % fall away.
    num = round(times * options.people / 0.882)
    subprocess.run(
      [
        *(sys.executable, "-m", "benchmarks.whole_evaluation", "--once"),
        *("--people", str(num), "--samples", str(options.samples)),
      ],
      check=True,
    )


if __name__ == "__main__":
  main()
