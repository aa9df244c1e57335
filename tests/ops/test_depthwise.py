"""Depthwise convolution: all forms against a loop, values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.ops.depthwise import FORMS, depthwise, fastest_form


def loop(x, kernel):
  """One tap at a time, one pixel at a time, in float64."""
  if isinstance(kernel, tuple):
    return loop(loop(x, kernel[0]), kernel[1])
  x, kernel = np.asarray(x, np.float64), np.asarray(kernel, np.float64)
  (kh, kw), (height, width) = kernel.shape[:2], x.shape[1:3]
  y = np.zeros(x.shape)
  for row, column in np.ndindex(height, width):
    for i, j in np.ndindex(kh, kw):
      r, c = row + i - kh // 2, column + j - kw // 2
      if 0 <= r < height and 0 <= c < width:
        y[:, row, column] += kernel[i, j, 0] * x[:, r, c]
  return y


def drawn(*shape, seed=0, scale=1.0):
  values = np.random.default_rng(seed).standard_normal(shape)
  return jnp.asarray(scale * values, jnp.float32)


@pytest.mark.parametrize("form", (None, *FORMS))
@pytest.mark.parametrize("side", (1, 3, 5, 11, 15))
def test_every_form_equals_the_loop(form, side):
  x = drawn(2, 12, 9, 3)  # 11 and 15 exceed the map or leave a single pixel
  for kernel in (
    drawn(side, side, 1, 3, seed=1, scale=1 / side),
    drawn(side, side, 1, 1, seed=2, scale=1 / side),
    (drawn(side, 1, 1, 3, seed=3), drawn(1, side, 1, 3, seed=4, scale=0.1)),
  ):
    y = depthwise(x, kernel, form=form)
    assert y.dtype == jnp.float32
    # A few roundings of values of order one.
    np.testing.assert_allclose(y, loop(x, kernel), atol=5e-6)


@pytest.mark.parametrize("form", ("shifts", "fft"))
@pytest.mark.parametrize(
  ("map_hw", "sides"),
  [((12, 9), (3, 3)), ((12, 9), (1, 1)), ((3, 4), (15, 15)), ((8, 5), (1, 7))],
)
def test_gradients_are_those_of_xla(form, map_hw, sides):
  x, dy = drawn(2, *map_hw, 3), drawn(2, *map_hw, 3, seed=5)
  kernel = drawn(*sides, 1, 3, seed=1)
  expected = jax.vjp(lambda *a: depthwise(*a, form="direct"), x, kernel)[1](dy)
  result = jax.vjp(lambda *a: depthwise(*a, form=form), x, kernel)[1](dy)
  for one, other in zip(result, expected, strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_kernels_right_tap_reads_the_pixel_to_the_right(form):
  x = jnp.zeros((1, 4, 5, 2)).at[0, 2, 3, 1].set(1.0)
  kernel = jnp.zeros((3, 3, 1, 2)).at[1, 2, 0, 1].set(7.0)
  expected = np.zeros((1, 4, 5, 2))
  expected[0, 2, 2, 1] = 7
  np.testing.assert_allclose(
    depthwise(x, kernel, form=form), expected, atol=1e-6
  )


@pytest.mark.parametrize("form", FORMS)
def test_float64_stays_float64(form):
  with jax.enable_x64(True):
    x = jnp.asarray(np.random.default_rng(0).standard_normal((1, 6, 7, 2)))
    kernel = jnp.asarray(np.random.default_rng(1).standard_normal((5, 5, 1, 2)))
    y = depthwise(x, kernel, form=form)
    assert y.dtype == jnp.float64
    np.testing.assert_allclose(y, loop(x, kernel), atol=1e-13)


def test_the_form_is_chosen_by_backend_and_taps():
  assert [fastest_form(k * k, "cpu") for k in (1, 3, 7, 9, 15)] == [
    *("shifts", "shifts", "shifts", "fft", "fft")
  ]
  assert fastest_form(9, "gpu") == fastest_form(225, "tpu") == "direct"


@pytest.mark.parametrize(
  ("side", "form", "dtype", "message"),
  [
    (
      4,
      None,
      jnp.float32,
      "^a depthwise kernel has odd sides from 1 to 15, got 4x4",
    ),
    (17, None, jnp.float32, "odd sides from 1 to 15, got 17x17"),
    (3, "winograd", jnp.float32, "one of direct, shifts, fft, got 'winograd'"),
    (3, None, jnp.bfloat16, "depthwise kernel .* got maps of bfloat16 and a"),
  ],
)
def test_errors_say_what_was_wanted(side, form, dtype, message):
  x, kernel = (
    jnp.zeros((1, 8, 8, 2), dtype),
    jnp.zeros((side, side, 1, 2), dtype),
  )
  with pytest.raises(ValueError, match=message):
    depthwise(x, kernel, form=form)


@pytest.mark.usefixtures("no_annotation_checks")
@pytest.mark.parametrize("form", FORMS)
def test_a_kernel_of_other_maps_is_refused(form):
  x = jnp.zeros((1, 8, 8, 5))
  for shape in ((3, 3, 5, 1), (3, 3, 1, 2), (3, 3)):
    with pytest.raises(ValueError, match="^a kernel for 5 maps is .k, k, 1, 5"):
      depthwise(x, jnp.zeros(shape), form=form)
  with pytest.raises(ValueError, match="^maps are .B, h, w, P., got shape"):
    depthwise(x[0], jnp.zeros((3, 3, 1, 5)), form=form)
