"""Halving and enlarging, values and gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from pose_jax.models.resample import (
  max_pool,
  max_pool_2x2,
  mean_pool,
  upsample_back,
  upsample_nearest,
)


def _random(seed, *shape):
  return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _window_maximum(x):
  return lax.reduce_window(
    x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"
  )


def test_the_maximum_is_that_of_each_cell():
  x = _random(0, 2, 6, 4, 3)
  y = np.asarray(max_pool_2x2(jnp.asarray(x)))
  assert y.shape == (2, 3, 2, 3)
  for b, i, j, c in np.ndindex(*y.shape):
    assert y[b, i, j, c] == x[b, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c].max()


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_mean_is_that_of_each_cell(factor):
  x = _random(0, 2, 2 * factor, 3 * factor, 4)
  y = mean_pool(jnp.asarray(x), factor)
  assert y.shape == (2, 2, 3, 4)
  for b, i, j, c in np.ndindex(*y.shape):
    rows, columns = (slice(factor * n, factor * (n + 1)) for n in (i, j))
    assert y[b, i, j, c] == pytest.approx(x[b, rows, columns, c].mean(), 1e-5)


def test_maps_that_cannot_be_averaged_are_refused():
  for hw in ((4, 6), (6, 4)):
    with pytest.raises(ValueError, match="multiples of 3 .* got"):
      mean_pool(jnp.zeros((1, *hw, 1)), 3)


def test_gradient_of_the_maximum_is_that_of_a_window():
  x, weight = jnp.asarray(_random(0, 2, 6, 4, 3)), _random(1, 2, 3, 2, 3)
  ours, wanted = (
    jax.grad(lambda x, pool=pool: (pool(x) * weight).sum())(x)
    for pool in (max_pool_2x2, _window_maximum)
  )
  np.testing.assert_array_equal(ours, wanted)


def test_equal_maxima_share_the_gradient():
  gradient = jax.grad(lambda x: max_pool_2x2(x).sum())(jnp.ones((1, 2, 2, 1)))
  np.testing.assert_array_equal(gradient, jnp.full((1, 2, 2, 1), 0.25))


def test_enlarging_repeats_pixels_and_its_gradient_sums_them():
  x = jnp.asarray(_random(0, 2, 3, 4, 5))
  y = upsample_nearest(x)
  np.testing.assert_array_equal(y, np.kron(x, np.ones((1, 2, 2, 1))))
  np.testing.assert_array_equal(max_pool_2x2(y), x)
  weight = _random(1, *y.shape)
  gradient = jax.grad(lambda x: (upsample_nearest(x) * weight).sum())(x)
  gradient = np.asarray(gradient)
  for b, i, j, c in np.ndindex(*x.shape):
    cell = weight[b, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
    np.testing.assert_allclose(gradient[b, i, j, c], cell.sum(), atol=1e-6)
  assert upsample_nearest(x, 3).shape == (2, 9, 12, 5)


def test_types_are_kept():
  x = jnp.ones((1, 2, 2, 1), jnp.bfloat16)
  assert max_pool_2x2(x).dtype == upsample_nearest(x).dtype == jnp.bfloat16


@pytest.mark.parametrize("hw", [(3, 4), (4, 5)])
def test_odd_maps_are_refused(hw):
  with pytest.raises(ValueError, match="even sides to be halved, got"):
    max_pool_2x2(jnp.ones((1, *hw, 1)))


@pytest.mark.parametrize("hw", [(4, 3), (5, 6), (7, 9), (2, 2)])
def test_odd_maps_are_halved_and_enlarged_as_torch_does(hw):
  x = jnp.asarray(_random(0, 2, *hw, 3))
  y = max_pool_2x2(x, drops_odd=True)
  np.testing.assert_array_equal(y, _window_maximum(x))
  rows, columns = (np.arange(n) * (n // 2) // n for n in hw)

  def nearest(y):
    return y[:, rows][:, :, columns]

  weight = _random(1, *x.shape)
  ours, wanted = (
    jax.jit(jax.value_and_grad(lambda y, up=up: (up(y) * weight).sum()))(y)
    for up in (lambda y: upsample_back(y, hw), nearest)
  )
  np.testing.assert_array_equal(upsample_back(y, hw), nearest(y))
  np.testing.assert_allclose(ours[1], wanted[1], atol=1e-6)


@pytest.mark.parametrize("hw", [(3, 4), (6, 6), (4, 8)])
def test_maps_go_back_to_a_size_that_was_halved(hw):
  with pytest.raises(ValueError, match=r"\(2, 3\) is not what halving"):
    upsample_back(jnp.ones((1, 2, 3, 1)), hw)


def test_max_pool_ignores_its_border_even_below_zero():
  x = jnp.full((1, 4, 4, 1), -5.0)
  x = x.at[0, 1, 2, 0].set(-1.0).at[0, 3, 3, 0].set(-2.0)
  # Output 0 sees rows or columns 0 to 1, output 1 sees 1 to 3.
  assert max_pool(x)[0, :, :, 0].tolist() == [[-5.0, -1.0], [-5.0, -1.0]]
  x = x.at[0, 1, 2, 0].set(-5.0)
  assert max_pool(x)[0, :, :, 0].tolist() == [[-5.0, -5.0], [-5.0, -2.0]]


@pytest.mark.parametrize("hw", [(8, 6), (7, 5), (6, 9), (4, 3)])
@pytest.mark.parametrize("pads", [(1, 1), (0, 1), (1, 0), (0, 0)])
def test_max_pool_equals_a_window_maximum(hw, pads):
  x = jnp.asarray(_random(0, 2, *hw, 3))  # no two values are equal

  def windows(x):
    return nn.max_pool(x, (3, 3), (2, 2), (pads, pads))

  shape = jax.eval_shape(windows, x).shape
  weight = _random(1, *shape)

  @functools.partial(jax.jit, static_argnums=1)
  def value_and_gradient(x, pool):
    y, pullback = jax.vjp(pool, x)
    return y, pullback(jnp.asarray(weight))[0]

  y, gradient = value_and_gradient(x, lambda x: max_pool(x, pads=pads))
  expected, expected_gradient = value_and_gradient(x, windows)
  np.testing.assert_array_equal(y, expected)
  np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-6)
