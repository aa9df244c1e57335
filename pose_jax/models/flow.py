"""A normalising flow of points in the plane: RealNVP.

Dinh, Sohl-Dickstein, Bengio 2017 (arXiv 1605.08803), in the form in which
residual log-likelihood estimation learns what errors are distributed like: Li
and others 2021 (arXiv 2107.11291), six affine coupling layers.
"""

import math

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

_LAYER_AND_NET = (0, 1)  # leading axes of kernels
_INIT = nn.initializers.variance_scaling(
  2.0, "fan_in", "normal", batch_axis=_LAYER_AND_NET
)
_NEAR_ZERO = nn.initializers.variance_scaling(
  1e-4, "fan_in", "normal", batch_axis=_LAYER_AND_NET
)


class StackedDense(nn.Module):
  """A dense layer's kernel and bias for the two networks of every layer.

  The last one of a network starts near 0. Biases of the others are random, so
  that the leaky ReLUs behind them do not all bend at 0.
  """

  num_layers: int
  num_in: int
  num_out: int
  is_last: bool = False

  @nn.compact
  def __call__(self) -> tuple[Float[Array, "L 2 I O"], Float[Array, "L 2 O"]]:
    """Returns both, float32."""
    shape = (self.num_layers, 2, self.num_in, self.num_out)
    kernel_init = _NEAR_ZERO if self.is_last else _INIT
    bias_init = nn.initializers.normal(0.0 if self.is_last else 0.5)
    return (
      self.param("kernel", kernel_init, shape),
      self.param("bias", bias_init, (*shape[:2], self.num_out)),
    )


class RealNVP(nn.Module):
  """An invertible map of points to points that are normally distributed.

  Layer i keeps coordinate i % 2, k, and moves the other, m, to
  (m - t(k)) exp(-s(k)); t and s are networks of two hidden layers with leaky
  ReLUs, s has a tanh at its end. RLE's own take and give both coordinates and
  mask one of each; here there are only the weights that have an effect. The
  flow starts near the identity. Everything is float32.

  Attributes:
    num_layers: coupling layers, an even number.
    width: units of their networks' hidden layers.
  """

  num_layers: int = 6
  width: int = 64

  def setup(self) -> None:
    num, width = self.num_layers, self.width
    assert num % 2 == 0  # so that x and y end where they started
    self.dense0 = StackedDense(num, 1, width)
    self.dense1 = StackedDense(num, width, width)
    self.dense2 = StackedDense(num, width, 1, is_last=True)

  def __call__(self, points: Float[Array, "*n 2"]) -> Float[Array, "*n"]:
    """Returns `log_density`."""
    return self.log_density(points)

  def log_density(self, points: Float[Array, "*n 2"]) -> Float[Array, "*n"]:
    """Returns the natural logarithm of the density at each point."""
    latent, log_det = self.latent_from_points(points)
    square = jnp.square(latent).sum(-1)
    return log_det - square / 2 - math.log(2 * math.pi)

  def latent_from_points(
    self, points: Float[Array, "*n 2"]
  ) -> tuple[Float[Array, "*n 2"], Float[Array, "*n"]]:
    """Returns where points go, and the log of the Jacobian's determinant."""

    def layer(carry, weights):
      kept, moved, log_det = carry
      log_scale, shift = _networks(kept, weights)
      moved = (moved - shift) * jnp.exp(-log_scale)
      return (moved, kept, log_det - log_scale), None

    flat = points.reshape(-1, 2)
    start = (flat[:, 0], flat[:, 1], jnp.zeros_like(flat[:, 0]))
    (x, y, log_det), _ = lax.scan(layer, start, self._weights())
    latent = jnp.stack([x, y], axis=-1).reshape(points.shape)
    return latent, log_det.reshape(points.shape[:-1])

  def points_from_latent(
    self, latent: Float[Array, "*n 2"]
  ) -> Float[Array, "*n 2"]:
    """Returns the points that go to `latent`."""

    def layer(carry, weights):
      moved, kept = carry
      log_scale, shift = _networks(kept, weights)
      return (kept, moved * jnp.exp(log_scale) + shift), None

    flat = latent.reshape(-1, 2)
    start = (flat[:, 0], flat[:, 1])
    (x, y), _ = lax.scan(layer, start, self._weights(), reverse=True)
    return jnp.stack([x, y], axis=-1).reshape(latent.shape)

  def _weights(self):
    """Of the dense layers; their first axis is that of coupling layers."""
    return self.dense0(), self.dense1(), self.dense2()


def _networks(kept: Float[Array, "N"], weights) -> tuple[Array, Array]:
  """s and t of a coupling layer at the coordinates that it keeps."""
  y = jnp.broadcast_to(kept[:, None, None], (*kept.shape, 2, 1))
  for index, (kernel, bias) in enumerate(weights):
    y = jnp.einsum("NnI,nIO->NnO", y, kernel, precision="highest") + bias[None]
    if index < len(weights) - 1:
      y = jax.nn.leaky_relu(y)
  return jnp.tanh(y[:, 0, 0]), y[:, 1, 0]
