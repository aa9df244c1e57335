"""A config is checked whole before a device is touched.

Every wrong key and value is found in one go, each with what would be right.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ml_collections import ConfigDict

from configs import base
from pose_jax.codec.decode import DECODERS
from pose_jax.data.augment import DISTRIBUTIONS
from pose_jax.data.datasets import DATASETS
from pose_jax.eval import coco
from pose_jax.eval.scoring import METRICS, PCK_NAME
from pose_jax.geometry import ALIGNMENTS
from pose_jax.models import MODELS, map_hw
from pose_jax.skeleton import SKELETONS
from pose_jax.train.losses import LOSSES
from pose_jax.train.optimizer import OPTIMIZERS, SCHEDULES

_CHOICES = {
  "data.alignment": ALIGNMENTS,
  "data.skeleton": SKELETONS,
  "data.augmentation.scale_distribution": DISTRIBUTIONS,
  "data.augmentation.rotation_distribution": DISTRIBUTIONS,
  "data.train.boxes": ("keypoints", "image"),
  "data.eval.boxes": ("keypoints", "image"),
  "model.name": MODELS,
  "model.dtype": ("float32", "bfloat16"),
  "loss.name": LOSSES,
  "optimizer.name": OPTIMIZERS,
  "schedule.name": SCHEDULES,
  "eval.decoder": DECODERS,
}
_AT_LEAST = {  # smallest value that makes sense
  "seed": 0,
  "data.num_threads": 1,
  "data.num_workers": 0,
  "data.augmentation.scale_factor": 0,
  "data.augmentation.rotation_deg": 0,
  "data.augmentation.translation_fraction": 0,
  "loss.ohkm_top_k": 1,
  "optimizer.weight_decay": 0,
  "optimizer.clip_norm": 0,
  "schedule.batch_size": 1,
  "schedule.num_epochs": 1,
  "schedule.num_steps": 0,
  "schedule.warmup_steps": 0,
  "checkpoint.every_steps": 0,
  "checkpoint.keep_latest": 1,
  "checkpoint.keep_best": 0,
  "eval.every_steps": 0,
  "eval.batch_size": 1,
  "eval.weighted_n": 1,
  "eval.weighted_window": 0,
  "log.every_steps": 0,
}
_ABOVE_ZERO = (
  "data.padding",
  "loss.sigma_hm",
  "optimizer.learning_rate",
)
_FRACTIONS = (
  "data.augmentation.rotation_probability",
  "data.augmentation.translation_probability",
  "data.augmentation.flip_probability",
)


class ConfigError(ValueError):
  """What is wrong in a config, one sentence per mistake."""


def suggest(word: str, known) -> str:
  """' did you mean X?', or what there is."""
  close = difflib.get_close_matches(str(word), [str(k) for k in known], 1)
  if close:
    return f"did you mean {close[0]}?"
  return f"it can be {', '.join(str(k) for k in known)}"


def score_names(config: ConfigDict) -> tuple[str, ...]:
  """Scores that the config's evaluation gives."""
  names = coco.NAMES if "coco" in config.eval.metrics else ()
  return (*names, PCK_NAME) if "pck" in config.eval.metrics else names


def check_config(
  config: ConfigDict, parts: tuple[str, ...] = ("train", "eval")
) -> None:
  """Checks keys, values and what they say together.

  Args:
    config: the experiment's.
    parts: which data sets will be opened.
  Raises:
    ConfigError: listing every mistake.
  """
  mistakes = list(_keys(config, base.get_config(), ""))
  if not mistakes:
    mistakes = [*_values(config), *_data(config, parts), *_together(config)]
  if mistakes:
    raise ConfigError("; ".join(mistakes))


def _keys(given: Mapping, wanted: Mapping, prefix: str) -> Iterator[str]:
  for key in given:
    if key not in wanted:
      yield f"config has no key {prefix}{key}: {suggest(key, wanted)}"
  for key, default in wanted.items():
    if key not in given:
      yield f"config lacks {prefix}{key}"
    elif isinstance(default, ConfigDict):
      yield from _keys(given[key], default, f"{prefix}{key}.")


def _at(config: ConfigDict, path: str) -> Any:
  for key in path.split("."):
    config = config[key]
  return config


