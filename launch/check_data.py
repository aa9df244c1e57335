"""What a config says of its data is checked before a file of it is opened."""

import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from launch.mistakes import suggest
from pose_jax.data.datasets import DATASETS
from pose_jax.data.leeds import BOXES
from pose_jax.data.mapping import parse_keypoint_map
from pose_jax.data.mixture import member_sections
from pose_jax.data.portion import parse_portion
from pose_jax.skeleton import Skeleton
from pose_jax.skeleton_file import SkeletonError, find_skeleton


def data_mistakes(config: ConfigDict, parts: tuple[str, ...]) -> Iterator[str]:
  """One sentence for each mistake in the skeleton and the data sets.

  Args:
    config: the experiment's.
    parts: which data sets will be opened: train, eval or both.
  """
  try:
    skeleton = find_skeleton(config.data.skeleton)
  except SkeletonError as error:
    yield f"data.skeleton: {error}"
  else:
    yield from _half_bodies(config.data.augmentation, skeleton)
  opened = {}
  for part in parts:
    section = config.data[part].to_dict()
    try:
      members = member_sections(section)
      parse_keypoint_map(section["keypoint_map"])
      opened[part] = members, parse_portion(section["portion"])
    except ValueError as error:
      yield f"data.{part}: {error}"
      continue
    for member in members:
      yield from (f"data.{part}.{m}" for m in _member(member, part))
    yield from _weights(section["weights"], len(members), part)
  if {"train", "eval"} <= set(opened):
    yield from _shared_images(opened["train"], opened["eval"])


def _half_bodies(augmentation: ConfigDict, skeleton: Skeleton) -> Iterator[str]:
  """Why the half bodies that are asked for would never be shown."""
  probability = augmentation.half_body_probability
  if not probability > 0:
    return
  if not (skeleton.upper and skeleton.lower):
    yield (
      f"data.augmentation.half_body_probability is {probability}, but "
      f"{skeleton.name} has one half alone: name upper or lower in its file, "
      "or set it to 0"
    )
  least = augmentation.half_body_min_keypoints
  if least > skeleton.num_keypoints:
    yield (
      f"data.augmentation.half_body_min_keypoints is {least}, but "
      f"{skeleton.name} has {skeleton.num_keypoints}: nobody would be cropped "
      "to a half"
    )


def _member(section: Mapping[str, Any], part: str) -> Iterator[str]:
  """What is wrong with one data set of a section."""
  name, boxes = section["name"], section["boxes"]
  if name not in DATASETS:
    yield f"name is {name!r}: {suggest(name, DATASETS)}"
  if boxes not in BOXES:
    yield f"boxes is {boxes!r}: {suggest(boxes, BOXES)}"
  if name == "drawn" and section["num_images"] < 1:
    yield "num_images must say how many pictures to draw"
  if not (section["root"] or section.get("data_dir")) and name != "drawn":
    yield (
      f"root must be the folder of the data set: --config.data.{part}.root="
      "FOLDER; or data_dir the folder that launch.prepare was given"
    )


_Opened = tuple[Sequence[Mapping[str, Any]], tuple[int, int] | None]


def _shared_images(train: _Opened, evaluated: _Opened) -> Iterator[str]:
  """Why portions of one data set would not keep the parts' images apart."""
  (members, portion), (others, other) = train, evaluated
  has_portions = portion is not None or other is not None
  if not has_portions or _images_of(members) != _images_of(others):
    return
  seeds = [sections[0]["seed"] for sections in (members, others)]
  if portion and other and seeds[0] != seeds[1]:
    yield (
      f"data.train.seed is {seeds[0]} and data.eval.seed {seeds[1]}, but only "
      "portions that one seed draws have no image of a data set in common: "
      "give both the same seed"
    )
  elif not (portion and other) or (
    max(portion[0], other[0]) < min(portion[1], other[1])
  ):
    yield (
      f"data.train.portion is {portion or ()} and data.eval.portion "
      f"{other or ()} of one data set (() is all of it): images that are "
      "trained on would be measured on; take portions that do not overlap"
    )


def _images_of(members: Sequence[Mapping[str, Any]]) -> list[tuple]:
  """What decides which images there are, of each data set that is joined."""
  found = []
  for section in members:
    name, keys = section["name"], ["root", "data_dir", "annotations", "split"]
    if name == "drawn":
      keys[2:] = "num_images", "seed"
    elif name == "coco" and not section.get("data_dir"):
      del keys[3]  # the file alone decides
    values = [section.get(key) or "" for key in keys]
    found.append((name, *(str(pathlib.PurePath(str(v))) for v in values)))
  return found


def _weights(weights: tuple, num_sets: int, part: str) -> Iterator[str]:
  is_number = [isinstance(w, int | float) and 0 < w < 1e9 for w in weights]
  if not all(is_number):
    yield f"data.{part}.weights is {weights}: wanted numbers above 0"
  elif weights and len(weights) != num_sets:
    yield (
      f"data.{part}.weights has {len(weights)} numbers for {num_sets} data "
      "sets: wanted one each"
    )
  elif weights and part == "eval":
    yield "data.eval.weights must be (): a score counts everybody once"
