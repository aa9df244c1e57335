"""Losses on heatmaps: plain, of the worst keypoints, without weights, summed.

All take heatmaps [B, h, w, K] and weights [B, K] and compute in float32. Rows
with valid=False (padding) reach neither the sum nor the count; if no row is
valid the loss is 0.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float


def mse(
  heatmaps: Float[Array | np.ndarray, "B h w K"],
  targets: Float[Array | np.ndarray, "B h w K"],
  weight: Float[Array | np.ndarray, "B K"],
  *,
  valid: Bool[Array | np.ndarray, " B"] | None = None,
) -> Float[Array, ""]:
  """Returns half the mean squared error of weighted maps.

  The mean is over persons, pixels and keypoints, those of weight 0 included;
  the weight multiplies both maps, so it enters squared.
  Source: HRNet's `JointsMSELoss` with its target weights.

  Args:
    heatmaps: [B, h, w, K] the network's maps.
    targets: [B, h, w, K] the maps it should give.
    weight: [B, K] weight of each keypoint.
    valid: [B], False for rows that are padding; None if all count.
  Returns:
    Scalar float32.
  """
  errors = _errors(heatmaps, targets, weight, valid)
  return _mean_over_rows(errors.mean(axis=1), valid)


def ohkm(
  heatmaps: Float[Array | np.ndarray, "B h w K"],
  targets: Float[Array | np.ndarray, "B h w K"],
  weight: Float[Array | np.ndarray, "B K"],
  *,
  top_k: int = 8,
  valid: Bool[Array | np.ndarray, " B"] | None = None,
) -> Float[Array, ""]:
  """Returns `mse` over the top_k keypoints of each person with most error.

  Online hard keypoint mining. Source: Chen et al. 2018, arXiv:1711.07319
  (CPN); HRNet's `JointsOHKMMSELoss`.

  Args:
    heatmaps: [B, h, w, K] the network's maps.
    targets: [B, h, w, K] the maps it should give.
    weight: [B, K] weight of each keypoint.
    top_k: keypoints per person that count, 1 to K; static under jit.
    valid: [B], False for rows that are padding; None if all count.
  Returns:
    Scalar float32.
  Raises:
    ValueError: if top_k is not from 1 to K.
  """
  num_keypoints = heatmaps.shape[-1]
  if not 1 <= top_k <= num_keypoints:
    raise ValueError(
      f"top_k must be from 1 to the {num_keypoints} keypoints, got {top_k}"
    )
  errors = _errors(heatmaps, targets, weight, valid)
  hardest, _ = jax.lax.top_k(errors, top_k)
  return _mean_over_rows(hardest.mean(axis=1), valid)


def torch_mse(
  heatmaps: Float[Array | np.ndarray, "B h w K"],
  targets: Float[Array | np.ndarray, "B h w K"],
  weight: Float[Array | np.ndarray, "B K"],
  *,
  valid: Bool[Array | np.ndarray, " B"] | None = None,
) -> Float[Array, ""]:
  """Returns the mean squared error over everything, whatever the weights.

  A keypoint that is not labelled, or outside the crop, has an empty target and
  is to give an empty map. With weights of 1 it is twice `mse`.
  Source: Torch7's `MSECriterion`, as the release of Chu et al. 2017
  (bearpaw/pose-attention) uses it for each stage.

  Args:
    heatmaps: [B, h, w, K] the network's maps.
    targets: [B, h, w, K] the maps it should give.
    weight: [B, K], not looked at.
    valid: [B], False for rows that are padding; None if all count.
  Returns:
    Scalar float32.
  """
  return 2 * mse(heatmaps, targets, jnp.ones_like(weight), valid=valid)


def caffe_sse(
  heatmaps: Float[Array | np.ndarray, "B h w K"],
  targets: Float[Array | np.ndarray, "B h w K"],
  weight: Float[Array | np.ndarray, "B K"],
  *,
  valid: Bool[Array | np.ndarray, " B"] | None = None,
) -> Float[Array, ""]:
  """Returns half the squared error, summed over pixels and keypoints.

  The mean is over persons alone: `mse` times h w K, for which learning rates
  are that much smaller.
  Source: Caffe's `EuclideanLoss`, as Wei et al. 2016's release uses it.

  Args:
    heatmaps: [B, h, w, K] the network's maps.
    targets: [B, h, w, K] the maps it should give.
    weight: [B, K] weight of each keypoint.
    valid: [B], False for rows that are padding; None if all count.
  Returns:
    Scalar float32.
  """
  return heatmaps[0].size * mse(heatmaps, targets, weight, valid=valid)


LOSSES = {
  "mse": mse,
  "ohkm": ohkm,
  "torch_mse": torch_mse,
  "caffe_sse": caffe_sse,
}


def _errors(
  heatmaps: Float[Array | np.ndarray, "B h w K"],
  targets: Float[Array | np.ndarray, "B h w K"],
  weight: Float[Array | np.ndarray, "B K"],
  valid: Bool[Array | np.ndarray, " B"] | None,
) -> Float[Array, "B K"]:
  """Half the mean squared error over pixels; 0 in rows that are padding."""
  difference = jnp.asarray(heatmaps, jnp.float32) - jnp.asarray(
    targets, jnp.float32
  )
  if valid is not None:
    # where, not a product: padding may hold anything, NaN included.
    difference = jnp.where(valid[:, None, None, None], difference, 0.0)
  error = jnp.square(difference).mean(axis=(1, 2))
  return 0.5 * jnp.square(jnp.asarray(weight, jnp.float32)) * error


def _mean_over_rows(
  errors: Float[Array, " B"], valid: Bool[Array | np.ndarray, " B"] | None
) -> Float[Array, ""]:
  """Sum of the rows over the number of valid ones, 0 if there are none."""
  if valid is None:
    return errors.mean()
  return errors.sum() / jnp.maximum(jnp.sum(valid), 1)
