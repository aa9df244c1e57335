"""Who is shown when: counts, chances, and the old order where all are 1."""

import dataclasses

import numpy as np
import pytest

from pose_jax.data.coco import open_coco
from pose_jax.data.epochs import (
  batch_rng,
  epoch_order,
  num_samples,
  sample_rng,
)


@pytest.fixture
def people(make_coco):
  return open_coco(*make_coco(num_images=12)).people.usable()


def repeated(people, repeats):
  column = np.resize(np.asarray(repeats, np.float32), len(people))
  return dataclasses.replace(people, repeats=column)


def counts(people, epoch, seed=3):
  rows, _ = epoch_order(seed, epoch, people)
  return np.bincount(rows, minlength=len(people))


def test_everybody_once_is_the_plain_permutation(people):
  for epoch in range(3):
    rows, showing = epoch_order(7, epoch, people)
    wanted = np.random.default_rng([7, 1, epoch]).permutation(24)
    np.testing.assert_array_equal(rows, wanted)
    assert not showing.any()


def test_whole_repeats_are_exact(people):
  heavy = repeated(people, [0, 1, 3])
  for epoch in range(5):
    np.testing.assert_array_equal(counts(heavy, epoch), np.tile([0, 1, 3], 8))
  assert num_samples(heavy) == 32


def test_each_showing_is_numbered_once(people):
  heavy = repeated(people, [0, 1.4, 3])
  rows, showing = epoch_order(3, 1, heavy)
  assert len(set(zip(rows.tolist(), showing.tolist(), strict=True))) == len(
    rows
  )
  for row in range(24):
    mine = np.sort(showing[rows == row])
    np.testing.assert_array_equal(mine, np.arange(len(mine)))


def test_fractions_are_chances_and_epochs_are_equally_long(people):
  repeats = [0.25, 1.5, 2.9, 0.05, 1.0]
  weighted = repeated(people, repeats)
  shown = np.array([counts(weighted, epoch) for epoch in range(4000)])
  floor = np.floor(weighted.repeats)
  assert ((shown == floor) | (shown == floor + 1)).all()
  # 4,000 coins: a deviation of 0.008 at most
  np.testing.assert_allclose(shown.mean(0), weighted.repeats, atol=0.035)
  lengths = set(shown.sum(1))
  total = weighted.repeats.sum(dtype=np.float64)
  assert lengths <= {int(total), int(total) + 1}
  assert num_samples(weighted) == int(total) == min(lengths)


def test_fractions_of_two_people_are_nearly_independent(people):
  """Not all even rows in one epoch and all odd ones in the next."""
  half = repeated(people, 0.5)
  shown = np.array([counts(half, epoch) for epoch in range(2000)])
  together = np.corrcoef(shown.T)[np.triu_indices(24, 1)]
  # Twelve of 24 are drawn without replacement: -1 / 23 each.
  assert together.mean() == pytest.approx(-1 / 23, abs=0.005)
  assert np.abs(together + 1 / 23).max() < 0.12  # five deviations


def test_sums_of_decimal_weights_are_exact(people):
  assert num_samples(repeated(people, 0.7)) == 16  # 16.8
  assert num_samples(repeated(people.select(np.arange(20)), 0.7)) == 14


def test_order_is_random_also_among_the_showings(people):
  heavy = repeated(people, 4)
  rows, _ = epoch_order(3, 0, heavy)
  adjacent = (rows[1:] == rows[:-1]).mean()
  assert adjacent < 0.15  # 3 / 95 by chance, 3 / 4 if they stood side by side
  again, _ = epoch_order(3, 0, repeated(people, 4))
  np.testing.assert_array_equal(rows, again)
  other, _ = epoch_order(3, 1, heavy)
  assert not np.array_equal(rows, other)


def test_streams_differ_by_purpose_and_the_first_showing_has_the_old_one():
  first = sample_rng(3, 0, 5, 0).random(4)
  np.testing.assert_array_equal(
    first, np.random.default_rng([3, 2, 0, 5]).random(4)
  )
  others = [sample_rng(3, 0, 5, n).random(4) for n in (1, 2)]
  others += [batch_rng(3, 0, 5).random(4)]
  draws = np.array([first, *others])
  assert len(np.unique(draws)) == draws.size


def test_negative_repeats_are_refused_by_name(people):
  wrong = repeated(people, [1, -0.5])
  with pytest.raises(ValueError, match="person 1001 in .* repeated -0.5 times"):
    num_samples(wrong)
