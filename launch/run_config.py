"""The config of a run, as it lies in its workdir."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from configs import base
from launch.config_file import reason
from launch.mistakes import ConfigError
from pose_jax.models import WITHOUT_HEATMAPS, heads

_SKELETON = "skeleton.toml"


def read_config(workdir: pathlib.Path) -> ConfigDict:
  """The config that `launch.train` wrote into a workdir.

  A skeleton of one's own is the copy that lies beside it, wherever the file
  has gone. Keys that an earlier revision did not have get their defaults.

  Raises:
    ConfigError: if there is none, or it is not one of this code's.
  """
  path = workdir / "config.json"
  try:
    saved = json.loads(path.read_text(encoding="utf-8"))
    config = base.get_config()
    _check_sections(saved, config)
    config.model = _completed(_tuples(saved.pop("model")), config.model)
    config.update(_tuples(saved))
  except FileNotFoundError as error:
    raise ConfigError(
      f"{workdir} holds no config.json: wanted the folder of a run, which "
      "launch.train and launch.import_weights make"
    ) from error
  except (ValueError, TypeError, KeyError, AttributeError) as error:
    raise ConfigError(
      f"{path} cannot be read, it is damaged or of other code: "
      f"{reason(error)}; another copy of it, or another --workdir, will do"
    ) from error
  copy = workdir / _SKELETON
  if config.data.skeleton.endswith(".toml") and copy.is_file():
    config.data.skeleton = str(copy)
  return config.lock()


def _completed(saved: Mapping[str, Any], default: ConfigDict) -> ConfigDict:
  """A saved model section, with what it lacks of the network `base` describes.

  Other networks have other keys, whose defaults their factories know; but a
  section that `base` too has, attention or poserenet, has the same keys in all,
  and poserenet, presence and soft_argmax every network with heatmaps has.
  """
  model = dict(saved)
  of_all = ("poserenet", *heads.KEYS)
  if model.get("name") in WITHOUT_HEATMAPS:
    of_all = ()
  is_of_base = model.get("name") == default.name
  if is_of_base and "deconv_filters" in model:
    # All had this stride before there was a key.
    strides = (2,) * len(model["deconv_filters"])
    model = {"deconv_strides": strides, **model}
  for key, value in default.to_dict().items():
    if isinstance(value, dict) and isinstance(model.get(key), dict):
      model[key] = value | model[key]
    elif is_of_base or key in of_all:
      model.setdefault(key, value)
  return ConfigDict(model)


def _check_sections(saved: Any, config: ConfigDict) -> None:
  if not isinstance(saved, dict):
    raise ValueError("it holds no sections")
  for key, default in config.items():
    if isinstance(default, ConfigDict) and not isinstance(
      saved.get(key, {}), dict
    ):
      raise ValueError(f"its {key} is no section")


def keep_skeleton(workdir: pathlib.Path, config: ConfigDict) -> None:
  """Copies a skeleton of one's own to where `read_config` looks for it."""
  if config.data.skeleton.endswith(".toml"):
    content = pathlib.Path(config.data.skeleton).read_bytes()
    temporary = workdir / f"{_SKELETON}.tmp"
    temporary.write_bytes(content)
    temporary.replace(workdir / _SKELETON)


def _tuples(value: Any) -> Any:
  """JSON's lists as the tuples that configs have."""
  if isinstance(value, Mapping):
    return {key: _tuples(item) for key, item in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value
