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
from pose_jax.models.output import PoseOutput, Truth
from pose_jax.ops import color, occlusion, photometric
from pose_jax.train import frozen as frozen_lib
from pose_jax.train import regression
from pose_jax.train.regression import RegressionRule
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
  rule: RegressionRule = regression.PLAIN,
  frozen: tuple[str, ...] = (),
  weight_penalty: float | int = 0.0,
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
    rule: what presence and coordinates are compared with.
    frozen: modules that stay as they are; `optimizer` must know them too, see
      `frozen.optimize_the_rest`.
    weight_penalty: factor of the squares of all kernels that train (Eq. 4 of
      Chen et al., "Human Pose Estimation").
    axis_name: the mapped axis; None on one device.
  Returns:
    The state after the update; loss, gradient norm and, of what the network
    gives: the mean height of the predicted peaks of labelled keypoints (maps
    that collapse to zero show there first; 1 is a target's height, whatever its
    scale) and the share of the last stage's peaks near their target's
    (`codec.accuracy`; no PCKh); loss_lifted, loss_links, loss_presence,
    loss_coordinates before they are weighted; presence_accuracy and located
    (`regression.counts_to_log`).
  """
  inputs = images(batch)
  truth = regression.truth_of(batch)

  def objective(params):
    variables = {
      "params": frozen_lib.without_gradient(frozen, params),
      "batch_stats": state.batch_stats,
    }
    output, updates = _apply(model, variables, inputs, truth, frozen)
    maps = target(batch) if output.stages else None
    value, parts = 0.0, {}
    if maps is not None:
      value, parts = total_loss(
        output, batch, *maps, target=target, loss=loss, weights=weights
      )

    def density(errors):
      return model.apply(variables, errors, method="log_density")

    more, regressed = rule.loss(output, truth, density)
    value = jnp.asarray(value + more)
    if weight_penalty:
      value += weight_penalty * regression.kernels_squared(params, frozen)
    return value, (output, maps, parts | regressed, updates)

  (value, (output, maps, parts, updates)), grads = jax.value_and_grad(
    objective, has_aux=True
  )(state.params)
  means = {"loss": value, **parts}
  counts = regression.counts_to_log(output, truth, was_told=_is_told(model))
  if maps is not None:
    means["peak"] = _peak(output, maps[1], target)
    # Not output.heatmaps, which may be lifted.
    near_K, counted_K = accuracy.heatmap_accuracy(output.stages[-1], maps[0])
    counts["heatmap_accuracy"] = (near_K.sum(), counted_K.sum())
  batch_stats = updates.get("batch_stats", {})
  if axis_name is not None:
    grads, means, batch_stats, counts = jax.lax.pmean(
      (grads, means, batch_stats, counts), axis_name
    )
  changes, opt_state = optimizer.update(grads, state.opt_state, state.params)
  params = optax.apply_updates(state.params, changes)
  new_state = TrainState(
    step=state.step + 1,
    params=frozen_lib.chosen(frozen, state.params, params),
    batch_stats=frozen_lib.chosen(frozen, state.batch_stats, batch_stats),
    opt_state=opt_state,
  )
  # Divided after the devices are joined: they see different numbers.
  shares = {
    name: right / jnp.where(counted > 0, counted, 1)
    for name, (right, counted) in counts.items()
  }
  return new_state, {**means, "grad_norm": optax.tree.norm(grads), **shares}


def _apply(
  model: nn.Module,
  variables: Mapping[str, Any],
  inputs: Array,
  truth: Truth,
  frozen: tuple[str, ...],
) -> tuple[PoseOutput, Mapping[str, Any]]:
  """The network in training, but for what is frozen; its new statistics."""
  told = {"truth": truth} if _is_told(model) else {}
  with frozen_lib.at_rest(frozen):
    return model.apply(
      variables, inputs, train=True, mutable=["batch_stats"], **told
    )


def _is_told(model: nn.Module) -> bool:
  return getattr(model, "learns_from_truth", False)


def _peak(output: PoseOutput, weight: Array, target: TargetRule) -> Array:
  """Mean height of the peaks of keypoints that count, in targets' heights."""
  peak_BK = jax.lax.stop_gradient(output.heatmaps).max((1, 2)) / target.scale
  return (peak_BK * weight).sum() / jnp.maximum(weight.sum(), 1.0)


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
