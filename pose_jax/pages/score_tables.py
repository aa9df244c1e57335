"""The tables of a report: scores, keypoints, limbs, ways of measuring, time."""

from collections.abc import Iterator

import numpy as np

from pose_jax import draw
from pose_jax.pages import page
from pose_jax.pages.findings import Findings

_COCO_ROWS = (
  ("OKS 0.50 to 0.95", "AP", "AR"),
  ("OKS 0.50", "AP50", "AR50"),
  ("OKS 0.75", "AP75", "AR75"),
  ("medium people", "APM", "ARM"),
  ("large people", "APL", "ARL"),
)


def pck_name(findings: Findings) -> str | None:
  """The score that is PCK at its threshold, if PCK was measured."""
  names = [n for n in findings.scores if n.startswith("PCK") and "_" not in n]
  return names[0] if names else None


def number(value: float | None, times: int) -> str:
  """A score as text, in percent if times is 100."""
  if value is None:
    return "n/a"
  return f"{100 * value:.1f} %" if times == 100 else f"{value:.3f}"


def tables(findings: Findings) -> Iterator[page.Table]:
  """All tables of a report, in order."""
  scores = findings.scores
  if "AP" in scores:
    yield page.Table(
      "COCO keypoint scores",
      ("", "AP", "AR"),
      tuple((label, scores[ap], scores[ar]) for label, ap, ar in _COCO_ROWS),
      "By pycocotools, at most 20 predictions an image, people of all sizes "
      "unless said otherwise. n/a: no such person is annotated.",
    )
  name = pck_name(findings)
  if name:
    yield _keypoint_table(findings, name, 100, f"{name}, percent")
  if "AP" in scores and not name:
    yield _keypoint_table(
      findings, "similarity", 1, "Similarity to the annotation, 0 to 1"
    )
  if any("AP" in row for row in findings.keypoints):
    yield _keypoint_table(findings, "AP", 1, "AP of each keypoint alone")
  limbs = [n for n in scores if n.startswith("PCP_strict")]
  if limbs:
    yield page.Table(
      "Limbs found (PCP), percent",
      ("limb", "strict", "loose"),
      tuple(
        (
          name.partition(" ")[2] or "mean of the limbs",
          _times(scores[name], 100),
          _times(scores[name.replace("strict", "loose")], 100),
        )
        for name in limbs
      ),
      "Strict: both ends of a limb are within half its length of where they "
      "are annotated. Loose: the mean of their distances is.",
      decimals=1,
    )
  if findings.ways:
    yield page.Table(
      "Ways of measuring, one pass over the pictures",
      tuple(findings.ways[0]),
      tuple(tuple(row) for row in findings.ways[1:]),
      "The first row is what the rest of the page shows. What all rows have in "
      "common stands at the top.",
      wide=True,
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
  if key in findings.scores and key != "AP":
    every = _times(findings.scores[key], times)
    rows.append(("all keypoints", "", "", every, total))
    if f"{key}_mean" in findings.scores:
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
