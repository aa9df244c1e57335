"""Affine resampling of maps: the grid and the sampler of spatial transformers.

A transform `theta` [2, 3] takes OUTPUT positions to INPUT positions, both
normalised: x first, -1 and +1 are the centres of the outer pixels. With
(u, v) = theta @ (x, y, 1), what the output shows at (x, y) is what the input
holds at (u, v), so a theta of 1/2 on the diagonal magnifies the middle twice.
Outside the input there is zero. An axis of one pixel has no extent: positions
along it are 0.
Source: Jaderberg et al. 2015, arXiv 1506.02025.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

# Transforms that shrink areas more than a thousandfold are inverted as if
# they did so just a thousandfold.
SMALLEST_DETERMINANT = 1e-3

Maps = Float[Array | np.ndarray, "B h w C"]
Thetas = Float[Array | np.ndarray, "B P 2 3"]


def affine_grid(
  theta: Thetas, map_hw: Sequence[int]
) -> Float[Array, "B h w P 2"]:
  """Returns for every output pixel the input position theta takes it to.

  It is computed about the map's middle, so that the identity gives the
  pixels' own positions without rounding.
  Source: Jaderberg et al. 2015, arXiv 1506.02025, Eq. 1.

  Args:
    theta: [B, P, 2, 3], P transforms for each map of the batch.
    map_hw: (height, width) of input and output.
  Returns:
    [B, h, w, P, 2] (x, y) in pixels of the map, possibly outside it.
  """
  theta = jnp.asarray(theta)
  # bfloat16 would not tell the pixels of a wide map apart.
  theta = theta.astype(jnp.promote_types(theta.dtype, jnp.float32))
  middle_xy = [(size - 1) / 2 for size in reversed(map_hw)]
  height, width = map_hw
  x = jnp.arange(width, dtype=theta.dtype) - middle_xy[0]
  y = jnp.arange(height, dtype=theta.dtype) - middle_xy[1]
  x, y = x[None, None, :, None], y[None, :, None, None]
  axes = []
  for axis, middle in enumerate(middle_xy):
    # From units of each output axis to units of this input axis.
    per_x, per_y = (middle / other if other else 0.0 for other in middle_xy)
    a, b, shift = (theta[:, None, None, :, axis, i] for i in range(3))
    axes.append(a * per_x * x + b * per_y * y + shift * middle + middle)
  return jnp.stack(axes, -1)


@jax.jit
def sample_affine(maps: Maps, theta: Thetas) -> Float[Array, "B h w C"]:
  """Returns the maps as seen through theta: bilinear, zero outside.

  Differentiable in both (once, backwards). On a pixel's centre, where the
  bilinear interpolation has a kink, the gradient is that towards larger x
  and y. Positions are computed in theta's precision, maps are mixed in at
  least float32.

  Args:
    maps: [B, h, w, C], any range.
    theta: [B, P, 2, 3]; P is 1 (one transform for all channels) or C (one
      for each channel).
  Returns:
    [B, h, w, C], in the maps' type; the maps themselves where theta is the
    identity.
  Raises:
    ValueError: if P is neither 1 nor C.
  """
  maps, theta = jnp.asarray(maps), jnp.asarray(theta)
  if theta.shape[1] not in (1, maps.shape[-1]):
    raise ValueError(
      f"theta must hold one transform or one for each of the "
      f"{maps.shape[-1]} channels, got {theta.shape[1]}"
    )
  xy = affine_grid(theta, maps.shape[1:3])
  is_shared = theta.shape[1] == 1
  if is_shared and jax.default_backend() == "cpu":
    return _blend_shared(maps, xy)
  return _blend(maps, xy)


def invert_affine(theta: Thetas) -> Float[Array, "B P 2 3"]:
  """Returns the transforms that undo theta.

  A determinant closer to 0 than SMALLEST_DETERMINANT is replaced by that
  number with the determinant's sign (0 counts as positive), so the result and
  its gradient stay finite; it is then no inverse.
  """
  a, b, x, c, d, y = (
    jnp.asarray(theta)[..., row, column]
    for row in range(2)
    for column in range(3)
  )
  determinant = a * d - b * c
  limit = jnp.where(
    determinant < 0, -SMALLEST_DETERMINANT, SMALLEST_DETERMINANT
  ).astype(determinant.dtype)
  is_safe = jnp.abs(determinant) >= SMALLEST_DETERMINANT
  scale = 1 / jnp.where(is_safe, determinant, limit)
  top = [d, -b, b * y - d * x]
  bottom = [-c, a, c * x - a * y]
  inverse = jnp.stack([jnp.stack(top, -1), jnp.stack(bottom, -1)], -2)
  return inverse * scale[..., None, None]


def _blend(
  maps: Float[Array, "B h w C"], xy: Float[Array, "B h w P 2"]
) -> Float[Array, "B h w C"]:
  """Each output pixel from the four input pixels round its position."""
  corner, fraction = _corners(xy, maps.shape[1:3])
  fx, fy = fraction[..., 0], fraction[..., 1]
  v00, v01, v10, v11 = _four_values(maps, corner)
  top = (1 - fx) * v00 + fx * v01
  bottom = (1 - fx) * v10 + fx * v11
  values = (1 - fy) * top + fy * bottom
  return values.reshape(maps.shape).astype(maps.dtype)


def _corners(
  xy: Float[Array, "B h w P 2"], map_hw: tuple[int, int]
) -> tuple[Int[Array, "B N P 2"], Float[Array, "B N P 2"]]:
  """Upper left pixel of the four in maps with a border of one zero pixel.

  Positions beyond the border are drawn onto it, so they read zeros.
  """
  xy = xy.reshape(xy.shape[0], -1, *xy.shape[3:])
  size_xy = jnp.asarray(map_hw[::-1], xy.dtype).reshape(1, 1, 1, 2)
  still = lax.stop_gradient(jnp.clip(xy, -1, size_xy))
  xy = jnp.where(_is_inside(xy, map_hw), xy, still)
  corner = jnp.clip(jnp.floor(still), -1, size_xy - 1)
  return corner.astype(jnp.int32) + 1, xy - corner


def _is_inside(
  xy: Float[Array, "*n 2"], map_hw: tuple[int, int]
) -> Bool[Array, "*n 2"]:
  """Where a step to larger x (or y) can change what is read."""
  size_xy = jnp.asarray(map_hw[::-1], xy.dtype)
  return (xy >= -1) & (xy < size_xy.reshape(*[1] * (xy.ndim - 1), 2))


def _four_values(
  maps: Float[Array, "B h w C"], corner: Int[Array, "B N P 2"]
) -> list[Float[Array, "B N C"]]:
  """Values at a corner, right of it, below it, and right of that."""
  batch, _, width, channels = maps.shape
  stride = width + 2
  padded = jnp.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
  rows = padded.reshape(batch, -1, channels)
  at = corner[..., 1] * stride + corner[..., 0]
  values = [
    jnp.take_along_axis(rows, at + step, 1, mode="promise_in_bounds")
    for step in (0, 1, stride, stride + 1)
  ]
  return [v.astype(jnp.promote_types(v.dtype, jnp.float32)) for v in values]


@jax.custom_vjp
def _blend_shared(
  maps: Float[Array, "B h w C"], xy: Float[Array, "B h w 1 2"]
) -> Float[Array, "B h w C"]:
  """`_blend` of one position for all channels, with a gradient for CPUs.

  The gradient that JAX derives scatters four times into maps of their own and
  sums over channels number by number: about three times as long.
  """
  return _blend(maps, xy)


def _blend_shared_forward(maps, xy):
  return _blend(maps, xy), (maps, xy)


def _blend_shared_backward(residuals, cotangent):
  maps, xy = residuals
  corner, fraction = _corners(xy, maps.shape[1:3])
  cotangent = cotangent.reshape(*corner.shape[:2], -1)
  cotangent = cotangent.astype(
    jnp.promote_types(jnp.promote_types(maps.dtype, xy.dtype), jnp.float32)
  )
  gradient = _scatter(cotangent, corner[:, :, 0], fraction[:, :, 0], maps.shape)
  fx, fy = fraction[..., 0], fraction[..., 1]
  v00, v01, v10, v11 = _four_values(maps, corner)
  slope_x = (1 - fy) * (v01 - v00) + fy * (v11 - v10)
  slope_y = (1 - fx) * (v10 - v00) + fx * (v11 - v01)
  # A product with ones sums over channels in vectors; a sum would not.
  ones = jnp.ones(maps.shape[-1], cotangent.dtype)
  sums = [
    jnp.einsum("bnc,c->bn", cotangent * slope, ones, precision="highest")
    for slope in (slope_x, slope_y)
  ]
  xy_gradient = jnp.stack(sums, -1).reshape(xy.shape)
  is_inside = _is_inside(xy, maps.shape[1:3])
  xy_gradient = jnp.where(is_inside, xy_gradient, 0).astype(xy.dtype)
  return gradient.astype(maps.dtype), xy_gradient


_blend_shared.defvjp(_blend_shared_forward, _blend_shared_backward)


def _scatter(
  cotangent: Float[Array, "B N C"],
  corner: Int[Array, "B N 2"],
  fraction: Float[Array, "B N 2"],
  shape: tuple[int, ...],
) -> Float[Array, "B h w C"]:
  """Every cotangent added to the four pixels it came from, one by one."""
  batch, height, width, channels = shape
  mix_x, mix_y = (
    jnp.stack([1 - fraction[..., i], fraction[..., i]], -1) for i in (0, 1)
  )
  mixes = (mix_y[..., :, None] * mix_x[..., None, :]).reshape(-1, 2, 2, 1)
  cotangents, corners = cotangent.reshape(-1, channels), corner.reshape(-1, 2)
  count = corner.shape[1]

  def body(n, maps):
    start = (n // count, corners[n, 1], corners[n, 0], jnp.int32(0))
    patch = lax.dynamic_slice(maps, start, (1, 2, 2, channels))
    patch += (mixes[n] * cotangents[n][None, None])[None]
    return lax.dynamic_update_slice(maps, patch, start)

  empty = jnp.zeros((batch, height + 2, width + 2, channels), cotangent.dtype)
  maps = lax.fori_loop(jnp.int32(0), jnp.int32(batch * count), body, empty)
  return maps[:, 1:-1, 1:-1]
