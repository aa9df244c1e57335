"""One training step, pure: batch and state in, state and metrics out.

The host sends uint8 crops and keypoints; colours, target heatmaps, network,
loss, gradients and update all happen in here, on the device.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import Array
from jaxtyping import Float

from pose_jax.codec import accuracy, targets
from pose_jax.geometry import transform
from pose_jax.models.output import PoseOutput
from pose_jax.ops import color, occlusion, photometric
from pose_jax.train.state import TrainState

Batch = Mapping[str, Array]
Loss = Callable[..., Float[Array, ""]]


@dataclasses.dataclass(frozen=True)
class TargetRule:
  """How keypoints become target heatmaps.

  Attributes:
    hm_from_crop: [2, 3], from `Frames`: the same object decodes.
    map_hw: heatmap size.
    sigma_hm: the Gaussian's deviation, heatmap pixels.
    unbiased: DARK's target; else HRNet's.
    scale: height of a target's peak. The network learns maps of this height,
      which whoever decodes them divides by it.
  """

  hm_from_crop: np.ndarray
  map_hw: tuple[int, int]
  sigma_hm: float
  unbiased: bool
  scale: float | int = 1.0

  def __call__(
    self, batch: Batch
  ) -> tuple[Float[Array, "B h w K"], Float[Array, "B K"]]:
    matrix = jnp.asarray(self.hm_from_crop, jnp.float32)
    labelled = (batch["vis"] > 0).astype(jnp.float32)
    heatmaps, weight = targets.gaussian(
      transform(batch["kpts_xy_crop"], matrix[None]),
      labelled,
      map_hw=self.map_hw,
      sigma=self.sigma_hm,
      unbiased=self.unbiased,
    )
    return heatmaps if self.scale == 1 else heatmaps * self.scale, weight


def supervised_loss(
  output: PoseOutput,
  heatmaps: Float[Array, "B h w K"],
  weight: Float[Array, "B K"],
  loss: Loss,
  *,
  scale: float | int = 1.0,
) -> Float[Array, ""]:
  """Sum of the loss over every supervised heatmap of the output.

  A stage that also predicts the background has it as one map more, of weight
  1, whose target is what the highest keypoint leaves of `scale`.
  Source: Chu et al. 2017's release (`trainBg`).

  Args:
    heatmaps: [B, h, w, K] targets, 0 to scale.
    weight: [B, K] of the targets.
    loss: (heatmaps, targets, weight) -> scalar.
    scale: height of a target's peak.
  """
  stages = output.stages
  if output.backgrounds:
    stages = [
      jnp.concatenate(maps, -1)
      for maps in zip(stages, output.backgrounds, strict=True)
    ]
    background = scale - heatmaps.max(-1, keepdims=True)
    heatmaps = jnp.concatenate([heatmaps, background], -1)
    weight = jnp.pad(weight, ((0, 0), (0, 1)), constant_values=1.0)
  return sum(loss(stage, heatmaps, weight) for stage in stages)


def train_step(
  state: TrainState,
  batch: Batch,
  *,
  model: nn.Module,
  optimizer: optax.GradientTransformation,
  loss: Loss,
  target: TargetRule,
  images: Callable[[Batch], Array],
  axis_name: str | None = None,
) -> tuple[TrainState, dict[str, Float[Array, ""]]]:
  """One update of the parameters.

  Every device holds equally many rows and the loss is a mean over rows, so
  the mean of the gradients over `axis_name` is the gradient of the whole
  batch.

  Args:
    state: before the update.
    batch: image uint8 [B, H, W, 3], kpts_xy_crop [B, K, 2], vis [B, K],
      sample_seed [B].
    loss: (heatmaps, targets, weight) -> scalar.
    target: makes the target heatmaps.
    images: makes the network's input from the batch (`prepare_images`).
    axis_name: the mapped axis; None on one device.
  Returns:
    The state after the update; loss, gradient norm, the mean height of the
    predicted peaks of labelled keypoints (maps that collapse to zero show
    there first; 1 is a target's height, whatever its scale) and the share of
    peaks near their target's (`codec.accuracy`; no PCKh).
  """
  inputs = images(batch)
  heatmaps, weight = target(batch)

  def objective(params):
    output, updates = model.apply(
      {"params": params, "batch_stats": state.batch_stats},
      inputs,
      train=True,
      mutable=["batch_stats"],
    )
    value = supervised_loss(output, heatmaps, weight, loss, scale=target.scale)
    return value, (output.heatmaps, updates)

  (value, (predicted, updates)), grads = jax.value_and_grad(
    objective, has_aux=True
  )(state.params)
  peak_BK = jax.lax.stop_gradient(predicted).max((1, 2)) / target.scale
  near_K, counted_K = accuracy.heatmap_accuracy(predicted, heatmaps)
  sums = {
    "loss": value,
    "peak": (peak_BK * weight).sum() / jnp.maximum(weight.sum(), 1.0),
  }
  num_near, num_counted = near_K.sum(), counted_K.sum()
  batch_stats = updates.get("batch_stats", {})
  if axis_name is not None:
    grads, sums, batch_stats, num_near, num_counted = jax.lax.pmean(
      (grads, sums, batch_stats, num_near, num_counted), axis_name
    )
  changes, opt_state = optimizer.update(grads, state.opt_state, state.params)
  new_state = TrainState(
    step=state.step + 1,
    params=optax.apply_updates(state.params, changes),
    batch_stats=batch_stats,
    opt_state=opt_state,
  )
  return new_state, {
    **sums,
    "grad_norm": optax.tree.norm(grads),
    # Divided after the devices are joined: they see different numbers.
    "heatmap_accuracy": num_near / jnp.where(num_counted > 0, num_counted, 1),
  }


def prepare_images(
  batch: Batch,
  *,
  mean: tuple[float, ...],
  std: tuple[float, ...],
  jitter: Mapping[str, Any] | None = None,
  covers: Mapping[str, Any] | None = None,
) -> Float[Array, "B H W 3"]:
  """uint8 crops to the network's input, varied if asked for.

  Args:
    batch: image uint8 [B, H, W, 3]; sample_seed [B] where something varies.
    mean, std: of the channels, in 0..1.
    jitter: options of `photometric.vary`; what is off costs nothing.
    covers: options of `occlusion.cover`; behind the colours.
  """
  pixels = batch["image"]
  if jitter:
    pixels = photometric.vary(pixels, batch["sample_seed"], **jitter)
  if covers and covers["probability"]:
    pixels = occlusion.cover(pixels, batch["sample_seed"], **covers)
  return color.normalize(pixels, mean=mean, std=std)
