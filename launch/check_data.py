"""What a config says of its data is checked before a file of it is opened."""

from collections.abc import Iterator, Mapping
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
  for part in parts:
    section = config.data[part].to_dict()
    try:
      members = member_sections(section)
      parse_keypoint_map(section["keypoint_map"])
      parse_portion(section["portion"])
    except ValueError as error:
      yield f"data.{part}: {error}"
      continue
    for member in members:
      yield from (f"data.{part}.{m}" for m in _member(member, part))
    yield from _weights(section["weights"], len(members), part)


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
