"""Further heads on any network with heatmaps: presence, and soft-argmax.

Like PoseReNet they are wrapped around the network, and around PoseReNet where
there is both: base -> PoseReNet -> heads.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.attention_options import NONE, AttentionOptions
from pose_jax.models.output import PoseOutput
from pose_jax.models.poserenet import PoseReNet
from pose_jax.ops.soft_argmax import soft_argmax

KEYS = ("presence", "soft_argmax")  # of every model section, booleans


class Heads(nn.Module):
  """Any network with heatmaps, and what else is read from it.

  Parameters lie below "base" (as the base alone has them) and "presence"; the
  soft-argmax has none.

  Attributes:
    base: module that returns a PoseOutput with `stages`.
    with_presence: say which keypoints are there, from the features that the
      heatmaps are read from: their mean over all pixels, then one linear layer.
    with_soft_argmax: give coordinates in place of heatmaps, see
      `ops.soft_argmax`.
  """

  base: nn.Module
  with_presence: bool = False
  with_soft_argmax: bool = False

  @nn.compact
  def __call__(
    self, images: Float[Array | np.ndarray, "B H W 3"], train: bool = False
  ) -> PoseOutput:
    """Returns what the base does, with `presence_logits` or coordinates put in.

    With a soft-argmax each supervised stage becomes one of
    `coordinate_stages`, and `attention` has the last one's softmax, divided by
    its maximum.

    Raises:
      ValueError: as the base, or if it returns nothing to read from.
    """
    output = self.base(images, train=train)
    if not output.stages or (self.with_presence and output.features is None):
      raise ValueError(
        f"{type(self.base).__name__} returns no heatmaps and features, which "
        "presence and soft_argmax read: set both to False"
      )
    if self.with_presence:
      num_keypoints = output.stages[-1].shape[-1]
      logits = self._presence_logits(output.features, num_keypoints)
      output = output.replace(presence_logits=logits)
    return _with_coordinates(output) if self.with_soft_argmax else output

  def _presence_logits(
    self, features: Float[Array, "B h w C"], num_keypoints: int
  ) -> Float[Array, "B K"]:
    # D: like a network's head: float32, and close to 0 at the start.
    layer = nn.Dense(
      num_keypoints,
      kernel_init=nn.initializers.normal(0.001),
      precision="highest",
      name="presence",
    )
    return layer(features.astype(jnp.float32).mean((1, 2)))

  @property
  def crop_step(self) -> int:
    """The base's."""
    return self.base.crop_step

  @property
  def attention(self) -> AttentionOptions:
    """The base's."""
    return getattr(self.base, "attention", NONE)

  @property
  def gives_coordinates(self) -> bool:
    """Whether heatmaps become coordinates."""
    return self.with_soft_argmax

  @property
  def says_presence(self) -> bool:
    """Whether it has a presence head."""
    return self.with_presence

  @nn.nowrap
  def stage_hw(self, crop_hw: Sequence[int]) -> tuple[int, int]:
    """Returns the (height, width) of the base's `stages`, and of its links."""
    return getattr(self.base, "stage_hw", self.base.map_hw)(crop_hw)

  @nn.nowrap
  def map_hw(self, crop_hw: Sequence[int]) -> tuple[int, int]:
    """Returns the (height, width) of what keypoints are decoded from.

    The crop's own with a soft-argmax, whose coordinates have no map's frame.
    """
    size_hw = self.base.map_hw(crop_hw)
    return tuple(crop_hw) if self.with_soft_argmax else size_hw


def _with_coordinates(output: PoseOutput) -> PoseOutput:
  """Heatmaps turned to coordinates, stage by stage."""
  read = [soft_argmax(maps) for maps in output.stages]
  _, share = read[-1]
  share = jax.lax.stop_gradient(share)
  return output.replace(
    heatmaps=None,
    stages=(),
    coordinates=read[-1][0],
    coordinate_stages=tuple(xy for xy, _ in read),
    attention={
      **output.attention,
      "soft_argmax": share / share.max((1, 2), keepdims=True),
    },
  )


def read_heads(options: dict[str, Any]) -> dict[str, bool]:
  """Takes KEYS off a model section and returns their values, checked.

  Raises:
    ValueError: if one is neither True nor False.
  """
  heads = {key: options.pop(key, False) for key in KEYS}
  for key, value in heads.items():
    if not isinstance(value, bool):
      raise ValueError(f"{key} must be True or False, got {value!r}")
  return heads


def with_heads(
  model: nn.Module, *, presence: bool, soft_argmax: bool
) -> nn.Module:
  """Returns the network with the heads that are asked for.

  Raises:
    ValueError: for a network that has what soft_argmax leaves nothing to do.
  """
  if soft_argmax and getattr(model, "with_background", False):
    raise ValueError(
      "soft_argmax is True, but the network also predicts where no keypoint "
      "is, as a map more in each stage, which nothing would be learnt from: "
      "choose its form without background, or set soft_argmax to False"
    )
  if soft_argmax and isinstance(model, PoseReNet):
    raise ValueError(
      "soft_argmax is True, but PoseReNet refines heatmaps that are compared "
      "with targets, and with soft_argmax none are: set poserenet.aggregation "
      "to 'none', or soft_argmax to False"
    )
  if not presence and not soft_argmax:
    return model
  return Heads(model, presence, soft_argmax)


def describe(model: nn.Module) -> str:
  """Which heads a network has, for people; "" if none."""
  if not isinstance(model, Heads):
    return ""
  words = ["presence head"] * model.with_presence
  words += ["soft-argmax"] * model.with_soft_argmax
  return ", ".join(words)
