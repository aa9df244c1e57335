"""Blurs a share of the pictures of a batch, on the device.

Pictures are RGB in 0..255; a side is drawn from the odd numbers between 3 and
`max_size`, as albumentations' Blur and MedianBlur do. Work is done only for
the pictures that are drawn, one after the other.
"""

import functools

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
    ValueError: if max_size is even or not between 3 and 15.
  """
  return _some(_mean, images, seeds, "blur", probability, max_size)


def median_blur(
  images: Images,
  seeds: UInt[Array | np.ndarray, "B"],
  *,
  probability: Number,
  max_size: int = 7,
) -> Float[Array, "B H W 3"]:
  """The median of the window round each pixel, in a share of the pictures.

  Taken of pixels rounded to whole grey levels, channel by channel; beyond the
  border the edge is repeated (OpenCV's medianBlur). Arguments as `box_blur`.
  """
  return _some(_median, images, seeds, "median", probability, max_size)


def check(max_size: int) -> None:
  """ValueError unless this can be the side of the largest window."""
  # Beyond 15, half of the window's pixels no longer count within a byte.
  if not 3 <= max_size <= 15 or max_size % 2 == 0:
    raise ValueError(
      "the largest window of a blur must be odd and between 3 and 15, got "
      f"{max_size}"
    )


def _some(blur, images, seeds, purpose, probability, max_size):
  """`blur(picture, size)` of the pictures that are drawn, one by one."""
  check(max_size)
  draws_B2 = draws.uniform(jnp.asarray(seeds), purpose, 2)
  num_sizes = max_size // 2
  branch_B = 1 + jnp.floor(draws_B2[:, 1] * num_sizes).astype(jnp.int32)
  branch_B = jnp.where(draws_B2[:, 0] < probability, branch_B, 0)
  branches = [lambda x: x] + [
    functools.partial(blur, size=size) for size in range(3, max_size + 1, 2)
  ]
  return jax.lax.map(
    lambda item: jax.lax.switch(item[1], branches, item[0]),
    (jnp.asarray(images, jnp.float32), branch_B),
  )


def _mean(x: Float[Array, "H W 3"], size: int) -> Float[Array, "H W 3"]:
  """Down the columns, then along the rows."""
  for axis in (0, 1):
    pad = [(size // 2, size // 2) if a == axis else (0, 0) for a in range(3)]
    padded, length = jnp.pad(x, pad, mode="reflect"), x.shape[axis]
    x = sum(
      jax.lax.slice_in_dim(padded, t, t + length, axis=axis)
      for t in range(size)
    )
    x /= size
  return x


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
