"""Tests of eval/bootstrap.py: by hand, and by simulation with known truth."""

import dataclasses

import numpy as np
import pytest

from pose_jax.eval import average_precision, bootstrap, statistic
from pose_jax.eval.predictions import NOBODY, Predictions
from pose_jax.skeleton import LSP14

IMAGES, PEOPLE, KEYPOINTS = 120, 4, 2


def _shifted(people, predictions, shift):
  rng = np.random.default_rng(7)
  kpts = predictions.kpts_xys_img.copy()
  kpts[..., :2] += shift * rng.normal(size=kpts[..., :2].shape)
  return dataclasses.replace(predictions, kpts_xys_img=kpts)


def _crowd_table(make_people):
  """PEOPLE people in each of IMAGES images."""
  return make_people(IMAGES * PEOPLE, num_images=IMAGES)


def _simulated(rng, people, quality=0.7, spread=0.2):
  """Keypoints found or not; images differ, so their people are alike."""
  image = np.clip(quality + spread * rng.normal(size=IMAGES), 0, 1)
  chance = image[people.image_index][:, None]
  return rng.random((len(people), KEYPOINTS)) < chance


def _as_metric(*systems):
  """A metric of simulated systems; `_system` says which is asked for."""
  labelled = np.ones_like(systems[0])

  def metric(people, which):
    found = systems[which.image_ids[0]]
    return statistic.ratio_statistic("hits", found, labelled, people)

  return metric


def _system(i):
  """Predictions that stand for simulated system i."""
  return Predictions(
    image_ids=np.array([i]),
    kpts_xys_img=np.zeros((1, KEYPOINTS, 3)),
    score=np.zeros(1),
    person_ids=np.array([NOBODY]),
  )


def test_intervals_hold_the_score_and_repeat_with_the_seed(make_crowd):
  people, predictions = make_crowd(0)
  got = bootstrap.intervals(people, predictions, num_samples=300)
  values = average_precision.coco_scores(people, predictions)
  assert set(got) == set(values)
  for name, (low, high) in got.items():
    assert 0 <= low < values[name] < high <= 1
  again = bootstrap.intervals(people, predictions, num_samples=300)
  other = bootstrap.intervals(people, predictions, num_samples=300, seed=1)
  assert got == again != other


def test_resamples_are_scores_of_physical_draws(make_crowd):
  people, predictions = make_crowd(1)
  (weights,) = bootstrap.draws(len(people.image_ids), 40, 3)
  assert (weights.sum(1) == len(people.image_ids)).all()
  rankings = average_precision.coco_rankings(people, predictions)
  samples = average_precision.weighted_scores(rankings, weights)
  got = bootstrap.intervals(people, predictions, num_samples=40, seed=3)
  for i, name in enumerate(average_precision.NAMES):
    low, high = np.nanpercentile(samples[:, i], (2.5, 97.5))
    assert got[name] == (low, high)


def test_blocks_change_nothing_but_the_draws(monkeypatch):
  monkeypatch.setattr(bootstrap, "_BLOCK", 100)
  drawn = list(bootstrap.draws(30, 10, 0))
  assert [len(part) for part in drawn] == [3, 3, 3, 1]
  assert (np.concatenate(drawn).sum(1) == 30).all()


def test_each_image_is_drawn_once_on_average():
  drawn = np.concatenate(list(bootstrap.draws(50, 4000, 0)))
  np.testing.assert_allclose(drawn.mean(0), 1, atol=0.06)
  # Poisson-like: a share of 1/e is not drawn at all.
  assert (drawn == 0).mean() == pytest.approx((1 - 1 / 50) ** 50, abs=0.01)


def test_95_of_100_intervals_hold_the_truth(make_people):
  people = _crowd_table(make_people)
  rng = np.random.default_rng(0)
  clip = np.clip(0.7 + 0.2 * rng.normal(size=10**6), 0, 1)
  truth = clip.mean()
  held = num_held_by_people = 0
  alone = dataclasses.replace(
    people,
    image_index=np.arange(len(people), dtype=np.int32),
    image_ids=np.arange(len(people)),
    image_names=tuple(map(str, range(len(people)))),
    image_hw=np.ones((len(people), 2), np.int32),
  )
  for seed in range(300):
    metric = [_as_metric(_simulated(rng, people))]
    options = {"metrics": metric, "num_samples": 300, "seed": seed}
    low, high = bootstrap.intervals(people, _system(0), **options)["hits"]
    held += low <= truth <= high
    low, high = bootstrap.intervals(alone, _system(0), **options)["hits"]
    num_held_by_people += low <= truth <= high
  assert 0.91 < held / 300 < 0.98
  assert num_held_by_people / 300 < 0.89  # why images are drawn, not people


def test_p_values_are_uniform_without_a_difference(make_people):
  people = _crowd_table(make_people)
  rng = np.random.default_rng(1)
  p_values = []
  for seed in range(300):
    metric = _as_metric(_simulated(rng, people), _simulated(rng, people))
    got = bootstrap.compare(
      people,
      _system(0),
      _system(1),
      metrics=[metric],
      num_samples=300,
      seed=seed,
    )
    p_values.append(got.rows[0].p_value)
  shares = [np.mean(np.array(p_values) < p) for p in (0.05, 0.25, 0.5, 0.75)]
  np.testing.assert_allclose(shares[0], 0.05, atol=0.035)
  np.testing.assert_allclose(shares[1:], (0.25, 0.5, 0.75), atol=0.08)


