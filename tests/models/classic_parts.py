"""What tests of AlexNet and VGG share: a reference and what to look at."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

_LAYOUT = ("NHWC", "HWIO", "NHWC")
DENSE = 4096 * 4096 + 4096 + 4096 * 1000 + 1000  # last two of classifiers


def conv(x, params, stride, pad):
  """torch's Conv2d in float64."""
  kernel, bias = (np.float64(params[name]) for name in ("kernel", "bias"))
  y = lax.conv_general_dilated(
    x, kernel, (stride, stride), [(pad, pad)] * 2, dimension_numbers=_LAYOUT
  )
  return y + bias[None, None, None]


def window_maximum(x, size):
  """torch's MaxPool2d(size, 2) without padding."""
  window, strides = (1, size, size, 1), (1, 2, 2, 1)
  return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, "VALID")


def quick_jit(function):
  """Compiles in less time what runs once."""
  options = {"xla_backend_optimization_level": 1}
  return jax.jit(function, compiler_options=options)


def randomised(variables, seed=0):
  """All variables drawn afresh, biases and statistics too."""
  rng = np.random.default_rng(seed)

  def draw(path, leaf):
    x = rng.standard_normal(leaf.shape)
    if leaf.ndim == 4:
      return jnp.float32(x * (2 / np.prod(leaf.shape[:3])) ** 0.5)
    is_positive = path[-1].key in ("scale", "var")
    return jnp.float32(1 + 0.3 * np.tanh(x) if is_positive else 0.2 * x)

  return jax.tree_util.tree_map_with_path(draw, variables)


def abstract_variables(model, *hw):
  images = jax.ShapeDtypeStruct((1, *hw, 3), jnp.float32)
  return jax.eval_shape(model.init, jax.random.key(0), images)


def count_of(tree):
  return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def seen_rows(trunk, height):
  """For each row of the coarsest map the crop's rows that it depends on.

  All kernels are ones: a lit row reaches whatever it can reach.
  """
  size = (height, 32)
  ones = jax.tree_util.tree_map_with_path(
    lambda path, leaf: jnp.full(leaf.shape, float(path[-1].key != "bias")),
    abstract_variables(trunk, *size),
  )
  rows = jnp.eye(height)[:, :, None, None] * jnp.ones((1, 1, 32, 3))
  reached = quick_jit(lambda x: trunk.apply(ones, x)[-1])(rows)
  return (np.asarray(reached).max((2, 3)) > 0).T  # [map row, crop row]
