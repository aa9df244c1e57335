"""Heatmaps that a network is trained to give, from keypoints.

A keypoint's map is the outer product of two one-dimensional Gaussians of peak
1, a link's the closed form of a Gaussian swept along it, so drawing them in
the training step costs next to nothing. Coordinates are heatmap pixels (x, y),
integers at pixel centres.
"""

import math
from collections.abc import Sequence

import jax
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
  _check_positive(sigma, map_hw)
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


def links(
  kpts_xy_hm: Float[Array | np.ndarray, "B K 2"],
  weight: Float[Array | np.ndarray, "B K"],
  *,
  pairs: Sequence[tuple[int, int]],
  map_hw: tuple[int, int],
  sigma: float | int = 1.0,
) -> tuple[Float[Array, "B h w L"], Float[Array, "B L"]]:
  """Returns maps of the segments between keypoints, and their weights.

  A Gaussian of peak 1 summed along the segment and cut at 1: for sigma 1 a
  flat band 1.36 pixels to either side of a long link. The sum is an integral
  here, so it depends on no raster; with d the distance to the line and a, b
  the signed distances along it from the two ends,
  min(1, sqrt(2 pi) sigma exp(-d^2 / 2 sigma^2)
         (erf(a / sqrt(2) sigma) - erf(b / sqrt(2) sigma)) / 2).
  Beside the sum over a segment's whole pixels, it ends half a pixel earlier
  and is wider where the segment is oblique, which has fewer pixels than its
  length. A link shorter than a pixel peaks below 1, one without length has an
  empty map. Source: Jun, Lee and Kim, "Human Pose Estimation Using Skeletal
  Heatmaps", section A; differs in: the integral; what they leave open, the
  filter's peak, is 1 (a normalised filter would never reach the cut).

  Args:
    kpts_xy_hm: [B, K, 2] keypoints, heatmap pixels, may lie anywhere; where
      the weight is 0 they may be NaN.
    weight: [B, K] 0 or 1; a link weighs what its ends do, multiplied.
    pairs: (start, end) keypoints of each of L links; static.
    map_hw: (height, width) of the maps; static under jit.
    sigma: standard deviation in heatmap pixels, positive.
  Returns:
    maps: [B, h, w, L] float32 in [0, 1], zero for links of weight 0; weight:
    [B, L] float32. A link that misses the map keeps its weight: its target is
    that nothing of it shows.
  Raises:
    ValueError: if sigma or a map side is not positive, there are no pairs or
      one names a keypoint that does not exist.
  """
  height, width = map_hw
  _check_positive(sigma, map_hw)
  _check_pairs(pairs, kpts_xy_hm.shape[1])
  starts, ends = np.asarray(pairs).T
  weight = jnp.asarray(weight, jnp.float32)
  weight_BL = weight[:, starts] * weight[:, ends]
  is_kept = weight_BL > 0
  unit = math.sqrt(2) * sigma  # all lengths below are in it
  kpts_xy = jnp.asarray(kpts_xy_hm, jnp.float32) / unit
  start_xy = jnp.where(is_kept[..., None], kpts_xy[:, starts], 0.0)
  end_xy = jnp.where(is_kept[..., None], kpts_xy[:, ends], 0.0)
  length_BL, direction_xy = _polar(end_xy - start_xy)
  x = jnp.arange(width, dtype=jnp.float32)[None, None, :, None] / unit
  y = jnp.arange(height, dtype=jnp.float32)[None, :, None, None] / unit
  x, y = x - start_xy[:, None, None, :, 0], y - start_xy[:, None, None, :, 1]
  along_x = direction_xy[:, None, None, :, 0]
  along_y = direction_xy[:, None, None, :, 1]
  ahead = along_x * x + along_y * y
  aside = along_x * y - along_y * x
  share = jax.lax.erf(ahead) - jax.lax.erf(ahead - length_BL[:, None, None])
  maps = math.sqrt(math.pi / 2) * sigma * jnp.exp(-jnp.square(aside)) * share
  maps = jnp.clip(maps, 0.0, 1.0)
  return jnp.where(is_kept[:, None, None], maps, 0.0), weight_BL


def _polar(
  xy: Float[Array, "B L 2"],
) -> tuple[Float[Array, "B L"], Float[Array, "B L 2"]]:
  """Lengths and directions of vectors; of one without length, zeros."""
  square = jnp.square(xy).sum(-1)
  # The inner where keeps the root's gradient finite.
  length = jnp.sqrt(jnp.where(square > 0, square, 1.0))
  return jnp.where(square > 0, length, 0.0), xy / length[..., None]


def _check_positive(sigma: float | int, map_hw: tuple[int, int]) -> None:
  """Raises ValueError unless the deviation and the map's sides are positive."""
  if sigma <= 0 or min(map_hw) < 1:
    raise ValueError(
      "sigma and both sides of map_hw must be positive, got "
      f"sigma={sigma}, map_hw={tuple(map_hw)}"
    )


def _check_pairs(pairs: Sequence[tuple[int, int]], num_keypoints: int) -> None:
  """Raises ValueError unless there are links, between keypoints that exist."""
  if not pairs:
    raise ValueError("pairs must name at least one link, got none")
  for pair in pairs:
    if not all(0 <= end < num_keypoints for end in pair):
      raise ValueError(
        f"pairs must hold keypoints 0 to {num_keypoints - 1}, got "
        f"{tuple(pair)}: are they of another skeleton?"
      )


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
