"""A network's mean field on its way, beside its attention maps.

Modules store the steps of a mean field in a collection, by their own paths;
here they get the names of the maps that they end in.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from flax import traverse_util
from jaxtyping import Array, Float

from pose_jax.models.attention_maps import STEPS
from pose_jax.models.output import PoseOutput


def apply_with_steps(
  model: nn.Module,
  variables: Mapping[str, Any],
  images: Float[Array, "B H W 3"],
) -> PoseOutput:
  """The network's output, with every mean field's steps in `attention`.

  Those of map NAME are called "NAME/steps", [B, T + 1, h, w, P]: index 0 is
  sigma(unary), index t the map after update t.
  """
  output, state = model.apply(variables, images, train=False, mutable=[STEPS])
  steps = named_steps(state.get(STEPS, {}), output.attention)
  return output.replace(attention={**output.attention, **steps})


def named_steps(
  stored: Mapping[str, Any], attention: Mapping[str, Any]
) -> dict[str, Float[Array, "B T h w P"]]:
  """What the collection holds, by the names of the maps.

  Args:
    stored: nested by module path: "stackN" of a network of several stages,
      its head, place of attention, level of the pyramid. Leaves are
      ([T + 1, B, h, w, P],).
    attention: the names that there are. A place of one level is called by the
      place alone.
  """
  found = {}
  for path, (steps,) in traverse_util.flatten_dict(dict(stored)).items():
    *modules, place, level, _ = path
    stage = "".join(f"{m}/" for m in modules if m.startswith("stack"))
    name = f"{stage}{place}/{level}"
    if name not in attention:
      name = stage + place
    assert name in attention, f"steps of {'/'.join(path)} end in no map"
    found[f"{name}/steps"] = jnp.moveaxis(steps, 0, 1)
  return found
