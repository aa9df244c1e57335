"""The page one opens after an evaluation: what is on it, and how to read it.

Takes plain arrays (`Findings`), draws the people, and lays scores, tables,
curves and pictures out on a `page.Page`.
"""

import functools
from collections.abc import Iterator

import numpy as np

from pose_jax import draw, draw_attention
from pose_jax.pages import chart, page, score_tables
from pose_jax.pages.findings import Findings, Person

_HEADLINE = ("AP", "AP50", "AP75", "AR")
_IN_PERCENT = {  # headline: name -> what it is called
  "located@1/12": "located@1/12",
  "presence_accuracy": "presence accuracy",
  "presence_majority": "that of the majority",
  "presence_balanced_accuracy": "presence balanced accuracy",
}
_NUM_WITH_STEPS = 2  # people whose mean fields are shown: large pictures
_OPEN_HEIGHT = 800  # pixels of a sheet beside others that is not folded


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
      tables=tuple(score_tables.tables(findings)),
      curves=tuple(_curves(findings)),
      galleries=tuple(_galleries(findings)),
      sections=(*findings.sections, *_attention(findings)),
      reading=tuple(_reading(findings)),
    )
  )


def _headline(findings: Findings) -> tuple[tuple[str, str], ...]:
  cards = [(n, n, 1) for n in _HEADLINE if n in findings.scores]
  for name in score_tables.pck_names(findings):
    cards.append((name, name, 100))
    cards.append((f"{name}_mean_pose", f"{name} of the mean pose", 100))
  cards += [(name, label, 100) for name, label in _IN_PERCENT.items()]
  return tuple(
    (
      label + _interval(findings.intervals.get(key), times),
      score_tables.number(findings.scores[key], times),
    )
    for key, label, times in cards
    if key in findings.scores
  )


def _interval(interval: tuple[float, float] | None, times: int) -> str:
  if interval is None:
    return ""
  low, high = (score_tables.number(value, times) for value in interval)
  return f" (95 %: {low} to {high})"


def _curves(findings: Findings):
  if findings.pck:
    name = score_tables.pck_names(findings)[0]
    yield chart.Chart(
      f"{score_tables.metric(name)} over the threshold",
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
      mark_x=float(score_tables.threshold(name)),
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
      if heatmaps is not None
    ),
  )


def _attention(findings: Findings) -> Iterator[page.Section]:
  """Where the network looked in a few crops, whose heatmaps are shown too."""
  pictures = tuple(_sheets(findings))
  if pictures:
    yield page.Section(
      "Attention",
      "What the network multiplies its features by, in crops of random and of "
      "the worst people, those under Heatmaps if it has any: the holistic map "
      "and the levels it is the sum of, the refined map, and one map for each "
      "keypoint, as far as the network has them. The map of a transformer says "
      "how much of each pixel the transformer sees. Heatmaps of links are "
      "added to features; lifted heatmaps are twice as large as the others; "
      "the mean position of a soft-argmax's map is the keypoint. "
      "Click on a line with a triangle to unfold what is below it: further "
      "people, and the mean fields step by step.",
      galleries=(page.Gallery("", "", pictures),),
    )


def _sheets(findings: Findings) -> Iterator[page.Picture]:
  """Each person's maps, and folded the steps of the first people's.

  Maps of several stages fill screens: they are folded too, but the first
  person's.
  """
  of_each = zip(findings.heatmaps, findings.attention, strict=False)
  for place, ((caption, crop, heatmaps), maps) in enumerate(of_each):
    draw_sheet = functools.partial(
      draw_attention.attention_sheet,
      crop,
      skeleton=findings.skeleton,
      hm_from_crop=findings.hm_from_crop,
      map_hw=(crop if heatmaps is None else heatmaps).shape[:2],
    )
    single, steps = draw_attention.without_steps(maps)
    if single:
      sheet = draw_sheet(single)
      folded = place > 0 and len(sheet) > _OPEN_HEIGHT
      yield page.Picture(sheet, caption, wide=True, folded=folded)
    if steps and place < _NUM_WITH_STEPS:
      caption = f"{caption}: mean field, step by step"
      yield page.Picture(draw_sheet(steps), caption, wide=True, folded=True)


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
  if score_tables.pck_names(findings):
    yield (
      "PCK is the share of labelled keypoints whose error is at most the "
      "threshold times the person's reference length. The mean pose looks at "
      "no picture: it puts the average training pose into each box, and a "
      "network has to beat it."
    )
