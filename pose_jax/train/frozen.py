"""Modules of a network that stay as they are while others train.

A module is named by its path, "backbone" or "base/backbone". Its parameters
get no gradient and no update, its batch statistics stay bit for bit, and it
runs as in evaluation: by its running statistics.
"""

import contextlib
import functools
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from pose_jax import parallel

Tree = Any
Path = tuple[str, ...]


def split_path(name: str) -> Path:
  """("base", "backbone") of "base/backbone"."""
  return tuple(name.split("/"))


def is_frozen(path: Sequence[str], frozen: Sequence[str]) -> bool:
  """Whether a path lies in one of the named modules."""
  paths = map(split_path, frozen)
  return any(tuple(path[: len(p)]) == p for p in paths)


def chosen(frozen: Sequence[str], inside: Tree, outside: Tree) -> Tree:
  """Leaves of `inside` in the named modules, of `outside` elsewhere."""
  if not frozen:
    return outside

  def choose(path, a, b):
    return a if is_frozen(_keys(path), frozen) else b

  return jax.tree_util.tree_map_with_path(choose, inside, outside)


def without_gradient(frozen: Sequence[str], params: Tree) -> Tree:
  """The same parameters; no gradient reaches those of the named modules."""
  return chosen(frozen, jax.lax.stop_gradient(params), params)


def optimize_the_rest(
  optimizer: optax.GradientTransformation, frozen: Sequence[str]
) -> optax.GradientTransformation:
  """The optimiser for what trains; it holds no state of what is frozen."""
  if not frozen:
    return optimizer

  def labels(params: Tree) -> Tree:
    return jax.tree_util.tree_map_with_path(
      lambda path, _: "stays" if is_frozen(_keys(path), frozen) else "trains",
      params,
    )

  return optax.partition(
    {"trains": optimizer, "stays": optax.set_to_zero()}, labels
  )


@contextlib.contextmanager
def at_rest(frozen: Sequence[str], seen: set[str] | None = None) -> Iterator:
  """In here the named modules are called with train=False.

  Args:
    seen: gets the names of those that take such an argument.
  """
  if not frozen:
    yield
    return

  def call(next_fun, args, kwargs, context):
    path = "/".join(context.module.path)
    if context.method_name != "__call__" or path not in frozen:
      return next_fun(*args, **kwargs)
    parameters = list(inspect.signature(context.orig_method).parameters)
    if "train" not in parameters:
      return next_fun(*args, **kwargs)
    if seen is not None:
      seen.add(path)
    place = parameters.index("train")
    if len(args) > place:
      args = (*args[:place], False, *args[place + 1 :])
    else:
      kwargs = {**kwargs, "train": False}
    return next_fun(*args, **kwargs)

  with nn.intercept_methods(call):
    yield


def check_frozen(
  frozen: Sequence[Any], model: nn.Module, crop_hw: tuple[int, int]
) -> None:
  """Refuses names that cannot be frozen; computes nothing.

  Raises:
    ValueError: for a module that the network does not have, one with batch
      norm that cannot be run as in evaluation by itself, or if nothing is left
      to train.
  """
  if not frozen:
    return
  if not all(isinstance(name, str) for name in frozen):
    raise ValueError(
      f"frozen is {frozen}: it must hold names of modules, such as 'backbone'"
    )
  images = jax.ShapeDtypeStruct((1, *crop_hw, 3), jnp.float32)
  variables = jax.eval_shape(
    functools.partial(model.init, train=False), jax.random.key(0), images
  )
  seen: set[str] = set()
  # Statistics of all devices want the axis that they are named after.
  with at_rest(frozen, seen):
    jax.eval_shape(
      jax.vmap(
        lambda v, x: model.apply(v, x, train=True, mutable=["batch_stats"]),
        in_axes=(None, 0),
        axis_name=parallel.AXIS,
      ),
      variables,
      jax.ShapeDtypeStruct((1, *images.shape), images.dtype),
    )
  _check_names(frozen, variables, seen)


def _check_names(
  frozen: Sequence[str], variables: Mapping[str, Tree], seen: set[str]
) -> None:
  paths = _paths(variables["params"])
  with_statistics = _paths(variables.get("batch_stats", {}))
  for name in frozen:
    if not any(is_frozen(path, (name,)) for path in paths):
      raise ValueError(
        f"frozen names {name!r}, which the network does not have: its modules "
        f"are {', '.join(dict.fromkeys(path[0] for path in paths))}"
      )
  if all(is_frozen(path, frozen) for path in paths):
    raise ValueError(
      f"frozen names {', '.join(frozen)}, which is the whole network: leave "
      "something to train"
    )
  for name in frozen:
    has_norm = any(is_frozen(path, (name,)) for path in with_statistics)
    if has_norm and name not in seen:
      raise ValueError(
        f"frozen names {name!r}, whose batch norm cannot be run as in "
        "evaluation while other modules train: name a whole trunk, such as "
        "'backbone' of a ResNet, or 'base' of a network with presence=True"
      )


def _paths(tree: Tree) -> list[Path]:
  leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
  return [_keys(path) for path, _ in leaves]


def _keys(path: Sequence[Any]) -> Path:
  return tuple(key.key for key in path)
