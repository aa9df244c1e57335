"""What launch.predict leaves behind: results, skeletons, attention."""

import collections
import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable, Mapping

import cv2
import numpy as np

from launch.experiment import Experiment
from launch.mistakes import ConfigError
from launch.progress import ProgressBar
from pose_jax import draw, draw_attention, draw_scale
from pose_jax.data.images import decode
from pose_jax.data.pictures import WHOLE, Pictures
from pose_jax.eval.predictions import NOBODY, Predictions
from pose_jax.eval.results import MIN_KEYPOINT_SCORE
from pose_jax.pages.page import jpeg

_SHORTEST = 640  # pixels of the longer side of what is written


@dataclasses.dataclass(frozen=True, eq=False)
class Folder:
  """The folder that predictions are written to.

  Attributes:
    names: what the files of each picture begin with.
    counts: of the people in each picture.
    numbers: of each row of the table, counted in its picture from 1.
  """

  path: pathlib.Path
  experiment: Experiment
  pictures: Pictures
  names: tuple[str, ...]
  counts: np.ndarray
  numbers: np.ndarray

  def write_attention(
    self, row: int, crop: np.ndarray, maps: Mapping[str, np.ndarray]
  ) -> None:
    """NAME_attention.jpg, or NAME_2_attention.jpg of several people.

    Args:
      row: of the table.
      crop: [H, W, 3] uint8, what the network saw.
      maps: by name, and the heatmaps' (height, width).
    """
    frames, who = self.experiment.frames, self.who(row)
    sheet = draw_attention.attention_sheet(
      crop,
      maps,
      self.experiment.skeleton,
      frames.hm_from_crop,
      map_hw=tuple(frames.map_hw),
      title=f"{who}: where the network looks",
      kinds=tuple(self.experiment.config.model.get("attention", {}).values()),
    )
    self._write(_sheet_name(who), jpeg(sheet))

  def who(self, row: int) -> str:
    """The picture's name, of several people in it with the row's number."""
    image = self.pictures.dataset.people.image_index[row]
    number = f"_{self.numbers[row]}" if self.counts[image] > 1 else ""
    return self.names[image] + number

  def write_pictures(self, found: Predictions) -> int:
    """NAME.jpg of every picture with somebody in it; how many these are.

    Args:
      found: with rows of the table for person_ids.
    """
    image_of = self.pictures.dataset.people.image_index[found.person_ids]
    order = np.argsort(image_of, kind="stable")
    images, starts = np.unique(image_of[order], return_index=True)
    progress = ProgressBar("drawing", "pictures")
    of_each = zip(images.tolist(), np.split(order, starts[1:]), strict=True)
    for done, (image, its) in enumerate(of_each, 1):
      drawn = self._drawn(image, found.select(its))
      self._write(_picture_name(self.names[image]), jpeg(drawn))
      progress(done, len(images))
    return len(images)

  def write_results(self, found: Predictions) -> None:
    """predictions.json, in COCO's results format.

    Each entry also names its picture and the person's number in it, and of
    networks that say it holds `presence`.
    """
    people, rows = self.pictures.dataset.people, found.person_ids
    has_ids = self.pictures.has_person_ids
    named = dataclasses.replace(
      found,
      person_ids=people.person_ids[rows]
      if has_ids
      else np.full(len(rows), NOBODY),
    )
    entries = named.to_results()
    for entry, row in zip(entries, rows, strict=True):
      entry["file_name"] = people.image_names[people.image_index[row]]
      entry["number"] = int(self.numbers[row])
    self._write("predictions.json", (json.dumps(entries) + "\n").encode())

  def _drawn(self, image: int, found: Predictions) -> np.ndarray:
    """The picture, enlarged if it is small, with its people."""
    dataset = self.pictures.dataset
    name = dataset.images.name(image)
    picture, factor = _enlarged(decode(dataset.images.read(image), name))
    boxes = dataset.people.box_xywh_img[found.person_ids].astype(np.float64)
    corners = np.stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:] - 1], 1)
    corners = _moved(corners, factor)
    if dataset.people.box_source != WHOLE:
      for pair in corners:
        picture = draw.draw_box(picture, pair)
    for kpts, box in zip(found.kpts_xys_img, boxes, strict=True):
      score = kpts[:, 2]
      picture = draw.draw_skeleton(
        picture,
        np.where(score[:, None] > 0, _moved(kpts[:, :2], factor), np.nan),
        self.experiment.skeleton,
        hidden=score < MIN_KEYPOINT_SCORE,
        width=float(np.clip(factor * box[2:].max() / 110, 2, 6)),
      )
    if self.counts[image] > 1:
      for row, pair in zip(found.person_ids, corners, strict=True):
        _label(picture, str(self.numbers[row]), pair[0])
    return picture

  def _write(self, name: str, content: bytes) -> None:
    """All of it or, killed on the way, what was there before."""
    temporary = self.path / f".{name}.{os.getpid()}"
    temporary.write_bytes(content)
    os.replace(temporary, self.path / name)


