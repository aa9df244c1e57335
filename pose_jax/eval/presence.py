"""Presence: which keypoints a person has, as a network says and as it is.

A keypoint is present if it is labelled; a network gives the probability of it.
(While training, one that augmentation moved out of the crop is absent.)
Accuracy alone says little, since most keypoints of most data are present:
beside it always stand the score of whoever answers with each keypoint's own
majority, and balanced accuracy, which is 1/2 for all who look at no picture.
Everything is over pairs of a person and a keypoint.

nan is what has no value: no pair at all, or, for whatever compares present
with absent, only one of the two (LSP, whose keypoints are all labelled).
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int, Num

THRESHOLD = 0.5
NUM_BINS = 15  # Guo et al. 2017's
NAMES = (
  "presence_accuracy",
  "presence_majority",
  "presence_balanced_accuracy",
  "presence_balanced_accuracy_chosen",
  "presence_ece",
)

Probability = Float[np.ndarray, "N K"]
Truth = Bool[np.ndarray, "N K"]


@dataclasses.dataclass(frozen=True, eq=False)
class Counts:
  """How often presence was said rightly and wrongly, people summed.

  Sums, so that those of parts of a dataset can be added; what divides is a
  property and sums over the last axis, that of keypoints.

  Attributes:
    true_positive: present and said to be; false_positive: only said to be;
    true_negative: absent and said to be; false_negative: only said to be.
  """

  true_positive: Num[np.ndarray, "*rest K"]
  false_positive: Num[np.ndarray, "*rest K"]
  true_negative: Num[np.ndarray, "*rest K"]
  false_negative: Num[np.ndarray, "*rest K"]

  @property
  def present(self) -> Num[np.ndarray, "*rest K"]:
    return self.true_positive + self.false_negative

  @property
  def absent(self) -> Num[np.ndarray, "*rest K"]:
    return self.true_negative + self.false_positive

  @property
  def accuracy(self) -> Float[np.ndarray, "*rest"]:
    return _share(self.true_positive + self.true_negative, self._all)

  @property
  def majority(self) -> Float[np.ndarray, "*rest"]:
    """Accuracy of saying of each keypoint what is true of most people's."""
    return _share(np.maximum(self.present, self.absent), self._all)

  @property
  def balanced_accuracy(self) -> Float[np.ndarray, "*rest"]:
    """Mean of the true positive and the true negative rate."""
    found = _share(self.true_positive, self.present)
    rejected = _share(self.true_negative, self.absent)
    return np.asarray((found + rejected) / 2)

  @property
  def share_present(self) -> Float[np.ndarray, "*rest"]:
    return _share(self.present, self._all)

  @property
  def each(self) -> "Counts":
    """The keypoints one by one: what divides has an axis K then."""
    names = [field.name for field in dataclasses.fields(self)]
    return Counts(*(getattr(self, name)[..., None] for name in names))

  @property
  def _all(self):
    return self.present + self.absent


def _share(part, whole):
  part, whole = np.asarray(part.sum(-1)), np.asarray(whole.sum(-1))
  return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def count(said: Bool[np.ndarray, "N K"], truth: Truth) -> Counts:
  """Counts of N people; `said` is what a network holds to be present."""
  return Counts(
    true_positive=(said & truth).sum(0),
    false_positive=(said & ~truth).sum(0),
    true_negative=(~said & ~truth).sum(0),
    false_negative=(~said & truth).sum(0),
  )


@dataclasses.dataclass(frozen=True, eq=False)
class Reliability:
  """Probabilities in bins of equal width beside what was true.

  Attributes:
    probability_sum, num_present, num: over the pairs of each bin.
  """

  probability_sum: Float[np.ndarray, "bins"]
  num_present: Float[np.ndarray, "bins"]
  num: Int[np.ndarray, "bins"]

  @property
  def probability(self) -> Float[np.ndarray, "bins"]:
    """Mean of each bin; nan in an empty one."""
    return _share(self.probability_sum[:, None], self.num[:, None])

  @property
  def present(self) -> Float[np.ndarray, "bins"]:
    """Share that was present in each bin; nan in an empty one."""
    return _share(self.num_present[:, None], self.num[:, None])

  @property
  def error(self) -> float:
    """Expected calibration error: the mean gap of a pair's bin.

    Source: Guo et al. 2017, arXiv 1706.04599, Eq. 3; differs from it in: the
    probability of presence stands for the confidence in the class that was
    chosen, so that a threshold plays no part.
    """
    gap = np.abs(self.probability_sum - self.num_present)
    return float(_share(gap, self.num))


def reliability(
  probability: Probability, truth: Truth, *, num_bins: int = NUM_BINS
) -> Reliability:
  """Bins ((b - 1) / num_bins, b / num_bins]; 0 belongs to the first."""
  edges = np.arange(1, num_bins) / num_bins
  index = np.searchsorted(edges, probability.ravel())
  present = truth.ravel().astype(np.float64)
  weight = probability.ravel().astype(np.float64)
  # Without a pair bincount gives integers.
  return Reliability(
    probability_sum=np.bincount(index, weight, num_bins).astype(np.float64),
    num_present=np.bincount(index, present, num_bins).astype(np.float64),
    num=np.bincount(index, minlength=num_bins),
  )


