"""A config is checked whole before a device is touched.

Every wrong key and value is found in one go, each with what would be right.
"""

import inspect
import math
from collections.abc import Iterator, Mapping
from typing import Any

from ml_collections import ConfigDict

from configs import base
from launch.check_data import data_mistakes
from launch.check_eval import DECODER_NAMES, eval_mistakes
from launch.check_loss import loss_mistakes
from launch.mistakes import ConfigError, suggest
from launch.phases import second_config
from pose_jax.data.augment import (
  ROTATION_DISTRIBUTIONS,
  SCALE_DISTRIBUTIONS,
  TRANSLATION_DISTRIBUTIONS,
  Augmentation,
)
from pose_jax.eval.pck import PCKH_VARIANTS
from pose_jax.geometry import ALIGNMENTS, Frames
from pose_jax.models import MODELS, build, heads, make_model, map_hw
from pose_jax.ops import blur, color, occlusion
from pose_jax.skeleton_file import find_skeleton
from pose_jax.train import regression
from pose_jax.train.losses import LOSSES
from pose_jax.train.optimizer import (
  OPTIMIZERS,
  SCHEDULES,
  make_optimizer,
  make_schedule,
)
from pose_jax.train.supervision import BACKGROUNDS
from pose_jax.weights.start import PARTS

_CHOICES = {
  "data.alignment": ALIGNMENTS,
  "data.augmentation.scale_distribution": SCALE_DISTRIBUTIONS,
  "data.augmentation.rotation_distribution": ROTATION_DISTRIBUTIONS,
  "data.augmentation.translation_distribution": TRANSLATION_DISTRIBUTIONS,
  "data.channel_order": color.CHANNEL_ORDERS,
  "data.occlusion.fill": occlusion.FILLS,
  "model.name": MODELS,
  "init.part": PARTS,
  "loss.name": LOSSES,
  "loss.background": BACKGROUNDS,
  "loss.coordinates": regression.LOSSES,
  "optimizer.name": OPTIMIZERS,
  "schedule.name": SCHEDULES,
  "eval.decoder": DECODER_NAMES,
  "eval.pckh_variant": PCKH_VARIANTS,
  "eval.nms": ("none", "oks", "soft_oks"),
}
_AT_LEAST = {  # smallest value that makes sense
  "seed": 0,
  "data.num_threads": 0,
  "data.num_workers": 0,
  "data.augmentation.scale_factor": 0,
  "data.augmentation.rotation_deg": 0,
  "data.augmentation.translation_fraction": 0,
  "loss.ohkm_top_k": 1,
  "loss.lifted_weight": 0,
  "loss.link_weight": 0,
  "loss.presence_weight": 0,
  "loss.coordinates_weight": 0,
  "loss.weight_penalty": 0,
  "optimizer.weight_decay": 0,
  "optimizer.clip_norm": 0,
  "optimizer.eps": 0,
  "schedule.batch_size": 1,
  "schedule.num_epochs": 1,
  "schedule.num_steps": 0,
  "schedule.warmup_steps": 0,
  "data.train.seed": 0,
  "data.eval.seed": 0,
  "data.jitter.channel_gain": 0,
  "data.jitter.brightness": 0,
  "data.jitter.contrast": 0,
  "data.jitter.saturation": 0,
  "data.jitter.hue_shift": 0,
  "data.jitter.saturation_shift": 0,
  "data.jitter.value_shift": 0,
  "optimizer.momentum": 0,
  "schedule.factor": 0,
  "checkpoint.every_steps": 0,
  "checkpoint.keep_latest": 1,
  "checkpoint.keep_best": 0,
  "eval.every_steps": 0,
  "eval.batch_size": 1,
  "eval.bootstrap_samples": 0,
  "eval.weighted_n": 1,
  "eval.weighted_window": 0,
  "log.every_steps": 0,
}
_ABOVE_ZERO = (
  "data.padding",
  "loss.sigma_hm",
  "loss.target_scale",
  "loss.link_sigma_hm",
  "optimizer.learning_rate",
)
_FRACTIONS = (
  "data.augmentation.rotation_probability",
  "data.augmentation.translation_probability",
  "data.augmentation.flip_probability",
  "data.augmentation.half_body_probability",
  "data.augmentation.half_body_upper_probability",
  "data.jitter.channel_gain_probability",
  "data.jitter.brightness_probability",
  "data.jitter.contrast_probability",
  "data.jitter.saturation_probability",
  "data.jitter.hsv_probability",
  "data.jitter.grey_probability",
  "data.jitter.blur_probability",
  "data.jitter.median_probability",
  "data.occlusion.probability",
  "eval.nms_threshold",
  "optimizer.momentum",
  "optimizer.b1",
  "optimizer.b2",
)


