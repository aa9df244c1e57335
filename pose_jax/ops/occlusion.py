"""Rectangles that cover parts of a picture (coarse dropout), on the device.

Keypoints under a rectangle stay labelled: the network is to guess them from
what it sees of the rest.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, UInt, UInt8

from pose_jax.ops import draws

FILLS = ("constant", "mean", "noise")
Number = float | int


def cover(
  images: UInt8[Array | np.ndarray, "B H W 3"] | Float[Array, "B H W 3"],
  seeds: UInt[Array | np.ndarray, "B"],
  *,
  probability: Number,
  min_holes: int = 1,
  max_holes: int = 1,
  min_size: Number = 0.2,
  max_size: Number = 0.4,
  fill: str = "constant",
  fill_rgb: Sequence[Number] = (0.0, 0.0, 0.0),
) -> Float[Array, "B H W 3"]:
  """Pictures with random rectangles filled, in a share of them.

  Number, height, width and place of the rectangles are uniform; they lie
  wholly inside the picture and may overlap.

  Args:
    images: [B, H, W, 3], 0..255.
    seeds: one number per picture.
    probability: share of pictures with rectangles.
    min_holes, max_holes: how many.
    min_size, max_size: of their height and width, in fractions of the
      picture's.
    fill: "constant" (fill_rgb), "mean" (the picture's mean colour) or "noise"
      (every number of every pixel from U(0, 255)).
    fill_rgb: 0..255.
  Raises:
    ValueError: if a range is empty or a value outside its own.
  """
  check(min_holes, max_holes, min_size, max_size, fill, fill_rgb)
  seeds = jnp.asarray(seeds)
  x = jnp.asarray(images, jnp.float32)
  choice_B2 = draws.uniform(seeds, "cover", 2)
  num_B = min_holes + jnp.floor(choice_B2[:, 1] * (max_holes - min_holes + 1))
  num_B = jnp.where(choice_B2[:, 0] < probability, num_B, 0)
  boxes_BM4 = draws.uniform(seeds, "holes", max_holes, 4)
  sizes_BM2 = min_size + (max_size - min_size) * boxes_BM4[..., :2]
  starts_BM2 = boxes_BM4[..., 2:] * (1 - sizes_BM2)
  is_hole_BM = jnp.arange(max_holes)[None] < num_B[:, None]
  covered = _covered(starts_BM2, sizes_BM2, is_hole_BM, images.shape[1:3])
  if fill == "mean":
    color = x.mean((1, 2), keepdims=True)
  elif fill == "noise":
    color = 255 * draws.uniform(seeds, "noise", *images.shape[1:])
  else:
    color = jnp.asarray(fill_rgb, jnp.float32).reshape(1, 1, 1, 3)
  return jnp.where(covered[..., None], color, x)


def check(min_holes, max_holes, min_size, max_size, fill, fill_rgb) -> None:
  """ValueError, with what would be right, unless `cover` can use these."""
  if not 0 <= min_holes <= max_holes or max_holes < 1:
    raise ValueError(
      f"min_holes {min_holes} must not be above max_holes {max_holes}, which "
      "must be at least 1"
    )
  if not 0 < min_size <= max_size <= 1:
    raise ValueError(
      f"min_size {min_size} must not be above max_size {max_size}: both are "
      "fractions of the crop, above 0 and at most 1"
    )
  if fill not in FILLS:
    raise ValueError(f"fill {fill!r} is none of {', '.join(FILLS)}")
  if len(fill_rgb) != 3 or not all(0 <= value <= 255 for value in fill_rgb):
    raise ValueError(
      f"fill_rgb must be three numbers in 0..255, got {tuple(fill_rgb)}"
    )


def _covered(
  starts_BM2: Float[Array, "B M 2"],
  sizes_BM2: Float[Array, "B M 2"],
  is_hole_BM: Bool[Array, "B M"],
  hw: tuple[int, int],
) -> Bool[Array, "B H W"]:
  """Pixels whose centre lies in a rectangle; row before column."""
  inside = []
  for axis in (0, 1):
    at_P = (jnp.arange(hw[axis]) + 0.5) / hw[axis]
    start, size = starts_BM2[..., axis, None], sizes_BM2[..., axis, None]
    at = at_P[None, None]
    inside.append((at >= start) & (at < start + size))
  rows_BMH, columns_BMW = inside
  rows_BMH &= is_hole_BM[..., None]
  return (rows_BMH[..., :, None] & columns_BMW[..., None, :]).any(1)
