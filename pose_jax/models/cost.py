"""What a network costs: parameters, and multiply-adds read from its jaxpr.

Nothing is run or compiled. The literature prints multiply-adds divided by
1024**3 as "GFLOPs".
"""

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.extend import core

from pose_jax.models.layers import deconvolve
from pose_jax.ops.depthwise import depthwise


def count_parameters(params: Any) -> int:
  """Returns how many numbers a pytree of arrays (or of shapes) holds."""
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def count_multiply_adds(fn: Callable[..., Any], *abstract_args: Any) -> int:
  """Returns the multiply-adds of `fn`'s convolutions and matrix products.

  Everything else is free, as in the literature. As there, a convolution counts
  kernel elements x output pixels: products with the zeros of a padded border
  and of a dilated input count too, so a stride-2 transposed convolution counts
  four times what it needs, in whichever form it is computed. The body of a
  scan counts once per iteration; of a branch, the dearest side; of a while
  loop, whose length is unknown, one iteration.

  Args:
    fn: a function of arrays.
    abstract_args: its arguments, arrays or jax.ShapeDtypeStruct.
  """
  return _count(jax.make_jaxpr(fn)(*abstract_args).jaxpr)


def _count(jaxpr):
  return sum(_count_equation(equation) for equation in jaxpr.eqns)


def _count_equation(equation):
  name, params = equation.primitive.name, equation.params
  if name == "conv_general_dilated":
    out_axis = params["dimension_numbers"].rhs_spec[0]
    return _count_convolution(equation, out_axis)
  if params.get("name") == deconvolve.__name__:
    return _count_convolution(equation, out_axis=-1)
  if params.get("name") == depthwise.__name__:
    kernels = [argument.aval.shape for argument in equation.invars[1:]]
    outputs = math.prod(equation.outvars[0].aval.shape)
    return outputs * sum(kh * kw for kh, kw, *_ in kernels)
  if name == "dot_general":
    (contracted, _), _ = params["dimension_numbers"]
    lhs, out = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
    return math.prod(out) * math.prod(lhs[axis] for axis in contracted)
  bodies = [_count(inner) for inner in _inner_jaxprs(params)]
  if name == "cond":
    return max(bodies, default=0)
  return sum(bodies) * (params["length"] if name == "scan" else 1)


def _count_convolution(equation, out_axis):
  kernel = equation.invars[1].aval.shape
  outputs = math.prod(equation.outvars[0].aval.shape)
  return outputs * math.prod(kernel) // kernel[out_axis]


def _inner_jaxprs(params):
  for value in params.values():
    for item in value if isinstance(value, tuple | list) else (value,):
      if isinstance(item, core.ClosedJaxpr):
        yield item.jaxpr
      elif isinstance(item, core.Jaxpr):
        yield item