def check_config(
  config: ConfigDict,
  parts: tuple[str, ...] = ("train", "eval"),
  *,
  with_network: bool = True,
) -> None:
  """Checks keys, values and what they say together.

  Args:
    config: the experiment's.
    parts: which data sets will be opened.
    with_network: whether the network will be run; not to score files.
  Raises:
    ConfigError: listing every mistake.
  """
  mistakes = list(_keys(config, base.get_config(), ""))
  if not mistakes:
    mistakes = list(_values(config))
    are_values_right = not mistakes
    mistakes += data_mistakes(config, parts)
    if are_values_right:
      mistakes += _together(
        config, is_training="train" in parts, with_network=with_network
      )
  if mistakes:  # two data sets may share one, which is said once
    raise ConfigError("; ".join(dict.fromkeys(mistakes)))


def _keys(given: Mapping, wanted: Mapping, prefix: str) -> Iterator[str]:
  for key in given:
    if key not in wanted:
      yield f"config has no key {prefix}{key}: {suggest(key, wanted)}"
  for key, default in wanted.items():
    if key not in given:
      yield f"config lacks {prefix}{key}"
    elif key == "model" and _is_other_network(given[key], default):
      yield from _other_network(given[key], default)
    elif isinstance(default, ConfigDict):
      yield from _section(given[key], default, f"{prefix}{key}")
    else:
      yield from _value(given[key], default, f"{prefix}{key}")


def _other_network(model: ConfigDict, base_model: ConfigDict) -> Iterator[str]:
  """Values that are not like the defaults of the network's factory.

  Keys that it does not have it names itself, see `_together`, and those left
  out keep its defaults; attention, poserenet and `heads.KEYS` are everybody's.
  """
  arguments = inspect.signature(MODELS[model.name]).parameters
  for key, value in model.items():
    if key in ("attention", "poserenet"):
      yield from _section(value, base_model[key], f"model.{key}")
    elif key in heads.KEYS:
      yield from _value(value, base_model[key], f"model.{key}")
    elif (
      key in arguments and arguments[key].default is not inspect.Parameter.empty
    ):
      yield from _value(value, arguments[key].default, f"model.{key}")


def _value(given: Any, default: Any, path: str) -> Iterator[str]:
  if default is not None and not _is_like(given, default):
    yield f"{path} is {given!r}: it must be like {default!r}, the default"


def _section(given: Any, wanted: ConfigDict, path: str) -> Iterator[str]:
  if isinstance(given, ConfigDict):
    yield from _keys(given, wanted, f"{path}.")
  else:
    yield f"{path} is {given!r}: it must be a section"


def _is_other_network(model: Any, default: ConfigDict) -> bool:
  """Whether a model section is of a network that `base` does not describe."""
  name = model.get("name") if isinstance(model, ConfigDict) else None
  return name in MODELS and name != default.name


def _is_like(value: Any, default: Any) -> bool:
  """Same type; whole numbers pass as fractions, tuples may differ in length.

  An empty default tuple says nothing of its items.
  """
  if isinstance(default, float):
    return isinstance(value, int | float) and math.isfinite(value)
  if isinstance(default, tuple):
    return isinstance(value, tuple) and all(
      _is_like(item, default[0]) for item in value if default
    )
  return type(value) is type(default)


def _at(config: ConfigDict, path: str) -> Any:
  for key in path.split("."):
    config = config[key]
  return config


