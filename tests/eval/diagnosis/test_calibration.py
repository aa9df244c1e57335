"""Tests of calibration.py."""

import numpy as np
import pytest

from pose_jax.eval.diagnosis import calibration


def test_scores_that_say_the_truth_have_no_error():
  score = np.linspace(0, 1, 1000)
  found = calibration.calibration(score, score)
  assert found.error == pytest.approx(0, abs=1e-12)
  assert found.rank_correlation == pytest.approx(1)
  np.testing.assert_array_equal(found.num, np.full(10, 100))
  np.testing.assert_allclose(found.score, found.right)


def test_error_is_the_mean_gap_of_the_bins():
  score = np.array([0.1, 0.3, 0.6, 0.8])
  right = np.array([0.0, 0.2, 1.0, 1.0])
  found = calibration.calibration(score, right, num_bins=2)
  np.testing.assert_allclose(found.score, [0.2, 0.7])
  np.testing.assert_allclose(found.right, [0.1, 1.0])
  assert found.error == pytest.approx((2 * 0.1 + 2 * 0.3) / 4)


def test_equal_scores_share_a_bin_and_order_does_not_matter():
  rng = np.random.default_rng(0)
  score = rng.integers(0, 6, 500) / 5
  right = rng.uniform(0, 1, 500)
  found = calibration.calibration(score, right)
  assert len(np.unique(found.score)) == len(found.score) <= 6
  order = rng.permutation(500)
  again = calibration.calibration(score[order], right[order])
  np.testing.assert_allclose(again.right, found.right, rtol=1e-12)
  np.testing.assert_array_equal(again.num, found.num)
  assert found.num.sum() == 500


def test_equal_scores_go_where_their_middle_falls():
  score = np.repeat([0.2, 0.8], [4, 6])
  found = calibration.calibration(score, score, num_bins=2)
  np.testing.assert_array_equal(found.num, [4, 6])
  assert found.error == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_a_constant_overconfidence_is_the_error(shift):
  score = np.linspace(0.2, 1, 400)
  found = calibration.calibration(score, score - shift)
  assert found.error == pytest.approx(shift, abs=1e-12)


def test_scores_out_of_range_promise_nothing():
  score = np.array([0.5, 3.0, 15.6])
  found = calibration.calibration(score, np.array([0.1, 0.2, 0.3]))
  assert found.error is None and found.rank_correlation == pytest.approx(1)


def test_nothing_to_compare_is_no_calibration():
  found = calibration.calibration(np.zeros(0), np.zeros(0))
  assert found.error is None and found.rank_correlation is None
  assert len(found.num) == 0
  one = calibration.calibration(np.array([0.5, 0.5]), np.array([0.0, 1.0]))
  assert one.error == 0 and one.rank_correlation is None


def _slow_rank(x, values):
  below = sum(v < x for v in values)
  return below + (sum(v == x for v in values) + 1) / 2


def _slow_ranks(values):
  return np.array([_slow_rank(x, values) for x in values])


@pytest.mark.parametrize("seed", range(3))
def test_rank_correlation_equals_a_slow_loop(seed):
  rng = np.random.default_rng(seed)
  a = rng.integers(0, 8, 60).astype(np.float64)
  b = a + rng.integers(-5, 5, 60)
  expected = np.corrcoef(_slow_ranks(a), _slow_ranks(b))[0, 1]
  assert calibration.rank_correlation(a, b) == pytest.approx(expected)
  assert calibration.rank_correlation(a, -a) == pytest.approx(-1)
