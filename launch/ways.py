"""Config to measurements: every way in which an evaluation measures.

`config.eval` says one way; `config.eval.sweep` names further values of some of
its keys, and all combinations are measured in the same pass.
"""

import dataclasses
import hashlib
import pathlib

import numpy as np
from ml_collections import ConfigDict

from launch.check_eval import make_decoder
from launch.choices import (
  GROUND_TRUTH,
  Choice,
  choices,
  is_of_people,
  moved_by,
)
from launch.experiment import Experiment
from pose_jax.data.boxes import join_boxes
from pose_jax.data.detections import jitter_boxes, read_detections
from pose_jax.data.people import Dataset, People
from pose_jax.eval import scoring
from pose_jax.eval.boxes import Boxes
from pose_jax.eval.evaluator import Measurement
from pose_jax.eval.predict import TestTime
from pose_jax.eval.predictions import NOBODY
from pose_jax.geometry import Frames
from pose_jax.protocol import Protocol


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
  """What to crop, how to test and what to measure.

  Attributes:
    crops: all boxes, without keypoints, in order of images.
    boxes: the same rows, as evaluation knows them.
    ways: ways of testing that share their forward passes.
    measurements: the config's own first.
  """

  crops: People
  boxes: Boxes
  ways: tuple[TestTime, ...]
  measurements: tuple[Measurement, ...]


def make_plan(
  experiment: Experiment, dataset: Dataset, protocol: Protocol
) -> Plan:
  """Everything that `config.eval` asks for.

  Args:
    protocol: what all measurements have in common.
  Raises:
    DataError: if a file of boxes is missing or faulty.
  """
  settings = experiment.config.eval
  wanted = choices(settings)
  tests = list(dict.fromkeys(choice.test for choice in wanted))
  names = list(dict.fromkeys(choice.boxes for choice in wanted))
  tables = [_table(name, dataset.people) for name in names]
  crops, origin, row = join_boxes(tables)
  return Plan(
    crops=crops,
    boxes=_boxes(experiment, names, tables, (crops, origin, row)),
    ways=tuple(_way(settings, *test) for test in tests),
    measurements=tuple(
      Measurement(
        protocol=_protocol(
          protocol, experiment, choice, tables[names.index(choice.boxes)]
        ),
        way=tests.index(choice.test),
        origin=names.index(choice.boxes),
        metrics=_metrics(settings, choice.boxes),
        suppression=settings.nms,
        suppression_threshold=settings.nms_threshold,
      )
      for choice in wanted
    ),
  )


def _table(boxes: str, people: People) -> People:
  if boxes == GROUND_TRUTH:
    return people.usable()
  if is_of_people(boxes):
    return jitter_boxes(people.usable(), amount=moved_by(boxes), seed=0)
  return read_detections(boxes, people)


def _boxes(experiment: Experiment, names, tables, joined) -> Boxes:
  crops, origin, row = joined
  person_ids = np.full(len(crops), NOBODY, np.int64)
  for i, (name, table) in enumerate(zip(names, tables, strict=True)):
    if is_of_people(name):
      person_ids[origin == i] = table.person_ids[row[origin == i]]
  return Boxes(
    origin=origin,
    image_ids=crops.image_ids[crops.image_index],
    person_ids=person_ids,
    score=crops.score.astype(np.float64),
    area=_area(crops, experiment.frames, experiment.config.eval),
  )


def _area(crops: People, frames: Frames, settings: ConfigDict) -> np.ndarray:
  """Of the boxes, or as the reference codes have it, of what is cropped."""
  size_wh = crops.box_xywh_img[:, 2:].astype(np.float64)
  if settings.nms_padded_area:
    _, size_wh = frames.center_size(crops.box_xywh_img)
  return size_wh.prod(1)


def _way(settings: ConfigDict, flip_test, scales, decoder) -> TestTime:
  return TestTime(
    decoder=make_decoder(settings, decoder),
    flip_test=flip_test,
    scales=scales,
    clip_negative=settings.clip_negative,
  )


def _metrics(settings: ConfigDict, boxes: str) -> tuple[str, ...]:
  """A detector's boxes are nobody's: what compares people is left out."""
  return tuple(
    m
    for m in settings.metrics
    if m in scoring.OF_ANYBODY or is_of_people(boxes)
  )


def _protocol(
  protocol: Protocol, experiment: Experiment, choice: Choice, table: People
) -> Protocol:
  settings, decoder = experiment.config.eval, choice.decoder
  is_dark, is_weighted = (decoder == n for n in ("dark", "weighted"))
  nms = settings.nms
  if nms != "none":
    area = "padded box" if settings.nms_padded_area else "box"
    nms += f" {settings.nms_threshold:g} (area of the {area})"
  is_file = not is_of_people(choice.boxes)
  return dataclasses.replace(
    protocol,
    box_source=table.box_source,
    box_noise=0.0 if is_file else moved_by(choice.boxes),
    box_file_sha256=_sha256(choice.boxes) if is_file else "",
    flip_test=choice.flip_test,
    scales=choice.scales,
    clip_negative=settings.clip_negative,
    decoder=decoder,
    blur_kernel=settings.blur_kernel if is_dark else None,
    decoder_n=settings.weighted_n if is_weighted else None,
    decoder_window=(settings.weighted_window or None) if is_weighted else None,
    nms=nms,
  )


def _sha256(path: str) -> str:
  return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
