"""Each kind of map by itself: what it is, and what its parameters mean."""

import jax
import jax.numpy as jnp
import literal_attention as literal
import numpy as np
import pytest

from pose_jax.models.attention import AttentionOptions
from pose_jax.models.attention_maps import (
  CrfMap,
  GaussianMap,
  SoftmaxMap,
  Transformer,
  cell_means,
  gaussian_vector,
  spatial_softmax,
)

KEY = jax.random.key(0)


def _features(*shape, seed=0):
  rng = np.random.default_rng(seed)
  return jnp.asarray(rng.standard_normal(shape), jnp.float32)


def _noisy(module, x, scale=0.3):
  """Parameters of the start, with noise on all of them."""
  leaves, tree = jax.tree.flatten(module.init(KEY, x)["params"])
  return jax.tree.unflatten(
    tree,
    [
      leaf + scale * _features(*leaf.shape, seed=i)
      for i, leaf in enumerate(leaves)
    ],
  )


def test_softmax_is_the_exponential_over_its_mean():
  s = np.random.default_rng(0).normal(0, 2, (2, 3, 4, 2))
  expected = np.zeros_like(s)
  for b in range(2):
    for p in range(2):
      total = sum(np.exp(s[b, i, j, p]) for i in range(3) for j in range(4))
      expected[b, :, :, p] = 12 * np.exp(s[b, :, :, p]) / total
  result = spatial_softmax(jnp.asarray(s, jnp.float32))
  np.testing.assert_allclose(result, expected, rtol=1e-5)
  np.testing.assert_allclose(result.sum((1, 2)), 12, rtol=1e-6)


def test_softmax_of_huge_summaries_is_one_pixel():
  s = jnp.zeros((1, 2, 2, 1)).at[0, 1, 0, 0].set(1e30)
  assert spatial_softmax(s)[0, :, :, 0].tolist() == [[0, 0], [4, 0]]


def test_softmax_map_is_the_literal_one_and_can_always_change():
  x, module = _features(2, 5, 4, 3), SoftmaxMap(2)
  params = _noisy(module, x)
  result = module.apply({"params": params}, x)
  for p in range(2):
    expected = literal.softmax(params, x, p)
    np.testing.assert_allclose(result[..., p], expected, rtol=1e-5)
  # Where everything is far below 0 the map is flat, but has a gradient.
  params["summary"]["bias"] = jnp.full(2, -10.0)
  weight = np.random.default_rng(3).standard_normal(result.shape)

  def total(params):
    maps = module.apply({"params": params}, x)
    return (maps * weight).sum(), maps

  gradients, maps = jax.grad(total, has_aux=True)(params)
  np.testing.assert_allclose(maps, 1, atol=0.1)
  assert all(np.abs(g).max() > 1e-5 for g in jax.tree.leaves(gradients))


@pytest.mark.parametrize(
  ("first", "spacing", "deviation", "count", "length"),
  [
    (3.0, 0.0, 2.0, 1, 8),
    (1.5, 2.0, 0.7, 4, 9),
    (6.0, -1.3, 1.2, 5, 8),
    (-2.0, 0.5, 3.0, 7, 48),
  ],
)
def test_vector_is_the_sum_of_gaussians_over_its_maximum(
  first, spacing, deviation, count, length
):
  total = np.zeros(length)
  for pixel in range(length):
    for i in range(count):
      away = pixel - (first + i * spacing)
      total[pixel] += np.exp(-(away**2) / (2 * deviation**2))
  arguments = (jnp.float32(v) for v in (first, spacing, deviation))
  result = gaussian_vector(*arguments, count=count, length=length)
  np.testing.assert_allclose(result, total / total.max(), atol=1e-6)
  assert result.max() == 1


def test_vectors_of_many_maps_are_those_of_each():
  rng = np.random.default_rng(0)
  numbers = jnp.asarray(rng.uniform(1, 4, (3, 2, 5)), jnp.float32)
  many = gaussian_vector(*numbers, count=3, length=6)
  assert many.shape == (2, 5, 6)
  for i, j in ((0, 0), (0, 4), (1, 2)):
    one = gaussian_vector(*numbers[:, i, j], count=3, length=6)
    np.testing.assert_allclose(many[i, j], one, rtol=1e-6)


@pytest.mark.parametrize("first", [-500.0, 500.0])
def test_gaussians_far_outside_still_point_to_the_map(first):
  def middle(first):
    spacing, deviation = jnp.float32(0), jnp.float32(30)
    return gaussian_vector(first, spacing, deviation, count=4, length=9)[4]

  slope = jax.grad(middle)(jnp.float32(first))
  assert np.isfinite(slope) and slope * -np.sign(first) > 0


