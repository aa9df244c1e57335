"""Convolutions and batch norm that networks are built from.

Conventions: images and features are [B, H, W, C], kernels [kh, kw, I, O].
Padding is torch's, written out: (k - 1) // 2 zeros on both sides (XLA's SAME
pads stride-2 layers on one side only and shifts the map by a pixel).
Parameters are float32; `dtype` is what a layer computes in.

On CPUs XLA's own gradient of a 1x1 and above all of a transposed convolution
is slow (up to a hundred times), and so is any convolution of a map smaller
than its kernel; these also exist as matrix products, equal up to rounding.
`fast_forms` is the one place that chooses.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
_LAYOUT = ("NHWC", "HWIO", "NHWC")


class Forms(NamedTuple):
  """How convolutions are written for XLA; the values do not depend on it.

  Attributes:
    pointwise_as_dot: 1x1 convolutions are matrix products.
    small_maps_as_dot: convolutions of maps smaller than their kernel are one
      matrix product of patches.
    transposed_by_phases: 4x4 stride-2 transposed convolutions are one 2x2
      convolution to 4C channels, and their weight gradient matrix products.
  """

  pointwise_as_dot: bool
  small_maps_as_dot: bool
  transposed_by_phases: bool


def fast_forms(backend: str | None = None) -> Forms:
  """Returns the forms to use on a backend ("cpu", "gpu", "tpu").

  CPU: measured, see benchmarks/README.md. Accelerators: not measured; there
  1x1 convolutions stay XLA's own (cuDNN and the TPU compiler know them) and
  the phases, which are plain dense convolutions, are kept.
  """
  backend = backend or jax.default_backend()
  is_cpu = backend == "cpu"
  return Forms(
    pointwise_as_dot=is_cpu,
    small_maps_as_dot=is_cpu,
    transposed_by_phases=True,
  )


def convolve(
  x: Float[Array, "B H W I"],
  kernel: Float[Array, "kh kw I O"],
  *,
  stride: int = 1,
  pads: tuple[int, int] | None = None,
  forms: Forms | None = None,
) -> Float[Array, "B h w O"]:
  """Returns the convolution of odd kernel size.

  Args:
    pads: zeros before and behind rows, as before and behind columns; None:
      (k - 1) // 2 each, torch's.
  """
  forms = forms or fast_forms()
  kh, kw = kernel.shape[:2]
  if (kh, kw) == (1, 1) and forms.pointwise_as_dot and not pads:
    x = x[:, ::stride, ::stride]
    # As a 2-D product: with more axes to contract, XLA's gradient of the
    # kernel first transposes the whole map.
    y = jnp.dot(x.reshape(-1, x.shape[-1]), kernel[0, 0])
    return y.reshape(*x.shape[:-1], kernel.shape[-1])
  all_pads = [pads or ((k - 1) // 2, (k - 1) // 2) for k in (kh, kw)]
  if forms.small_maps_as_dot and (x.shape[1] < kh or x.shape[2] < kw):
    return _convolve_by_patches(x, kernel, stride, all_pads)
  return lax.conv_general_dilated(
    x, kernel, (stride, stride), all_pads, dimension_numbers=_LAYOUT
  )


def _convolve_by_patches(x, kernel, stride, pads):
  """The convolution as one product; XLA's own is 20 times slower there."""
  kh, kw, num_in, num_out = kernel.shape
  x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
  height, width = (
    (n - k) // stride + 1 for n, k in zip(x.shape[1:3], (kh, kw), strict=True)
  )
  patches = jnp.concatenate(
    [
      x[:, i : i + stride * height : stride, j : j + stride * width : stride]
      for i in range(kh)
      for j in range(kw)
    ],
    axis=-1,
  )
  y = jnp.dot(
    patches.reshape(-1, kh * kw * num_in), kernel.reshape(-1, num_out)
  )
  return y.reshape(-1, height, width, num_out)


@partial(jax.jit, static_argnames="forms")
def deconvolve(
  x: Float[Array, "B H W I"],
  kernel: Float[Array, "4 4 I O"],
  *,
  forms: Forms | None = None,
) -> Float[Array, "B 2*H 2*W O"]:
  """Returns the 4x4 stride-2 transposed convolution, twice as large as x.

  It is torch's ConvTranspose2d(4, stride=2, padding=1): input pixel i adds
  kernel[k] to output pixel 2i - 1 + k, in rows as in columns. A jit of its own
  so that `cost.py` finds it by name, whatever the form.
  """
  forms = forms or fast_forms()
  if forms.transposed_by_phases:
    return _deconvolve_by_phases(x, kernel)
  return lax.conv_general_dilated(
    x,
    kernel[::-1, ::-1],
    (1, 1),
    [(2, 2), (2, 2)],
    lhs_dilation=(2, 2),
    dimension_numbers=_LAYOUT,
  )


@jax.custom_vjp
def _deconvolve_by_phases(x, kernel):
  """The transposed convolution as one 2x2 convolution to four phases.

  Even output rows 2q see input rows q-1 and q through kernel rows 3 and 1, odd
  rows 2q+1 see q and q+1 through 2 and 0: window q of the padded rows for
  even, window q+1 for odd ones.
  """
  num_batch, height, width, _ = x.shape
  num_out = kernel.shape[-1]
  taps = jnp.array([[3, 1], [2, 0]])  # [phase, window row]
  phases = kernel[taps[:, :, None, None], taps[None, None]]  # [p r q c I O]
  phases = phases.transpose(1, 3, 4, 0, 2, 5).reshape(2, 2, -1, 4 * num_out)
  y = lax.conv_general_dilated(
    x, phases, (1, 1), [(1, 1), (1, 1)], dimension_numbers=_LAYOUT
  ).reshape(num_batch, height + 1, width + 1, 2, 2, num_out)
  rows = [
    jnp.stack(
      [y[:, p : p + height, q : q + width, p, q] for q in (0, 1)], axis=3
    )
    for p in (0, 1)
  ]
  return jnp.stack(rows, axis=2).reshape(
    num_batch, 2 * height, 2 * width, num_out
  )


