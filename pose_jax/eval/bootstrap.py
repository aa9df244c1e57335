"""How sure a score is, and whether two sets of predictions differ.

Images are drawn with replacement, as many as there are, again and again; the
middle 95 % of a score over these resamples is its interval (percentile
bootstrap; Efron and Tibshirani 1993, chapter 13). Whole images are drawn, not
people, since people of one picture are found or lost together. It speaks of
other images of the same kind, not of another training run.

Two sets of predictions are compared on the same resamples, so what makes an
image hard for both cancels. The p-value is twice the share of resamples on
the wrong side of no difference. Not used: swapping the two sets image by
image (approximate randomisation). Its null, that they are exchangeable, is
more than an equal score, and with AP a swapped half is ranked by scores of
two networks that need not be on one scale.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

from pose_jax.eval.predictions import Predictions
from pose_jax.eval.results import MetricError, PeopleTable
from pose_jax.eval.statistic import Metric, make_statistics

NUM_SAMPLES = 5000
MIDDLE = (2.5, 97.5)  # percentiles
SIGNIFICANT = 0.05
FEWEST = 40  # resamples: of fewer no interval can be read
_BLOCK = 2**21  # counts of images drawn at once: 16 MB
_MOST = 500  # resamples at once, however few the images


@dataclasses.dataclass(frozen=True)
class Difference:
  """One score of two sets of predictions; all in [0, 1] or [-1, 1].

  Attributes:
    a, b: the scores.
    low, high: 95 % interval of a - b.
    p_value: two-sided, of no difference.
    names: what to call the two.
  """

  name: str
  a: float
  b: float
  low: float
  high: float
  p_value: float
  names: tuple[str, str]

  @property
  def difference(self) -> float:
    return self.a - self.b

  @property
  def is_one(self) -> bool:
    """Whether the difference can be told from none at 5 %."""
    return self.p_value < SIGNIFICANT

  def verdict(self) -> str:
    """One sentence, differences in points of a hundred."""
    sign = -1 if self.is_one and self.difference < 0 else 1
    low, high = sorted((sign * 100 * self.low, sign * 100 * self.high))
    by = sign * 100 * self.difference
    p_value = "< 0.001" if self.p_value < 0.001 else f"= {self.p_value:.3f}"
    evidence = f"(95 %: {low:.2f} to {high:.2f}, p {p_value})"
    if self.is_one:
      better = self.names[0 if sign > 0 else 1]
      return f"{better} is better by {by:.2f} {self.name} {evidence}"
    a, b = self.names
    return (
      f"no difference can be told: {a} - {b} = {by:+.2f} {self.name} {evidence}"
    )


@dataclasses.dataclass(frozen=True)
class Comparison:
  """Two sets of predictions for one table, score by score.

  Each row answers for itself: of twenty scores without any difference one is
  expected to look like one. Decide beforehand which score is to be believed.
  num_alone counts images where only the first, only the second predicts.
  """

  rows: tuple[Difference, ...]
  num_images: int
  num_samples: int
  seed: int
  num_alone: tuple[int, int] = (0, 0)

  def describe(self) -> str:
    """A table of all scores, and the verdict on the first."""
    titles = (*self.rows[0].names, "difference")
    first = max(len(row.name) for row in self.rows)
    width = max(len(title) for title in titles)
    cells = " ".join(f"{title:>{width}}" for title in titles)
    lines = [f"{'':{first}} {cells}  {'95 %':16} p"]
    for row in self.rows:
      values = (row.a, row.b, row.difference)
      cells = " ".join(f"{100 * value:{width}.2f}" for value in values)
      interval = f"{100 * row.low:.2f} to {100 * row.high:.2f}"
      lines.append(
        f"{row.name:{first}} {cells}  {interval:16} {row.p_value:.4f}"
      )
    lines.append(
      f"{self.num_samples} resamples of {self.num_images} images, seed "
      f"{self.seed}"
    )
    a, b = self.rows[0].names
    for name, other, num in zip((a, b), (b, a), self.num_alone, strict=True):
      if num:
        lines.append(
          f"careful: in {num} images {name} predicts people and {other} "
          "nobody; if that is a run cut short, the difference says nothing"
        )
    return "\n".join([*lines, self.rows[0].verdict()])


def intervals(
  people: PeopleTable,
  predictions: Predictions,
  *,
  metrics: Sequence[Metric] = ("coco",),
  num_samples: int = NUM_SAMPLES,
  seed: int = 0,
) -> dict[str, tuple[float, float]]:
  """95 % interval of each score, by name.

  Args:
    people: the whole ground truth, crowds too.
    predictions: in images of the table; with "pck" one of every usable
      person.
    metrics: names of METRICS or functions that return a Statistic.
    num_samples: resamples of the images.
    seed: of the resampling.
  Returns:
    Scores in [0, 1]. A score without a value is left out; resamples in which
    it has none (nobody of a size among them) do not count. Empty where fewer
    than two images have people: nothing varies.
  Raises:
    ValueError: for an unknown metric, or fewer than 40 resamples, whose
      middle 95 % would be all of them.
  """
  statistics = make_statistics(metrics, people, predictions)
  (values,) = _resample(people, [statistics], num_samples, seed)
  if _num_inhabited(people) < 2:
    return {}
  result = {}
  for name, samples in zip(_names(statistics), values.T, strict=True):
    if not np.isnan(samples).all():
      result[name] = _middle(samples)
  return result


def compare(
  people: PeopleTable,
  a: Predictions,
  b: Predictions,
  *,
  metrics: Sequence[Metric] = ("coco",),
  num_samples: int = NUM_SAMPLES,
  seed: int = 0,
  names: tuple[str, str] = ("A", "B"),
) -> Comparison:
  """Differences between two sets of predictions under the same resamples.

  Args:
    people, metrics, num_samples, seed: as in `intervals`.
    a, b: predictions in images of the table.
    names: what to call the two.
  Returns:
    A row for each score that has a value.
  Raises:
    ValueError: as `intervals`.
    MetricError: if no score has a value, or fewer than two images have
      people.
  """
  if _num_inhabited(people) < 2:
    raise MetricError(
      "people: a comparison needs at least two images with people, got "
      f"{_num_inhabited(people)}"
    )
  both = [make_statistics(metrics, people, side) for side in (a, b)]
  once = np.ones((1, len(people.image_ids)), np.int64)
  value_a, value_b = (_values(statistics, once)[0] for statistics in both)
  sample_a, sample_b = _resample(people, both, num_samples, seed)
  rows = []
  for i, name in enumerate(_names(both[0])):
    differences = sample_a[:, i] - sample_b[:, i]
    if math.isnan(value_a[i]) or math.isnan(value_b[i]):
      continue
    low, high = _middle(differences)
    rows.append(
      Difference(
        name=name,
        a=float(value_a[i]),
        b=float(value_b[i]),
        low=low,
        high=high,
        p_value=p_value(differences),
        names=names,
      )
    )
  if not rows:
    raise MetricError(
      "people: nobody in the ground truth can be scored, so there is nothing "
      "to compare"
    )
  return Comparison(
    rows=tuple(rows),
    num_images=len(people.image_ids),
    num_samples=num_samples,
    seed=seed,
    num_alone=_num_alone(a, b),
  )


def _num_alone(a: Predictions, b: Predictions) -> tuple[int, int]:
  """Images in which only a, and only b, predicts somebody."""
  images_a, images_b = (set(side.image_ids.tolist()) for side in (a, b))
  return len(images_a - images_b), len(images_b - images_a)


def p_value(differences: Float[np.ndarray, "B"]) -> float:
  """Two-sided p-value of no difference, from differences of resamples.

  Twice the smaller share of those at most 0 and at least 0; one is added to
  both counts, since the sample at hand is a resample too (so never 0).
  """
  values = differences[~np.isnan(differences)]
  smaller = min((values <= 0).sum(), (values >= 0).sum())
  return float(min(1.0, 2 * (smaller + 1) / (len(values) + 1)))


def _names(statistics):
  return [name for statistic in statistics for name in statistic.names]


def _values(statistics, weights):
  return np.concatenate([s.of_weights(weights) for s in statistics], 1)


def _resample(people, sides, num_samples, seed):
  """[num_samples, S] scores of each side under the same resamples."""
  if num_samples < FEWEST:
    raise ValueError(
      f"num_samples must be at least {FEWEST} for a 95 % interval, got "
      f"{num_samples}"
    )
  drawn = draws(len(people.image_ids), num_samples, seed)
  blocks = [[_values(side, weights) for side in sides] for weights in drawn]
  return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]


def _num_inhabited(people):
  return len(np.unique(np.asarray(people.image_index)))


def draws(
  num_images: int, num_samples: int, seed: int
) -> Iterator[Int[np.ndarray, "b M"]]:
  """How often each image is drawn, some resamples at a time."""
  rng = np.random.default_rng(seed)
  step = min(_MOST, max(1, _BLOCK // num_images))
  for start in range(0, num_samples, step):
    num = min(step, num_samples - start)
    drawn = rng.integers(0, num_images, (num, num_images))
    drawn += np.arange(num)[:, None] * num_images
    counts = np.bincount(drawn.ravel(), minlength=num * num_images)
    yield counts.reshape(num, num_images)


def _middle(samples):
  low, high = np.nanpercentile(samples, MIDDLE)
  return float(low), float(high)