def make_folder(
  path: pathlib.Path,
  experiment: Experiment,
  pictures: Pictures,
  *,
  with_attention: bool = False,
) -> Folder:
  """The folder, made if it is not there.

  Args:
    with_attention: whether everybody's attention will be written.
  Raises:
    ConfigError: if the pictures themselves would be overwritten, or two
      files would have one name.
  """
  people, source = pictures.dataset.people, pictures.dataset.images
  if path.resolve() == pathlib.Path(source.root).resolve():
    raise ConfigError(
      f"--output={path} is where the pictures lie, which would be "
      "overwritten: give another folder"
    )
  counts = np.bincount(people.image_index, minlength=len(people.image_names))
  first = np.searchsorted(people.image_index, people.image_index)
  numbers = np.arange(len(people)) - first + 1
  names = _names(people.image_names)
  folder = Folder(path, experiment, pictures, names, counts, numbers)
  _check_files(folder, with_attention)
  path.mkdir(parents=True, exist_ok=True)
  return folder


def _names(image_names: tuple[str, ...]) -> tuple[str, ...]:
  """Stems; where two pictures share one, whole names without their dots."""
  stems = [pathlib.PurePath(name).stem for name in image_names]
  uses = collections.Counter(stems)
  return tuple(
    stem if uses[stem] == 1 else name.replace(".", "_")
    for stem, name in zip(stems, image_names, strict=True)
  )


def _picture_name(name: str) -> str:
  return f"{name}.jpg"


def _sheet_name(who: str) -> str:
  return f"{who}_attention.jpg"


def _check_files(folder: Folder, with_attention: bool) -> None:
  """Refuses two files of one name, of all that may be written."""
  source_of: dict[str, str] = {}
  for file, source in _files(folder, with_attention):
    if file in source_of:
      raise ConfigError(
        f"--input: {file} would be written for {source_of[file]} and for "
        f"{source}: rename one of these pictures"
      )
    source_of[file] = source


def _files(folder: Folder, with_attention: bool) -> Iterable[tuple[str, str]]:
  """Name of each file, and of the picture that it is written for."""
  people = folder.pictures.dataset.people
  for image in np.flatnonzero(folder.counts):
    yield _picture_name(folder.names[image]), people.image_names[image]
  if with_attention:
    for row, image in enumerate(people.image_index):
      yield _sheet_name(folder.who(row)), people.image_names[image]


def _enlarged(picture: np.ndarray) -> tuple[np.ndarray, float]:
  factor = max(1.0, _SHORTEST / max(picture.shape[:2]))
  if factor == 1:
    return picture, factor
  size_wh = [max(1, round(n * factor)) for n in picture.shape[1::-1]]
  return cv2.resize(picture, size_wh, interpolation=cv2.INTER_CUBIC), factor


def _moved(points_xy: np.ndarray, factor: float) -> np.ndarray:
  return (points_xy + 0.5) * factor - 0.5


def _label(picture: np.ndarray, text: str, place_xy: np.ndarray) -> None:
  """A number on dark ground at the corner of a box, inside the picture."""
  width, height = draw_scale.extent(text, 0.6) + 8, 20
  x = int(np.clip(place_xy[0], 0, max(0, picture.shape[1] - width)))
  y = int(np.clip(place_xy[1], 0, max(0, picture.shape[0] - height)))
  picture[y : y + height, x : x + width] = draw_scale.GROUND
  draw_scale.write(picture, text, x + 4, y + 15, 0.6, draw_scale.INK)
