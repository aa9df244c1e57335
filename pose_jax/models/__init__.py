"""Networks: images in, PoseOutput out.

`MODELS` names every architecture; a factory takes the number of keypoints and
the options of a model config as keywords. A factory's module has
`apply(variables, images, train=...)`, `map_hw(crop_hw)` and `crop_step`, of
which the sides of a crop are multiples; one with attention its options in
`attention`.
"""

import difflib
import inspect
from collections.abc import Sequence
from typing import Any

from flax import linen as nn

from pose_jax.models.attention_options import NONE, AttentionOptions
from pose_jax.models.hourglass import make_hourglass
from pose_jax.models.hrnet import make_hrnet
from pose_jax.models.pose_resnet import make_pose_resnet
from pose_jax.skeleton import Skeleton

MODELS = {
  "pose_resnet": make_pose_resnet,
  "hourglass": make_hourglass,
  "hrnet": make_hrnet,
}


def make_model(model_config: Any, skeleton: Skeleton) -> nn.Module:
  """Returns the linen module that a config names, for a skeleton's keypoints.

  Args:
    model_config: mapping (or ConfigDict, or object with attributes) of plain
      values: `name` of an architecture and options of its factory.
    skeleton: the keypoints to predict, in the order of the heatmaps.
  Raises:
    ValueError: for a name, option or value that does not exist.
  """
  return build(model_config, skeleton.num_keypoints)


def map_hw(model_config: Any, crop_hw: Sequence[int]) -> tuple[int, int]:
  """Returns the heatmap (height, width) of a model for crops of `crop_hw`.

  Raises:
    ValueError: if the model does not exist or cannot take such crops.
  """
  return build(model_config, 1).map_hw(crop_hw)


def build(model_config: Any, num_keypoints: int) -> nn.Module:
  """Returns the module of a config for a number of keypoints."""
  name, options = read_config(model_config)
  return MODELS[name](num_keypoints, **options)


def _describe_options(name: str) -> str:
  """Says which options an architecture's factory has, and where they stand."""
  factory = MODELS[name]
  known = list(inspect.signature(factory).parameters)[1:]
  return (
    f"its options: {', '.join(known)}; "
    f"{factory.__module__}.{factory.__name__} explains them"
  )


def attention_of(model: nn.Module) -> AttentionOptions:
  """Returns which attention a network has; none if its module has no such."""
  attention = getattr(model, "attention", NONE)
  return attention if isinstance(attention, AttentionOptions) else NONE


def read_config(model_config: Any) -> tuple[str, dict[str, Any]]:
  """Returns the architecture's name and its options, names checked."""
  if hasattr(model_config, "items"):  # a mapping or a ConfigDict
    options = dict(model_config.items())
  else:
    options = dict(vars(model_config))
  # A section within it as plain values: a ConfigDict is no Mapping.
  options = {
    key: dict(value.items()) if hasattr(value, "items") else value
    for key, value in options.items()
  }
  name = options.pop("name", None)
  if name not in MODELS:
    raise ValueError(
      f"model.name must be one of {', '.join(MODELS)}, got {name!r}"
    )
  known = list(inspect.signature(MODELS[name]).parameters)[1:]
  for option in options:
    if option not in known:
      near = difflib.get_close_matches(option, known, n=1)
      hint = f", did you mean {near[0]!r}?" if near else ""
      raise ValueError(
        f"model {name!r} has no option {option!r}{hint} "
        f"({_describe_options(name)})"
      )
  return name, options
