"""The page one opens after an evaluation: what is on it, and how to read it.

Takes plain arrays (`Findings`), draws the people, and lays scores, tables,
curves and pictures out on a `page.Page`.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Integer, UInt8

from pose_jax import chart, draw, page
from pose_jax.skeleton import Skeleton

_COCO_ROWS = (
  ("OKS 0.50 to 0.95", "AP", "AR"),
  ("OKS 0.50", "AP50", "AR50"),
  ("OKS 0.75", "AP75", "AR75"),
  ("medium people", "APM", "ARM"),
  ("large people", "APL", "ARL"),
)
_HEADLINE = ("AP", "AP50", "AP75", "AR")


@dataclasses.dataclass(frozen=True, eq=False)
class Person:
  """One person of a picture, annotated and predicted, image pixels."""

  caption: str
  image: UInt8[np.ndarray, "H W 3"]
  box_xywh_img: Float[np.ndarray, "4"]
  kpts_xy_img: Float[np.ndarray, "K 2"]  # nan: no prediction
  true_xy_img: Float[np.ndarray, "K 2"]
  vis: Integer[np.ndarray, "K"]


@dataclasses.dataclass(frozen=True, eq=False)
class Findings:
  """Everything the report shows.

  Attributes:
    groups: name -> keypoints that are averaged (left and right).
    protocol: (what, how) pairs.
    scores: name -> value in [0, 1] or None.
    intervals: name -> (low, high), 95 % over resampled images; may be empty.
    ways: a heading and one row per measurement, if there are several.
    keypoints: rows with name, labelled and any of "PCK@..." and "similarity".
    seconds: stage -> wall seconds.
    precision, recall: name -> [R] precision, and the recall it is read at.
    pck, thresholds: name -> [T] PCK ("all" first), and its thresholds.
    num_without_reference: people that PCK leaves out.
    random, worst: people to draw.
    heatmaps: (caption, crop [H, W, 3], heatmaps [h, w, K]).
    hm_from_crop: lays the heatmaps on the crops.
  """

  skeleton: Skeleton
  groups: Mapping[str, tuple[int, ...]]
  title: str
  protocol: tuple[tuple[str, str], ...]
  scores: Mapping[str, float | None]
  keypoints: tuple[dict[str, Any], ...]
  num_people: int
  num_images: int
  seconds: Mapping[str, float]
  precision: Mapping[str, Float[np.ndarray, "R"]]
  recall: Float[np.ndarray, "R"]
  pck: Mapping[str, Float[np.ndarray, "T"]]
  thresholds: Float[np.ndarray, "T"]
  intervals: Mapping[str, tuple[float, float]] = dataclasses.field(
    default_factory=dict
  )
  ways: Sequence[Sequence[str]] = ()
  num_without_reference: int = 0
  random: tuple[Person, ...] = ()
  worst: tuple[Person, ...] = ()
  heatmaps: tuple[tuple[str, np.ndarray, np.ndarray], ...] = ()
  hm_from_crop: Float[np.ndarray, "2 3"] | None = None


def render(findings: Findings) -> str:
  """The whole report as one HTML page without outside references."""
  return page.render(
    page.Page(
      title=f"Pose evaluation: {findings.title}".strip(),
      subtitle=(
        f"{findings.num_people:,} people in {findings.num_images:,} images"
      ),
      headline=_headline(findings),
      protocol=findings.protocol,
      tables=tuple(_tables(findings)),
      curves=tuple(_curves(findings)),
      galleries=tuple(_galleries(findings)),
      reading=tuple(_reading(findings)),
    )
  )


def _pck_name(findings: Findings) -> str | None:
  """The score that is PCK at its threshold, if PCK was measured."""
  names = [n for n in findings.scores if n.startswith("PCK") and "_" not in n]
  return names[0] if names else None


def _headline(findings: Findings) -> tuple[tuple[str, str], ...]:
  cards = [(n, n, 1) for n in _HEADLINE if n in findings.scores]
  name = _pck_name(findings)
  if name:
    cards.append((name, name, 100))
    cards.append((f"{name}_mean_pose", f"{name} of the mean pose", 100))
  return tuple(
    (
      label + _interval(findings.intervals.get(key), times),
      _number(findings.scores[key], times),
    )
    for key, label, times in cards
    if key in findings.scores
  )


def _interval(interval: tuple[float, float] | None, times: int) -> str:
  if interval is None:
    return ""
  low, high = (_number(value, times) for value in interval)
  return f" (95 %: {low} to {high})"


def _number(value: float | None, times: int) -> str:
  if value is None:
    return "n/a"
  return f"{100 * value:.1f} %" if times == 100 else f"{value:.3f}"


def _tables(findings: Findings):
  scores = findings.scores
  if "AP" in scores:
    yield page.Table(
      "COCO keypoint scores",
      ("", "AP", "AR"),
      tuple((label, scores[ap], scores[ar]) for label, ap, ar in _COCO_ROWS),
      "By pycocotools, at most 20 predictions an image, people of all sizes "
      "unless said otherwise. n/a: no such person is annotated.",
    )
  name = _pck_name(findings)
  if name:
    yield _keypoint_table(findings, name, 100, f"{name}, percent")
  if "AP" in scores and not name:
    yield _keypoint_table(
      findings, "similarity", 1, "Similarity to the annotation, 0 to 1"
    )
  if findings.ways:
    yield page.Table(
      "Ways of measuring, one pass over the pictures",
      tuple(findings.ways[0]),
      tuple(tuple(row) for row in findings.ways[1:]),
      "The first row is what the rest of the page shows. What all rows have in "
      "common stands at the top.",
    )
  yield page.Table(
    "Time",
    ("stage", "seconds"),
    tuple((stage, float(s)) for stage, s in findings.seconds.items()),
    decimals=1,
  )


def _keypoint_table(
  findings: Findings, key: str, times: int, title: str
) -> page.Table:
  """One row per group: left, right, their mean, and how many are labelled."""
  rows = []
  for name, members in findings.groups.items():
    values = [findings.keypoints[k][key] for k in members]
    known = [v for v in values if v is not None]
    mean = times * float(np.mean(known)) if known else None
    count = sum(findings.keypoints[k]["labelled"] for k in members)
    sides = {
      draw.side(findings.keypoints[k]["name"]): v
      for k, v in zip(members, values, strict=True)
    }
    left, right = (
      ("" if side not in sides else _times(sides[side], times))
      for side in (draw.LEFT, draw.RIGHT)
    )
    rows.append((name.replace("_", " "), left, right, mean, count))
  total = sum(row["labelled"] for row in findings.keypoints)
  if key in findings.scores:
    every = _times(findings.scores[key], times)
    rows.append(("all keypoints", "", "", every, total))
    mean = _times(findings.scores[f"{key}_mean"], times)
    rows.append(("mean of the keypoints", "", "", mean, total))
  note = "Left and right are the person's own."
  if key == "similarity":
    note += (
      " Similarity is a keypoint's term of COCO's OKS: 1 is exact, and each "
      "keypoint has a tolerance of its own."
    )
  if findings.num_without_reference and key != "similarity":
    note += (
      f" {findings.num_without_reference} people are left out: their "
      "reference length is not annotated."
    )
  return page.Table(
    title,
    ("keypoint", "left", "right", "mean", "labelled"),
    tuple(rows),
    note,
    decimals=1 if times == 100 else 3,
  )


def _times(value: float | None, times: int) -> float | None:
  return None if value is None else times * value


def _curves(findings: Findings):
  if findings.pck:
    at = float((_pck_name(findings) or "PCK@0.2").split("@")[1])
    yield chart.Chart(
      "PCK over the threshold",
      "threshold, in reference lengths",
      "share of correct keypoints",
      tuple(
        chart.Line(
          name.replace("_", " "),
          tuple(findings.thresholds.tolist()),
          tuple(values.tolist()),
          strong=name == "all",
        )
        for name, values in findings.pck.items()
      ),
      x_range=(0.0, float(findings.thresholds[-1])),
      mark_x=at,
      note="A keypoint counts as correct up to this distance; the dashed line "
      "is where the score is read.",
    )
  if findings.precision:
    yield chart.Chart(
      "Precision over recall",
      "recall",
      "precision",
      tuple(
        chart.Line(
          name,
          tuple(findings.recall.tolist()),
          tuple(values.tolist()),
          strong=name == "mean",
        )
        for name, values in findings.precision.items()
      ),
      note="All people, by pycocotools. The area under a line is its AP; the "
      "mean is over OKS 0.50 to 0.95.",
    )


def _galleries(findings: Findings):
  legend = (
    "Left of each pair the annotation (hollow: hidden keypoint), right the "
    "prediction (hollow: keypoint not annotated) over the annotation in white. "
    "The person's left is blue, the right orange."
  )
  yield page.Gallery(
    "Random people", legend, _people(findings, findings.random)
  )
  yield page.Gallery(
    "Worst people",
    "The largest errors come first; look for wrong annotations too. "
    + (
      "Error: mean distance in reference lengths, each counted as 1 at most."
      if findings.pck
      else "Ordered by OKS with the annotation."
    ),
    _people(findings, findings.worst),
  )
  yield page.Gallery(
    "Heatmaps",
    "The network's input, the maximum over all heatmaps, and each heatmap "
    "alone, scaled to its own peak; the number is the peak's height.",
    tuple(
      page.Picture(
        draw.heatmap_sheet(
          crop, heatmaps, findings.skeleton, findings.hm_from_crop
        ),
        caption,
        wide=True,
      )
      for caption, crop, heatmaps in findings.heatmaps
    ),
  )


def contact_sheet(findings: Findings) -> bytes:
  """The random people as one JPEG: annotation left, prediction right."""
  sheet = draw.contact_sheet(
    [_pair(findings, person) for person in findings.random], columns=4
  )
  return page.jpeg(sheet)


def _people(
  findings: Findings, people: tuple[Person, ...]
) -> tuple[page.Picture, ...]:
  return tuple(
    page.Picture(_pair(findings, person), person.caption) for person in people
  )


def _pair(findings: Findings, person: Person) -> np.ndarray:
  return draw.person(
    person.image,
    person.box_xywh_img,
    findings.skeleton,
    kpts_xy_img=person.kpts_xy_img,
    true_xy_img=person.true_xy_img,
    vis=person.vis,
  )


def _reading(findings: Findings):
  yield (
    "A score can be compared with another only if both were measured alike: "
    "the block at the top says how. Person boxes from the ground truth make "
    "every score better than boxes from a detector."
  )
  if "AP" in findings.scores:
    yield (
      "AP and AR follow COCO. OKS measures how near a predicted person is to "
      "an annotated one, 1 being exact; AP is the area under precision over "
      "recall, averaged over OKS thresholds from 0.50 to 0.95, AR the largest "
      "recall, averaged likewise."
    )
  if _pck_name(findings):
    yield (
      "PCK is the share of labelled keypoints whose error is at most the "
      "threshold times the person's reference length. The mean pose looks at "
      "no picture: it puts the average training pose into each box, and a "
      "network has to beat it."
    )