def _with_phases(rules: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
  """Rules by key, and the same for those keys that the second phase has."""
  second = base.get_config().second_phase
  for path, rule in rules.items():
    yield path, rule
    section, _, key = path.partition(".")
    if section in second and key in second[section]:
      yield f"second_phase.{path}", rule


def _values(config: ConfigDict) -> Iterator[str]:
  for path, known in _with_phases(_CHOICES):
    value = _at(config, path)
    if value not in known:
      yield f"{path} is {value!r}: {suggest(value, known)}"
  for path, least in _with_phases(_AT_LEAST):
    if path == "second_phase.schedule.num_epochs":
      least = 0  # there is no second phase
    if _at(config, path) < least:
      yield f"{path} is {_at(config, path)}: it must be at least {least}"
  for path, _ in _with_phases(dict.fromkeys(_ABOVE_ZERO)):
    if not _at(config, path) > 0:
      yield f"{path} is {_at(config, path)}: it must be above 0"
  for path, _ in _with_phases(dict.fromkeys(_FRACTIONS)):
    if not 0 <= _at(config, path) <= 1:
      yield f"{path} is {_at(config, path)}: it must be between 0 and 1"
  if len(config.data.crop_hw) != 2:
    yield f"data.crop_hw is {config.data.crop_hw}: it must be (height, width)"
  for name in ("mean_rgb", "std_rgb"):
    if len(config.data[name]) != 3:
      yield f"data.{name} is {config.data[name]}: it must be three numbers"
  if min(config.data.std_rgb, default=1) <= 0:
    yield f"data.std_rgb is {config.data.std_rgb}: it must be above 0"


def _together(
  config: ConfigDict, *, is_training: bool, with_network: bool
) -> Iterator[str]:
  """What values say together; their own factories know best."""
  for what, make in (
    ("config.model", lambda: build(config.model, 1)),
    ("config.model, config.data", lambda: _frames_if_built(config)),
    ("data.augmentation", lambda: Augmentation(**config.data.augmentation)),
    ("data.jitter", lambda: blur.check(config.data.jitter.blur_max_size)),
    ("data.jitter", lambda: blur.check(config.data.jitter.median_max_size)),
    ("data.occlusion", lambda: _covers(config.data.occlusion.to_dict())),
    ("optimizer, schedule", lambda: _optimizer(config)),
    ("second_phase", lambda: _optimizer(second_config(config))),
  ):
    try:
      make()
    except ValueError as error:
      yield f"{what}: {error}"
  try:
    skeleton = find_skeleton(config.data.skeleton)
    _frames(config)
  except ValueError:  # told above, or by `data_mistakes`
    return
  try:
    make_model(config.model, skeleton)
  except ValueError as error:  # what only the skeleton tells
    yield f"config.model: {error}"
  else:
    yield from loss_mistakes(config, skeleton)
  yield from eval_mistakes(
    config, skeleton, is_training=is_training, with_network=with_network
  )


def _frames(config: ConfigDict) -> Frames:
  crop_hw = tuple(config.data.crop_hw)
  return Frames(
    crop_hw,
    map_hw(config.model, crop_hw),
    config.data.alignment,
    config.data.padding,
    keep_aspect=config.data.keep_aspect,
  )


def _frames_if_built(config: ConfigDict) -> None:
  """Fails as the geometry does; what its factory refuses is told above."""
  try:
    build(config.model, 1)
  except ValueError:
    return
  _frames(config)


def _covers(options: dict[str, Any]) -> None:
  occlusion.check(**{k: v for k, v in options.items() if k != "probability"})


def _optimizer(config: ConfigDict) -> None:
  """Fails as the run's own would; its length in steps may not be known yet."""
  options, schedule = config.optimizer.to_dict(), config.schedule
  del options["frozen"]  # of the network: `loss_mistakes`
  rate = make_schedule(
    schedule.name,
    learning_rate=options.pop("learning_rate"),
    num_steps=schedule.num_steps or max(1, schedule.warmup_steps),
    factor=schedule.factor,
    warmup_steps=schedule.warmup_steps,
  )
  make_optimizer(options.pop("name"), rate, **options)
