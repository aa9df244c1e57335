"""What a loss section says together with the network and the skeleton."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from launch.phases import has_second, second_config
from pose_jax.models import (
  WITHOUT_HEATMAPS,
  make_model,
  regresses,
  says_presence,
)
from pose_jax.skeleton import Skeleton
from pose_jax.train.frozen import check_frozen, is_frozen, split_path
from pose_jax.train.supervision import check_stage_weights


def loss_mistakes(config: ConfigDict, skeleton: Skeleton) -> Iterator[str]:
  """Sentences on what cannot be trained; of a network that can be built."""
  yield from _hardest(config, skeleton)
  yield from _stage_weights(config, skeleton)
  yield from _phase(config, skeleton, "")
  if has_second(config):
    yield from _phase(second_config(config), skeleton, "second_phase.")
  poserenet = config.model.get("poserenet", {})
  if (
    poserenet.get("aggregation", "none") != "none"
    and config.loss.target_scale != 1
  ):
    yield (
      f"loss.target_scale is {config.loss.target_scale}: a lifted map ends in "
      "a sigmoid and cannot be higher than 1, so leave it at 1.0 with "
      "model.poserenet"
    )


def _phase(
  config: ConfigDict, skeleton: Skeleton, section: str
) -> Iterator[str]:
  """What a phase, whose keys lie in a section, cannot train."""
  model, loss = make_model(config.model, skeleton), config.loss
  if loss.coordinates == "rle" and not config.model.get("with_sigmas", False):
    yield (
      "loss.coordinates is 'rle', which needs a network that says how sure it "
      "is: one of name 'regressor' with --config.model.with_sigmas=True; or "
      "take l2, l1 or smooth_l1"
    )
  if config.model.get("with_sigmas", False) and loss.coordinates != "rle":
    yield (
      f"loss.coordinates is {loss.coordinates!r}, of which model.with_sigmas "
      "learns nothing, though it scores keypoints: take loss.coordinates=rle, "
      "or set model.with_sigmas to False"
    )
  try:
    crop_hw = tuple(config.data.crop_hw)
    check_frozen(tuple(config.optimizer.frozen), model, crop_hw)
  except ValueError as error:
    yield f"{section}optimizer.{error}"
    return
  yield from _heads(config, model, section)


def _heads(config: ConfigDict, model: Any, section: str) -> Iterator[str]:
  """What heads for presence and coordinates learn in a phase."""
  loss, frozen = config.loss, tuple(config.optimizer.frozen)
  has_heatmaps = config.model.name not in WITHOUT_HEATMAPS
  weights = {}
  if regresses(model):
    weights["coordinates_weight"] = loss.coordinates_weight
  if says_presence(model):
    weights["presence_weight"] = loss.presence_weight
  are_compared = has_heatmaps and not regresses(model)
  if not are_compared and not any(weights.values()):
    keys = " and ".join(f"{section}loss.{key}" for key in weights)
    yield (
      f"with {keys} at 0 nothing of this network is trained: set "
      f"{'one' if len(weights) > 1 else 'it'} above 0"
    )
    return
  decay = {
    "loss.weight_penalty": loss.weight_penalty,
    f"{section}optimizer.weight_decay": config.optimizer.weight_decay,
  }
  pulls = " and ".join(key for key, value in decay.items() if value)
  if not pulls:
    return
  for key, modules in _modules_of(config.model).items():
    if weights.get(key, 1):
      continue
    for name in modules:
      if not is_frozen(split_path(name), frozen):
        yield (
          f"{section}loss.{key} is 0, so nothing but {pulls} would move "
          f"{name}, down to 0: add it to {section}optimizer.frozen"
        )
  is_read = has_heatmaps and regresses(model)
  if (
    is_read and not loss.coordinates_weight and not is_frozen(["base"], frozen)
  ):
    yield (
      f"{section}loss.coordinates_weight is 0, so nothing but {pulls} would "
      "move what model.soft_argmax reads, down to 0: set the first above 0, or "
      "the other to 0"
    )


def _modules_of(model: ConfigDict) -> dict[str, list[str]]:
  """Weight of a loss -> the modules that nothing else trains."""
  if model.name not in WITHOUT_HEATMAPS:
    return {"presence_weight": ["presence"]}
  if model.name != "deeppose":
    flow = ["flow"] if model.get("with_sigmas", False) else []
    return {
      "presence_weight": ["presence_head"],
      "coordinates_weight": ["coordinate_head", *flow],
    }
  later = [f"stage{i}" for i in range(2, model.num_stages + 1)]
  return {
    "presence_weight": ["stage1/presence_head"],
    "coordinates_weight": ["stage1/coordinate_head", *later],
  }


def _hardest(config: ConfigDict, skeleton: Skeleton) -> Iterator[str]:
  if config.loss.name != "ohkm":
    return
  top_k = config.loss.ohkm_top_k
  maps = {"keypoints": skeleton.num_keypoints}
  if config.model.get("skeletal", False):
    maps["links"] = len(skeleton.links)
  for what, num in maps.items():
    if top_k > num:
      yield (
        f"loss.ohkm_top_k is {top_k}: {skeleton.name} has {num} {what}, so "
        f"take at most as many: --config.loss.ohkm_top_k={num}"
      )


def _stage_weights(config: ConfigDict, skeleton: Skeleton) -> Iterator[str]:
  weights = config.loss.stage_weights
  if not weights:
    return
  if not all(type(w) in (int, float) and w >= 0 for w in weights):
    yield f"loss.stage_weights is {weights}: it must hold numbers from 0"
    return
  try:
    check_stage_weights(tuple(weights), num_stages(config, skeleton))
  except ValueError as error:
    yield f"loss.{error}"


def num_stages(config: ConfigDict, skeleton: Skeleton) -> int:
  """How many supervised stages the network has; nothing is computed.

  Of heatmaps, or of coordinates where there are no heatmaps.
  """
  model = make_model(config.model, skeleton)
  images = jax.ShapeDtypeStruct((1, *config.data.crop_hw, 3), jnp.float32)
  output, _ = jax.eval_shape(
    lambda key, images: model.init_with_output(key, images, train=False),
    jax.eval_shape(lambda: jax.random.key(0)),
    images,
  )
  return len(output.stages or output.coordinate_stages)
