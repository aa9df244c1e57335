"""Gaussian filters on heatmaps, as small matrix products.

Kernels follow OpenCV's rule for a width that is derived from the size, because
published decoders name only the size. Outside the map there is zero.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# OpenCV replaces the sampled Gaussian by these binomial-like rows (in 1/256)
# where it derives the width itself; from 11 on it samples the Gaussian.
_SMALL_KERNELS = {
  1: (256,),
  3: (64, 128, 64),
  5: (16, 64, 96, 64, 16),
  7: (8, 28, 56, 72, 56, 28, 8),
  9: (4, 13, 30, 51, 60, 51, 30, 13, 4),
}


def gaussian_kernel(size: int) -> Float[np.ndarray, " k"]:
  """Returns OpenCV's Gaussian row of `size` taps, which sums to one.

  The width is 0.3 * ((size - 1) / 2 - 1) + 0.8; for sizes up to 9 OpenCV uses
  fixed rows instead. Source: OpenCV, getGaussianKernel with sigma 0.

  Args:
    size: number of taps, odd and positive.
  Returns:
    [size] float64.
  Raises:
    ValueError: if size is even or below one.
  """
  if size < 1 or size % 2 == 0:
    raise ValueError(
      f"a blur kernel must have an odd, positive size, got {size}: "
      "use 11, or 3 for maps of low resolution"
    )
  if size in _SMALL_KERNELS:
    return np.asarray(_SMALL_KERNELS[size], np.float64) / 256
  sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
  taps = np.arange(size) - (size - 1) / 2
  kernel = np.exp(-0.5 * (taps / sigma) ** 2)
  return kernel / kernel.sum()


def blur_matrix(size: int, num_outputs: int) -> Float[np.ndarray, "m n"]:
  """Returns the matrix that blurs a row of num_outputs + size - 1 values.

  Its product with a row gives the `num_outputs` values whose kernel lies
  inside the row ("valid" filtering). float32.
  """
  kernel = gaussian_kernel(size)
  matrix = np.zeros((num_outputs, num_outputs + size - 1), np.float32)
  for row in range(num_outputs):
    matrix[row, row : row + size] = kernel
  return matrix


def gaussian_blur(
  heatmaps: Float[Array | np.ndarray, "B h w K"], *, size: int
) -> Float[Array, "B h w K"]:
  """Returns whole heatmaps blurred by OpenCV's kernel, with zeros outside.

  Args:
    heatmaps: [B, h, w, K], any range.
    size: number of taps of the kernel, odd; static under jit.
  Returns:
    [B, h, w, K] float32.
  Raises:
    ValueError: if size is even or below one.
  """
  radius = size // 2
  height, width = heatmaps.shape[1:3]
  # Cutting the border columns off the matrix is the same as padding by zeros.
  rows = blur_matrix(size, height)[:, radius : radius + height]
  columns = blur_matrix(size, width)[:, radius : radius + width]
  return jnp.einsum(
    "ir,brck,jc->bijk",
    rows,
    jnp.asarray(heatmaps, jnp.float32),
    columns,
    precision=jax.lax.Precision.HIGHEST,  # some GPUs would round to TF32
  )
