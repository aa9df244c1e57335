"""Crops about points, cut out and resized on the device: bilinear.

The pixel in column j of a crop w pixels wide, `size` pixels of the image in
size and centred at x = `center`, shows the image at

  center + (j - (w - 1) / 2) * size / w

and rows likewise, with pixel centres at integers: the w pixels divide `size`
into cells of equal width and show the image at the middle of each. A crop of
the image's size about its middle is the image. Outside the image there is
zero, towards which its outer pixels fade within one pixel. A crop that shrinks
skips pixels; it does not average them.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

Images = Float[Array | np.ndarray, "B H W C"]
Points = Float[Array | np.ndarray, "B K 2"]


@partial(jax.jit, static_argnames="out_hw")
def crop_round(
  images: Images,
  center_xy: Points,
  size_xy: Points,
  out_hw: tuple[int, int],
) -> Float[Array, "B K h w C"]:
  """Returns K crops of every image, in the images' type.

  Crops are upright, so rows are read and mixed first, then columns of these.
  On two CPU cores 17 crops of 64x64 from each of 16 images of 128x96 take
  12 ms so, 16 ms where each pixel reads its four neighbours, 73 ms as two
  products with weights for rows and columns; 14 crops of 96x96 from each of 8
  images of 224x224 take 15, 19 and 131 ms. Accelerators: not measured.

  Differentiable in images, centres and sizes; where a position falls on a
  pixel's centre, which is a kink, the gradient is that towards larger x and y.

  Args:
    images: any range.
    center_xy: middles of the crops, pixels of the image.
    size_xy: extents of the crops in x and in y, pixels of the image.
    out_hw: (height, width) that all crops are resized to.
  """
  images, center_xy, size_xy = map(jnp.asarray, (images, center_xy, size_xy))
  batch, height, width, channels = images.shape
  num_crops, (out_height, out_width) = center_xy.shape[1], out_hw
  columns, part_x = _before(
    center_xy[..., 0], size_xy[..., 0], out_width, width
  )
  rows, part_y = _before(center_xy[..., 1], size_xy[..., 1], out_height, height)
  # A border of one zero pixel, which all positions outside are drawn onto.
  padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
  x = padded.reshape(batch, height + 2, -1)
  x = _mix(x, rows.reshape(batch, -1, 1), part_y.reshape(batch, -1, 1), 1)
  x = x.reshape(batch, num_crops, out_height, width + 2, channels)
  x = _mix(x, columns[:, :, None, :, None], part_x[:, :, None, :, None], 3)
  return x.astype(images.dtype)


def _before(
  center: Float[Array, "B K"],
  size: Float[Array, "B K"],
  count: int,
  length: int,
) -> tuple[Int[Array, "B K n"], Float[Array, "B K n"]]:
  """The pixel at or before each position, and what the next one weighs.

  Pixels are counted from the border of one pixel before the image's first;
  positions are computed in at least float32.
  """
  center = center.astype(jnp.promote_types(center.dtype, jnp.float32))
  step = jnp.arange(count, dtype=center.dtype) - (count - 1) / 2
  at = center[..., None] + step[None, None] * (size / count)[..., None]
  still = lax.stop_gradient(jnp.clip(at, -1, length))
  at = jnp.where((at >= -1) & (at < length), at, still)
  pixel = jnp.clip(jnp.floor(still), -1, length - 1)
  return pixel.astype(jnp.int32) + 1, at - pixel


def _mix(
  x: Float[Array, "..."],
  before: Int[Array, "..."],
  part: Float[Array, "..."],
  axis: int,
) -> Float[Array, "..."]:
  """Values between neighbours along an axis, in at least float32."""
  first, second = (
    jnp.take_along_axis(x, before + step, axis, mode="promise_in_bounds")
    for step in (0, 1)
  )
  return (1 - part) * first + part * second
