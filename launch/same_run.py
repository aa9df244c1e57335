"""A run goes on only under the config that it was started with."""

import json
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from launch.mistakes import ConfigError
from pose_jax.skeleton_file import find_skeleton

# What may change between two starts of one run: where files lie, how results
# are watched and how fast the host works, but nothing that a step computes.
_MAY_CHANGE = (
  *("data.eval", "data.train.root", "data.train.data_dir"),
  *("data.num_workers", "data.num_threads", "checkpoint", "eval", "log"),
  "init.weights",  # read once, at step 0
  "data.skeleton",  # a file may have moved: what it says is compared
)
_LEARNT_BY = ("keypoints", "flip_pairs", "upper", "lower", "links")


def check_same_run(saved: ConfigDict, config: ConfigDict, workdir: Any) -> None:
  """Refuses to go on with a run under another config.

  Args:
    saved: config of the run in the workdir.
    config: the one given now.
  Raises:
    ConfigError: naming the first key that differs.
    SkeletonError: if a skeleton cannot be read.
  """
  _check_same_skeleton(saved, config, workdir)
  before, now = (
    _flat(json.loads(c.to_json_best_effort())) for c in (saved, config)
  )
  for path in sorted(before | now):
    if path.startswith(_MAY_CHANGE) or before.get(path) == now.get(path):
      continue
    raise ConfigError(
      f"{workdir} holds a run with {path}={before.get(path)}, this config has "
      f"{now.get(path)}: give another --workdir, or the same config to go on"
    )


def other_network(trained: ConfigDict, config: ConfigDict) -> str:
  """What makes this config's network another than the run's; "" if nothing.

  "model.depth is 50, the run was trained with 18"
  """
  before, now = (
    _flat(
      json.loads(c.model.to_json_best_effort()) | {"skeleton": c.data.skeleton}
    )
    for c in (trained, config)
  )
  section = {"skeleton": "data"}
  return "; ".join(
    f"{section.get(key, 'model')}.{key} is {_told(now, key)}, the run was "
    f"trained with {_told(before, key)}"
    for key in sorted(before | now)
    if before.get(key) != now.get(key)
  )


def _told(flat: Mapping[str, Any], key: str) -> str:
  return repr(flat[key]) if key in flat else "not set"


def _check_same_skeleton(
  saved: ConfigDict, config: ConfigDict, workdir: Any
) -> None:
  """Names, sigmas and bones may change; what a network learns may not."""
  before, now = (find_skeleton(c.data.skeleton) for c in (saved, config))
  for field in _LEARNT_BY:
    if getattr(before, field) != getattr(now, field):
      raise ConfigError(
        f"{workdir} holds a run with another skeleton: the {field} of "
        f"{before.name} ({saved.data.skeleton}) are not those of {now.name} "
        f"({config.data.skeleton}): give another --workdir, or the same "
        "skeleton to go on"
      )


def _flat(config: Mapping, prefix: str = "") -> dict[str, Any]:
  flat = {}
  for key, value in config.items():
    if isinstance(value, Mapping):
      flat |= _flat(value, f"{prefix}{key}.")
    else:
      flat[prefix + key] = value
  return flat
