"""Weights of torch's reference implementations as variables of our models.

`load` and its inverse `export` go by a model config; `recognise` says which
network a file holds. Tables one can read say which tensor is which of our
arrays: `names.py`, `hrnet_names.py`, collected in `tables.py`.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from pose_jax.models import read_config
from pose_jax.weights.assemble import (
  Tree,
  WeightsError,
  cleaned,
  first_size,
  flatten,
  from_torch,
  named,
  plain,
  sections,
  shapes_of,
  tensors_of,
  to_torch,
  unflatten,
)
from pose_jax.weights.names import FormError, Row
from pose_jax.weights.recognise import recognise
from pose_jax.weights.tables import SIZES, TABLES
from pose_jax.weights.torch_files import read


def load_torch(
  state_dict: Mapping[str, Any] | str | pathlib.Path, model_config: Any
) -> Tree:
  """`load`, from tensors or from the path of a file (`torch_files.read`).

  Raises:
    ValueError: if the file cannot be read or does not fit.
  """
  if isinstance(state_dict, str | pathlib.Path):
    state_dict = read(state_dict).tensors
  return load(state_dict, model_config)


def load(tensors: Mapping[str, Any], model_config: Any) -> Tree:
  """Returns {"params", "batch_stats"} of NumPy float32 from a torch model.

  Every tensor is used exactly once, except `num_batches_tracked`, which our
  batch norm does not need. The number of keypoints is the file's.

  Args:
    tensors: torch names to arrays. A leading "module." (of DataParallel) is
      dropped, and mmpose's "backbone.", "keypoint_head." and "head.".
    model_config: as for `pose_jax.models.make_model`; says what to expect.
  Raises:
    ValueError: naming tensors that are missing, unexpected or misshapen.
  """
  model, rows = _rows(model_config, "set it so")
  tensors = cleaned(tensors)
  _compare_names(tensors, set(tensors_of(rows)), model["name"])
  head = next(row.torch for row in rows if row.ours[-1] == "head")
  num_maps = first_size(np.shape(tensors[f"{head}.weight"]))
  num_keypoints = num_maps - bool(model.get("with_background"))
  shapes = shapes_of(model, max(1, num_keypoints))
  return unflatten(from_torch(tensors, rows, shapes))


def export(variables: Tree, model_config: Any) -> dict[str, np.ndarray]:
  """Returns torch's names to arrays: the inverse of `load`, bit for bit.

  Of `num_batches_tracked` there are zeros, so that `load_state_dict` takes
  them with strict=True.

  Raises:
    ValueError: if torch has no such network, or variables are of another one.
  """
  _, rows = _rows(model_config, "there is nothing to export it to")
  flat = flatten(variables)
  wanted = {path for path, _ in tensors_of(rows).values()}
  if wanted != set(flat):
    wrong = named(".".join(path) for path in wanted ^ set(flat))
    raise WeightsError(
      f"the variables are not of the model config's network: {wrong} are of "
      "one alone; give the config that they were trained with"
    )
  return to_torch(flat, rows)


def _rows(model_config: Any, advice: str) -> tuple[Tree, list[Row]]:
  """The model section as plain values, and its table."""
  read_config(model_config)  # refuses names that do not exist
  values = sections(model_config)
  name = values.pop("name")
  if name not in TABLES:
    raise WeightsError(
      f"torch weights are known where model.name is one of "
      f"{', '.join(TABLES)}, got {name!r}: {advice}"
    )
  try:
    return plain(model_config), TABLES[name](**values)
  except FormError as error:
    raise WeightsError(f"{error}: {advice}") from error


def _compare_names(tensors, expected, name):
  given, problems = set(tensors), []
  for kind, names in (
    ("missing", expected - given),
    ("unexpected", given - expected),
  ):
    if names:
      problems.append(f"{kind} {named(names)}")
  if problems:
    *others, last = (f"model.{key}" for key in SIZES[name])
    known = recognise(tensors)
    found = f"; the file holds {known.describe()}" if known else ""
    raise WeightsError(
      f"the weights do not fit the model config: {'; '.join(problems)} "
      f"(check {', '.join(others)} and {last}){found}"
    )
