"""Weights of torch's reference implementations as variables of our models."""

import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pose_jax.models import build, read_config
from pose_jax.weights.names import KINDS, UNUSED
from pose_jax.weights.tables import SIZES, TABLES

Tree = dict[str, Any]


def load_torch(
  state_dict: Mapping[str, Any] | str | pathlib.Path, model_config: Any
) -> Tree:
  """Returns {"params", "batch_stats"} of NumPy float32 from a torch model.

  Every tensor is used exactly once, except `num_batches_tracked`, which our
  batch norm does not need. The number of keypoints is the file's.

  Args:
    state_dict: torch names to arrays, or the path of an .npz file of them. A
      leading "module." (of DataParallel) is dropped.
    model_config: as for `pose_jax.models.make_model`; says what to expect.
  Raises:
    ValueError: naming tensors that are missing, unexpected or misshapen.
  """
  if isinstance(state_dict, str | pathlib.Path):
    state_dict = _read_npz(pathlib.Path(state_dict))
  tensors = {
    name.removeprefix("module."): value
    for name, value in state_dict.items()
    if name.rsplit(".", 1)[-1] not in UNUSED
  }
  name, options = read_config(model_config)
  rows = TABLES[name](**options)
  expected = {}
  for row in rows:
    for suffix, tensor in KINDS[row.kind].items():
      path = (tensor.collection, *row.ours, tensor.name)
      expected[f"{row.torch}.{suffix}"] = (path, tensor.axes)
  _compare_names(set(tensors), set(expected), name)
  num_maps = _num_maps(tensors, rows)
  num_keypoints = num_maps - bool(options.get("with_background"))
  shapes = _expected_shapes(model_config, num_keypoints)
  variables: Tree = {}
  for torch_name, (path, axes) in expected.items():
    array = np.asarray(tensors[torch_name], np.float32)
    _insert(variables, path, _reorder(array, axes, shapes[path], torch_name))
  return variables


def _read_npz(path):
  if path.suffix != ".npz":
    raise ValueError(
      f"weights must be a state dict or an .npz file, got {path}: save the "
      "state dict with numpy.savez first"
    )
  with np.load(path, allow_pickle=False) as archive:
    return dict(archive)


def _compare_names(given, expected, name):
  problems = []
  for kind, names in (
    ("missing", expected - given),
    ("unexpected", given - expected),
  ):
    if names:
      shown = ", ".join(sorted(names)[:5])
      more = f" and {len(names) - 5} more" if len(names) > 5 else ""
      problems.append(f"{kind} {shown}{more}")
  if problems:
    *others, last = (f"model.{key}" for key in SIZES[name])
    raise ValueError(
      f"the weights do not fit the model config: {'; '.join(problems)} "
      f"(check {', '.join(others)} and {last})"
    )


def _num_maps(tensors, rows):
  head = next(row.torch for row in rows if row.ours[-1] == "head")
  return np.shape(tensors[f"{head}.weight"])[0]


def _expected_shapes(model_config, num_keypoints):
  """Shape of each of our variables, by path."""
  model = build(model_config, num_keypoints)
  side = model.crop_step
  images = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
  variables = jax.eval_shape(model.init, jax.random.key(0), images)
  leaves = jax.tree_util.tree_leaves_with_path(variables)
  return {tuple(key.key for key in path): leaf.shape for path, leaf in leaves}


def _reorder(array, axes, shape, torch_name):
  """The array with our axes; its shape is checked."""
  wanted = [0] * len(axes)
  for ours, theirs in enumerate(axes):
    wanted[theirs] = shape[ours]
  if array.shape != tuple(wanted):
    raise ValueError(
      f"{torch_name} must have shape {tuple(wanted)} for this model config, "
      f"got {array.shape}"
    )
  return np.ascontiguousarray(array.transpose(axes))


def _insert(tree, path, value):
  *parents, name = path
  for parent in parents:
    tree = tree.setdefault(parent, {})
  tree[name] = value
