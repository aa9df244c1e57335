"""Heatmaps that a network is trained to give, from keypoints.

A keypoint's map is the outer product of two one-dimensional Gaussians of peak
1, so drawing it in the training step costs next to nothing. Coordinates are
heatmap pixels (x, y), integers at pixel centres.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def gaussian(
  kpts_xy_hm: Float[Array | np.ndarray, "B K 2"],
  weight: Float[Array | np.ndarray, "B K"],
  *,
  map_hw: tuple[int, int],
  sigma: float | int,
  unbiased: bool,
) -> tuple[Float[Array, "B h w K"], Float[Array, "B K"]]:
  """Returns Gaussian target maps and the weight each of them trains with.

  Truncated: the centre is rounded to a pixel and the map is zero more than
  3 sigma from it along either axis (HRNet's, SimpleBaseline's target).
  Unbiased: the centre is exact and the map is not cut (DARK's target).
  In both, a keypoint weighs 0 if its 3-sigma square misses the map; with
  weight 0 the map is zero. As in the reference, a square that ends within a
  pixel of the left or top edge still counts, so a truncated map of weight 1
  may be empty. Source: HRNet's `generate_target`; Zhang et al. 2019,
  arXiv:1910.06278 (DARK); differs in: for a fractional 3 sigma, the truncated
  window is symmetric.

  Args:
    kpts_xy_hm: [B, K, 2] keypoints, heatmap pixels, may lie anywhere.
    weight: [B, K], 0 for a keypoint that must not train.
    map_hw: (height, width) of the maps; static under jit.
    sigma: standard deviation in heatmap pixels, positive.
    unbiased: DARK's target if true, else the truncated one.
  Returns:
    heatmaps: [B, h, w, K] float32 in [0, 1]; weight: [B, K] float32.
  Raises:
    ValueError: if sigma or a map side is not positive.
  """
  height, width = map_hw
  if sigma <= 0 or height < 1 or width < 1:
    raise ValueError(
      "sigma and both sides of map_hw must be positive, got "
      f"sigma={sigma}, map_hw={tuple(map_hw)}"
    )
  center_xy_hm = jnp.asarray(kpts_xy_hm, jnp.float32)
  weight = jnp.asarray(weight, jnp.float32)
  if not unbiased:
    # Truncation toward zero, not floor: -1.01 + 0.5 goes to 0.
    center_xy_hm = jnp.trunc(center_xy_hm + 0.5)
  size_xy = jnp.asarray([width, height], jnp.float32)
  first_xy = jnp.trunc(center_xy_hm - 3 * sigma)
  beyond_xy = jnp.trunc(center_xy_hm + 3 * sigma + 1)
  # `< 0`, not `<= 0`: the reference keeps a square that ends at the edge.
  is_out = jnp.any((first_xy >= size_xy[None, None]) | (beyond_xy < 0), -1)
  weight = jnp.where(is_out, 0.0, weight)

  reach = None if unbiased else 3 * sigma
  # A keypoint without weight may have any coordinates, NaN included.
  center_xy_hm = jnp.where((weight > 0)[..., None], center_xy_hm, 0.0)
  columns = _bells(center_xy_hm[..., 0], width, sigma, reach)
  rows = _bells(center_xy_hm[..., 1], height, sigma, reach)
  rows = jnp.where((weight > 0)[:, None], rows, 0.0)
  return rows[:, :, None] * columns[:, None], weight


def _bells(
  center: Float[Array, "B K"],
  length: int,
  sigma: float | int,
  reach: float | int | None,
) -> Float[Array, "B length K"]:
  """Gaussians of peak 1 along one axis, zero farther than `reach` away."""
  offset = (
    jnp.arange(length, dtype=jnp.float32)[None, :, None] - center[:, None]
  )
  bells = jnp.exp(-jnp.square(offset) / (2 * sigma**2))
  if reach is None:
    return bells
  return jnp.where(jnp.abs(offset) <= reach, bells, 0.0)
