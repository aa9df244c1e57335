"""Layers: every form of a convolution is the same function; batch norm."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from pose_jax.models.layers import (
  BatchNorm,
  Conv,
  Deconv,
  Forms,
  convolve,
  deconvolve,
  fast_forms,
)

PLAIN = Forms(False, False, False)
FAST = Forms(True, True, True)
# float32 sums of a few hundred terms; bfloat16 keeps 8 bits per product.
TOLERANCE = {jnp.float32: 2e-6, jnp.bfloat16: 2e-2}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE)


def _random(seed, *shape):
  return jax.random.normal(jax.random.key(seed), shape)


def _assert_close(actual, expected, dtype):
  assert actual.dtype == expected.dtype
  actual, expected = np.float32(actual), np.float32(expected)
  error = np.abs(actual - expected).max()
  assert error <= TOLERANCE[dtype] * np.abs(expected).max()


def _assert_same_function(fast, plain, x, kernel, dtype):
  """Equal values and equal gradients for x and kernel."""
  x, kernel = x.astype(dtype), kernel.astype(dtype)
  value, pullback = jax.vjp(jax.jit(fast), x, kernel)
  expected, expected_pullback = jax.vjp(jax.jit(plain), x, kernel)
  _assert_close(value, expected, dtype)
  cotangent = _random(9, *value.shape).astype(dtype)
  for got, want in zip(
    pullback(cotangent), expected_pullback(cotangent), strict=True
  ):
    _assert_close(got, want, dtype)


def _slow_conv(x, kernel, stride, pads=None):
  """torch's Conv2d with padding (k - 1) // 2, one pixel at a time."""
  size = kernel.shape[0]
  pads = pads or ((size - 1) // 2,) * 2
  x = np.pad(x, ((0, 0), pads, pads, (0, 0)))
  rows = range(0, x.shape[1] - size + 1, stride)
  columns = range(0, x.shape[2] - size + 1, stride)
  return np.stack(
    [
      np.stack(
        [
          np.tensordot(x[:, i : i + size, j : j + size], kernel, 3)
          for j in columns
        ],
        axis=1,
      )
      for i in rows
    ],
    axis=1,
  )


def _slow_deconv(x, kernel):
  """torch's ConvTranspose2d(4, 2, 1): every input pixel paints 4x4."""
  batch, height, width, _ = x.shape
  canvas = np.zeros((batch, 2 * height + 2, 2 * width + 2, kernel.shape[-1]))
  for i in range(height):
    for j in range(width):
      paint = np.tensordot(x[:, i, j], kernel, axes=(1, 2))
      canvas[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += paint
  return canvas[:, 1:-1, 1:-1]


@pytest.mark.parametrize(
  ("size", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (7, 2)]
)
@pytest.mark.parametrize("forms", [PLAIN, FAST])
def test_convolution_equals_slow_loop(size, stride, forms):
  x, kernel = _random(0, 2, 8, 6, 3), _random(1, size, size, 3, 4)
  function = functools.partial(convolve, stride=stride, forms=forms)
  y = jax.jit(function)(x, kernel)
  expected = _slow_conv(np.float64(x), np.float64(kernel), stride)
  np.testing.assert_allclose(y, expected, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize(
  ("size", "stride", "pads"),
  [(11, 4, (2, 2)), (11, 4, (2, 5)), (3, 2, (0, 0)), (1, 1, (1, 2))],
)
@pytest.mark.parametrize("hw", [(12, 9), (19, 10)])
@pytest.mark.parametrize("forms", [PLAIN, FAST])
def test_padding_may_be_given(size, stride, pads, hw, forms):
  # FAST takes maps smaller than the kernel as patches.
  x, kernel = _random(0, 2, *hw, 3), _random(1, size, size, 3, 4)
  layer = Conv(4, size, stride=stride, pads=pads)

  @jax.jit
  def both(x, kernel):
    y = convolve(x, kernel, stride=stride, pads=pads, forms=forms)
    return y, layer.apply({"params": {"kernel": kernel}}, x)

  y, of_layer = both(x, kernel)
  expected = _slow_conv(np.float64(x), np.float64(kernel), stride, pads)
  np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-4)
  np.testing.assert_allclose(of_layer, y, rtol=1e-5, atol=1e-4)


@DTYPES
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("hw", [(8, 6), (7, 5)])
def test_pointwise_product_equals_convolution(stride, hw, dtype):
  _assert_same_function(
    functools.partial(convolve, stride=stride, forms=FAST),
    functools.partial(convolve, stride=stride, forms=PLAIN),
    _random(0, 2, *hw, 16),
    _random(1, 1, 1, 16, 24),
    dtype,
  )


@DTYPES
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("hw", [(3, 2), (2, 2), (1, 4), (1, 1)])
def test_product_of_patches_equals_convolution_of_small_maps(hw, stride, dtype):
  _assert_same_function(
    functools.partial(convolve, stride=stride, forms=FAST),
    functools.partial(convolve, stride=stride, forms=PLAIN),
    _random(0, 2, *hw, 16),
    _random(1, 3, 3, 16, 24),
    dtype,
  )


@pytest.mark.parametrize("forms", [PLAIN, FAST])
def test_deconvolution_equals_slow_loop(forms):
  x, kernel = _random(0, 2, 3, 5, 4), _random(1, 4, 4, 4, 6)
  expected = _slow_deconv(np.float64(x), np.float64(kernel))
  y = deconvolve(x, kernel, forms=forms)
  assert y.shape == (2, 6, 10, 6)
  np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


@DTYPES
@pytest.mark.parametrize("hw", [(8, 6), (1, 1), (3, 2)])
def test_deconvolution_by_phases_equals_dilated_one(hw, dtype):
  _assert_same_function(
    functools.partial(deconvolve, forms=FAST),
    functools.partial(deconvolve, forms=PLAIN),
    _random(0, 2, *hw, 16),
    _random(1, 4, 4, 16, 8),
    dtype,
  )


def test_deconvolution_under_vmap_equals_a_loop():
  x, kernel = _random(0, 3, 1, 4, 4, 2), _random(1, 4, 4, 2, 3)

  def gradient(x):
    return jax.grad(lambda k: jnp.square(deconvolve(x, k)).sum())(kernel)

  expected = jnp.stack([gradient(one) for one in x])
  np.testing.assert_allclose(jax.vmap(gradient)(x), expected, rtol=1e-4)


def test_forms_are_chosen_by_backend():
  assert fast_forms() == fast_forms("cpu") == FAST
  assert not fast_forms("gpu").pointwise_as_dot
  assert not fast_forms("gpu").small_maps_as_dot
  assert fast_forms("gpu").transposed_by_phases


def test_layers_hold_torch_shaped_parameters():
  x = _random(0, 1, 4, 4, 3)
  conv = Conv(5, 1, use_bias=True).init(jax.random.key(0), x)["params"]
  assert conv["kernel"].shape == (1, 1, 3, 5) and conv["bias"].shape == (5,)
  deconv = Deconv(5).init(jax.random.key(0), x)["params"]
  assert deconv["kernel"].shape == (4, 4, 3, 5) and set(deconv) == {"kernel"}


def test_bias_is_added_in_half_precision_too():
  x = _random(0, 1, 4, 4, 3)
  layer = Conv(5, 1, use_bias=True, dtype=jnp.bfloat16)
  variables = layer.init(jax.random.key(0), x)
  shifted = jax.tree.map(jnp.array, variables)
  shifted["params"]["bias"] += 2.0
  difference = layer.apply(shifted, x) - layer.apply(variables, x)
  assert difference.dtype == jnp.bfloat16
  np.testing.assert_allclose(np.float32(difference), 2.0, atol=0.02)


def _norm_run(norm, variables, x, weight):
  """Output, new statistics, gradients for x, scale and bias."""

  def loss(x, params):
    y, updates = norm.apply(
      {**variables, "params": params}, x, mutable=["batch_stats"]
    )
    return (y * weight).sum(), (y, updates["batch_stats"])

  gradients, (y, stats) = jax.grad(loss, argnums=(0, 1), has_aux=True)(
    x, variables["params"]
  )
  return y, stats, gradients


def _norm_case():
  x = 3.0 + 2.0 * _random(0, 4, 5, 3, 6)
  weight = _random(1, 4, 5, 3, 6)
  variables = {
    "params": {"scale": 1.0 + _random(2, 6), "bias": _random(3, 6)},
    "batch_stats": {"mean": _random(4, 6), "var": _random(5, 6) ** 2},
  }
  return x, weight, variables


def test_batch_norm_is_flax_but_for_the_running_variance():
  x, weight, variables = _norm_case()
  ours = BatchNorm(use_running_average=False)
  flax = nn.BatchNorm(
    use_running_average=False, momentum=0.9, epsilon=1e-5, axis_name=None
  )
  y, stats, gradients = _norm_run(ours, variables, x, weight)
  y_flax, stats_flax, gradients_flax = _norm_run(flax, variables, x, weight)
  np.testing.assert_allclose(y, y_flax, rtol=1e-5, atol=1e-5)
  np.testing.assert_allclose(stats["mean"], stats_flax["mean"], rtol=1e-6)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
    gradients,
    gradients_flax,
  )
  count = x.size // 6
  old = 0.9 * variables["batch_stats"]["var"]
  fresh, fresh_flax = stats["var"] - old, stats_flax["var"] - old
  np.testing.assert_allclose(fresh, fresh_flax * count / (count - 1), rtol=1e-4)


def test_batch_norm_in_evaluation_uses_and_keeps_running_statistics():
  x, weight, variables = _norm_case()
  norm = BatchNorm(use_running_average=True)
  y, stats, _ = _norm_run(norm, variables, x, weight)
  running = variables["batch_stats"]
  mean, var = np.float64(running["mean"]), np.float64(running["var"])
  params = jax.tree.map(np.float64, variables["params"])
  expected = (np.float64(x) - mean) / np.sqrt(var + 1e-5) * params[
    "scale"
  ] + params["bias"]
  np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
  jax.tree.map(np.testing.assert_array_equal, stats, running)


def test_synchronised_batch_norm_on_two_devices_equals_one():
  x, weight, variables = _norm_case()
  whole = BatchNorm(use_running_average=False)
  y, stats, (dx, dparams) = _norm_run(whole, variables, x, weight)
  shared = BatchNorm(use_running_average=False, axis_name="devices")
  halves = jax.pmap(
    functools.partial(_norm_run, shared, variables), axis_name="devices"
  )
  split = (2, 2, 5, 3, 6)
  y2, stats2, (dx2, dparams2) = halves(x.reshape(split), weight.reshape(split))
  np.testing.assert_allclose(y2.reshape(y.shape), y, rtol=1e-5, atol=1e-5)
  np.testing.assert_allclose(dx2.reshape(dx.shape), dx, rtol=1e-4, atol=1e-5)
  for device in range(2):
    jax.tree.map(
      lambda two, one, device=device: np.testing.assert_allclose(
        two[device], one, rtol=1e-5
      ),
      stats2,
      stats,
    )
  # Each device holds its share of the gradient of the summed loss.
  jax.tree.map(
    lambda two, one: np.testing.assert_allclose(
      two.sum(0), one, rtol=1e-4, atol=1e-4
    ),
    dparams2,
    dparams,
  )


def test_batch_norm_statistics_are_float32_in_half_precision():
  x, weight, variables = _norm_case()
  norm = BatchNorm(use_running_average=False, dtype=jnp.bfloat16)
  y, stats, _ = _norm_run(norm, variables, x.astype(jnp.bfloat16), weight)
  expected, stats32, _ = _norm_run(
    BatchNorm(use_running_average=False), variables, x, weight
  )
  assert y.dtype == jnp.bfloat16
  np.testing.assert_allclose(np.float32(y), expected, atol=0.05)
  assert stats["mean"].dtype == stats["var"].dtype == jnp.float32
  np.testing.assert_allclose(stats["mean"], stats32["mean"], atol=5e-3)


def test_batch_norm_of_equal_values_stays_finite():
  x = jnp.full((2, 3, 3, 4), 1e3)
  norm = BatchNorm(use_running_average=False)
  variables = norm.init(jax.random.key(0), x)
  y, stats, gradients = _norm_run(norm, variables, x, jnp.ones_like(x))
  assert all(
    jnp.isfinite(leaf).all() for leaf in jax.tree.leaves((y, gradients))
  )
  assert (stats["var"] >= 0).all()


def test_plain_transposed_convolution_is_the_lhs_dilated_one():
  x, kernel = _random(0, 1, 3, 4, 2), _random(1, 4, 4, 2, 5)
  expected = lax.conv_transpose(
    x,
    jnp.swapaxes(kernel, 2, 3),
    (2, 2),
    [(2, 2), (2, 2)],
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
    transpose_kernel=True,
  )
  np.testing.assert_allclose(
    deconvolve(x, kernel, forms=PLAIN), expected, rtol=1e-5, atol=1e-5
  )
