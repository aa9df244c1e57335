"""Drawn people: the embedded data set, written as COCO JSON and JPEG.

For tests, the quick start and pre-training. Picture i of seed s is the same
bytes whoever draws it and however many are drawn (on the same NumPy and
OpenCV). The drawing itself: `pose` and `body` (bones),
`clothes`, `figure`, `trunk` and `head` (a dressed
person), `props` and `backdrop` (what surrounds people),
`scene` (a picture) and `paint` (pixels).

Annotations follow COCO: a keypoint has v = 2 where it is seen, v = 1 where
an occluder, another person or the person's own body hides it (the face of
somebody seen from behind, for example), and v = 0 with x = y = 0 outside the
picture. The rule for the own body is stated in `figure`. `bbox` and
`area` are those of the pixels that are seen. Of a person with fewer than four
visible keypoints only bbox and area are given, with num_keypoints 0, as COCO
does for people too hidden to annotate; somebody who shows nothing has no
annotation.
"""

import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable

import cv2
import numpy as np

from pose_jax.data.coco import open_coco
from pose_jax.data.drawn.scene import DrawnPerson, draw_picture
from pose_jax.data.people import Dataset
from pose_jax.skeleton import COCO17

VERSION = 1  # of the drawing; grows when the pictures change
ANNOTATIONS = "annotations.json"
IMAGES = "images"
_JPEG_QUALITY = 92
_MIN_VISIBLE_KPTS = 4
_MAX_PEOPLE = 3

Progress = Callable[[int, int], None]


def encode_jpeg(image: np.ndarray) -> bytes:
  """JPEG of an RGB picture."""
  bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
  options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
  return cv2.imencode(".jpg", bgr, options)[1].tobytes()


def has_keypoints(person: DrawnPerson) -> bool:
  """Whether enough of a person is seen to annotate keypoints."""
  return int((person.vis == 2).sum()) >= _MIN_VISIBLE_KPTS


def _annotation(person: DrawnPerson, image_id: int, number: int) -> dict:
  """One COCO annotation; ids are unique over all pictures of a seed."""
  vis = person.vis if has_keypoints(person) else np.zeros_like(person.vis)
  xy = np.where(vis[:, None] > 0, np.round(person.kpts_xy_img, 2), 0.0)
  keypoints = []
  for (x, y), v in zip(xy.tolist(), vis.tolist(), strict=True):
    keypoints += [x, y, v]
  return {
    "id": image_id * 10 + number,
    "image_id": image_id,
    "category_id": 1,
    "iscrowd": 0,
    "bbox": person.box_xywh_img.tolist(),
    "area": person.area,
    "num_keypoints": int((vis > 0).sum()),
    "keypoints": keypoints,
  }


def _draw_into(
  folder: pathlib.Path, parameters: dict, progress: Progress | None
) -> None:
  (folder / IMAGES).mkdir()
  images, annotations = [], []
  height, width = parameters["image_hw"]
  total = parameters["num_images"]
  for index in range(total):
    picture = draw_picture(
      parameters["seed"],
      index,
      image_hw=(height, width),
      max_people=parameters["max_people"],
    )
    image_id = index + 1
    name = f"{image_id:06d}.jpg"
    (folder / IMAGES / name).write_bytes(encode_jpeg(picture.image))
    images.append(
      {"id": image_id, "file_name": name, "height": height, "width": width}
    )
    annotations += [
      _annotation(person, image_id, number)
      for number, person in enumerate(picture.people)
      if person.area > 0
    ]
    if progress is not None:
      progress(image_id, total)
  person_category = {
    "id": 1,
    "name": "person",
    "supercategory": "person",
    "keypoints": list(COCO17.keypoints),
    "skeleton": [[a + 1, b + 1] for a, b in COCO17.bones],
  }
  document = {
    "info": {"description": "drawn people", "parameters": parameters},
    "licenses": [],
    "categories": [person_category],
    "images": images,
    "annotations": annotations,
  }
  (folder / ANNOTATIONS).write_text(json.dumps(document))


def _is_finished(folder: pathlib.Path, parameters: dict) -> bool:
  """Whether the folder holds exactly this set; ValueError if another."""
  annotations = folder / ANNOTATIONS
  if not annotations.is_file():
    if folder.is_dir() and any(folder.iterdir()):
      raise ValueError(
        f"{folder} is not empty and holds no finished set of drawn people; "
        "name another folder or remove it"
      )
    return False
  found = json.loads(annotations.read_text()).get("info", {})
  found = found.get("parameters")
  if found != parameters:
    raise ValueError(
      f"{folder} holds drawn people with {found}, not {parameters}; name "
      "another folder or remove it"
    )
  return True


def write_drawn(
  folder: str | os.PathLike,
  *,
  num_images: int,
  seed: int,
  image_hw: tuple[int, int] = (192, 256),
  max_people: int = 3,
  progress: Progress | None = None,
) -> pathlib.Path:
  """Draws a set of pictures; returns the path of its annotations.

  The set is written to a hidden folder beside the wanted one and renamed when
  it is complete, so a killed run leaves nothing that looks finished. A
  finished folder with the same parameters is used as it is.

  Args:
    folder: gets `annotations.json` and `images/*.jpg`; its parent must be
      writable.
    num_images: at least 1.
    seed: not negative; another seed, other pictures.
    image_hw: height and width, at least 64 each.
    max_people: 1 to 3 in a picture.
    progress: called with (done, total) after every picture.
  Raises:
    ValueError: a parameter out of range, or a folder that holds something
      else.
  """
  for name, value, low, high in (
    ("num_images", num_images, 1, 10**7),
    ("seed", seed, 0, 2**63),
    ("height in image_hw", image_hw[0], 64, 2048),
    ("width in image_hw", image_hw[1], 64, 2048),
    ("max_people", max_people, 1, _MAX_PEOPLE),
  ):
    if not low <= value <= high:
      raise ValueError(f"{name} must be between {low} and {high}, got {value}")
  parameters = {
    "version": VERSION,
    "num_images": int(num_images),
    "seed": int(seed),
    "image_hw": [int(image_hw[0]), int(image_hw[1])],
    "max_people": int(max_people),
  }
  folder = pathlib.Path(folder)
  if _is_finished(folder, parameters):
    return folder / ANNOTATIONS
  folder.parent.mkdir(parents=True, exist_ok=True)
  partial = pathlib.Path(
    tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent)
  )
  try:
    _draw_into(partial, parameters, progress)
    partial.chmod(0o755)
    try:
      os.rename(partial, folder)
    except OSError:
      # Another process may have finished the same set meanwhile.
      if not _is_finished(folder, parameters):
        raise
  finally:
    shutil.rmtree(partial, ignore_errors=True)
  return folder / ANNOTATIONS


def open_drawn(
  folder: str | os.PathLike,
  *,
  num_images: int,
  seed: int,
  image_hw: tuple[int, int] = (192, 256),
  max_people: int = 3,
  progress: Progress | None = None,
) -> Dataset:
  """Draws the set unless the folder has it, and opens it; see write_drawn."""
  annotations = write_drawn(
    folder,
    num_images=num_images,
    seed=seed,
    image_hw=image_hw,
    max_people=max_people,
    progress=progress,
  )
  return open_coco(
    annotations, pathlib.Path(folder) / IMAGES, skeleton=COCO17, name="drawn"
  )
