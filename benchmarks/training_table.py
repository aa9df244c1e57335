"""Scores of several trainings as a table: means, spreads, paired differences.

What `compare_training` writes down of its runs. A variant is compared with the
first one seed by seed, since runs of one seed saw the same people in the same
order. Two or three seeds say little, and the table says how little.
"""

import dataclasses
import itertools
import json
import math
import pathlib
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scipy import stats

from pose_jax.train.training_log import read_log, training_rate

SCORES = (  # those that a table of trainings has, where measured
  *("AP", "AP50", "AP75", "PCK@0.2", "PCKh@0.5", "PCP_strict@0.5"),
  *("located@1/12", "presence_accuracy", "presence_majority"),
  *("presence_balanced_accuracy", "presence_balanced_accuracy_chosen"),
)
_MAX_EXACT = 16  # pairs; 2^16 changes of sign
_DIGITS = 3

Table = list[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Run:
  """One training, measured in one way.

  Attributes:
    way: how, in words, where a run was measured in several ways; else "".
    scores: name -> value in [0, 1], None for "nothing to measure".
    people_per_second: median of the training's progress lines.
  """

  variant: str
  seed: int
  way: str
  scores: Mapping[str, float | None]
  steps: int
  num_parameters: int
  people_per_second: float | None


@dataclasses.dataclass(frozen=True)
class Difference:
  """Of paired values: first minus second, over the pairs there are.

  Attributes:
    num: pairs.
    standard_error: of the mean; None for a single pair.
    p_t: two-sided p of the paired t-test; None where there is no spread.
    p_exact: share of all changes of sign of the differences whose mean is at
      least as far from 0; never below 2 / 2^num. None for a single pair.
  """

  num: int
  mean: float
  standard_error: float | None
  p_t: float | None
  p_exact: float | None


def paired_difference(
  values: Mapping[int, float], reference: Mapping[int, float]
) -> Difference | None:
  """How far `values` lie above `reference`; both by seed.

  None where they have no seed in common.
  """
  pairs = [values[seed] - reference[seed] for seed in values.keys() & reference]
  num = len(pairs)
  if not num:
    return None
  mean = statistics.fmean(pairs)
  if num == 1:
    return Difference(num, mean, None, None, None)
  error = statistics.stdev(pairs) / math.sqrt(num)
  p_t = 2 * float(stats.t.sf(abs(mean) / error, num - 1)) if error else None
  return Difference(num, mean, error, p_t, _p_exact(pairs))


def _p_exact(pairs: Sequence[float]) -> float | None:
  """Sign-flip test, every assignment of signs; sums equal but for rounding."""
  if len(pairs) > _MAX_EXACT:
    return None
  bound = abs(sum(pairs)) - 1e-12
  signs = list(itertools.product((1, -1), repeat=len(pairs)))
  sums = (sum(s * p for s, p in zip(row, pairs, strict=True)) for row in signs)
  return sum(abs(total) >= bound for total in sums) / len(signs)


def read_runs(
  metrics_file: pathlib.Path, log_file: pathlib.Path, variant: str, seed: int
) -> list[Run]:
  """A training's runs: one for each way that metrics.json measured in."""
  metrics = json.loads(metrics_file.read_text())
  measured = [metrics, *metrics["ways"]]
  protocols = [way["protocol"] for way in measured]
  rate = training_rate(read_log(log_file))
  return [
    Run(
      variant=variant,
      seed=seed,
      way=label,
      scores={k: v for k, v in way["scores"].items() if k in SCORES},
      steps=way["protocol"]["checkpoint_step"],
      num_parameters=way["protocol"]["num_parameters"],
      people_per_second=rate,
    )
    for way, label in zip(measured, way_labels(protocols), strict=True)
  ]


def way_labels(protocols: Sequence[Mapping[str, Any]]) -> list[str]:
  """What tells the protocols of one evaluation apart, in words."""
  words = {
    "decoder": lambda decoder: decoder,
    "flip_test": lambda is_on: "flip test" if is_on else "no flip test",
    "box_source": lambda source: f"boxes: {source}",
    "box_noise": lambda share: f"boxes moved by {share:g}",
    "scales": lambda scales: "scales " + " ".join(f"{s:g}" for s in scales),
  }
  differing = [
    key for key in words if len({str(p[key]) for p in protocols}) > 1
  ]
  return [", ".join(words[key](p[key]) for key in differing) for p in protocols]


def make_table(runs: Sequence[Run], variants: Sequence[str]) -> Table:
  """Rows, JSON-ready: each variant in each way; differences to the first."""
  table = []
  for way in dict.fromkeys(run.way for run in runs):
    reference: dict[str, dict[int, float]] = {}
    for number, variant in enumerate(variants):
      mine = [r for r in runs if (r.way, r.variant) == (way, variant)]
      if not mine:
        continue
      values = {name: _by_seed(mine, name) for name in mine[0].scores}
      if number == 0:
        reference = values
      rates = [r.people_per_second for r in mine if r.people_per_second]
      table.append(
        {
          "variant": variant,
          "way": way,
          "seeds": sorted(run.seed for run in mine),
          "steps": sorted({run.steps for run in mine}),
          "num_parameters": mine[0].num_parameters,
          "people_per_second": statistics.fmean(rates) if rates else None,
          "scores": {
            name: _summary(v, reference.get(name, {}) if number else {})
            for name, v in values.items()
          },
        }
      )
  return table


def _by_seed(runs: Sequence[Run], name: str) -> dict[int, float]:
  values = {run.seed: run.scores.get(name) for run in runs}
  return {seed: v for seed, v in sorted(values.items()) if v is not None}


def _summary(values: Mapping[int, float], reference) -> dict[str, Any]:
  found = paired_difference(values, reference)
  return {
    "seeds": dict(values),
    "mean": statistics.fmean(values.values()) if values else None,
    "sd": statistics.stdev(values.values()) if len(values) > 1 else None,
    "difference": found and dataclasses.asdict(found),
  }


def to_markdown(table: Table, variants: Sequence[str]) -> str:
  """The overview, then a table for each score."""
  if not table:
    return "No run has finished.\n"
  with_ways = any(row["way"] for row in table)
  names = [n for n in SCORES if any(n in row["scores"] for row in table)]
  parts = [_notes(table, variants), _lines(_overview(table, names, with_ways))]
  for name in names:
    parts += [f"## {name}", _lines(_of_score(table, name, with_ways, variants))]
  return "\n\n".join(parts) + "\n"


def _notes(table: Table, variants: Sequence[str]) -> str:
  """What the numbers are, and how much so few of them can say."""
  first, num = variants[0], max(len(row["seeds"]) for row in table)
  text = (
    f"± behind a score: standard deviation over seeds. Difference: to {first} "
    "with the same seed, mean ± standard error. p (t): paired t-test, two-"
    "sided; p (signs): share of all changes of sign of the differences with "
    "a mean at least as large."
  )
  if num > 1:
    text += (
      f" With {num} seeds p (signs) cannot be below {2 / 2**num:.2g}, and "
      "p (t) believes in normal differences"
    )
    others = len({row["variant"] for row in table} - {first})
    if others > 1:
      text += f"; of {others} comparisons some are large by chance alone"
    return text + "."
  return text + " With 1 seed there is no spread: nothing can be concluded."


def _overview(table, names, with_ways) -> Iterator[list[str]]:
  way = ["measured with"] if with_ways else []
  yield ["variant", *way, "steps", "parameters", "people/s", "seeds", *names]
  for row in table:
    rate = row["people_per_second"]
    yield [
      row["variant"],
      *([row["way"]] if with_ways else []),
      " ".join(f"{steps:,}" for steps in row["steps"]),
      f"{row['num_parameters']:,}",
      "–" if rate is None else f"{rate:.0f}",
      str(len(row["seeds"])),
      *(
        _with_error(row["scores"].get(name, {}), "mean", "sd") for name in names
      ),
    ]


def _of_score(table, name, with_ways, variants) -> Iterator[list[str]]:
  seeds = sorted({seed for row in table for seed in row["seeds"]})
  way = ["measured with"] if with_ways else []
  heads = [f"seed {seed}" for seed in seeds]
  compared = [f"difference to {variants[0]}", "pairs", "p (t)", "p (signs)"]
  yield ["variant", *way, *heads, "mean ± sd", *compared]
  for row in table:
    score = row["scores"].get(name)
    if score is None:
      continue
    difference = score["difference"] or {}
    yield [
      row["variant"],
      *([row["way"]] if with_ways else []),
      *(_number(score["seeds"].get(seed)) for seed in seeds),
      _with_error(score, "mean", "sd"),
      _with_error(difference, "mean", "standard_error", sign="+"),
      str(difference.get("num", "–")),
      *(_p_text(difference.get(key)) for key in ("p_t", "p_exact")),
    ]


def _with_error(values: Mapping, mean: str, error: str, sign: str = "") -> str:
  text = _number(values.get(mean), sign)
  if values.get(error) is None:
    return text
  return f"{text} ± {_number(values[error])}"


def _number(value: float | None, sign: str = "") -> str:
  return "–" if value is None else f"{value:{sign}.{_DIGITS}f}"


def _p_text(p: float | None) -> str:
  return "–" if p is None else f"{p:.2g}"


def _lines(rows: Iterator[Sequence[str]]) -> str:
  head, *rest = rows
  return "\n".join(
    "| " + " | ".join(cells) + " |"
    for cells in (head, ["---"] * len(head), *rest)
  )
