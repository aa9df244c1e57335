"""Hourglasses without and with variables, for the tests of their modules."""

import math

import jax
import jax.numpy as jnp

from pose_jax.models import make_model
from pose_jax.skeleton import MPII16


def shapes(config, skeleton=MPII16, hw=(64, 96)):
  """The module, its variables' and its output's shapes."""
  model = make_model(config, skeleton)
  images = jax.ShapeDtypeStruct((1, *hw, 3), jnp.float32)
  output, variables = jax.eval_shape(
    model.init_with_output, jax.random.key(0), images
  )
  return model, variables, output


def drawn(shapes, rng):
  """Variables of these shapes, all of whose entries are drawn.

  Norms shift up: with few channels a place might have no ReLU alive.
  """

  def draw(path, leaf):
    if path[-1].key in ("scale", "var"):
      return jnp.float32(rng.uniform(0.5, 1.5, leaf.shape))
    if "norm" in path[-2].key and path[-1].key == "bias":
      return jnp.float32(rng.uniform(0.3, 1.0, leaf.shape))
    fan_in = math.prod(leaf.shape[:-1]) if leaf.ndim == 4 else 10
    return jnp.float32(0.4 * rng.standard_normal(leaf.shape) / fan_in**0.5)

  return jax.tree_util.tree_map_with_path(draw, shapes)
