"""The diagnosis on the page of an evaluation: what goes wrong, where, how much.

Takes plain arrays (`Findings`) and makes a `page.Section` of them; what the
kinds of error are, and what their costs mean, say the notes on the page.
"""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from pose_jax.pages import bars, chart, mistakes, page
from pose_jax.skeleton import Skeleton

COLORS = {  # of the kinds of error; those left over are grey
  "good": "#2fae66",
  "jitter": "#e0b430",
  "inversion": "#8e6bd8",
  "swap": "#12a5b5",
  "miss": "#d6455d",
}
_GREY = "#8a8f98"
_SOLE = "#2e86ff"
_MEANING = {
  "jitter": "near its annotation, but farther than people disagree",
  "inversion": "at the person's own mirrored keypoint: left for right",
  "swap": "at a keypoint of somebody else in the picture",
  "miss": "at no annotated keypoint of its sort",
}
_OF_KEYPOINTS = tuple(_MEANING)


@dataclasses.dataclass(frozen=True, eq=False)
class Reliability:
  """Bins of predictions by score: mean score, how right, and how many."""

  score: Float[np.ndarray, "bins"]
  right: Float[np.ndarray, "bins"]
  num: Int[np.ndarray, "bins"]
  error: float | None
  rank_correlation: float | None


@dataclasses.dataclass(frozen=True, eq=False)
class Condition:
  """People in bins of one property, see eval/diagnosis/conditions.py."""

  name: str
  labels: tuple[str, ...]
  num_people: Int[np.ndarray, "bins"]
  mean_oks: Float[np.ndarray, "bins"]
  recall: Float[np.ndarray, "bins"]


@dataclasses.dataclass(frozen=True, eq=False)
class Findings:
  """Everything the section shows.

  Attributes:
    groups: name -> keypoints shown as one bar (left and right).
    kinds: keys of COLORS, "good" first.
    counts: labelled keypoints of each kind; unpaired: of people not found.
    num_people, num_missed, num_background, num_duplicates: people measured,
      not found; predictions of nobody, second ones.
    ap: AP, or None where no costs are known.
    costs: (error, how many, AP gain, AP gain if exact, AP in turn).
    keypoint_gain: AP gain if one keypoint were exact.
    person_score, keypoint_score: reliability of the two scores.
    box_noise: (amount, score name -> value) of evaluations with moved boxes.
    worst: kind -> people to draw.
  """

  skeleton: Skeleton
  groups: Mapping[str, tuple[int, ...]]
  kinds: tuple[str, ...]
  counts: Int[np.ndarray, "K kinds"]
  unpaired: Int[np.ndarray, "K"]
  num_people: int
  num_missed: int
  num_background: int
  num_duplicates: int
  ap: float | None
  costs: tuple[tuple[str, int, float, float, float], ...]
  keypoint_gain: Float[np.ndarray, "K"]
  conditions: tuple[Condition, ...]
  person_score: Reliability
  keypoint_score: Reliability
  box_noise: tuple[tuple[float, Mapping[str, float | None]], ...] = ()
  worst: Mapping[str, tuple[mistakes.Mistake, ...]] = dataclasses.field(
    default_factory=dict
  )


def sections(findings: Findings) -> tuple[page.Section, ...]:
  """The diagnosis, for `page.Page.sections`."""
  return (
    page.Section(
      "Diagnosis: what goes wrong",
      _summary(findings),
      left=(_errors(findings), *_gains(findings)),
      right=tuple(_costs(findings)),
      galleries=tuple(_galleries(findings)),
    ),
    page.Section(
      "Diagnosis: who is found, and what scores are worth",
      "People in bins by what makes them hard. Bar: mean OKS, somebody without "
      "a prediction counting 0; stroke: average recall over OKS 0.50 to 0.95. "
      "At the right the mean OKS and, in brackets, the number of people.",
      left=tuple(_conditions(findings)),
      right=(*_reliability(findings), *_box_noise(findings)),
    ),
  )


def _summary(findings: Findings) -> str:
  total = findings.counts.sum(0)
  labelled = int(total.sum() + findings.unpaired.sum())
  shares = ", ".join(
    f"{kind} {_percent(count, labelled)}"
    for kind, count in zip(findings.kinds, total.tolist(), strict=True)
  )
  return (
    f"Of {labelled:,} labelled keypoints of {findings.num_people:,} people: "
    f"{shares}, person not found "
    f"{_percent(int(findings.unpaired.sum()), labelled)}. "
    f"{_number(findings.num_missed, 'person is', 'people are')} not found, "
    f"{_number(findings.num_background, 'prediction is', 'predictions are')} "
    "of nobody, and "
    f"{findings.num_duplicates:,} of somebody who has a better one. "
    "Kinds of error after Ronchi and Perona (2017)."
  )


def _percent(part: int, whole: int) -> str:
  return f"{100 * part / max(whole, 1):.1f}\N{NO-BREAK SPACE}%"


def _number(count: int, one: str, more: str) -> str:
  return f"{count:,} {one if count == 1 else more}"


def _errors(findings: Findings) -> bars.Bars:
  """Shares of the kinds, of each group of keypoints and of all."""
  counts = np.concatenate(
    [findings.counts, findings.unpaired[:, None]], 1
  ).astype(np.float64)
  every = tuple(range(len(counts)))
  rows = []
  for name, members in {"all": every, **findings.groups}.items():
    part = counts[list(members)].sum(0)
    labelled = part.sum()
    rows.append(
      bars.Bar(
        name.replace("_", " "),
        tuple((part / max(labelled, 1)).tolist()),
        f"{int(labelled):,}",
      )
    )
  meaning = "; ".join(f"{k}: {_MEANING[k]}" for k in _OF_KEYPOINTS)
  return bars.Bars(
    "Errors of each keypoint",
    (*findings.kinds, "not found"),
    (*(COLORS[kind] for kind in findings.kinds), _GREY),
    tuple(rows),
    f"Share of the labelled keypoints, left and right together; at the right "
    f"their number. Good: similarity 0.85 or more; {meaning}.",
  )