def _values(config: ConfigDict) -> Iterator[str]:
  for path, known in _CHOICES.items():
    value = _at(config, path)
    if value not in known:
      yield f"{path} is {value!r}: {suggest(value, known)}"
  for path, least in _AT_LEAST.items():
    if _at(config, path) < least:
      yield f"{path} is {_at(config, path)}: it must be at least {least}"
  for path in _ABOVE_ZERO:
    if not _at(config, path) > 0:
      yield f"{path} is {_at(config, path)}: it must be above 0"
  for path in _FRACTIONS:
    if not 0 <= _at(config, path) <= 1:
      yield f"{path} is {_at(config, path)}: it must be between 0 and 1"


def _data(config: ConfigDict, parts: tuple[str, ...]) -> Iterator[str]:
  for part in parts:
    section = config.data[part]
    for name in section.name.split("+"):
      if name not in DATASETS:
        yield f"data.{part}.name is {name!r}: {suggest(name, DATASETS)}"
    if section.name == "drawn" and section.num_images < 1:
      yield f"data.{part}.num_images must say how many pictures to draw"
    if section.root is None and section.name != "drawn":
      yield (
        f"data.{part}.root must be the folder of the data set: "
        f"--config.data.{part}.root=FOLDER"
      )


def _together(config: ConfigDict) -> Iterator[str]:
  crop_hw = tuple(config.data.crop_hw)
  if len(crop_hw) != 2 or min(crop_hw) < 32 or any(n % 32 for n in crop_hw):
    yield (
      f"data.crop_hw is {crop_hw}: height and width must be multiples of 32"
    )
  elif config.model.name in MODELS:
    try:
      map_hw(config.model, crop_hw)
    except ValueError as error:
      yield f"model: {error}"
  if config.data.augmentation.scale_factor >= 1:
    yield "data.augmentation.scale_factor must be below 1"
  if config.optimizer.name == "adam" and config.optimizer.weight_decay:
    yield (
      "optimizer.weight_decay does nothing in adam: use optimizer.name=adamw, "
      "or 0"
    )
  if config.eval.blur_kernel % 2 == 0 or config.eval.blur_kernel < 1:
    yield f"eval.blur_kernel is {config.eval.blur_kernel}: it must be odd"
  window = config.eval.weighted_window
  if window and window % 2 == 0:
    yield f"eval.weighted_window is {window}: it must be odd, or 0"
  wrong = [m for m in config.eval.metrics if m not in METRICS]
  if wrong or not config.eval.metrics:
    yield (
      f"eval.metrics is {tuple(config.eval.metrics)}: it can hold "
      f"{' and '.join(METRICS)}"
    )
  elif config.checkpoint.best_metric not in score_names(config):
    yield (
      f"checkpoint.best_metric is {config.checkpoint.best_metric!r}: "
      f"{suggest(config.checkpoint.best_metric, score_names(config))}"
    )
  skeleton = SKELETONS.get(config.data.skeleton)
  if skeleton and "pck" in config.eval.metrics and skeleton.pck_pair is None:
    yield f"eval.metrics has pck, but {skeleton.name} has no reference pair"
  if skeleton and config.loss.ohkm_top_k > skeleton.num_keypoints:
    yield (
      f"loss.ohkm_top_k is {config.loss.ohkm_top_k}: {skeleton.name} has "
      f"{skeleton.num_keypoints} keypoints"
    )


# What may change between two starts of one run: where files lie, how results
# are watched and how fast the host works, but nothing that a step computes.
_MAY_CHANGE = (
  *("data.eval", "data.train.root", "data.num_workers", "data.num_threads"),
  *("checkpoint", "eval", "log"),
)


def check_same_run(saved: ConfigDict, config: ConfigDict, workdir: Any) -> None:
  """Refuses to go on with a run under another config.

  Args:
    saved: config of the run in the workdir.
    config: the one given now.
  Raises:
    ConfigError: naming the first key that differs.
  """
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


def _flat(config: Mapping, prefix: str = "") -> dict[str, Any]:
  flat = {}
  for key, value in config.items():
    if isinstance(value, Mapping):
      flat |= _flat(value, f"{prefix}{key}.")
    else:
      flat[prefix + key] = value
  return flat
