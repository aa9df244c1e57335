"""Networks: images in, PoseOutput out.

`MODELS` names every architecture; a factory takes the number of keypoints and
the options of a model config as keywords. A factory's module has
`apply(variables, images, train=...)`, `map_hw(crop_hw)` and `crop_step`, all
multiples of which fit as sides of a crop; one with attention its options in
`attention`, one that regresses coordinates `gives_coordinates`, one that says
which keypoints are present `says_presence`, both True. Any with heatmaps can
have PoseReNet behind it, and around both a presence head and a soft-argmax:
section `poserenet` and the keys `heads.KEYS` of a model config, which factories
never see.
"""

import difflib
import inspect
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from pose_jax.models.alexnet import make_pose_alexnet
from pose_jax.models.attention_options import NONE, AttentionOptions
from pose_jax.models.deeppose import diameter_pair_of, make_deeppose
from pose_jax.models.heads import KEYS, Heads, read_heads, with_heads
from pose_jax.models.hourglass import make_hourglass
from pose_jax.models.hrnet import make_hrnet
from pose_jax.models.plain_cnn import make_pose_plain_cnn
from pose_jax.models.pose_machine import make_pose_machine
from pose_jax.models.pose_resnet import make_pose_resnet
from pose_jax.models.poserenet import PoseReNet
from pose_jax.models.poserenet_options import (
  PoseReNetOptions,
  make_poserenet,
)
from pose_jax.models.regressor import make_regressor
from pose_jax.models.vgg import make_pose_vgg
from pose_jax.skeleton import Skeleton

MODELS = {
  "pose_resnet": make_pose_resnet,
  "hourglass": make_hourglass,
  "hrnet": make_hrnet,
  "alexnet": make_pose_alexnet,
  "vgg": make_pose_vgg,
  "plain_cnn": make_pose_plain_cnn,
  "regressor": make_regressor,
  "deeppose": make_deeppose,
  "pose_machine": make_pose_machine,
}

WITHOUT_HEATMAPS = ("regressor", "deeppose")  # nothing is wrapped around them
# What factories learn of the skeleton: its links, and what spans a pose.
_LINK_HALVES, _DIAMETER_PAIR = "link_halves", "diameter_pair"


def make_model(model_config: Any, skeleton: Skeleton) -> nn.Module:
  """Returns the linen module that a config names, for a skeleton's keypoints.

  Args:
    model_config: mapping (or ConfigDict, or object with attributes) of plain
      values: `name` of an architecture and options of its factory.
    skeleton: the keypoints to predict, in the order of the heatmaps.
  Raises:
    ValueError: for a name, option or value that does not exist, or a network
      with skeletal heatmaps where the skeleton has no links.
  """
  link_halves = tuple(link.half for link in skeleton.links)
  if read_config(model_config)[1].get("skeletal") and not link_halves:
    raise ValueError(
      f"skeletal is True, but {skeleton.name} has no links, which are what "
      "skeletal heatmaps show: give the skeleton links, or set skeletal to "
      "False"
    )
  pair = diameter_pair_of(skeleton)
  return build(model_config, skeleton.num_keypoints, link_halves, pair)


def map_hw(model_config: Any, crop_hw: Sequence[int]) -> tuple[int, int]:
  """Returns the heatmap (height, width) of a model for crops of `crop_hw`.

  Raises:
    ValueError: if the model does not exist or cannot take such crops.
  """
  return build(model_config, 1).map_hw(crop_hw)


def stage_hw(model: nn.Module, crop_hw: Sequence[int]) -> tuple[int, int]:
  """Returns the (height, width) of `PoseOutput.stages` for crops of `crop_hw`.

  It is that of `heatmaps`, but where these are lifted maps.
  """
  size_of = getattr(model, "stage_hw", model.map_hw)
  return size_of(crop_hw)


def regresses(model: nn.Module) -> bool:
  """Returns whether a network gives coordinates in place of heatmaps.

  Its `PoseOutput.heatmaps` are None then, and there is nothing to decode.
  """
  return bool(getattr(model, "gives_coordinates", False))


def says_presence(model: nn.Module) -> bool:
  """Returns whether a network has `PoseOutput.presence_logits`."""
  return bool(getattr(model, "says_presence", False))


