"""Colours of image batches, on the device: normalisation and jitter."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, UInt, UInt8

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Rec. 601 luma, what a grey picture of an RGB one is.
_LUMA = (0.299, 0.587, 0.114)


def normalize(
  images: UInt8[Array | np.ndarray, "B H W 3"] | Float[Array, "B H W 3"],
  *,
  mean: Sequence[float] = IMAGENET_MEAN,
  std: Sequence[float] = IMAGENET_STD,
) -> Float[Array, "B H W 3"]:
  """RGB in 0..255 to float32 of mean 0 and deviation 1, channel by channel.

  Args:
    images: [B, H, W, 3] RGB, 0..255.
    mean, std: of the three channels, in 0..1.
  """
  # One multiply-add: (x / 255 - mean) / std.
  scale = 1 / (255 * jnp.asarray(std, jnp.float32))
  offset = jnp.asarray(mean, jnp.float32) / jnp.asarray(std, jnp.float32)
  shape = (1, 1, 1, 3)
  return images.astype(jnp.float32) * scale.reshape(shape) - (
    offset.reshape(shape)
  )


def jitter(
  images: UInt8[Array | np.ndarray, "B H W 3"],
  seeds: UInt[Array | np.ndarray, "B"],
  *,
  channel_gain: float | int = 0.0,
  brightness: float | int = 0.0,
  contrast: float | int = 0.0,
  saturation: float | int = 0.0,
) -> Float[Array, "B H W 3"]:
  """Random colours for each picture, in 0..255, clipped; a pure function.

  In this order, each factor drawn from U(1 - a, 1 + a) for its amount a:
  every channel by a factor of its own (Newell 2016's colour jitter), all
  channels by one (brightness), the distance to the picture's mean grey
  (contrast), the distance to each pixel's grey (saturation).

  Args:
    images: [B, H, W, 3] RGB, 0..255.
    seeds: one number per picture; equal seeds give equal colours.
  """

  def amounts(seed):
    key = jax.random.key(seed)
    draws = jax.random.uniform(key, (6,), minval=-1.0, maxval=1.0)
    gains = 1 + channel_gain * draws[:3]
    return gains * (1 + brightness * draws[3]), 1 + draws[4:] * jnp.array(
      [contrast, saturation]
    )

  gains_B3, factors_B2 = jax.vmap(amounts)(seeds)
  luma = jnp.asarray(_LUMA, jnp.float32).reshape(1, 1, 1, 3)
  x = images.astype(jnp.float32) * gains_B3[:, None, None, :]
  grey = (x * luma).sum(-1, keepdims=True)
  mean_grey = grey.mean((1, 2), keepdims=True)
  contrast_B111, saturation_B111 = (
    factors_B2[:, i, None, None, None] for i in (0, 1)
  )
  x = mean_grey + contrast_B111 * (x - mean_grey)
  grey = mean_grey + contrast_B111 * (grey - mean_grey)
  return jnp.clip(grey + saturation_B111 * (x - grey), 0, 255)
