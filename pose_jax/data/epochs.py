"""Who is shown when: the order of an epoch's samples.

A person of the table appears `People.repeats` times in an epoch: floor(r)
times in each, and once more in a share frac(r) of them. Who gets the extra
showing is drawn anew for each epoch, without replacement: people are laid side
by side in random order, each as wide as its fraction, and every mark of a
ruler with unit steps and a random start picks the one below it. So a person's
chance is exactly its fraction, and the number of samples in an epoch is the
sum of all repeats, rounded down or up.
"""

import functools

import numpy as np
from jaxtyping import Int64

from pose_jax.data.people import People

# What a stream of random numbers is for: NumPy pads seeds with zeros, so that
# without it an epoch's order and its first person's sample would share one.
_ORDER, _SAMPLE, _BATCH = 1, 2, 3
_UNIT = 1_000_000  # repeats count in millionths, so that sums are exact


def _whole_and_part(people: People) -> tuple[np.ndarray, np.ndarray]:
  """floor(r), and frac(r) in millionths.

  Raises:
    ValueError: on negative repeats; names the first person.
  """
  if (people.repeats < 0).any():
    i = np.flatnonzero(people.repeats < 0)[0]
    raise ValueError(
      f"{people.describe(i)} is to be repeated {people.repeats[i]:g} times: "
      "repeats (weights of joined data sets) must not be negative"
    )
  parts = np.rint(people.repeats.astype(np.float64) * _UNIT).astype(np.int64)
  return np.divmod(parts, _UNIT)


def num_samples(people: People) -> int:
  """Samples that every epoch has; a few have one more."""
  whole, part = _whole_and_part(people)
  return int(whole.sum() + part.sum() // _UNIT)


@functools.lru_cache(maxsize=4)
def epoch_order(
  seed: int, epoch: int, people: People
) -> tuple[Int64[np.ndarray, "S"], Int64[np.ndarray, "S"]]:
  """Rows of the table in the order of an epoch, and which showing each is.

  Where everybody is shown once, the order is the permutation that
  `default_rng([seed, 1, epoch])` draws. Otherwise the same generator goes on
  to draw the ruler's start and the order of the showings.

  Args:
    seed, epoch: what the order is a function of, besides the repeats.
    people: whom; the table is compared by identity.
  Returns:
    The rows, and for each how often the epoch has shown it before.
  """
  rng = np.random.default_rng([seed, _ORDER, epoch])
  order = rng.permutation(len(people))
  showing = np.zeros(len(order), np.int64)
  if (people.repeats != 1).any():
    whole, part = (column[order] for column in _whole_and_part(people))
    edges = np.cumsum(part) + rng.integers(_UNIT)
    counts = whole + edges // _UNIT - (edges - part) // _UNIT
    first = np.cumsum(counts) - counts
    showing = np.arange(counts.sum()) - np.repeat(first, counts)
    shuffled = rng.permutation(len(showing))
    order, showing = np.repeat(order, counts)[shuffled], showing[shuffled]
  for array in (order, showing):
    array.setflags(write=False)
  return order, showing


def sample_rng(
  seed: int, epoch: int, row: int, showing: int
) -> np.random.Generator:
  """What a sample draws from: other numbers each time a person is shown."""
  key = [seed, _SAMPLE, epoch, row]
  return np.random.default_rng([*key, showing] if showing else key)


def batch_rng(seed: int, epoch: int, step: int) -> np.random.Generator:
  """What all samples of an epoch's step share, on all processes."""
  return np.random.default_rng([seed, _BATCH, epoch, step])
