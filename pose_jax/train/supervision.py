"""What a network's output is compared with, and how much each part counts.

Targets are made on the device, in the step. A network is asked for what its
output has: heatmaps of every stage, maps lifted to twice the size, links.
"""

import dataclasses
from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from pose_jax.codec import targets
from pose_jax.geometry import transform
from pose_jax.models.output import PoseOutput

Batch = Mapping[str, Array]
Loss = Callable[..., Float[Array, ""]]
Number = float | int
BACKGROUNDS = ("rest", "highest")


@dataclasses.dataclass(frozen=True)
class TargetRule:
  """How keypoints become target maps.

  Attributes:
    hm_from_crop: [2, 3], from `Frames`, to the heatmaps of the stages.
    map_hw: size of the stages' heatmaps.
    sigma_hm: the Gaussian's deviation, pixels of these heatmaps.
    unbiased: DARK's target; else HRNet's.
    scale: height of a target's peak. The network learns maps of this height,
      which whoever decodes them divides by it.
    lifted_from_crop: [2, 3], to heatmaps of twice the size; None for networks
      without lifted maps. From `Frames` of that size where these are decoded;
      else behind `geometry.LIFTED_FROM_HM`.
    background: what a background map learns, of BACKGROUNDS.
    pairs: keypoints that the links join; () for networks without links.
    link_sigma_hm: a link's deviation, pixels of the stages' heatmaps.
  """

  hm_from_crop: np.ndarray
  map_hw: tuple[int, int]
  sigma_hm: float
  unbiased: bool
  scale: Number = 1.0
  background: str = "rest"
  lifted_from_crop: np.ndarray | None = None
  pairs: tuple[tuple[int, int], ...] = ()
  link_sigma_hm: Number = 1.0

  def __call__(
    self, batch: Batch
  ) -> tuple[Float[Array, "B h w K"], Float[Array, "B K"]]:
    """Targets of every stage, and their weights."""
    heatmaps, weight = targets.gaussian(
      *self._keypoints(batch),
      map_hw=self.map_hw,
      sigma=self.sigma_hm,
      unbiased=self.unbiased,
    )
    return self._scaled(heatmaps), weight

  def lifted(
    self, batch: Batch
  ) -> tuple[Float[Array, "B H W K"], Float[Array, "B K"]]:
    """Targets of lifted maps: twice the size, twice the deviation."""
    height, width = self.map_hw
    return dataclasses.replace(
      self,
      hm_from_crop=self.lifted_from_crop,
      map_hw=(2 * height, 2 * width),
      sigma_hm=2 * self.sigma_hm,
    )(batch)

  def links(
    self, batch: Batch
  ) -> tuple[Float[Array, "B h w L"], Float[Array, "B L"]]:
    """Targets of link maps; both ends of a link that counts are labelled."""
    maps, weight = targets.links(
      *self._keypoints(batch),
      pairs=self.pairs,
      map_hw=self.map_hw,
      sigma=self.link_sigma_hm,
    )
    return self._scaled(maps), weight

  def _keypoints(
    self, batch: Batch
  ) -> tuple[Float[Array, "B K 2"], Float[Array, "B K"]]:
    """In the heatmap frame, and 1 for those that are labelled."""
    matrix = jnp.asarray(self.hm_from_crop, jnp.float32)
    return (
      transform(batch["kpts_xy_crop"], matrix[None]),
      (batch["vis"] > 0).astype(jnp.float32),
    )

  def _scaled(self, maps: Array) -> Array:
    return maps if self.scale == 1 else maps * self.scale


@dataclasses.dataclass(frozen=True)
class LossWeights:
  """What each part of the loss counts.

  Attributes:
    stages: one factor per supervised stage, first to last; () for all 1.
    lifted: of maps at twice the resolution, where the network has them.
    links: of skeletal link maps, likewise.
  """

  stages: tuple[Number, ...] = ()
  lifted: Number = 1.0
  links: Number = 0.2


PLAIN = LossWeights()


def supervised_loss(
  output: PoseOutput,
  heatmaps: Float[Array, "B h w K"],
  weight: Float[Array, "B K"],
  loss: Loss,
  *,
  scale: Number = 1.0,
  background: str = "rest",
  stage_weights: tuple[Number, ...] = (),
) -> Float[Array, ""]:
  """Sum of the loss over every supervised heatmap of the output.

  A stage that also predicts the background has it as one map more, of weight
  1. Stages that a plug-in adds come behind and have none.

  Args:
    heatmaps: [B, h, w, K] targets, 0 to scale.
    weight: [B, K] of the targets.
    loss: (heatmaps, targets, weight) -> scalar.
    scale: height of a target's peak.
    background: its target. "rest": what the highest keypoint leaves of `scale`,
      as Wei et al. 2016's release has it. "highest": the highest keypoint
      itself, as Chu et al. 2017's (`trainBg`) has it.
    stage_weights: factor of each stage; () for 1.
  Raises:
    ValueError: if there are not as many factors as stages.
  """
  wanted = [(heatmaps, weight)] * len(output.stages)
  stages = list(output.stages)
  if output.backgrounds:
    highest = heatmaps.max(-1, keepdims=True)
    ground = highest if background == "highest" else scale - highest
    with_background = (
      jnp.concatenate([heatmaps, ground], -1),
      jnp.pad(weight, ((0, 0), (0, 1)), constant_values=1.0),
    )
    for i, predicted in enumerate(output.backgrounds):
      stages[i] = jnp.concatenate([stages[i], predicted], -1)
      wanted[i] = with_background
  losses = [
    loss(stage, *target) for stage, target in zip(stages, wanted, strict=True)
  ]
  if stage_weights:
    check_stage_weights(stage_weights, len(stages))
    losses = [w * part for w, part in zip(stage_weights, losses, strict=True)]
  return sum(losses)


def check_stage_weights(
  stage_weights: tuple[Number, ...], num_stages: int
) -> None:
  """Raises ValueError unless there is a factor for each stage, or none."""
  if stage_weights and len(stage_weights) != num_stages:
    raise ValueError(
      f"stage_weights must be {num_stages} numbers, one for each supervised "
      f"stage of the network, or () for all 1, got {tuple(stage_weights)}"
    )


def total_loss(
  output: PoseOutput,
  batch: Batch,
  heatmaps: Float[Array, "B h w K"],
  weight: Float[Array, "B K"],
  *,
  target: TargetRule,
  loss: Loss,
  weights: LossWeights,
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
  """The loss of everything that the output has.

  Args:
    heatmaps, weight: what `target` makes of the batch for the stages.
    loss: (maps, targets, weight) -> scalar.
  Returns:
    The weighted sum; by themselves, before they are weighted, loss_lifted (of
    several lifted maps their sum) and loss_links, where the output has them.
  """
  total = supervised_loss(
    output,
    heatmaps,
    weight,
    loss,
    scale=target.scale,
    background=target.background,
    stage_weights=weights.stages,
  )
  parts = {}
  if output.lifted is not None:
    are_several = isinstance(output.lifted, tuple)
    maps = output.lifted if are_several else (output.lifted,)
    wanted = target.lifted(batch)
    parts["loss_lifted"] = sum(loss(lifted, *wanted) for lifted in maps)
    total += weights.lifted * parts["loss_lifted"]
  if output.links is not None:
    parts["loss_links"] = loss(output.links, *target.links(batch))
    total += weights.links * parts["loss_links"]
  return total, parts
