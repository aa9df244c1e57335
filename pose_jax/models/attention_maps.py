"""Kinds of attention: softmax, Gaussian, mean field, spatial transformer.

The first three give maps: features [B, h, w, C] to P maps [B, h, w, P] in
float32, whatever the features are computed in. The transformer gives affine
matrices [B, P, 2, 3]. `attention.py` puts them to use.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.layers import Conv
from pose_jax.ops.mean_field import mean_field, mean_field_steps

# Torch's default, which the authors' code starts from: U(-1, 1) / sqrt(fan in).
# One of fan out would saturate maps that summarise hundreds of channels.
_SUMMARY_INIT = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


def spatial_softmax(
  summary: Float[Array, "B h w P"],
) -> Float[Array, "B h w P"]:
  """Returns exp(s) over its mean, each map by itself: 1 on average.

  Source: Chu et al. 2017 (arXiv 1702.07432), Eq. 4, times h * w; as written,
  the features would vanish.
  """
  height, width = summary.shape[1:3]
  return jax.nn.softmax(summary, axis=(1, 2)) * (height * width)


def gaussian_vector(
  first: Float[Array, "*n"],
  spacing: Float[Array, "*n"],
  deviation: Float[Array, "*n"],
  *,
  count: int,
  length: int,
) -> Float[Array, "*n L"]:
  """Returns the sum of `count` Gaussians at pixels 0 to L - 1, its maximum 1.

  Gaussian i is centred at first + i * spacing. Summed as logarithms, so that
  Gaussians far outside the map still point to the nearer border.

  Args:
    first: centre of the first one, pixels.
    spacing: of the centres, pixels; may be negative.
    deviation: pixels, above 0.
    count, length: N and L.
  """
  steps = jnp.multiply.outer(spacing, jnp.arange(count))
  centers = first[..., None] + steps
  away = jnp.subtract.outer(centers, jnp.arange(length))  # [*n N L]
  exponents = -0.5 * jnp.square(away / deviation[..., None, None])
  logarithm = jax.nn.logsumexp(exponents, axis=-2)
  return jnp.exp(logarithm - logarithm.max(-1, keepdims=True))


class SoftmaxMap(nn.Module):
  """Softmax over all positions of g(W * f + b), g a softplus.

  Source: Chu et al. 2017 (arXiv 1702.07432), Eq. 3 and 4. The nonlinearity is
  a decision made here: a map that a ReLU has cut to 0 everywhere would be
  uniform and never change again.
  """

  num_maps: int
  summary_size: int = 3

  @nn.compact
  def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B h w P"]:
    summary = _summary(self.num_maps, self.summary_size, "summary", x)
    return spatial_softmax(nn.softplus(summary))


class GaussianMap(nn.Module):
  """a_y a_x^T, each vector a row of Gaussians read from the whole map.

  Source: "Pose Estimation using Attention Based Mechanisms", 3.2.2. Decided
  here: the parameters are a linear function of the features' means over
  `grid` x `grid` cells (1: global pooling, see `_read`); at the start all
  Gaussians of a row lie in the middle, half the axis wide. A deviation stays
  within a factor of 3,000 of that.

  Attributes:
    count: Gaussians per axis; 0: as many as the axis has pixels.
  """

  num_maps: int
  count: int = 0
  grid: int = 1

  @nn.compact
  def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B h w P"]:
    raw = _read([cell_means(x, self.grid)], self.num_maps * 6, "parameters")
    raw = raw.reshape(-1, self.num_maps, 2, 3)  # [B P (y, x) (mu, d, sigma)]
    along_y, along_x = (
      self._vector(raw[:, :, axis], length)
      for axis, length in enumerate(x.shape[1:3])
    )
    return jnp.einsum("bpy,bpx->byxp", along_y, along_x, precision="highest")

  def _vector(self, raw_BP3, length):
    count = self.count or length
    return gaussian_vector(
      (length - 1) / 2 + length * raw_BP3[..., 0],
      length / count * raw_BP3[..., 1],
      length / 2 * jnp.exp(jnp.clip(raw_BP3[..., 2], -8, 8)),
      count=count,
      length=length,
    )


class CrfMap(nn.Module):
  """Mean field of a binary random field over the map's pixels.

  Source: Chu et al. 2017 (arXiv 1702.07432), Eq. 7 and 8; see
  `ops/mean_field.py` for the options. Where the collection "attention_steps"
  is mutable, the map after every step is stored there.

  Attributes:
    kernel_size: side of W, odd.
    stores_steps: whether there is anything to store.
    shared: one W for all maps; else each has its own.
    separable: W is a column times a row.
  """

  num_maps: int
  summary_size: int = 3
  kernel_size: int = 3
  steps: int = 3
  start: str = "unary_conv"
  keep_unary: bool = True
  use_bias: bool = True
  damping: float = 0.0
  shared: bool = False
  separable: bool = False
  constant_memory: bool = False
  stores_steps: bool = True

  @nn.compact
  def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B h w P"]:
    unary = _summary(self.num_maps, self.summary_size, "unary", x)
    size, num = self.kernel_size, 1 if self.shared else self.num_maps
    if self.separable:
      kernel = (
        self.param("column", _SUMMARY_INIT, (size, 1, 1, num)),
        self.param("row", _SUMMARY_INIT, (1, size, 1, num)),
      )
    else:
      kernel = self.param("kernel", _SUMMARY_INIT, (size, size, 1, num))
    bias = None
    if self.use_bias:
      bias = self.param("bias", nn.initializers.zeros, (num,))
    options = dict(
      steps=self.steps,
      start=self.start,
      keep_unary=self.keep_unary,
      damping=self.damping,
    )
    is_asked = not self.is_initializing() and self.is_mutable_collection(STEPS)
    if self.stores_steps and is_asked:
      steps = mean_field_steps(unary, kernel, bias, **options)
      self.sow(STEPS, "steps", steps)
      return steps[-1]
    return mean_field(
      unary, kernel, bias, constant_memory=self.constant_memory, **options
    )


STEPS = "attention_steps"  # the collection


class Transformer(nn.Module):
  """Affine matrices theta, read from all levels; the identity at the start.

  Source: Jaderberg et al. 2015 (arXiv 1506.02025), Eq. 1. The localiser is
  decided here: linear in the features' means over `grid` x `grid` cells, see
  `_read`.
  """

  num_maps: int
  grid: int = 4

  @nn.compact
  def __call__(
    self, levels: Sequence[Float[Array, "B _ _ _"]]
  ) -> Float[Array, "B P 2 3"]:
    means = [cell_means(x, self.grid) for x in levels]
    change = _read(means, self.num_maps * 6, "localiser")
    identity = jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    return change.reshape(-1, self.num_maps, 2, 3) + identity[None, None]


def cell_means(
  x: Float[Array, "B h w C"], grid: int
) -> Float[Array, "B {grid}*{grid}*C"]:
  """Returns the means over a grid of cells that cover the map, float32.

  Cell i of n rows holds rows floor(i n / grid) to ceil((i + 1) n / grid): a
  map smaller than the grid is read several times.
  """
  rows, columns = (_cells(grid, length) for length in x.shape[1:3])
  means = jnp.einsum(
    *("gy,byxc,kx->bgkc", rows, x.astype(jnp.float32), columns),
    precision="highest",
  )
  return means.reshape(x.shape[0], -1)


def _cells(grid: int, length: int) -> np.ndarray:
  """Weights [grid, length] whose product with a row is its cells' means."""
  weights = np.zeros((grid, length), np.float32)
  for i in range(grid):
    begin, end = i * length // grid, -(-(i + 1) * length // grid)
    weights[i, begin:end] = 1 / (end - begin)
  return weights


def _read(means: Sequence[Array], num: int, name: str) -> Array:
  """A linear layer on features' means, 0 at the start; divided by their number.

  D: else one step of Adam, which moves every weight by the learning rate,
  would move the sum over thousands of positive means by a hundred times that,
  and a transformer leaves the picture within a few steps, for good.
  """
  inputs = jnp.concatenate(means, -1)
  layer = nn.Dense(num, kernel_init=nn.initializers.zeros, name=name)
  return layer(inputs / inputs.shape[-1])


def _summary(num_maps: int, size: int, name: str, x: Array) -> Array:
  """W * f + b, computed in the features' type; maps are float32."""
  conv = Conv(
    num_maps,
    size,
    use_bias=True,
    dtype=x.dtype,
    kernel_init=_SUMMARY_INIT,
    name=name,
  )
  return conv(x).astype(jnp.float32)