@pytest.mark.parametrize("raw", [-100.0, -15.0, 15.0, 100.0])
def test_extreme_widths_are_finite_in_value_and_gradient(raw):
  x, module = _features(1, 8, 6, 2), GaussianMap(1)
  params = module.init(KEY, x)["params"]
  params["parameters"]["bias"] = jnp.full(6, raw).at[jnp.array([0, 3])].set(0)

  def total(params):
    return jnp.square(module.apply({"params": params}, x)).sum()

  value, gradients = jax.value_and_grad(total)(params)
  assert np.isfinite(value)
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradients))


@pytest.mark.parametrize("hw", [(8, 6), (64, 48), (9, 9)])
def test_gaussian_map_starts_in_the_middle_half_the_axis_wide(hw):
  x = _features(2, *hw, 3)
  module = GaussianMap(2)
  params = module.init(KEY, x)["params"]
  assert not any(leaf.any() for leaf in jax.tree.leaves(params))
  result = np.asarray(module.apply({"params": params}, x))
  vectors = []
  for length in hw:
    away = np.arange(length) - (length - 1) / 2
    vector = np.exp(-(away**2) / (2 * (length / 2) ** 2))
    vectors.append(vector / vector.max())
  for b, p in np.ndindex(2, 2):
    np.testing.assert_allclose(
      result[b, :, :, p], np.outer(*vectors), atol=1e-5
    )
  np.testing.assert_allclose(result, result[:, ::-1, ::-1], atol=1e-6)
  np.testing.assert_allclose(result.max((1, 2)), 1, rtol=1e-6)


def test_gaussian_follows_its_centre():
  x = _features(1, 16, 16, 2)
  module = GaussianMap(2)
  params = module.init(KEY, x)["params"]
  raw = np.zeros((2, 2, 3), np.float32)  # map, (y, x), (mu, d, log sigma)
  raw[..., 2] = -3
  raw[0, 0, 0], raw[0, 1, 0] = -3.5 / 16, 4.5 / 16
  raw[1, 0, 0], raw[1, 1, 0] = 0.5 / 16, -7.5 / 16
  params["parameters"]["bias"] = jnp.asarray(raw.ravel())
  result = np.asarray(module.apply({"params": params}, x))[0]
  for p, row, column in ((0, 4, 12), (1, 8, 0)):
    where = np.unravel_index(result[:, :, p].argmax(), (16, 16))
    assert where == (row, column)
    assert result[row, column, p] == 1 and result[:, :, p].sum() < 2


@pytest.mark.parametrize(("count", "grid"), [(0, 1), (3, 2)])
def test_gaussian_map_is_the_literal_one_and_sees_the_features(count, grid):
  x, module = _features(2, 6, 5, 3), GaussianMap(2, count, grid)
  params = _noisy(module, x)
  result = module.apply({"params": params}, x)
  options = AttentionOptions(gaussian_count=count, gaussian_grid=grid)
  for p in range(2):
    expected = literal.gaussian(params, x, p, options)
    np.testing.assert_allclose(result[..., p], expected, atol=1e-5)
  assert np.abs(result[0] - result[1]).max() > 1e-3


@pytest.mark.parametrize("start", ["unary_conv", "sigmoid_unary"])
def test_without_neighbours_the_field_is_the_sigmoid_of_its_unary_term(start):
  x, module = _features(2, 6, 5, 3), CrfMap(2, start=start)
  params = _noisy(module, x)
  params["kernel"] = jnp.zeros_like(params["kernel"])
  params["bias"] = jnp.zeros(2)
  result = module.apply({"params": params}, x)
  unary = params["unary"]
  for p in range(2):
    psi = literal.convolution(x, unary["kernel"][..., p], unary["bias"][p])
    np.testing.assert_allclose(
      result[..., p], 1 / (1 + np.exp(-psi)), atol=1e-6
    )