def build(
  model_config: Any,
  num_keypoints: int,
  link_halves: Sequence[str] = (),
  diameter_pair: tuple[int, int] | None = None,
) -> nn.Module:
  """Returns the module of a config for a number of keypoints.

  Args:
    link_halves: "upper" or "lower" for each link of the skeleton; for the
      networks that have use for it.
    diameter_pair: two keypoints whose distance says how large a pose is, or
      None; likewise.
  """
  sections = _sections(model_config)
  plug_in = make_poserenet(sections.get("poserenet"))
  heads = read_heads(sections)
  name, options = read_config(model_config)
  if name in WITHOUT_HEATMAPS:
    _check_unwrapped(name, heads, plug_in.aggregation)
  known = inspect.signature(MODELS[name]).parameters
  if _LINK_HALVES in known:
    options[_LINK_HALVES] = tuple(link_halves)
  if _DIAMETER_PAIR in known:
    options[_DIAMETER_PAIR] = diameter_pair
  base = MODELS[name](num_keypoints, **options)
  if plug_in.aggregation != "none":
    base = PoseReNet(base, plug_in, getattr(base, "dtype", jnp.float32))
  return with_heads(base, **heads)


def _check_unwrapped(name: str, heads: dict[str, bool], aggregation: str):
  """Refuses what is read from heatmaps where there are none."""
  asked_for = {key: "False" for key, is_on in heads.items() if is_on}
  if aggregation != "none":
    asked_for["poserenet.aggregation"] = "'none'"
  for key, off in asked_for.items():
    raise ValueError(
      f"{key} is set, but model {name!r} has no heatmaps to read from, and "
      f"heads of its own (presence_layers): set {key} to {off}, or take a "
      "network with heatmaps"
    )


def _options_of(name: str) -> list[str]:
  """What a config can say of an architecture, beside its name."""
  known = list(inspect.signature(MODELS[name]).parameters)[1:]
  of_skeleton = (_LINK_HALVES, _DIAMETER_PAIR)
  return [option for option in known if option not in of_skeleton]


def _describe_options(name: str) -> str:
  """Says which options an architecture's factory has, and where they stand."""
  factory = MODELS[name]
  return (
    f"its options: {', '.join(_options_of(name))}; "
    f"{factory.__module__}.{factory.__name__} explains them"
  )


def attention_of(model: nn.Module) -> AttentionOptions:
  """Returns which attention a network has; none if its module has no such."""
  attention = getattr(model, "attention", NONE)
  return attention if isinstance(attention, AttentionOptions) else NONE


def plug_in_of(model: nn.Module) -> PoseReNetOptions:
  """Returns what stands behind a network's heatmaps; aggregation none, if not.

  `poserenet_options.describe` says it in words.
  """
  base = model.base if isinstance(model, Heads) else model
  return base.options if isinstance(base, PoseReNet) else PoseReNetOptions()


def read_config(model_config: Any) -> tuple[str, dict[str, Any]]:
  """Returns the architecture's name and its options, names checked.

  They are those of the base: what is wrapped around it is not among them.
  """
  options = _sections(model_config)
  for key in ("poserenet", *KEYS):
    options.pop(key, None)
  name = options.pop("name", None)
  if name not in MODELS:
    raise ValueError(
      f"model.name must be one of {', '.join(MODELS)}, got {name!r}"
    )
  known = _options_of(name)
  for option in options:
    if option not in known:
      near = difflib.get_close_matches(option, known, n=1)
      hint = f", did you mean {near[0]!r}?" if near else ""
      raise ValueError(
        f"model {name!r} has no option {option!r}{hint} "
        f"({_describe_options(name)})"
      )
  return name, options


def _sections(model_config: Any) -> dict[str, Any]:
  """A model config as plain values, its sections as plain dicts."""
  if hasattr(model_config, "items"):  # a mapping or a ConfigDict
    options = dict(model_config.items())
  else:
    options = dict(vars(model_config))
  # A section within it as plain values: a ConfigDict is no Mapping.
  return {
    key: dict(value.items()) if hasattr(value, "items") else value
    for key, value in options.items()
  }
