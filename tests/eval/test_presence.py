"""Tests of eval/presence.py: counts, calibration, thresholds."""

import numpy as np
import pytest

from pose_jax.eval import presence


def _made(num=400, k=5, seed=0, num_images=100):
  """Calibrated probabilities: a keypoint is there as often as they say."""
  rng = np.random.default_rng(seed)
  probability = rng.random((num, k))
  truth = rng.random((num, k)) < probability
  return probability, truth, rng.integers(0, num_images, num)


def test_an_example_by_hand():
  truth = np.array([[1, 1], [1, 0], [1, 0], [0, 1]], bool)
  said = np.array([[1, 0], [1, 0], [0, 1], [1, 1]], bool)
  counts = presence.count(said, truth)
  assert counts.true_positive.tolist() == [2, 1]
  assert counts.false_positive.tolist() == [1, 1]
  assert counts.true_negative.tolist() == [0, 1]
  assert counts.false_negative.tolist() == [1, 1]
  assert counts.accuracy == pytest.approx(4 / 8)
  assert counts.majority == pytest.approx((3 + 2) / 8)
  assert counts.balanced_accuracy == pytest.approx((3 / 5 + 1 / 3) / 2)
  each = counts.each
  np.testing.assert_allclose(each.accuracy, [2 / 4, 2 / 4])
  np.testing.assert_allclose(each.balanced_accuracy, [(2 / 3 + 0) / 2, 0.5])
  np.testing.assert_allclose(each.share_present, [3 / 4, 2 / 4])


def test_shares_are_those_of_a_loop():
  probability, truth, _ = _made(60, 3)
  counts = presence.count(probability >= 0.4, truth)
  right = found = rejected = majority = 0
  for k in range(3):
    for p, t in zip(probability[:, k], truth[:, k], strict=True):
      right += (p >= 0.4) == t
      found += t and p >= 0.4
      rejected += (not t) and p < 0.4
    majority += max(truth[:, k].sum(), (~truth[:, k]).sum())
  assert counts.accuracy == pytest.approx(right / 180)
  assert counts.majority == pytest.approx(majority / 180)
  balanced = (found / truth.sum() + rejected / (~truth).sum()) / 2
  assert counts.balanced_accuracy == pytest.approx(balanced)


def test_perfect_and_constant_predictors():
  _, truth, images = _made()
  perfect = presence.measure(truth.astype(float), truth, images).values
  assert perfect.pop("presence_ece") == 0
  assert perfect.pop("presence_majority") < 1
  assert set(perfect.values()) == {1.0}
  truth[:, 0], truth[:, 1] = True, np.arange(len(truth)) % 4 > 0
  always = presence.measure(np.ones(truth.shape), truth, images)
  assert always.values["presence_accuracy"] == pytest.approx(truth.mean())
  assert always.values["presence_balanced_accuracy"] == 0.5
  assert always.values["presence_balanced_accuracy_chosen"] == 0.5
  assert always.values["presence_ece"] == pytest.approx(1 - truth.mean())
  majority = np.broadcast_to(truth.mean(0) > 0.5, truth.shape)
  counts = presence.count(majority, truth)
  assert counts.accuracy == counts.majority


def test_with_one_class_alone_nothing_is_balanced():
  images = np.arange(6)
  for truth in (np.ones((6, 2), bool), np.zeros((6, 2), bool)):
    found = presence.measure(np.full((6, 2), 0.7), truth, images)
    assert found.best_threshold is None and found.advice() == ""
    values = found.values
    assert values["presence_accuracy"] == truth.mean()
    assert np.isnan(values["presence_balanced_accuracy"])
    assert np.isnan(values["presence_balanced_accuracy_chosen"])
  nobody = presence.measure(
    np.zeros((0, 2)), np.zeros((0, 2), bool), images[:0]
  )
  assert np.isnan(list(nobody.values.values())).all()
  one_picture = presence.crossfitted_balanced_accuracy(
    np.array([[0.9, 0.1]]), np.array([[True, False]]), np.array([3])
  )
  assert np.isnan(one_picture)


def test_a_calibrated_predictor_has_no_error_and_others_have():
  probability, truth, _ = _made(8000)
  assert presence.reliability(probability, truth).error < 0.015
  # p becomes p^2: too low by p - p^2, whose mean over p in 0 to 1 is 1/6.
  bold = presence.reliability(probability**2, truth)
  assert bold.error == pytest.approx(1 / 6, abs=0.015)


