"""Config to measurements: every way in which an evaluation measures.

`config.eval` says one way; `config.eval.sweep` names further values of some of
its keys, and all combinations are measured in the same pass.
"""

import dataclasses

import numpy as np
from ml_collections import ConfigDict

from launch.check_eval import make_decoder, metrics_in
from launch.choices import (
  GROUND_TRUTH,
  Choice,
  choices,
  is_of_people,
  moved_by,
)
from launch.experiment import Experiment
from pose_jax.data.boxes import join_boxes
from pose_jax.data.detections import jitter_boxes, read_boxes
from pose_jax.data.people import Dataset, People
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
    notes: what to tell people of the boxes.
  """

  crops: People
  boxes: Boxes
  ways: tuple[TestTime, ...]
  measurements: tuple[Measurement, ...]
  notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Origin:
  """Boxes of one origin, as a table of people."""

  people: People
  sha256: str = ""
  note: str = ""


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
  origins = [_origin(name, dataset.people) for name in names]
  joined = join_boxes([origin.people for origin in origins])
  return Plan(
    crops=joined[0],
    boxes=_boxes(experiment, names, origins, joined),
    ways=tuple(make_way(settings, *test) for test in tests),
    measurements=tuple(
      Measurement(
        protocol=_protocol(
          protocol, experiment, choice, origins[names.index(choice.boxes)]
        ),
        way=tests.index(choice.test),
        origin=names.index(choice.boxes),
        metrics=metrics_in(settings.metrics, choice.boxes),
        suppression=settings.nms,
        suppression_threshold=settings.nms_threshold,
      )
      for choice in wanted
    ),
    notes=tuple(origin.note for origin in origins if origin.note),
  )


def _origin(boxes: str, people: People) -> Origin:
  if boxes == GROUND_TRUTH:
    return Origin(people.usable())
  if is_of_people(boxes):
    return Origin(jitter_boxes(people.usable(), amount=moved_by(boxes), seed=0))
  found = read_boxes(boxes, people)
  return Origin(found.people, found.sha256, found.describe())


def _boxes(experiment: Experiment, names, origins, joined) -> Boxes:
  crops, origin, row = joined
  person_ids = np.full(len(crops), NOBODY, np.int64)
  for i, (name, its) in enumerate(zip(names, origins, strict=True)):
    if is_of_people(name):
      person_ids[origin == i] = its.people.person_ids[row[origin == i]]
  return Boxes(
    origin=origin,
    image_ids=crops.image_ids[crops.image_index],
    person_ids=person_ids,
    score=crops.score.astype(np.float64),
    area=area_of(crops, experiment.frames, experiment.config.eval),
  )


def area_of(crops: People, frames: Frames, settings: ConfigDict) -> np.ndarray:
  """Of the boxes, or as the reference codes have it, of what is cropped."""
  size_wh = crops.box_xywh_img[:, 2:].astype(np.float64)
  if settings.nms_padded_area:
    _, size_wh = frames.center_size(crops.box_xywh_img)
  return size_wh.prod(1)


def make_way(
  settings: ConfigDict,
  flip_test: bool,
  scales: tuple[float, ...],
  decoder: str,
) -> TestTime:
  """A way of testing, with the options of an eval section."""
  return TestTime(
    decoder=make_decoder(settings, decoder),
    flip_test=flip_test,
    scales=scales,
    clip_negative=settings.clip_negative,
  )


def _protocol(
  protocol: Protocol, experiment: Experiment, choice: Choice, origin: Origin
) -> Protocol:
  settings, decoder = experiment.config.eval, choice.decoder
  is_dark, is_weighted = (decoder == n for n in ("dark", "weighted"))
  nms = settings.nms
  if nms != "none":
    area = "padded box" if settings.nms_padded_area else "box"
    nms += f" {settings.nms_threshold:g} (area of the {area})"
  return dataclasses.replace(
    protocol,
    box_source=origin.people.box_source,
    box_noise=moved_by(choice.boxes) if is_of_people(choice.boxes) else 0.0,
    box_file_sha256=origin.sha256,
    flip_test=choice.flip_test,
    scales=choice.scales,
    clip_negative=settings.clip_negative,
    decoder=decoder,
    blur_kernel=settings.blur_kernel if is_dark else None,
    decoder_n=settings.weighted_n if is_weighted else None,
    decoder_window=(settings.weighted_window or None) if is_weighted else None,
    nms=nms,
  )
