"""Opening annotations as large as COCO's: seconds and peak memory.

Question: how long does `open_coco` take on a file like COCO's
person_keypoints_train2017.json, the check of all image files included, and how
does that compare with pycocotools' `COCO(file)`? The file is made up: as many
images, people, people with keypoints and polygons as train2017 has, of about
its size. `open_prepared` opens the same people as launch.prepare leaves them,
with one tiny picture for all images. Each opening runs in a process of its own,
for its peak memory, and they take turns.

  python -m benchmarks.annotations [--rounds=3] [--keep=FOLDER]
"""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
from pycocotools.coco import COCO

from pose_jax.data.builders import write_prepared
from pose_jax.data.coco import open_coco
from pose_jax.data.drawn import encode_jpeg
from pose_jax.data.prepared import open_prepared
from pose_jax.skeleton import COCO17

# Of train2017.
NUM_IMAGES = 118_287
NUM_WITH_PEOPLE = 64_115
NUM_PEOPLE = 262_465
NUM_WITH_KEYPOINTS = 149_813
POLYGON_POINTS = 27  # brings the file to train2017's 238 MB
HW = (480, 640)
FILE = "person_keypoints.json"
PREPARED, SPLIT = "prepared", "made_up"  # beside the file, the set's split


def written(folder: pathlib.Path, share: float) -> pathlib.Path:
  """Writes the file and empty images below `folder`; returns the file.

  Args:
    folder: is created.
    share: of train2017's people and images, 1 for all.
  """
  path = folder / FILE
  if path.exists():
    return path
  images = folder / "images"
  images.mkdir(parents=True, exist_ok=True)
  num_images = round(share * NUM_IMAGES)
  content = {
    "info": {"description": "made up"},
    "licenses": [],
    "images": [_image(i) for i in range(num_images)],
    "annotations": _annotations(
      round(share * NUM_PEOPLE), round(share * NUM_WITH_PEOPLE)
    ),
    "categories": [
      {"id": 1, "name": "person", "keypoints": list(COCO17.keypoints)}
    ],
  }
  for image in content["images"]:
    (images / image["file_name"]).touch()
  path.write_text(json.dumps(content))
  return path


@dataclasses.dataclass(frozen=True)
class OnePicture:
  """The same small picture under every name."""

  names: tuple[str, ...]
  data: bytes = encode_jpeg(np.zeros((8, 8, 3), np.uint8))

  def __len__(self) -> int:
    return len(self.names)

  def name(self, i: int) -> str:
    return self.names[i]

  def read(self, i: int) -> bytes:
    return self.data


def prepare(path: pathlib.Path) -> None:
  """Writes the prepared form beside the file, unless it is there."""
  raw = open_coco(path, path.parent / "images")
  pictures = OnePicture(raw.people.image_names)
  dataset = dataclasses.replace(raw, images=pictures)
  write_prepared(dataset, path.parent / PREPARED, SPLIT)


def _image(i: int) -> dict:
  name = f"{i:012d}.jpg"
  return {
    "license": 3,
    "file_name": name,
    "coco_url": f"http://images.example.org/train/{name}",
    "height": HW[0],
    "width": HW[1],
    "date_captured": "2013-11-14 11:18:45",
    "flickr_url": f"http://farm9.example.org/8186/{name}_z.jpg",
    "id": i,
  }


