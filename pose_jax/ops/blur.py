"""Blurs a share of the pictures of a batch, on the device.

Pictures are RGB in 0..255; a side is drawn from the odd numbers between 3 and
`max_size`, as albumentations' Blur and MedianBlur do.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, UInt, UInt8

from pose_jax.ops import draws

Number = float | int
Images = UInt8[Array | np.ndarray, "B H W 3"] | Float[Array, "B H W 3"]


def box_blur(
  images: Images,
  seeds: UInt[Array | np.ndarray, "B"],
  *,
  probability: Number,
  max_size: int = 7,
) -> Float[Array, "B H W 3"]:
  """The mean of the window round each pixel, in a share of the pictures.

  Beyond the border the picture is mirrored, without repeating its edge
  (OpenCV's blur).

  Args:
    images: [B, H, W, 3], 0..255.
    seeds: one number per picture.
    probability: share of pictures that are blurred.
    max_size: side of the largest window, odd.
  Raises:
    ValueError: if max_size is even or below 3.
  """
  sizes_B = _sizes(jnp.asarray(seeds), "blur", probability, max_size)
  reach = max_size // 2
  x = jnp.asarray(images, jnp.float32)
  offsets = jnp.abs(jnp.arange(-reach, reach + 1))
  taps_BT = (offsets[None] <= sizes_B[:, None] // 2) / sizes_B[:, None]
  for axis in (1, 2):
    pad = [(reach, reach) if a == axis else (0, 0) for a in range(4)]
    padded = jnp.pad(x, pad, mode="reflect")
    x = sum(
      taps_BT[:, t, None, None, None]
      * jax.lax.slice_in_dim(padded, t, t + images.shape[axis], axis=axis)
      for t in range(max_size)
    )
  return x


def median_blur(
  images: Images,
  seeds: UInt[Array | np.ndarray, "B"],
  *,
  probability: Number,
  max_size: int = 7,
) -> Float[Array, "B H W 3"]:
  """The median of the window round each pixel, in a share of the pictures.

  Taken of pixels rounded to whole grey levels, channel by channel; beyond the
  border the edge is repeated (OpenCV's medianBlur). The work is done only for
  the pictures that are drawn, one after the other. Arguments as `box_blur`.
  """
  sizes_B = _sizes(jnp.asarray(seeds), "median", probability, max_size)
  branches = [lambda x: x] + [
    lambda x, size=size: _median(x, size) for size in range(3, max_size + 1, 2)
  ]
  return jax.lax.map(
    lambda item: jax.lax.switch(item[1] // 2, branches, item[0]),
    (jnp.asarray(images, jnp.float32), sizes_B),
  )


def check(max_size: int) -> None:
  """ValueError unless this can be the side of the largest window."""
  if max_size < 3 or max_size % 2 == 0:
    raise ValueError(
      f"the largest window of a blur must be odd and at least 3, got {max_size}"
    )


def _sizes(seeds, purpose, probability, max_size):
  """[B] window sides; 1 where a picture is left alone."""
  check(max_size)
  draws_B2 = draws.uniform(seeds, purpose, 2)
  sizes = 3 + 2 * jnp.floor(draws_B2[:, 1] * (max_size // 2)).astype(jnp.int32)
  return jnp.where(draws_B2[:, 0] < probability, sizes, 1)


def _median(x: Float[Array, "H W 3"], size: int) -> Float[Array, "H W 3"]:
  """Bit by bit: the largest level with fewer than half the pixels below it."""
  reach, (height, width) = size // 2, x.shape[:2]
  pixels = jnp.round(x).astype(jnp.uint8)
  pad = [(reach, reach), (reach, reach), (0, 0)]
  padded = jnp.pad(pixels, pad, mode="edge")
  windows = [
    padded[row : row + height, column : column + width]
    for row in range(size)
    for column in range(size)
  ]

  def body(i, level):
    trial = level | (jnp.uint8(128) >> i.astype(jnp.uint8))
    below = sum((w < trial).astype(jnp.uint8) for w in windows)
    return jnp.where(below <= size * size // 2, trial, level)

  level = jax.lax.fori_loop(0, 8, body, jnp.zeros_like(pixels))
  return level.astype(jnp.float32)
