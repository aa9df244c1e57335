"""What a run carries from step to step."""

from typing import Any

import flax
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

Tree = Any


@flax.struct.dataclass
class TrainState:
  """Everything that a step changes; a tree of arrays, no device axis."""

  step: Tree  # int32 scalar, updates done
  params: Tree  # float32
  batch_stats: Tree  # float32
  opt_state: Tree

  @property
  def variables(self) -> dict[str, Tree]:
    """What `module.apply` takes."""
    return {"params": self.params, "batch_stats": self.batch_stats}


def abstract_variables(
  model: nn.Module, crop_hw: tuple[int, int]
) -> dict[str, Tree]:
  """Shapes and dtypes of a model's variables, without computing them."""
  return jax.eval_shape(lambda: init_variables(model, crop_hw, 0))


def init_variables(
  model: nn.Module, crop_hw: tuple[int, int], seed: int
) -> dict[str, Tree]:
  """Fresh variables, initialised on a picture of zeros; jitted.

  XLA's own generator ("rbg") compiles five times faster than JAX's default
  one, which is unrolled for every array.
  """
  images = jnp.zeros((1, *crop_hw, 3), jnp.float32)
  variables = jax.jit(lambda key: model.init(key, images, train=False))(
    jax.random.key(seed, impl="rbg")
  )
  return {"batch_stats": {}, **variables}


def init_state(
  variables: dict[str, Tree], optimizer: optax.GradientTransformation
) -> TrainState:
  """The state before the first step."""
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=variables["params"],
    batch_stats=variables["batch_stats"],
    opt_state=jax.jit(optimizer.init)(variables["params"]),
  )