def test_pairing_finds_what_two_intervals_hide(make_people):
  people = _crowd_table(make_people)
  rng = np.random.default_rng(2)
  a = _simulated(rng, people)
  b = a & (rng.random(a.shape) > 0.03)  # loses three keypoints in a hundred
  metric = _as_metric(a, b)
  one, two = (
    bootstrap.intervals(people, _system(i), metrics=[metric], num_samples=500)[
      "hits"
    ]
    for i in (0, 1)
  )
  assert two[1] > one[0]  # they overlap
  row = bootstrap.compare(
    people, _system(0), _system(1), metrics=[metric], num_samples=500
  )
  assert row.rows[0].is_one and row.rows[0].low > 0
  assert "A is better by " in row.describe()


def test_a_worse_set_is_called_worse_whichever_comes_first(make_crowd):
  people, good = make_crowd(2)
  bad = _shifted(people, good, 10.0)
  options = {"num_samples": 300, "names": ("old", "new")}
  one = bootstrap.compare(people, good, bad, **options).rows[0]
  two = bootstrap.compare(people, bad, good, **options).rows[0]
  assert (one.low, one.high) == pytest.approx((-two.high, -two.low))
  assert one.is_one and two.is_one and one.p_value == two.p_value
  assert one.verdict().startswith("old is better by ")
  assert two.verdict() == one.verdict().replace("old", "new")
  assert one.low < one.difference < one.high


def test_the_same_predictions_have_no_difference(make_crowd):
  people, predictions = make_crowd(3)
  got = bootstrap.compare(people, predictions, predictions, num_samples=40)
  assert {row.p_value for row in got.rows} == {1.0}
  assert got.rows[0].verdict() == (
    "no difference can be told: A - B = +0.00 AP (95 %: 0.00 to 0.00, p = "
    "1.000)"
  )


def test_p_value_by_hand():
  values = np.array([-1.0] * 3 + [0.5] * 96)
  assert bootstrap.p_value(values) == pytest.approx(2 * 4 / 100)
  assert bootstrap.p_value(-values) == pytest.approx(2 * 4 / 100)
  assert bootstrap.p_value(np.append(values, np.nan)) == pytest.approx(0.08)
  assert bootstrap.p_value(np.ones(99)) == pytest.approx(0.02)


def test_a_verdict_reads_as_a_sentence():
  row = bootstrap.Difference(
    name="AP", a=0.731, b=0.723, low=0.003, high=0.013, p_value=0.002,
    names=("A", "B"),
  )  # fmt: skip
  assert row.verdict() == (
    "A is better by 0.80 AP (95 %: 0.30 to 1.30, p = 0.002)"
  )
  row = dataclasses.replace(row, low=-0.013, high=-0.003, a=0.715, p_value=4e-4)
  assert row.verdict() == (
    "B is better by 0.80 AP (95 %: 0.30 to 1.30, p < 0.001)"
  )
  row = dataclasses.replace(row, high=0.001, p_value=0.12)
  assert row.verdict() == (
    "no difference can be told: A - B = -0.80 AP (95 %: -1.30 to 0.10, p = "
    "0.120)"
  )


def test_a_table_of_all_scores(make_people):
  people = make_people(40, skeleton=LSP14, num_images=10)
  predictions = _predict(people)
  got = bootstrap.compare(
    people,
    predictions,
    _shifted(people, predictions, 20.0),
    metrics=("coco", "pck"),
    num_samples=60,
    names=("one", "a longer name"),
  )
  lines = got.describe().splitlines()
  assert len(lines) == 1 + len(got.rows) + 2
  assert lines[0].split() == "one a longer name difference 95 % p".split()
  assert lines[-2] == "60 resamples of 10 images, seed 0"
  assert lines[-1] == got.rows[0].verdict()
  names = [row.name for row in got.rows]
  assert names[0] == "AP" and names[-2:] == ["PCK@0.2", "PCK@0.2_mean"]
  assert "APM" not in names or not np.isnan(got.rows[names.index("APM")].a)


def _predict(people):
  return Predictions(
    image_ids=people.image_ids[people.image_index],
    kpts_xys_img=np.concatenate(
      [people.kpts_xy_img, np.ones((*people.vis.shape, 1))], -1
    ).astype(np.float64),
    score=np.ones(len(people)),
    person_ids=people.person_ids,
  )


def test_scores_without_value_are_left_out(make_people):
  people = make_people(8, num_images=4)
  people.area[:] = 1e5
  got = bootstrap.intervals(people, _predict(people), num_samples=40)
  assert "AP" in got and "APL" in got
  assert "APM" not in got and "ARM" not in got
  rows = bootstrap.compare(
    people, _predict(people), _predict(people), num_samples=40
  ).rows
  assert [row.name for row in rows] == list(got)


def test_too_few_images_or_resamples(make_people):
  people = make_people(3, num_images=1)
  predictions = _predict(people)
  assert bootstrap.intervals(people, predictions, num_samples=40) == {}
  with pytest.raises(ValueError, match="at least two images .* got 1"):
    bootstrap.compare(people, predictions, predictions)
  people = make_people(4)
  with pytest.raises(ValueError, match="at least 40 .* got 39"):
    bootstrap.intervals(people, _predict(people), num_samples=39)
  crowds = dataclasses.replace(people, is_crowd=np.ones(4, bool))
  with pytest.raises(ValueError, match="nobody in the ground truth"):
    bootstrap.compare(crowds, _predict(people), _predict(people))


def test_a_file_cut_short_is_told(make_crowd):
  people, a = make_crowd(1)
  kept = np.unique(a.image_ids)[: len(np.unique(a.image_ids)) // 2]
  half = a.select(np.isin(a.image_ids, kept))
  num = len(np.unique(a.image_ids)) - len(kept)
  found = bootstrap.compare(people, a, half, num_samples=40)
  assert found.num_alone == (num, 0)
  assert f"careful: in {num} images A predicts people" in found.describe()
  assert (
    "careful" not in bootstrap.compare(people, a, a, num_samples=40).describe()
  )