def _costs(findings: Findings):
  if not findings.costs:
    return
  yield page.Table(
    "What each error costs in AP",
    ("error", "number", "AP gain", "if exact", "AP in turn"),
    (
      ("nothing corrected", "", "", "", findings.ap),
      *findings.costs,
    ),
    "Number: of keypoints, predictions or people. AP gain: AP won if this "
    "error alone is corrected to its limit: a miss becomes jitter, jitter "
    "becomes good, what is at a wrong keypoint comes as near to the right "
    "one. If exact: keypoints put where they are annotated. "
    "In turn: AP with this and everything above it corrected exactly. Score: "
    "each prediction's score is its OKS. False positive: predictions of nobody "
    "and second ones are gone. False negative: who was not found is not looked "
    "for. Keypoints that are good already stay as they are.",
  )


def _gains(findings: Findings):
  if not findings.costs:
    return
  gains = {
    name: float(np.nansum(findings.keypoint_gain[list(members)]))
    for name, members in findings.groups.items()
  }
  yield bars.Bars(
    "AP won by exact keypoints",
    ("AP gain",),
    (_SOLE,),
    tuple(
      bars.Bar(name.replace("_", " "), (gain,), f"{gain:+.3f}")
      for name, gain in gains.items()
    ),
    "AP gain if all errors of one keypoint were put where they are annotated; "
    "left and right corrected apart, and added.",
    top=_rounded(max([*gains.values(), 1e-3])),
  )


def _conditions(findings: Findings):
  for condition in findings.conditions:
    shown = np.flatnonzero(condition.num_people)
    if len(shown) < 2:
      continue
    yield bars.Bars(
      f"By {condition.name}",
      ("mean OKS",),
      (_SOLE,),
      tuple(
        bars.Bar(
          condition.labels[i],
          (float(condition.mean_oks[i]),),
          f"{condition.mean_oks[i]:.3f} ({condition.num_people[i]:,})",
          mark=float(condition.recall[i]),
        )
        for i in shown
      ),
    )


def _reliability(findings: Findings):
  lines = [
    chart.Line(name, tuple(r.score.tolist()), tuple(r.right.tolist()))
    for name, r in (
      ("people", findings.person_score),
      ("keypoints", findings.keypoint_score),
    )
    if len(r.score)
  ]
  if not lines:
    return
  top = max(max(line.x) for line in lines)
  yield chart.Chart(
    "Score against how right it is",
    "mean score of the bin",
    "how right it is",
    (chart.Line("calibrated", (0.0, 1.0), (0.0, 1.0), strong=True), *lines),
    x_range=(0.0, 1.0 if top <= 1 else _rounded(top)),
    note="Ten bins of equally many predictions. People: the mean OKS; "
    "keypoints: the share that is right, of similarity 0.5 or more. Below the "
    "diagonal a score promises too much. "
    + " ".join(
      _calibration(name, r)
      for name, r in (
        ("People", findings.person_score),
        ("Keypoints", findings.keypoint_score),
      )
    ),
  )


def _rounded(top: float) -> float:
  """The next 1, 2 or 5 times a power of ten."""
  power = 10.0 ** math.floor(math.log10(top))
  return next(power * n for n in (1, 2, 5, 10) if power * n >= top)


def _calibration(name: str, r: Reliability) -> str:
  error = "not defined, some lie outside 0 to 1"
  if r.error is not None:
    error = f"{r.error:.3f}"
  rank = "n/a" if r.rank_correlation is None else f"{r.rank_correlation:.2f}"
  return f"{name}: calibration error {error}, rank correlation {rank}."


def _box_noise(findings: Findings):
  if not findings.box_noise:
    return
  amounts = tuple(float(amount) for amount, _ in findings.box_noise)
  names = [
    name
    for name, value in findings.box_noise[0][1].items()
    if value is not None
  ]
  low, high = min(amounts), max(amounts)
  if high > low:
    yield chart.Chart(
      "Sensitivity to box noise",
      "noise",
      "score",
      tuple(
        chart.Line(
          name, amounts, tuple(_nan(s.get(name)) for _, s in findings.box_noise)
        )
        for name in names
      ),
      x_range=(low, high),
    )
  yield page.Table(
    "Scores with noise on the boxes",
    ("noise", *names),
    tuple(
      (f"{amount:g}", *(scores.get(name) for name in names))
      for amount, scores in findings.box_noise
    ),
    "How well the network does when the box round a person is not the "
    "annotated one.",
  )


def _nan(value: float | None) -> float:
  return math.nan if value is None else float(value)


def _galleries(findings: Findings):
  for kind in _OF_KEYPOINTS:
    people = findings.worst.get(kind, ())
    yield page.Gallery(
      f"{kind.capitalize()}: {_MEANING[kind]}",
      "People with most of them. The prediction over the annotation in white; "
      "a ring is round each keypoint of this kind, its line leads to where the "
      "keypoint is annotated.",
      tuple(
        page.Picture(
          mistakes.picture(person, findings.skeleton, color=COLORS[kind]),
          person.caption,
        )
        for person in people
      ),
    )