def _deconvolve_forward(x, kernel):
  return _deconvolve_by_phases(x, kernel), (x, kernel)


def _deconvolve_backward(saved, dy):
  """Input gradient: a plain strided convolution. Kernel: 16 products."""
  x, kernel = saved
  _, height, width, num_in = x.shape
  num_out = dy.shape[-1]
  dx = lax.conv_general_dilated(
    dy,
    kernel.swapaxes(2, 3),
    (2, 2),
    [(1, 1), (1, 1)],
    dimension_numbers=_LAYOUT,
  )
  padded = jnp.pad(dy, ((0, 0), (1, 1), (1, 1), (0, 0)))
  x_NI = x.reshape(-1, num_in)
  dkernel = [
    jnp.dot(
      x_NI.T,
      padded[:, i : i + 2 * height : 2, j : j + 2 * width : 2].reshape(
        -1, num_out
      ),
    )
    for i in range(4)
    for j in range(4)
  ]
  return dx, jnp.stack(dkernel).reshape(kernel.shape)


_deconvolve_by_phases.defvjp(_deconvolve_forward, _deconvolve_backward)


class Conv(nn.Module):
  """Convolution of odd size `kernel_size`; `pads` as of `convolve`."""

  features: int
  kernel_size: int = 3
  stride: int = 1
  pads: tuple[int, int] | None = None
  use_bias: bool = False
  dtype: Any = jnp.float32
  kernel_init: Callable[..., Array] = nn.initializers.variance_scaling(
    2.0, "fan_out", "normal"
  )
  bias_init: Callable[..., Array] = nn.initializers.zeros

  @nn.compact
  def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B h w O"]:
    shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
    kernel = self.param("kernel", self.kernel_init, shape)
    y = convolve(
      x.astype(self.dtype),
      kernel.astype(self.dtype),
      stride=self.stride,
      pads=self.pads,
    )
    if self.use_bias:
      bias = self.param("bias", self.bias_init, (self.features,))
      y = y + bias.astype(self.dtype)[None, None, None]
    return y


class Deconv(nn.Module):
  """4x4 stride-2 transposed convolution without bias: doubles the map.

  The kernel is torch's, with axes [kh, kw, I, O] and not flipped.
  """

  features: int
  dtype: Any = jnp.float32
  kernel_init: Callable[..., Array] = nn.initializers.normal(0.001)

  @nn.compact
  def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B h w O"]:
    kernel = self.param(
      "kernel", self.kernel_init, (4, 4, x.shape[-1], self.features)
    )
    return deconvolve(x.astype(self.dtype), kernel.astype(self.dtype))


class BatchNorm(nn.Module):
  """Batch normalisation whose running variance is the unbiased one, as torch.

  Variables are those of flax.linen.BatchNorm: params scale, bias; batch_stats
  mean, var; all float32, as are the statistics of the batch, whatever
  `dtype` is. With `axis_name` the statistics are those of all devices.

  Attributes:
    use_running_average: normalise with the running statistics (evaluation).
    momentum: share of the old running value kept (0.9 is torch's 0.1).
    axis_name: name of the mapped axis to synchronise over, or None.
  """

  use_running_average: bool
  momentum: float = 0.9
  epsilon: float = 1e-5
  dtype: Any = jnp.float32
  axis_name: str | None = None
  scale_init: Callable[..., Array] = nn.initializers.ones

  @nn.compact
  def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
    shape = (x.shape[-1],)
    scale = self.param("scale", self.scale_init, shape)
    bias = self.param("bias", nn.initializers.zeros, shape)
    running_mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
    running_var = self.variable("batch_stats", "var", jnp.ones, shape)
    if self.use_running_average:
      mean, var = running_mean.value, running_var.value
    else:
      axis_name = None if self.is_initializing() else self.axis_name
      mean, var, count = _batch_moments(x, axis_name)
      if not self.is_initializing():
        unbiased = var * (count / max(count - 1, 1))
        keep = self.momentum
        running_mean.value = keep * running_mean.value + (1 - keep) * mean
        running_var.value = keep * running_var.value + (1 - keep) * unbiased
    factor = scale * lax.rsqrt(var + self.epsilon)
    shift = bias - mean * factor
    y = x * factor[None, None, None] + shift[None, None, None]
    return y.astype(self.dtype)


def _batch_moments(x, axis_name):
  """Mean and biased variance per channel in float32, and how many values.

  One pass over x (mean of squares minus squared mean, never below zero).
  """
  x = x.astype(jnp.float32)
  mean = x.mean((0, 1, 2))
  square = jnp.square(x).mean((0, 1, 2))
  count = x.size // x.shape[-1]
  if axis_name is not None:
    mean, square = lax.pmean((mean, square), axis_name)
    count = count * lax.psum(1, axis_name)
  return mean, jnp.maximum(square - jnp.square(mean), 0.0), count


def check_numerics(*, dtype: str, batch_norm_momentum: float | int) -> None:
  """Raises ValueError for config values that no layer can be made of."""
  if dtype not in DTYPES:
    raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
  if not 0 <= batch_norm_momentum <= 1:
    raise ValueError(
      "batch_norm_momentum must be between 0 and 1, got "
      f"{batch_norm_momentum}: torch's 0.1 is 0.9 here"
    )