def best_threshold(probability: Probability, truth: Truth) -> float | None:
  """The threshold whose balanced accuracy is highest on these pairs.

  Present is what has at least the threshold. Every threshold between two
  neighbouring probabilities says the same: of those in the middle half the one
  with the fewest digits is taken; of equally good places the one nearest 1/2.
  None where all pairs are present, or all absent.
  """
  values, index = np.unique(probability.ravel(), return_inverse=True)
  present = np.bincount(index, truth.ravel(), len(values))
  absent = np.bincount(index, ~truth.ravel(), len(values))
  if not present.sum() or not absent.sum():
    return None
  above = np.cumsum(present[::-1])[::-1]  # present, at least this probability
  below = absent.sum() - np.cumsum(absent[::-1])[::-1]
  balanced = above / present.sum() + below / absent.sum()
  upper = values.astype(np.float64)
  lower = np.append(0.0, upper[:-1])
  best = np.flatnonzero(balanced >= balanced.max() - 1e-12)
  from_half = np.maximum(np.maximum(lower - 0.5, 0.5 - upper), 0)
  at = best[np.argmin(from_half[best])]
  return _short(float(lower[at]), float(upper[at]))


def _short(lower: float, upper: float) -> float:
  """A number of few digits between two; the upper one if they touch."""
  middle = (lower + upper) / 2
  for digits in range(1, 9):
    found = round(middle, digits)
    if abs(found - middle) <= (upper - lower) / 4:
      return found
  return upper


def crossfitted_balanced_accuracy(
  probability: Probability,
  truth: Truth,
  image_ids: Int[np.ndarray, "N"],
  *,
  seed: int = 0,
) -> float:
  """Balanced accuracy at a threshold that is chosen on other pictures.

  The images are split in two at random, each half is judged by the threshold
  that is best on the other, and both halves are counted together. The split
  depends on the set of image ids and the seed alone. nan where a half lacks
  one of the classes.
  """
  known, image = np.unique(image_ids, return_inverse=True)
  chosen = np.random.default_rng(seed).permutation(len(known))
  is_first = np.isin(image, chosen[: len(known) // 2])
  said = np.zeros(truth.shape, bool)
  for half in (is_first, ~is_first):
    threshold = best_threshold(probability[~half], truth[~half])
    if threshold is None:
      return np.nan
    said[half] = probability[half] >= threshold
  return float(count(said, truth).balanced_accuracy)


@dataclasses.dataclass(frozen=True, eq=False)
class Presence:
  """Everything measured of the presence that was said of some people.

  Attributes:
    threshold: from which probability on a keypoint is said to be present.
    counts, reliability: at that threshold, and of the probabilities.
    best_threshold: see `best_threshold`; best: the counts it would give.
    crossfitted: balanced accuracy at a threshold of the other half's.
  """

  threshold: float | int
  counts: Counts
  reliability: Reliability
  best_threshold: float | None
  best: Counts | None
  crossfitted: float

  @property
  def values(self) -> dict[str, float]:
    """Name -> score in [0, 1], nan where there is none; see NAMES."""
    numbers = (
      float(self.counts.accuracy),
      float(self.counts.majority),
      float(self.counts.balanced_accuracy),
      self.crossfitted,
      self.reliability.error,
    )
    return dict(zip(NAMES, numbers, strict=True))

  def advice(self) -> str:
    """Which threshold is best here, what it costs and how to use it.

    "" if there is none, or people are too few to try one on others.
    """
    if self.best is None or np.isnan(self.crossfitted):
      return ""
    return (
      f"presence is balanced best on these people at the threshold "
      f"{self.best_threshold} (balanced accuracy "
      f"{self.best.balanced_accuracy:.3f}, at {self.threshold:g} "
      f"{self.counts.balanced_accuracy:.3f}, on people it was not chosen on "
      f"about {self.crossfitted:.3f}; accuracy {self.best.accuracy:.3f}, at "
      f"{self.threshold:g} {self.counts.accuracy:.3f}): "
      f"--config.eval.presence_threshold={self.best_threshold}"
    )


def measure(
  probability: Probability,
  truth: Truth,
  image_ids: Int[np.ndarray, "N"],
  *,
  threshold: float | int = THRESHOLD,
) -> Presence:
  """Measures presence of N people.

  Args:
    probability: that a keypoint is present.
    truth: whether it is.
    image_ids: the picture of each person, for the split in halves.
    threshold: from which probability on a keypoint is said to be present.
  """
  best = best_threshold(probability, truth)
  return Presence(
    threshold=threshold,
    counts=count(probability >= threshold, truth),
    reliability=reliability(probability, truth),
    best_threshold=best,
    best=None if best is None else count(probability >= best, truth),
    crossfitted=crossfitted_balanced_accuracy(probability, truth, image_ids),
  )


def describe(threshold: float | int = THRESHOLD) -> str:
  """How presence is counted, in one line, for the protocol of a score."""
  return (
    f"presence: a probability of at least {threshold:g}, keypoints of the "
    "same people, present is labelled; majority answers with each keypoint's "
    "more frequent class, chosen takes the threshold from the other half of "
    "the images"
  )
