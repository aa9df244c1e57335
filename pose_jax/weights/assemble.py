"""Torch's tensors and our arrays, one for one.

Ours are flat here: (collection, module, ..., name) -> array. Tables of rows
say which tensor is which array (`tables.py`); nothing else knows of both.
"""

import collections
import inspect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pose_jax.models import MODELS, build
from pose_jax.models.heads import KEYS
from pose_jax.weights.file_bytes import listed
from pose_jax.weights.names import KINDS, UNUSED, Row, Tensor

Path = tuple[str, ...]
Flat = dict[Path, Any]  # arrays, or shapes of some
Shapes = Mapping[str, tuple[int, ...]]
Tree = dict[str, Any]

# What is wrapped round a network: DataParallel's, then mmpose's parts.
_WRAPPERS = ("module.", "backbone.", "keypoint_head.", "head.")
# What no published network has; without it the other paths are the same.
_PLUG_INS = ("attention", "skeletal", "poserenet", *KEYS)
_MOST_GROUPS = 12  # modules that a message lists


class WeightsError(ValueError):
  """Weights that do not fit, or are none; the message says what to do."""


def sections(model_config: Any) -> Tree:
  """A model section as plain values, those within it too."""
  if hasattr(model_config, "to_dict"):
    return model_config.to_dict()
  if not isinstance(model_config, Mapping):
    model_config = vars(model_config)
  return {
    k: sections(v) if isinstance(v, Mapping) or hasattr(v, "to_dict") else v
    for k, v in model_config.items()
  }


def plain(model_config: Any) -> Tree:
  """A model section without what plugs into a network."""
  values = sections(model_config)
  return {k: v for k, v in values.items() if k not in _PLUG_INS}


def option(model: Mapping[str, Any], key: str) -> Any:
  """An option of a plain model section, or its factory's default."""
  value = model.get(key)
  if value is None:
    value = inspect.signature(MODELS[model["name"]]).parameters[key].default
  return tuple(value) if isinstance(value, list) else value


def shapes_of(model: Mapping[str, Any], num_keypoints: int) -> dict[Path, Any]:
  """Shape of each array of a plain model section's network."""
  network = build(model, num_keypoints)
  side = network.crop_step
  images = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
  variables = jax.eval_shape(network.init, jax.random.key(0), images)
  return {path: leaf.shape for path, leaf in flatten(variables).items()}


def flatten(tree: Tree) -> dict[Path, Any]:
  """Leaves by their path; keys are texts throughout."""
  leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
  return {tuple(key.key for key in path): leaf for path, leaf in leaves}


def unflatten(flat: Mapping[Path, Any]) -> Tree:
  """The tree of such leaves."""
  tree: Tree = {}
  for (*parents, name), leaf in flat.items():
    branch = tree
    for parent in parents:
      branch = branch.setdefault(parent, {})
    branch[name] = leaf
  return tree


def cleaned(tensors: Mapping[str, Any]) -> dict[str, Any]:
  """Tensors by the names that tables have, without step counts.

  Raises:
    WeightsError: if two have one name then.
  """
  found = {}
  for name, value in tensors.items():
    short = name
    for wrapper in _WRAPPERS:
      short = short.removeprefix(wrapper)
    if short.rsplit(".", 1)[-1] in UNUSED:
      continue
    if short in found:
      names = f"{listed([short], 1)}, the second {listed([name], 1)}"
      raise WeightsError(
        f"two tensors are called {names}: these are the weights of two "
        "networks; leave one of them out of the file"
      )
    found[short] = value
  return found


def tensors_of(rows: Iterable[Row]) -> dict[str, tuple[Path, Tensor]]:
  """The tensors of rows by name, each with our path."""
  return {
    f"{row.torch}.{suffix}": (
      (tensor.collection, *row.ours, tensor.name),
      tensor,
    )
    for row in rows
    for suffix, tensor in KINDS[row.kind].items()
  }


def torch_shape(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
  """The shape that torch has for one of ours."""
  wanted = [0] * len(axes)
  for ours, theirs in enumerate(axes):
    wanted[theirs] = shape[ours]
  return tuple(wanted)


def first_size(shape: Sequence[int]) -> int:
  """The first of a shape's sizes; 0 of a single number, which has none."""
  return shape[0] if shape else 0


def from_torch(
  tensors: Mapping[str, Any], rows: Iterable[Row], shapes: Mapping[Path, Any]
) -> Flat:
  """Our float32 arrays, from tensors that have the names of the rows.

  Args:
    shapes: which ours must have.
  Raises:
    WeightsError: naming the tensor that has another shape, or numbers that
      none of a trained network are.
  """
  flat = {}
  for name, (path, tensor) in tensors_of(rows).items():
    wanted = torch_shape(shapes[path], tensor.axes)
    array = np.asarray(tensors[name])
    if array.shape != wanted:
      raise WeightsError(
        f"{name} must have shape {wanted} for this model config, got "
        f"{array.shape}"
      )
    if not jnp.issubdtype(array.dtype, jnp.floating):
      raise WeightsError(
        f"{name} holds {array.dtype}, wanted floating-point numbers: "
        "quantised weights must be written out in full first"
      )
    with np.errstate(over="ignore"):  # infinity then, which is told
      array = array.astype(np.float32)
    if not np.isfinite(array).all():
      raise WeightsError(
        f"{name} holds NaN, infinity or numbers too large for float32: the "
        "file is of a training that failed, or damaged; take another checkpoint"
      )
    if tensor.name == "var" and (array < 0).any():
      raise WeightsError(
        f"{name} holds negative numbers, while it is a variance: the file is "
        "damaged, or its tensors have each other's names; take another"
      )
    flat[path] = np.ascontiguousarray(array.transpose(tensor.axes))
  return flat


def to_torch(flat: Mapping[Path, Any], rows: Iterable[Row]) -> dict:
  """The tensors of rows, from our arrays: the inverse of `from_torch`.

  Norms get torch's step count too, 0, which its strict loading asks for.
  """
  rows, tensors = list(rows), {}
  for name, (path, tensor) in tensors_of(rows).items():
    array = np.asarray(flat[path])
    tensors[name] = np.ascontiguousarray(
      array.transpose(np.argsort(tensor.axes))
    )
  for row in rows:
    if row.kind == "norm":
      for name in UNUSED:
        tensors[f"{row.torch}.{name}"] = np.zeros((), np.int64)
  return tensors


def named(names: Iterable[str], most: int = 5) -> str:
  """The first few names in order and how many more there are."""
  return listed(sorted(names), most)


def grouped(names: Iterable[str], separator: str) -> str:
  """The first modules that names begin with, each with its count."""
  counts = collections.Counter(name.split(separator)[0] for name in names)
  texts = [
    f"{listed([name], 1)} ({count})"
    for name, count in itertools.islice(counts.items(), _MOST_GROUPS)
  ]
  if len(counts) > _MOST_GROUPS:
    texts.append(f"and {len(counts) - _MOST_GROUPS} more modules")
  return ", ".join(texts)
