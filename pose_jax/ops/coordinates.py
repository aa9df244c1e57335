"""Coordinates in units of the crop, which networks regress.

0 is the crop's middle, -0.5 and 0.5 are its edges: pixel x of a crop W pixels
wide is at (x + 0.5) / W - 0.5. So the mirror image of a point (x, y) is exactly
(-x, y), whatever the crop's size and alignment.
Source: Toshev and Szegedy 2014 (DeepPose, arXiv 1312.4659), Eq. 1, whose box
is here the crop.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Points = Float[Array | np.ndarray, "*n 2"]


def units_from_crop(
  xy_crop: Points, crop_hw: Sequence[int]
) -> Float[Array, "*n 2"]:
  """Crop pixels (x, y) in units of the crop, float32."""
  xy_crop = jnp.asarray(xy_crop, jnp.float32)
  return (xy_crop + 0.5) / size_xy(xy_crop.ndim, crop_hw) - 0.5


def crop_from_units(xy: Points, crop_hw: Sequence[int]) -> Float[Array, "*n 2"]:
  """Units of the crop in crop pixels (x, y), float32."""
  xy = jnp.asarray(xy, jnp.float32)
  return (xy + 0.5) * size_xy(xy.ndim, crop_hw) - 0.5


def size_xy(num_axes: int, crop_hw: Sequence[int]) -> Float[Array, "*n 2"]:
  """(width, height) of a crop for points of so many axes."""
  size = jnp.asarray(tuple(crop_hw)[::-1], jnp.float32)
  return size.reshape(*[1] * (num_axes - 1), 2)
