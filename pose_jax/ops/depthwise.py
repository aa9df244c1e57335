"""Depthwise convolution: each map with a kernel of its own.

It exists in three forms, equal up to rounding, because XLA's grouped
convolution is slow on CPUs; `fastest_form` is the one place that chooses.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

MAX_KERNEL_SIZE = 15
FORMS = ("direct", "shifts", "fft")
Kernel = (
  Float[Array, "kh kw 1 #P"]
  | tuple[Float[Array, "kh 1 1 #P"], Float[Array, "1 kw 1 #P"]]
)


def fastest_form(num_taps: int, backend: str | None = None) -> str:
  """Returns the form for kernels of so many taps on a backend.

  "direct": XLA's grouped convolution. "shifts": the sum of as many shifted
  products. "fft": products of spectra. CPU: measured on maps from 8x8 to
  64x64, 1 to 17 of them, see benchmarks/README.md; but for single small maps
  direct takes ten times as long and more from 3x3 on. Accelerators: not
  measured, and left to XLA.
  """
  if (backend or jax.default_backend()) != "cpu":
    return "direct"
  return "shifts" if num_taps <= 7 * 7 else "fft"


@partial(jax.jit, static_argnames="form")
def depthwise(
  x: Float[Array, "B h w P"], kernel: Kernel, *, form: str | None = None
) -> Float[Array, "B h w P"]:
  """Returns each map correlated with its own kernel, zeros beyond the border.

  y[r, c] is the sum of kernel[i, j] x[r + i - k // 2, c + j - k // 2]: what
  networks call a convolution. A jit of its own so that `models/cost.py` finds
  it by name, whatever the form. The rounding of "fft" is relative to the
  largest value of the map.

  Args:
    x: [B, h, w, P] float32 or float64.
    kernel: [k, k, 1, P], or [k, k, 1, 1] for all maps, or a pair of column
      [k, 1, 1, P] and row [1, k, 1, P], whose outer product it is; k odd, 1 to
      15, and may exceed the map.
    form: "direct", "shifts" or "fft"; None: `fastest_form`.
  Raises:
    ValueError: if a side of the kernel is even or not in 1..15, or an argument
      is none of the above.
  """
  check_shapes(x, kernel)
  kernels = kernel if isinstance(kernel, tuple) else (kernel,)
  for one in kernels:
    _check_depthwise(x, one, form)
    # What lies further out than the map is wide meets only zeros.
    (kh, kw), (height, width) = one.shape[:2], x.shape[1:3]
    top, left = max(kh // 2 - height + 1, 0), max(kw // 2 - width + 1, 0)
    one = one[top : kh - top, left : kw - left, 0]
    one = jnp.broadcast_to(one, (*one.shape[:2], x.shape[-1]))
    name = form or fastest_form(one.shape[0] * one.shape[1])
    x = _direct(x, one) if name == "direct" else _correlate(name, x, one)
  return x


def check_shapes(x: Any, kernel: Any) -> None:
  """Raises ValueError if maps or kernel have not a shape of `depthwise`."""
  if jnp.ndim(x) != 4:
    raise ValueError(f"maps are [B, h, w, P], got shape {jnp.shape(x)}")
  num_maps = x.shape[-1]
  is_pair = isinstance(kernel, tuple)
  kernels = kernel if is_pair else (kernel,)
  shapes = [getattr(one, "shape", None) for one in kernels]
  is_right = len(shapes) == 1 + is_pair and all(
    shape is not None
    and len(shape) == 4
    and shape[2] == 1
    and shape[3] in (1, num_maps)
    for shape in shapes
  )
  if is_right and is_pair:
    is_right = shapes[0][1] == shapes[1][0] == 1
  if not is_right:
    raise ValueError(
      f"a kernel for {num_maps} maps is [k, k, 1, {num_maps}], or [k, k, 1, 1] "
      f"for all, or a pair of column [k, 1, 1, {num_maps}] and row [1, k, 1, "
      f"{num_maps}], got "
      + " and ".join(str(shape or "no array") for shape in shapes)
    )


def _check_depthwise(x, kernel, form):
  sides = kernel.shape[:2]
  if any(k % 2 == 0 or not 1 <= k <= MAX_KERNEL_SIZE for k in sides):
    raise ValueError(
      f"a depthwise kernel has odd sides from 1 to {MAX_KERNEL_SIZE}, got "
      f"{sides[0]}x{sides[1]}: 3 and 11 are usual"
    )
  if x.dtype not in (jnp.float32, jnp.float64) or kernel.dtype != x.dtype:
    raise ValueError(
      "maps and a depthwise kernel are both float32 or both float64, got "
      f"maps of {x.dtype} and a kernel of {kernel.dtype}: cast both to float32"
    )
  if form is not None and form not in FORMS:
    raise ValueError(
      f"the form of a depthwise convolution is one of {', '.join(FORMS)}, got "
      f"{form!r}: leave it out for the fastest"
    )


def _direct(x, kernel_hwP):
  return lax.conv_general_dilated(
    x,
    kernel_hwP[:, :, None],
    (1, 1),
    [(k // 2, k // 2) for k in kernel_hwP.shape[:2]],
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
    feature_group_count=x.shape[-1],
    precision="highest",
  )


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _correlate(form, x, kernel_hwP):
  """x correlated with the kernel, by "shifts" or "fft"."""
  if form == "fft":
    return _correlate_spectra(x, kernel_hwP)
  padded = _pad(x, kernel_hwP)
  _, height, width, _ = x.shape
  return sum(
    padded[:, i : i + height, j : j + width]
    * kernel_hwP[i, j][None, None, None]
    for i in range(kernel_hwP.shape[0])
    for j in range(kernel_hwP.shape[1])
  )


def _correlate_forward(form, x, kernel_hwP):
  return _correlate(form, x, kernel_hwP), (x, kernel_hwP)


def _correlate_backward(form, saved, dy):
  """XLA's own kernel gradient takes as long as its grouped convolution.

  As many sums of products of shifted maps are slower than spectra from 3x3 on.
  """
  x, kernel_hwP = saved
  dx = _correlate(form, dy, kernel_hwP[::-1, ::-1])
  if kernel_hwP.shape[:2] == (1, 1):
    return dx, (x * dy).sum((0, 1, 2), keepdims=True)[0]
  kh, kw = kernel_hwP.shape[:2]
  size = _spectrum_size(x, kernel_hwP)
  # dkernel[i, j] is the sum over pixels of x at pixel + (i, j) - k // 2 and dy
  # at the pixel: their cross-correlation near zero shift.
  spectrum = (_spectrum(x, size) * _spectrum(dy, size).conj()).sum(0)
  dkernel = jnp.fft.irfft2(spectrum, size)
  dkernel = jnp.roll(dkernel, (kh // 2, kw // 2), (1, 2))[:, :kh, :kw]
  return dx, dkernel.transpose(1, 2, 0)


_correlate.defvjp(_correlate_forward, _correlate_backward)


def _correlate_spectra(x, kernel_hwP):
  kh, kw = kernel_hwP.shape[:2]
  _, height, width, _ = x.shape
  size = _spectrum_size(x, kernel_hwP)
  kernel_1hwP = kernel_hwP[None, ::-1, ::-1]
  spectrum = _spectrum(x, size) * _spectrum(kernel_1hwP, size)
  y = jnp.fft.irfft2(spectrum, size)
  y = y[:, :, kh // 2 : kh // 2 + height, kw // 2 : kw // 2 + width]
  return y.transpose(0, 2, 3, 1)


def _spectrum(x_BhwP, size):
  return jnp.fft.rfft2(x_BhwP.transpose(0, 3, 1, 2), size)


def _spectrum_size(x, kernel_hwP):
  """Sides that keep the wrapped tail off the map, products of 2, 3, 5, 7."""
  (height, width), (kh, kw) = x.shape[1:3], kernel_hwP.shape[:2]
  return _next_smooth(height + kh // 2), _next_smooth(width + kw // 2)


def _next_smooth(n):
  rest = n
  for factor in (2, 3, 5, 7):
    while rest % factor == 0:
      rest //= factor
  return n if rest == 1 else _next_smooth(n + 1)


def _pad(x, kernel_hwP):
  kh, kw = kernel_hwP.shape[:2]
  return jnp.pad(x, ((0, 0), (kh // 2, kh // 2), (kw // 2, kw // 2), (0, 0)))
