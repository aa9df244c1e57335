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


def pck_names(findings: Findings) -> tuple[str, ...]:
  """PCK and PCKh at their first threshold, those that were measured."""
  first = {}
  for name in findings.scores:
    if name.startswith("PCK"):
      first.setdefault(metric(name), name)
  return tuple(first.values())


def metric(name: str) -> str:
  """ "PCKh" of "PCKh@0.5_mmpose"."""
  return name.partition("@")[0]


def threshold(name: str) -> str:
  """ "0.5" of "PCKh@0.5_mmpose"."""
  return name.partition("@")[2].partition("_")[0]


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
  yield _every_score(findings)
  names = pck_names(findings)
  for name in names:
    yield _keypoint_table(
      findings,
      f"{metric(name)}@{threshold(name)}",
      100,
      f"{name}, percent",
      total=name,
    )
  if "AP" in scores and not names:
    yield _keypoint_table(
      findings, "similarity", 1, "Similarity to the annotation, 0 to 1"
    )
  if any("AP" in row for row in findings.keypoints):
    yield _keypoint_table(
      findings,
      "AP",
      1,
      "AP of each keypoint alone",
      note="As if nothing but this keypoint were annotated: OKS is its "
      "similarity, and people who lack it are left out.",
    )
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
      "The first row is what the rest of the page shows. What all rows have "
      "in common stands at the top. Moved boxes: the centre by up to this "
      "share of the box's width and height, each side longer or shorter by up "
      "to as much, at random.",
      wide=True,
    )
  yield page.Table(
    "Time",
    ("stage", "seconds"),
    tuple((stage, float(s)) for stage, s in findings.seconds.items()),
    decimals=1,
  )


def _every_score(findings: Findings) -> page.Table:
  """Every score but those of single limbs, with its interval where known."""
  columns, note = ("score", ""), ""
  if findings.intervals:
    columns = (*columns, "from", "to")
    note = "From, to: 95 % of the scores of resampled images."
  rows = []
  for name, value in findings.scores.items():
    if " " not in name:
      interval = findings.intervals.get(name, ("", ""))
      rows.append((name, value, *interval)[: len(columns)])
  return page.Table(
    "Every score, percent",
    columns,
    tuple(
      tuple(c if isinstance(c, str) else _times(c, 100) for c in row)
      for row in rows
    ),
    note,
    decimals=2,
  )


def _keypoint_table(
  findings: Findings,
  key: str,
  times: int,
  title: str,
  total: str = "",
  note: str = "",
) -> page.Table:
  """One row per group: left, right, their mean, and how many are labelled.

  Args:
    key: of the rows of keypoints; total: the score over all of them.
  """
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
  if total:
    count = sum(row["labelled"] for row in findings.keypoints)
    every = _times(findings.scores[total], times)
    rows.append(("all together", "", "", every, count))
    if f"{total}_mean" in findings.scores:
      mean = _times(findings.scores[f"{total}_mean"], times)
      rows.append(("mean of the keypoints", "", "", mean, count))
  note = f"Left and right are the person's own. {note}".strip()
  if key == "similarity":
    note += (
      " Similarity is a keypoint's term of COCO's OKS: 1 is exact, and each "
      "keypoint has a tolerance of its own."
    )
  num_left_out = findings.num_without_reference.get(metric(key), 0)
  if num_left_out:
    note += (
      f" {num_left_out} people are left out: their reference length is not "
      "annotated."
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
