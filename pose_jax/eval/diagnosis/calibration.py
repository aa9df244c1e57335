"""Whether a score says how right a prediction is.

A score is calibrated if predictions of score s are right to the degree s on
average. Ranking, and with it AP, asks only that better predictions have
higher scores: that is what the rank correlation measures.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

NUM_BINS = 10


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
  """Scores against how right the predictions are.

  Bins hold about equally many predictions each; equal scores share a bin.

  Attributes:
    score, right: mean of each bin.
    num: predictions in it.
    error: expected calibration error, the mean over all predictions of
      |score - right| of their bin; None without predictions, or if a score is
      not in [0, 1] and so promises nothing.
    rank_correlation: Spearman's, in [-1, 1]; None if it has no meaning.
  """

  score: Float[np.ndarray, "bins"]
  right: Float[np.ndarray, "bins"]
  num: Int[np.ndarray, "bins"]
  error: float | None
  rank_correlation: float | None


def calibration(
  score: Float[np.ndarray, "D"],
  right: Float[np.ndarray, "D"],
  *,
  num_bins: int = NUM_BINS,
) -> Calibration:
  """Compares D scores with how right each prediction is, in [0, 1]."""
  values, value_of, num_equal = np.unique(
    score, return_inverse=True, return_counts=True
  )
  # A value goes where the middle of its predictions falls.
  middle = np.cumsum(num_equal) - (num_equal + 1) / 2
  bin_of_value = (middle * num_bins / max(len(score), 1)).astype(int)
  _, bin_of_value = np.unique(bin_of_value, return_inverse=True)
  index = bin_of_value[value_of] if len(values) else np.zeros(0, int)
  num = np.bincount(index)
  mean_score = np.bincount(index, score) / num
  mean_right = np.bincount(index, right) / num
  promises = len(score) > 0 and score.min() >= 0 and score.max() <= 1
  gap = (num * abs(mean_score - mean_right)).sum()
  return Calibration(
    score=mean_score,
    right=mean_right,
    num=num,
    error=float(gap / len(score)) if promises else None,
    rank_correlation=rank_correlation(score, right),
  )


def rank_correlation(
  a: Float[np.ndarray, "D"], b: Float[np.ndarray, "D"]
) -> float | None:
  """Spearman's: correlation of ranks, equal values sharing their mean rank.

  None if all values of one are equal.
  """
  ranks = []
  for values in (a, b):
    _, index, num = np.unique(values, return_inverse=True, return_counts=True)
    if len(num) < 2:
      return None
    mean_rank = np.cumsum(num) - (num - 1) / 2
    ranks.append(mean_rank[index] - (len(values) + 1) / 2)
  x, y = ranks
  return float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()))