@pytest.mark.parametrize(
  "options",
  [
    dict(),
    dict(start="sigmoid_unary", keep_unary=False, shared=True),
    dict(damping=0.3, separable=True, kernel_size=5, steps=4),
    dict(use_bias=False, shared=True, separable=True, start="sigmoid_unary"),
    dict(kernel_size=9, constant_memory=True, steps=2),
    dict(kernel_size=1, damping=0.5, start="sigmoid_unary"),
  ],
  ids=str,
)
def test_every_form_of_the_field_is_the_literal_one_step_by_step(options):
  x, module = _features(2, 6, 5, 3), CrfMap(2, **options)
  params = _noisy(module, x)
  names = {"use_bias": "crf_bias"}
  literal_options = AttentionOptions(
    **{names.get(k, f"crf_{k}"): v for k, v in options.items()}
  )
  variables = {"params": params}
  result, state = module.apply(variables, x, mutable=["attention_steps"])
  np.testing.assert_array_equal(result, module.apply(variables, x))
  (steps,) = state["attention_steps"]["steps"]
  for p in range(2):
    expected, stages = literal.crf(params, x, p, literal_options)
    np.testing.assert_allclose(result[..., p], expected, atol=1e-5)
    np.testing.assert_allclose(steps[..., p], stages, atol=1e-5)


def test_field_holds_the_parameters_that_its_options_name():
  x = _features(1, 6, 5, 3)

  def shapes(**options):
    params = CrfMap(4, **options).init(KEY, x)["params"]
    del params["unary"]
    return {name: leaf.shape for name, leaf in params.items()}

  assert shapes() == {"kernel": (3, 3, 1, 4), "bias": (4,)}
  assert shapes(shared=True, use_bias=False) == {"kernel": (3, 3, 1, 1)}
  assert shapes(separable=True, kernel_size=5) == {
    "column": (5, 1, 1, 4),
    "row": (1, 5, 1, 4),
    "bias": (4,),
  }


def test_unary_of_many_channels_does_not_start_saturated():
  x = _features(2, 16, 16, 256)
  module = CrfMap(17)
  result = np.asarray(module.init_with_output(KEY, x)[0])
  assert 0.05 < np.quantile(result, 0.01) < np.quantile(result, 0.99) < 0.95
  assert result.std() > 0.02


def test_transformer_starts_as_the_identity_and_says_what_its_layer_says():
  levels = (_features(2, 3, 2, 3), _features(2, 6, 4, 5, seed=1))
  module = Transformer(2, grid=2)
  params = module.init(KEY, levels)["params"]
  theta = module.apply({"params": params}, levels)
  assert theta.shape == (2, 2, 2, 3)
  np.testing.assert_array_equal(theta, [[[[1, 0, 0], [0, 1, 0]]] * 2] * 2)
  params = _noisy(module, levels)
  theta = module.apply({"params": params}, levels)
  options = AttentionOptions(transformer_grid=2)
  for p in range(2):
    expected = literal.theta({"transformer": params}, levels, p, options)
    np.testing.assert_allclose(theta[:, p], expected[:, :2], atol=1e-5)
  assert np.abs(theta[0] - theta[1]).max() > 1e-2


@pytest.mark.parametrize("hw", [(8, 6), (5, 7), (3, 2), (1, 1)])
@pytest.mark.parametrize("grid", [1, 2, 4])
def test_cells_are_means_that_cover_the_map(hw, grid):
  x = _features(2, *hw, 3)
  means = cell_means(x, grid)
  assert means.shape == (2, grid * grid * 3)
  np.testing.assert_allclose(means, literal.cells(x, grid), atol=1e-6)
  if grid == 1:
    np.testing.assert_allclose(means, x.mean((1, 2)), atol=1e-6)
  constant = cell_means(jnp.full((1, *hw, 1), 3.0), grid)
  np.testing.assert_allclose(constant, 3, rtol=1e-6)


@pytest.mark.parametrize("module", [SoftmaxMap, GaussianMap, CrfMap])
def test_maps_are_float32_of_half_precision_features(module):
  x = _features(2, 6, 5, 3)
  variables = {"params": _noisy(module(2), x)}
  expected = module(2).apply(variables, x)
  result = module(2).apply(variables, x.astype(jnp.bfloat16))
  assert result.dtype == expected.dtype == jnp.float32
  np.testing.assert_allclose(result, expected, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("kind", [Transformer, GaussianMap])
def test_a_step_of_the_optimiser_moves_little(kind):
  """Adam moves each weight by the learning rate, whatever the gradient is."""
  x = jnp.abs(_features(2, 8, 6, 256))
  module = kind(2)
  read = (x,) if kind is Transformer else x
  params = module.init(KEY, read)["params"]
  moved = jax.tree.map(lambda leaf: leaf + 5e-4, params)
  before, after = (module.apply({"params": p}, read) for p in (params, moved))
  assert 0 < np.abs(after - before).max() < 0.01
