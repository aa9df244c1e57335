"""Losses of presence and coordinates, against loops and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from pose_jax.models.output import PoseOutput, Truth
from pose_jax.train import regression
from pose_jax.train.regression import RegressionRule, truth_of


@pytest.fixture
def rng():
  return np.random.default_rng(0)


def make_truth(rng, rows=3, num=4):
  return Truth(
    coordinates=jnp.asarray(rng.uniform(-0.6, 0.6, (rows, num, 2)), "float32"),
    is_labelled=jnp.asarray(rng.random((rows, num)) < 0.7),
    seed=jnp.arange(rows, dtype=jnp.uint32),
  )


def test_presence_loss_is_equation_5(rng):
  logits = rng.normal(0, 3, (3, 4))
  present = rng.random((3, 4)) < 0.5
  total = 0.0
  for row, says in zip(logits, present, strict=True):
    for logit, is_there in zip(row, says, strict=True):
      probability = 1 / (1 + np.exp(-logit))
      total -= np.log(probability if is_there else 1 - probability)
  found = regression.presence_loss(logits, present)
  assert float(found) == pytest.approx(total / 12, rel=1e-5)


def test_presence_loss_takes_logits_of_any_size():
  logits = jnp.array([[1e4, -1e4]])
  wrong = jnp.array([[False, True]])
  value, slope = jax.value_and_grad(regression.presence_loss)(logits, wrong)
  assert float(value) == pytest.approx(1e4)
  np.testing.assert_allclose(slope, [[0.5, -0.5]], rtol=1e-5)


@pytest.mark.parametrize("name", ["l2", "l1", "smooth_l1"])
def test_coordinate_losses_equal_a_loop_over_present_keypoints(name, rng):
  truth = make_truth(rng)
  found = jnp.asarray(rng.uniform(-2, 2, (3, 4, 2)), "float32")
  each = {
    "l2": lambda e: e * e,
    "l1": abs,
    "smooth_l1": lambda e: e * e / 2 if abs(e) < 1 else abs(e) - 0.5,
  }[name]
  total = 0.0
  for i, k in np.ndindex(3, 4):
    if truth.is_labelled[i, k]:
      total += sum(each(float(e)) for e in (found - truth.coordinates)[i, k])
  value = regression.LOSSES[name](found, truth.coordinates, truth.is_labelled)
  assert float(value) == pytest.approx(total / 12, rel=1e-5)


def test_what_is_not_labelled_reaches_no_gradient_whatever_it_holds():
  truth = jnp.array([[[np.nan, 0.0], [0.1, 0.1]]])
  labelled = jnp.array([[False, True]])

  def loss(found):
    return regression.l2(found, truth, labelled)

  slope = jax.grad(loss)(jnp.ones((1, 2, 2)))
  np.testing.assert_allclose(slope, [[[0, 0], [0.9, 0.9]]], rtol=1e-6)


def test_rle_is_the_likelihood_of_a_laplace_times_a_density(rng):
  """With a normal density for the flow, as products of SciPy's densities."""
  truth = make_truth(rng)
  found = jnp.asarray(rng.uniform(-0.5, 0.5, (3, 4, 2)), "float32")
  sigmas = jnp.asarray(rng.uniform(0.1, 0.9, (3, 4, 2)), "float32")

  def density(errors):
    return jax.scipy.stats.norm.logpdf(errors).sum(-1)

  total = 0.0
  for i, k in np.ndindex(3, 4):
    if not truth.is_labelled[i, k]:
      continue
    error = np.asarray(found - truth.coordinates)[i, k]
    sigma = np.asarray(sigmas)[i, k]
    total -= stats.laplace.logpdf(error, scale=sigma).sum()
    flow = stats.norm.logpdf(error / sigma).sum()
    total += (np.log(sigma) - flow).sum()  # for each of the two coordinates
  value = regression.rle(
    found,
    truth.coordinates,
    truth.is_labelled,
    sigmas=sigmas,
    density=density,
  )
  assert float(value) == pytest.approx(total / 12, rel=1e-4)


