"""Which config files are of the network that a file's weights are of."""

import pathlib

from ml_collections import ConfigDict

from launch.config_file import check_config_file, config_files
from pose_jax.models import heads
from pose_jax.skeleton_file import find_skeleton
from pose_jax.weights.assemble import option, plain
from pose_jax.weights.recognise import Known

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"
_MOST = 3


def differing(config: ConfigDict, known: Known) -> list[str]:
  """Keys of config.model that say another network; plug-ins do not count."""
  model = plain(config.model)
  if model["name"] != known.model["name"]:
    return ["name"]
  return [k for k, v in known.model.items() if option(model, k) != v]


def num_maps(config: ConfigDict) -> int:
  """How many heatmaps a config's network has: one a keypoint, and more."""
  num_keypoints = find_skeleton(config.data.skeleton).num_keypoints
  return num_keypoints + bool(config.model.get("with_background"))


def advice(known: Known, given: ConfigDict) -> str:
  """Which config to give in place of `given`, in words.

  Those of its crop size come first, then the others: weights do not tell.
  """
  fitting = []
  for path in config_files(CONFIGS):
    config = check_config_file(str(path))
    if differing(config, known):
      continue
    if num_maps(config) == known.num_keypoints:
      is_other_size = config.data.crop_hw != given.data.crop_hw
      place = _has_plug_in(config), len(path.parts), is_other_size
      fitting.append((place, path.relative_to(CONFIGS.parent).as_posix()))
  names = [name for _, name in sorted(fitting)]
  if not names:
    return "no file in configs/ is of such a network: " + _changes(given, known)
  others = f" (or {', '.join(names[1:_MOST])})" if names[1:] else ""
  return (
    f"use {names[0]}{others}: the one they were trained with, for weights tell "
    "neither the crops' size nor alignment and decoder"
  )


def _changes(given: ConfigDict, known: Known) -> str:
  """What makes a config be of the network, in words."""
  keys = differing(given, known)
  if "name" in keys:
    return "write one, with its model section and skeleton"
  flags = [_flag(key, known) for key in keys]
  more = num_maps(given) - known.num_keypoints
  if more:
    flags.append("--config.data.skeleton=FILE.toml")
  text = f"set {' '.join(flags)}"
  if not more:
    return text
  num = find_skeleton(given.data.skeleton).num_keypoints - more
  return f"{text}, {num} keypoints as configs/skeletons/coco17.toml explains"


def _flag(key: str, known: Known) -> str:
  value = str(known.model[key]).replace(" ", "")
  return f"--config.model.{key}={value}"


def _has_plug_in(config: ConfigDict) -> bool:
  """Whether something is plugged in, so that torch has no such network."""
  model = config.model
  attention = model.get("attention", {})
  places = (attention.get(p, "none") for p in ("holistic", "refined", "part"))
  plug_in = model.get("poserenet", {}).get("aggregation", "none")
  is_more = any(map(model.get, ("skeletal", *heads.KEYS)))
  return is_more or {plug_in, *places} != {"none"}