def _annotations(num: int, num_images: int) -> list[dict]:
  rng = np.random.default_rng(0)
  wh = rng.uniform(20, 200, (num, 2)).round(2)
  corner = (rng.random((num, 2)) * (np.array(HW[::-1]) - wh)).round(2)
  outline = corner[:, None] + wh[:, None] * rng.random((num, POLYGON_POINTS, 2))
  kpts = corner[:, None] + wh[:, None] * rng.random((num, 17, 2))
  vis = rng.integers(0, 3, (num, 17, 1))
  vis[round(num * NUM_WITH_KEYPOINTS / NUM_PEOPLE) :] = 0
  kpts = np.concatenate([kpts * (vis > 0), vis], -1).astype(int)
  image = rng.integers(0, num_images, num).tolist()
  return [
    {
      "segmentation": [outline[i].round(2).ravel().tolist()],
      "num_keypoints": int((vis[i] > 0).sum()),
      "area": float(wh[i].prod() / 2),
      "iscrowd": 0,
      "keypoints": kpts[i].ravel().tolist(),
      "image_id": image[i],
      "bbox": [*corner[i].tolist(), *wh[i].tolist()],
      "category_id": 1,
      "id": i + 1,
    }
    for i in range(num)
  ]


def open_json(path: pathlib.Path) -> None:
  """Ours, from the JSON file."""
  open_coco(path, path.parent / "images")


def open_shards(path: pathlib.Path) -> None:
  """Ours, prepared."""
  open_prepared(path.parent / PREPARED, "coco", SPLIT)


def open_pycocotools(path: pathlib.Path) -> None:
  """The peer; builds an index and looks at no image."""
  with contextlib.redirect_stdout(None):
    COCO(str(path))


# What opens the file's path, by name; the peer first.
WAYS: dict[str, Callable[[pathlib.Path], None]] = {
  "pycocotools": open_pycocotools,
  "open_coco": open_json,
  "open_prepared": open_shards,
}


def peak_mb() -> float:
  """Most memory this process ever held, MB."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def opened(
  way: Callable[[pathlib.Path], None], path: pathlib.Path
) -> tuple[float, float, float]:
  """Seconds, processor seconds and extra megabytes of one opening."""
  before, start, busy = peak_mb(), time.perf_counter(), time.process_time()
  way(path)
  return (
    time.perf_counter() - start,
    time.process_time() - busy,
    peak_mb() - before,
  )


def child(*arguments: str) -> list[float]:
  """What this file prints when run with the arguments.

  A child's peak memory starts at its parent's, so this process stays small.
  """
  command = [sys.executable, "-m", "benchmarks.annotations", *arguments]
  done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
  return [float(word) for word in done.stdout.split()]


def measure(folder: pathlib.Path, share: float, rounds: int) -> None:
  """Prints the table; the ratio is the peer's processor time over its own."""
  keep = ("--keep", str(folder))
  print(f"{child('--way=write', f'--share={share}', *keep)[0]:.0f} MB of JSON")
  taken = {way: [] for way in WAYS}
  for _ in range(rounds):
    for way in WAYS:
      taken[way].append(child(f"--way={way}", *keep))
  best = {way: np.min(results, axis=0) for way, results in taken.items()}
  print("| way | seconds | processor s | peak MB | ratio |")
  print("|---|---|---|---|---|")
  for way, (wall_s, busy_s, peak) in best.items():
    ratio = best["pycocotools"][1] / busy_s
    print(f"| {way} | {wall_s:.2f} | {busy_s:.2f} | {peak:.0f} | {ratio:.2f} |")


def main() -> None:
  """Writes the file once, then opens it in turns."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--rounds", type=int, default=3)
  parser.add_argument("--share", type=float, default=1, help="of train2017")
  parser.add_argument("--keep", type=pathlib.Path, help="where the file stays")
  parser.add_argument("--way", choices=("write", *WAYS), help=argparse.SUPPRESS)
  arguments = parser.parse_args()
  if arguments.way == "write":
    path = written(arguments.keep, arguments.share)
    prepare(path)
    print(path.stat().st_size / 1e6)
  elif arguments.way:
    print(*opened(WAYS[arguments.way], arguments.keep / FILE))
  else:
    with tempfile.TemporaryDirectory() as folder:
      folder = arguments.keep or pathlib.Path(folder)
      measure(folder, arguments.share, arguments.rounds)


if __name__ == "__main__":
  main()