def test_truth_is_in_units_of_the_batch_s_crops():
  batch = {
    "image": jnp.zeros((1, 20, 10, 3), jnp.uint8),
    "kpts_xy_crop": jnp.array([[[4.5, 9.5], [9.5, 19.5], [10.5, 9.5]]]),
    "vis": jnp.array([[0, 1, 2]], jnp.int8),
    "sample_seed": jnp.array([7], jnp.uint32),
  }
  truth = truth_of(batch)
  np.testing.assert_allclose(
    truth.coordinates, [[[0, 0], [0.5, 0.5], [0.6, 0]]], atol=1e-6
  )
  # The first is not labelled, the last is outside.
  np.testing.assert_array_equal(
    regression.is_present(truth), [[False, True, False]]
  )


def test_the_rule_weighs_what_the_output_has(rng):
  truth = make_truth(rng)
  stages = tuple(
    jnp.asarray(rng.uniform(-1, 1, (3, 4, 2)), "float32") for _ in range(2)
  )
  logits = jnp.asarray(rng.normal(size=(3, 4)), "float32")
  output = PoseOutput(
    presence_logits=logits, coordinates=stages[-1], coordinate_stages=stages
  )
  rule = RegressionRule("l1", presence_weight=2.0, coordinates_weight=3.0)
  total, parts = rule.loss(output, truth)
  each = [
    regression.l1(s, truth.coordinates, truth.is_labelled) for s in stages
  ]
  assert float(parts["loss_coordinates"]) == pytest.approx(float(sum(each)))
  assert float(total) == pytest.approx(
    float(2 * parts["loss_presence"] + 3 * sum(each)), rel=1e-6
  )
  halved = RegressionRule("l1", (0.5, 0.0), presence_weight=0)
  total, _ = halved.loss(output, truth)
  assert float(total) == pytest.approx(0.5 * float(each[0]), rel=1e-6)
  nothing = RegressionRule(presence_weight=0, coordinates_weight=0)
  total, parts = nothing.loss(output, truth)
  assert total == 0 and set(parts) == {"loss_presence", "loss_coordinates"}
  assert rule.loss(PoseOutput(), truth) == (0.0, {})


def test_counts_are_those_of_a_loop(rng):
  truth = make_truth(rng, rows=5)
  noise = jnp.asarray(rng.normal(0, 0.06, (5, 4, 2)), "float32")
  found = truth.coordinates + noise
  logits = jnp.asarray(rng.normal(size=(5, 4)), "float32")
  output = PoseOutput(coordinates=found, presence_logits=logits)
  near = right = labelled = 0
  for i, k in np.ndindex(5, 4):
    x, y = np.asarray(truth.coordinates)[i, k]
    is_labelled = bool(truth.is_labelled[i, k])
    is_present = is_labelled and abs(x) <= 0.5 and abs(y) <= 0.5
    right += bool(logits[i, k] > 0) == is_present
    distance = np.hypot(*np.asarray(noise)[i, k])
    near += is_labelled and distance <= 1 / 12
    labelled += is_labelled
  counts = regression.counts_to_log(output, truth)
  assert tuple(map(float, counts["located"])) == (near, labelled)
  told = output.replace(
    coordinates=truth.coordinates, coordinate_stages=(found, truth.coordinates)
  )
  counted = {
    was_told: regression.counts_to_log(told, truth, was_told=was_told)
    for was_told in (True, False)
  }
  assert float(counted[True]["located"][0]) == near
  assert float(counted[False]["located"][0]) == labelled
  assert tuple(map(float, counts["presence_accuracy"])) == (right, 20)
  assert 0 < near < labelled


def test_the_penalty_is_of_kernels_alone():
  params = {
    "a": {"kernel": jnp.full((2, 2), 2.0), "bias": jnp.ones(2)},
    "norm": {"scale": jnp.ones(2)},
    "separable": {"column": jnp.ones((3, 1)), "row": jnp.ones((1, 3))},
  }
  assert float(regression.kernels_squared(params)) == 16 + 6
