"""The few crops kept while a dataset streams by, to look at later.

Which people are worst is known only at the end, and by then their crops are
gone; so the worst and a few random ones seen so far are kept, never more.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np


@dataclasses.dataclass(frozen=True)
class Keepsake:
  """One row of an evaluation batch: what predict.py needs to run it again."""

  row: int
  rank: float
  images: np.ndarray  # [S, H, W, 3] uint8 crops
  img_from_hm: np.ndarray  # [2, 3]


class Keepsakes:
  """Keeps the `count` worst people and `count` chosen by the seed.

  The random choice is the lowest entries of one permutation of all rows, so
  it does not depend on the order in which they come.
  """

  def __init__(self, num_people: int, *, count: int, seed: int):
    self._count = count
    self._lot = np.random.default_rng(seed).permutation(num_people)
    self._random: list[Keepsake] = []
    self._worst: list[Keepsake] = []

  def offer(
    self,
    batch: Mapping[str, np.ndarray],
    rows: np.ndarray,
    error: np.ndarray,
  ) -> None:
    """Looks at one host batch.

    Args:
      batch: with images, img_from_hm and valid.
      rows: which person a row is of; below 0: of nobody who counts here.
      error: how wrong each row is.
    """
    for i in np.flatnonzero(batch["valid"] & (rows >= 0)):
      row = int(rows[i])
      self._random = self._kept(
        self._random, batch, i, row, float(self._lot[row])
      )
      self._worst = self._kept(self._worst, batch, i, row, -float(error[i]))

  def _kept(self, kept, batch, i, row, rank):
    """The list with row i in its place, cut to the lowest ranks."""
    if len(kept) == self._count and (
      not kept or (rank, row) >= (kept[-1].rank, kept[-1].row)
    ):
      return kept
    new = Keepsake(
      row, rank, batch["images"][i].copy(), batch["img_from_hm"][i].copy()
    )
    merged = sorted([*kept, new], key=lambda k: (k.rank, k.row))
    return merged[: self._count]

  def all(self) -> list[Keepsake]:
    """Random ones first, then the worst; nobody twice."""
    by_row = {k.row: k for k in (*self._random, *self._worst)}
    return list(by_row.values())
