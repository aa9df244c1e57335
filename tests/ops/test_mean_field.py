"""Mean field against an unrolled NumPy loop, and what must hold of it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.ops.depthwise import depthwise
from pose_jax.ops.mean_field import (
  STARTS,
  largest_changes,
  mean_field,
  mean_field_steps,
)

NUM_MAPS = 3
KERNELS = ("full", "shared", "separable")


def numpy_convolution(x, kernel):
  """Sum of shifted products of a padded map."""
  if isinstance(kernel, tuple):
    return numpy_convolution(numpy_convolution(x, kernel[0]), kernel[1])
  (kh, kw), (height, width) = kernel.shape[:2], x.shape[1:3]
  padded = np.pad(x, ((0, 0), (kh // 2, kh // 2), (kw // 2, kw // 2), (0, 0)))
  y = np.zeros(x.shape)
  for i, j in np.ndindex(kh, kw):
    y += kernel[i, j, 0] * padded[:, i : i + height, j : j + width]
  return y


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def numpy_mean_field(
  unary, kernel, bias, steps=3, start="unary_conv", keep_unary=True, damping=0.0
):
  """All maps, written out: the start, then every update."""
  bias = 0.0 if bias is None else bias
  phi = unary if start == "unary_conv" else sigmoid(unary)
  maps = [phi]
  for step in range(steps):
    new = sigmoid(numpy_convolution(phi, kernel) + keep_unary * unary + bias)
    is_map = step > 0 or start == "sigmoid_unary"
    phi = (1 - damping) * new + damping * phi if is_map else new
    maps.append(phi)
  return maps


def drawn(kind="full", side=3, map_hw=(5, 6), with_bias="own", seed=0):
  """Unary term, kernel and bias in float64."""
  rng = np.random.default_rng(seed)
  unary = rng.standard_normal((2, *map_hw, NUM_MAPS))
  kernel = {
    "full": rng.standard_normal((side, side, 1, NUM_MAPS)) / side,
    "shared": rng.standard_normal((side, side, 1, 1)) / side,
    "separable": (
      rng.standard_normal((side, 1, 1, NUM_MAPS)),
      rng.standard_normal((1, side, 1, NUM_MAPS)) / side,
    ),
  }[kind]
  size = {"own": NUM_MAPS, "shared": 1, "none": None}[with_bias]
  return unary, kernel, None if size is None else rng.standard_normal(size)


def as_float32(arrays):
  return jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), arrays)


@pytest.mark.parametrize("kind", KERNELS)
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("keep_unary", (True, False))
def test_equals_the_loop_for_every_combination(kind, start, keep_unary):
  for with_bias, damping in itertools.product(
    ("own", "shared", "none"), (0.0, 0.3)
  ):
    arrays = drawn(kind, with_bias=with_bias)
    options = dict(start=start, keep_unary=keep_unary, damping=damping)
    expected = numpy_mean_field(*arrays, **options)
    # Half of the combinations with either: to compile all takes long.
    constant_memory = (with_bias == "shared") != (damping > 0)
    last = mean_field(
      *as_float32(arrays), **options, constant_memory=constant_memory
    )
    np.testing.assert_allclose(last, expected[-1], atol=1e-6)


@pytest.mark.parametrize("steps", (1, 3, 6))
@pytest.mark.parametrize("start", STARTS)
def test_every_step_equals_the_loop(steps, start):
  arrays = drawn()
  options = dict(steps=steps, start=start, damping=0.3)
  expected = numpy_mean_field(*arrays, **options)
  maps = mean_field_steps(*as_float32(arrays), **options)
  assert len(maps) == steps + 1
  np.testing.assert_allclose(maps[0], sigmoid(arrays[0]), atol=1e-6)
  np.testing.assert_allclose(maps[1:], expected[1:], atol=1e-6)
  last = mean_field(*as_float32(arrays), **options)
  np.testing.assert_array_equal(maps[-1], last)


@pytest.mark.parametrize("form", (None, "direct", "shifts", "fft"))
@pytest.mark.parametrize("side", (1, 11, 15))
def test_equals_the_loop_in_every_form_and_beyond_the_map(form, side):
  for map_hw in ((16, 12), (4, 3)):
    arrays = drawn(side=side, map_hw=map_hw)
    expected = numpy_mean_field(*arrays, steps=6)[-1]
    result = mean_field(*as_float32(arrays), steps=6, form=form)
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_one_pixel_by_hand():
  unary, kernel, bias = jnp.full((1, 1, 1, 1), 2.0), 3.0, -1.0
  kernel = jnp.full((3, 3, 1, 1), kernel)  # only its centre meets the map
  phi = sigmoid(3 * 2 + 2 - 1)
  for _ in range(2):
    phi = sigmoid(3 * phi + 2 - 1)
  result = mean_field(unary, kernel, jnp.array([bias]))
  np.testing.assert_allclose(result[0, 0, 0, 0], phi, rtol=1e-6)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("form", ("direct", "shifts", "fft"))
def test_without_neighbours_and_bias_it_is_the_sigmoid(start, form):
  unary, kernel, _ = as_float32(drawn())
  result = mean_field(
    unary, 0 * kernel, jnp.zeros(NUM_MAPS), start=start, form=form
  )
  np.testing.assert_allclose(result, sigmoid(np.asarray(unary)), atol=1e-6)


def finite_differences(arrays, cotangent, options, step=1e-5):
  """Central differences of the NumPy loop, one number at a time."""
  leaves, tree = jax.tree.flatten(arrays)

  def value(number, index, change):
    moved = [leaf.copy() for leaf in leaves]
    moved[number][index] += change
    maps = numpy_mean_field(*jax.tree.unflatten(tree, moved), **options)
    return (maps[-1] * cotangent).sum()

  gradients = []
  for number, leaf in enumerate(leaves):
    gradient = np.zeros(leaf.shape)
    for index in np.ndindex(leaf.shape):
      ends = [value(number, index, change) for change in (step, -step)]
      gradient[index] = (ends[0] - ends[1]) / (2 * step)
    gradients.append(gradient)
  return gradients


@pytest.mark.parametrize("constant_memory", (False, True))
@pytest.mark.parametrize(
  ("kind", "with_bias", "form", "options"),
  [
    ("full", "own", None, {}),
    ("full", "own", "fft", {"start": "sigmoid_unary"}),
    ("full", "none", "direct", {"damping": 0.4}),
    ("shared", "shared", None, {"damping": 0.4, "start": "sigmoid_unary"}),
    ("separable", "own", None, {"keep_unary": False, "steps": 5}),
    ("full", "shared", "fft", {"keep_unary": False, "damping": 0.2}),
  ],
)
def test_gradient_equals_finite_differences(
  kind, with_bias, form, options, constant_memory
):
  arrays = drawn(kind, map_hw=(4, 3), with_bias=with_bias)
  cotangent = np.random.default_rng(7).standard_normal(arrays[0].shape)
  expected = finite_differences(arrays, cotangent, options)
  with jax.enable_x64(True):
    gradient = jax.grad(
      lambda a: (
        mean_field(*a, **options, form=form, constant_memory=constant_memory)
        * cotangent
      ).sum()
    )(jax.tree.map(jnp.asarray, arrays))
    for one, other in zip(jax.tree.leaves(gradient), expected, strict=True):
      assert one.dtype == jnp.float64
      np.testing.assert_allclose(one, other, atol=1e-8)


@pytest.mark.parametrize("steps", (3, 9))  # 3 are unrolled, 9 a loop
@pytest.mark.parametrize("side", (3, 11))
@pytest.mark.parametrize("constant_memory", (False, True))
def test_scan_equals_unrolled(steps, side, constant_memory):
  def unrolled(unary, kernel, bias):
    phi = unary
    for _ in range(steps):
      logits = unary + depthwise(phi, kernel) + bias[None, None, None]
      phi = jax.nn.sigmoid(logits)
    return phi

  def scanned(*arrays):
    return mean_field(*arrays, steps=steps, constant_memory=constant_memory)

  arrays = as_float32(drawn(side=side, map_hw=(12, 9)))
  result, pull = jax.vjp(scanned, *arrays)
  expected, expected_pull = jax.vjp(unrolled, *arrays)
  np.testing.assert_allclose(result, expected, atol=1e-6)
  for one, other in zip(pull(result), expected_pull(result), strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def backward_bytes(steps, constant_memory, side):
  """Memory of the compiled gradient besides its arguments and results."""

  def loss(*arrays):
    return mean_field(
      *arrays, steps=steps, constant_memory=constant_memory
    ).sum()

  arrays = as_float32(drawn(side=side, map_hw=(32, 24)))
  compiled = jax.jit(jax.grad(loss, argnums=(0, 1, 2))).lower(*arrays).compile()
  return compiled.memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize("side", (3, 11))
def test_memory_does_not_grow_with_the_steps(side):
  few, many = (backward_bytes(steps, True, side) for steps in (3, 30))
  assert many <= 1.05 * few
  few, many = (backward_bytes(steps, False, side) for steps in (3, 30))
  assert many > 3 * few, "without the option it grows: else this shows nothing"


@pytest.mark.parametrize("constant_memory", (False, True))
def test_jit_changes_nothing(constant_memory):
  arrays = as_float32(drawn(side=11))
  options = dict(damping=0.3, constant_memory=constant_memory)

  def loss(arrays):
    return (mean_field(*arrays, **options) ** 2).sum()

  expected = jax.value_and_grad(loss)(arrays)
  with jax.disable_jit():
    result = jax.value_and_grad(loss)(arrays)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
    result,
    expected,
  )


def test_maps_do_not_see_each_other():
  unary, kernel, bias = as_float32(drawn(side=11))
  order = jnp.array([2, 0, 1])
  result = mean_field(unary[..., order], kernel[..., order], bias[order])
  expected = mean_field(unary, kernel, bias)[..., order]
  np.testing.assert_allclose(result, expected, atol=1e-6)
  alone = mean_field(unary[1:], kernel, bias)
  np.testing.assert_allclose(
    alone, mean_field(unary, kernel, bias)[1:], atol=1e-6
  )


@pytest.mark.parametrize("side", (3, 11))
def test_gradients_are_finite_where_the_sigmoid_saturates(side):
  unary, kernel, bias = as_float32(drawn(side=side))

  def loss(*arrays):
    return mean_field(*arrays).sum()

  for gradient in jax.grad(loss, (0, 1, 2))(1e4 * unary, 1e3 * kernel, bias):
    assert np.isfinite(gradient).all()


def test_changes_vanish_where_the_field_converges():
  unary, kernel, bias = as_float32(drawn())
  maps = mean_field_steps(unary, 0.3 * kernel, bias, steps=12)
  changes = largest_changes(maps)
  assert changes.shape == (12, 2, NUM_MAPS)
  assert (changes[-1] < 1e-5).all() and (changes[0] > 0.05).all()
  hand = jnp.zeros((3, 1, 2, 2, 1)).at[1, 0, 1, 0].set(-0.5)
  np.testing.assert_allclose(largest_changes(hand), [[[0.5]], [[0.5]]])


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"steps": 0}, "takes at least one step, got steps=0"),
    ({"start": "zero"}, "one of unary_conv, sigmoid_unary, got 'zero'"),
    ({"damping": 1.0}, r"in \[0, 1\), got 1.0"),
    ({"damping": -0.1}, r"in \[0, 1\), got -0.1"),
  ],
)
def test_errors_say_what_was_wanted(options, message):
  arrays = as_float32(drawn())
  for function in (mean_field, mean_field_steps):
    with pytest.raises(ValueError, match=message):
      function(*arrays, **options)


@pytest.mark.usefixtures("no_annotation_checks")
@pytest.mark.parametrize(
  ("unary", "kernel", "bias", "message"),
  [
    ((4, 6, 5), (3, 3, 1, 5), None, r"B, h, w, P\], got shape \(4, 6, 5\)"),
    ((1, 4, 6, 5), (3, 3, 5, 1), None, r"k, k, 1, 5\], .* \(3, 3, 5, 1\)"),
    ((1, 4, 6, 5), (3, 3, 1, 4), None, r"for 5 maps .* got \(3, 3, 1, 4\)"),
    ((1, 4, 6, 5), (3, 3, 5), None, r"for 5 maps .* got \(3, 3, 5\)"),
    ((1, 4, 6, 5), (3, 3, 1, 5), (4,), r"bias is \[5\], .* shape \(4,\)"),
    ((1, 4, 6, 5), (3, 3, 1, 5), (), r"bias is \[5\], .* shape \(\)"),
    ((1, 4, 6, 5), (3, 3, 1, 5), (1, 5), r"bias is \[5\], .* \(1, 5\)"),
  ],
)
def test_shapes_are_checked_at_the_border(unary, kernel, bias, message):
  arrays = (
    *(jnp.ones(unary), jnp.ones(kernel)),
    None if bias is None else jnp.ones(bias),
  )
  for function in (mean_field, mean_field_steps):
    with pytest.raises(ValueError, match=message):
      function(*arrays)


@pytest.mark.usefixtures("no_annotation_checks")
def test_a_pair_is_a_column_and_a_row():
  unary = jnp.ones((1, 4, 6, 5))
  column, row = jnp.ones((3, 1, 1, 5)), jnp.ones((1, 3, 1, 5))
  for wrong, message in (
    ((row, column), r"and row .* got \(1, 3, 1, 5\) and \(3, 1, 1, 5\)"),
    ((column,), r"and row .* got \(3, 1, 1, 5\)"),
    ((column, row[:, :, 0]), r"got \(3, 1, 1, 5\) and \(1, 3, 5\)"),
    ([column, row], "and row .* got no array"),
  ):
    with pytest.raises(ValueError, match=message):
      mean_field(unary, wrong, None)
  for right in ((column, row), (column[..., :1], row[..., :1])):
    for bias in (None, jnp.ones(5), jnp.ones(1)):
      assert mean_field(unary, right, bias).shape == unary.shape