def test_reliability_is_that_of_a_loop():
  probability, truth, _ = _made(50, 4)
  probability[0] = [0.0, 0.2, 1.0, 0.6]  # on edges
  got = presence.reliability(probability, truth, num_bins=5)
  error = 0.0
  for b in range(5):
    low, high = b / 5, (b + 1) / 5
    inside = (probability > low) & (probability <= high)
    inside |= (b == 0) & (probability == 0)
    assert got.num[b] == inside.sum() > 0
    assert got.probability[b] == pytest.approx(probability[inside].mean())
    assert got.present[b] == pytest.approx(truth[inside].mean())
    gap = abs(probability[inside].mean() - truth[inside].mean())
    error += inside.sum() / probability.size * gap
  assert got.error == pytest.approx(error)


def test_calibration_error_by_hand():
  probability = np.array([[0.05, 0.05, 0.9, 0.8]])
  truth = np.array([[False, True, True, True]])
  got = presence.reliability(probability, truth, num_bins=2)
  assert got.error == pytest.approx((abs(0.1 - 1) + abs(1.7 - 2)) / 4)
  assert np.isnan(presence.reliability(probability, truth).present[3])  # empty


def _balanced(probability, truth, threshold):
  said = probability >= threshold
  return (said[truth].mean() + (~said)[~truth].mean()) / 2


@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_is_better_than_the_best(seed):
  probability, truth, _ = _made(30, 3, seed)
  probability = np.round(probability, 2)  # with equal ones among them
  best = presence.best_threshold(probability, truth)
  all_of_them = [
    _balanced(probability, truth, t) for t in (0, *np.unique(probability))
  ]
  assert _balanced(probability, truth, best) == pytest.approx(max(all_of_them))


def test_the_best_threshold_has_few_digits():
  truth = np.array([[False, False, True, True]])
  for probability, expected in (
    ([0.1, 0.2, 0.8, 0.9], 0.5),
    ([0.1, 0.62, 0.7, 0.9], 0.66),  # 0.7 is at the edge
    ([0.1, 0.993122, 0.993124, 1.0], 0.993123),
    ([0.1, 0.3, np.nextafter(0.3, 1), 1.0], np.nextafter(0.3, 1)),
  ):
    got = presence.best_threshold(np.array([probability]), truth)
    assert got == expected
    assert _balanced(np.array([probability]), truth, got) == 1


def test_a_cross_fitted_threshold_never_saw_its_people():
  probability, truth, images = _made(200, 4, num_images=30)
  probability = 0.8 + probability / 10  # 0.5 says present of everything
  got = presence.crossfitted_balanced_accuracy(probability, truth, images)
  known = np.unique(images)
  first = known[np.random.default_rng(0).permutation(30)[:15]]
  said = np.zeros(truth.shape, bool)
  for half in (np.isin(images, first), ~np.isin(images, first)):
    other = presence.best_threshold(probability[~half], truth[~half])
    said[half] = probability[half] >= other
  assert got == pytest.approx((said[truth].mean() + (~said)[~truth].mean()) / 2)
  assert presence.count(probability >= 0.5, truth).balanced_accuracy == 0.5
  assert (
    0.65
    < got
    <= presence.measure(probability, truth, images).best.balanced_accuracy
  )
  order = np.random.default_rng(1).permutation(len(images))
  assert got == presence.crossfitted_balanced_accuracy(
    probability[order], truth[order], images[order]
  )


def test_chance_is_not_made_a_score_by_choosing_a_threshold():
  rng = np.random.default_rng(0)
  best, chosen = [], []
  for _ in range(40):
    found = presence.measure(
      rng.random((60, 2)), rng.random((60, 2)) < 0.9, np.arange(60)
    )
    best.append(found.best.balanced_accuracy)
    chosen.append(found.values["presence_balanced_accuracy_chosen"])
  assert np.mean(best) > 0.57
  assert np.mean(chosen) == pytest.approx(0.5, abs=0.03)


def test_advice_says_what_to_type():
  truth = np.array([[False, True], [False, True]])
  probability = np.array([[0.6, 0.7], [0.62, 0.72]])
  found = presence.measure(probability, truth, np.array([1, 2]))
  text = found.advice()
  assert "0.66 (balanced accuracy 1.000, at 0.5 0.500, on people" in text
  assert text.endswith(
    "; accuracy 1.000, at 0.5 0.500): --config.eval.presence_threshold=0.66"
  )


def test_no_advice_where_it_cannot_be_tried_on_others():
  truth = np.array([[False, True]])
  found = presence.measure(np.array([[0.6, 0.7]]), truth, np.array([1]))
  assert found.best_threshold is not None and np.isnan(found.crossfitted)
  assert found.advice() == ""


def test_counts_of_a_wrong_shape_are_refused(no_annotation_checks):
  with pytest.raises(ValueError, match="broadcast"):
    presence.count(np.ones((2, 3), bool), np.ones((2, 4), bool))
