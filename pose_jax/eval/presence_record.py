"""Presence and location as they are kept: numbers, and parts of the report."""

import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from pose_jax import draw_density
from pose_jax.eval import located, pck, results
from pose_jax.eval.evaluation import Evaluation
from pose_jax.eval.presence import Presence
from pose_jax.eval.results import number
from pose_jax.pages import page
from pose_jax.pages import presence as presence_page

NUM_DENSITIES = 2  # people whose densities are drawn


def to_json(presence: Presence) -> dict[str, Any]:
  """What the scores do not say: the best threshold and the reliability."""
  bins = presence.reliability
  return {
    "threshold": presence.threshold,
    "best_threshold": presence.best_threshold,
    "best_balanced_accuracy": (
      number(presence.best.balanced_accuracy) if presence.best else None
    ),
    "reliability": [
      {"probability": number(p), "present": number(t), "number": int(num)}
      for p, t, num in zip(
        bins.probability, bins.present, bins.num, strict=True
      )
    ],
  }


def sections(
  evaluation: Evaluation,
  rows: Sequence[int],
  *,
  read_image: Callable[[int], np.ndarray] | None = None,
) -> Iterator[page.Section]:
  """Parts of the report, of what was measured.

  Args:
    rows: of `people.usable()`; the densities of the first of them are drawn.
    read_image: index of an image of the table -> uint8 RGB; without it there
      are no photographs.
  """
  details = evaluation.details
  if details.presence:
    yield presence_page.presence_section(
      _findings(details.presence), evaluation.keypoints
    )
  if details.located:
    yield _location(evaluation, rows, read_image)


def _findings(presence: Presence) -> presence_page.Presence:
  bins, counts = presence.reliability, presence.counts
  has_any = bins.num > 0
  total = (
    counts.share_present,
    counts.accuracy,
    counts.majority,
    counts.balanced_accuracy,
  )
  return presence_page.Presence(
    threshold=presence.threshold,
    advice=presence.advice(),
    probability=bins.probability[has_any],
    present=bins.present[has_any],
    share=bins.num[has_any] / bins.num.sum(),
    total=tuple(map(number, total)),
  )


def _location(evaluation, rows, read_image) -> page.Section:
  people, details = evaluation.people.usable(), evaluation.details
  deviation = located.deviation(details.matched[..., :2], people)
  pictures = ()
  if read_image is not None:
    pictures = tuple(_densities(evaluation, deviation, rows, read_image))
  return presence_page.location_section(
    curves=pck.curves(details.located, people.skeleton),
    thresholds=details.located.thresholds,
    threshold=located.THRESHOLD,
    name=located.NAME,
    deviation=deviation,
    keypoints=evaluation.keypoints,
    pictures=pictures,
  )


def _densities(
  evaluation, deviation, rows, read_image
) -> Iterator[page.Picture]:
  people, details = evaluation.people.usable(), evaluation.details
  probability = None
  if details.presence:
    probability = results.presence_of_people(evaluation.predictions, people)
  for row in rows[:NUM_DENSITIES]:
    image = int(people.image_index[row])
    box = np.asarray(people.box_xywh_img[row], np.float64)
    sheet = draw_density.density_sheet(
      read_image(image),
      box,
      people.skeleton,
      kpts_xy_img=details.matched[row, :, :2],
      deviation_xy_img=deviation[:, None] * box[None, 2:],
      true_xy_img=np.asarray(people.kpts_xy_img[row], np.float64),
      labelled=people.vis[row] > 0,
      shown=details.matched[row, :, 2] > 0,
      probability=None if probability is None else probability[row],
    )
    name = pathlib.PurePath(people.image_names[image]).stem
    caption = f"{name}, person {people.person_ids[row]}"
    yield page.Picture(sheet, caption, wide=True)
