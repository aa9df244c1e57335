"""One training step, pure: batch and state in, state and metrics out.

The host sends uint8 crops and keypoints; colours, target heatmaps, network,
loss, gradients and update all happen in here, on the device.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array
from jaxtyping import Float

from pose_jax.codec import accuracy
from pose_jax.ops import color, occlusion, photometric
from pose_jax.train.state import TrainState
from pose_jax.train.supervision import (
  PLAIN,
  Batch,
  Loss,
  LossWeights,
  TargetRule,
  total_loss,
)


def train_step(
  state: TrainState,
  batch: Batch,
  *,
  model: nn.Module,
  optimizer: optax.GradientTransformation,
  loss: Loss,
  target: TargetRule,
  images: Callable[[Batch], Array],
  weights: LossWeights = PLAIN,
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
    target: makes the target heatmaps, and those of lifted maps and links.
    images: makes the network's input from the batch (`prepare_images`).
    weights: of the stages, and of lifted maps and links where there are any.
    axis_name: the mapped axis; None on one device.
  Returns:
    The state after the update; loss, gradient norm, the mean height of the
    predicted peaks of labelled keypoints (maps that collapse to zero show
    there first; 1 is a target's height, whatever its scale) and the share of
    the last stage's peaks near their target's (`codec.accuracy`; no PCKh); of
    what the network has beside stages loss_lifted, loss_links before they are
    weighted.
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
    value, parts = total_loss(
      output, batch, heatmaps, weight, target=target, loss=loss, weights=weights
    )
    return value, (output, parts, updates)

  (value, (output, parts, updates)), grads = jax.value_and_grad(
    objective, has_aux=True
  )(state.params)
  peak_BK = jax.lax.stop_gradient(output.heatmaps).max((1, 2)) / target.scale
  # Not output.heatmaps, which may be lifted.
  near_K, counted_K = accuracy.heatmap_accuracy(output.stages[-1], heatmaps)
  sums = {
    "loss": value,
    "peak": (peak_BK * weight).sum() / jnp.maximum(weight.sum(), 1.0),
    **parts,
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
  channel_order: str = "rgb",
  jitter: Mapping[str, Any] | None = None,
  covers: Mapping[str, Any] | None = None,
) -> Float[Array, "B H W 3"]:
  """uint8 crops to the network's input, varied if asked for.

  Args:
    batch: image uint8 [B, H, W, 3]; sample_seed [B] where something varies.
    mean, std, channel_order: see `color.normalize`.
    jitter: options of `photometric.vary`; what is off costs nothing.
    covers: options of `occlusion.cover`; behind the colours.
  """
  pixels = batch["image"]
  if jitter:
    pixels = photometric.vary(pixels, batch["sample_seed"], **jitter)
  if covers and covers["probability"]:
    pixels = occlusion.cover(pixels, batch["sample_seed"], **covers)
  return color.normalize(
    pixels, mean=mean, std=std, channel_order=channel_order
  )
