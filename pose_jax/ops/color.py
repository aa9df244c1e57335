"""Colours of image batches, on the device: normalisation and jitter.

Pictures are RGB in 0..255. Randomness comes from one number per picture
(`sample_seed` of a training batch), so equal seeds give equal colours.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, UInt, UInt8

from pose_jax.ops import draws

Number = float | int

CHANNEL_ORDERS = ("rgb", "bgr")
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Rec. 601 luma, what a grey picture of an RGB one is.
_LUMA = (0.299, 0.587, 0.114)


def normalize(
  images: UInt8[Array | np.ndarray, "B H W 3"] | Float[Array, "B H W 3"],
  *,
  mean: Sequence[float] = IMAGENET_MEAN,
  std: Sequence[float] = IMAGENET_STD,
  channel_order: str = "rgb",
) -> Float[Array, "B H W 3"]:
  """RGB in 0..255 to float32 of mean 0 and deviation 1, channel by channel.

  Args:
    images: [B, H, W, 3] RGB, 0..255.
    mean, std: of the three channels of the result, in 0..1.
    channel_order: of the result. bgr has blue first, and takes the first mean
      off it: SimpleBaseline's code, whose means are nevertheless RGB's.
  """
  if channel_order == "bgr":
    images = jnp.asarray(images)[..., ::-1]
  # One multiply-add: (x / 255 - mean) / std.
  scale = 1 / (255 * jnp.asarray(std, jnp.float32))
  offset = jnp.asarray(mean, jnp.float32) / jnp.asarray(std, jnp.float32)
  shape = (1, 1, 1, 3)
  return jnp.asarray(images, jnp.float32) * scale.reshape(shape) - (
    offset.reshape(shape)
  )


def jitter(
  images: UInt8[Array | np.ndarray, "B H W 3"] | Float[Array, "B H W 3"],
  seeds: UInt[Array | np.ndarray, "B"],
  *,
  channel_gain: Number = 0.0,
  channel_gain_probability: Number = 1.0,
  brightness: Number = 0.0,
  brightness_probability: Number = 1.0,
  contrast: Number = 0.0,
  contrast_probability: Number = 1.0,
  saturation: Number = 0.0,
  saturation_probability: Number = 1.0,
) -> Float[Array, "B H W 3"]:
  """Random colours for each picture, in 0..255, clipped; a pure function.

  In this order, each factor drawn from U(1 - a, 1 + a) for its amount a:
  every channel by a factor of its own (Newell 2016's colour jitter), all
  channels by one (brightness), the distance to the picture's mean grey
  (contrast), the distance to each pixel's grey (saturation). Each is applied
  with its probability.

  Args:
    images: [B, H, W, 3] RGB, 0..255.
    seeds: one number per picture.
  """
  seeds = jnp.asarray(seeds)
  draws_B6 = jax.vmap(
    lambda seed: jax.random.uniform(
      jax.random.key(seed), (6,), minval=-1.0, maxval=1.0
    )
  )(seeds)
  chances = (
    *(channel_gain_probability, brightness_probability),
    *(contrast_probability, saturation_probability),
  )
  if min(chances) < 1:
    chosen_B4 = draws.uniform(seeds, "factors", 4) < jnp.array([chances])
    draws_B6 *= jnp.repeat(
      chosen_B4, jnp.array([3, 1, 1, 1]), axis=1, total_repeat_length=6
    )
  amounts = jnp.array(
    [channel_gain] * 3 + [brightness, contrast, saturation], jnp.float32
  )
  factors_B6 = 1 + amounts[None] * draws_B6
  gains_B3 = factors_B6[:, :3] * factors_B6[:, 3:4]
  x = jnp.asarray(images, jnp.float32) * gains_B3[:, None, None, :]
  grey = _grey(x)
  mean_grey = grey.mean((1, 2), keepdims=True)
  contrast_B111, saturation_B111 = (
    factors_B6[:, i, None, None, None] for i in (4, 5)
  )
  x = mean_grey + contrast_B111 * (x - mean_grey)
  grey = mean_grey + contrast_B111 * (grey - mean_grey)
  return jnp.clip(grey + saturation_B111 * (x - grey), 0, 255)


def shift_hsv(
  images: UInt8[Array | np.ndarray, "B H W 3"] | Float[Array, "B H W 3"],
  seeds: UInt[Array | np.ndarray, "B"],
  *,
  hue: Number = 0.0,
  saturation: Number = 0.0,
  value: Number = 0.0,
  probability: Number = 1.0,
) -> Float[Array, "B H W 3"]:
  """Adds a number to each picture's hue, saturation and value (YOLOX's).

  Each is drawn from U(-a, a) for its amount a, in OpenCV's units, and cut to a
  whole number; each is applied with `probability` by itself (YOLOX: 5, 30, 30
  and one half). Hue goes round, saturation and value are clipped.
  Source: YOLOXHSVRandomAug of mmdet; differs from it in: hue, saturation and
  value are not rounded on the way, as OpenCV's of uint8 are.

  Args:
    images: [B, H, W, 3] RGB, 0..255.
    seeds: one number per picture.
    hue: units of two degrees, 180 of them are a full turn.
    saturation, value: of 255.
  """
  draws_B6 = draws.uniform(jnp.asarray(seeds), "hsv", 6)
  amounts = jnp.array([hue, saturation, value], jnp.float32)
  shifts_B3 = jnp.trunc((2 * draws_B6[:, :3] - 1) * amounts[None])
  shifts_B3 *= draws_B6[:, 3:] < probability
  h, s, v = hsv_from_rgb(jnp.asarray(images, jnp.float32))
  dh, ds, dv = (shifts_B3[:, i, None, None] for i in range(3))
  return rgb_from_hsv(
    h + dh, jnp.clip(s + ds, 0, 255), jnp.clip(v + dv, 0, 255)
  )


def hsv_from_rgb(
  images: Float[Array, "B H W 3"],
) -> tuple[Float[Array, "B H W"], Float[Array, "B H W"], Float[Array, "B H W"]]:
  """Hue in [0, 180), saturation and value in 0..255: OpenCV's units."""
  red, green, blue = (images[..., i] for i in range(3))
  v = images.max(-1)
  chroma = v - images.min(-1)
  safe = jnp.where(chroma > 0, chroma, 1)
  sector = jnp.where(
    v == red,
    (green - blue) / safe,
    jnp.where(v == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
  )
  h = jnp.where(chroma > 0, 30 * (sector % 6), 0)
  return h, 255 * chroma / jnp.where(v > 0, v, 1), v


def rgb_from_hsv(
  h: Float[Array, "B H W"], s: Float[Array, "B H W"], v: Float[Array, "B H W"]
) -> Float[Array, "B H W 3"]:
  """The way back; any hue, taken modulo 180."""
  channels = []
  for offset in (5, 3, 1):
    k = (offset + h / 30) % 6
    channels.append(v * (1 - s / 255 * jnp.clip(jnp.minimum(k, 4 - k), 0, 1)))
  return jnp.stack(channels, -1)


def to_grey(
  images: UInt8[Array | np.ndarray, "B H W 3"] | Float[Array, "B H W 3"],
  seeds: UInt[Array | np.ndarray, "B"],
  *,
  probability: Number,
) -> Float[Array, "B H W 3"]:
  """Takes the colour out of a share of the pictures (Rec. 601 luma)."""
  chosen_B1 = draws.uniform(jnp.asarray(seeds), "grey", 1) < probability
  x = jnp.asarray(images, jnp.float32)
  return jnp.where(chosen_B1[..., None, None], _grey(x), x)


def _grey(x: Float[Array, "B H W 3"]) -> Float[Array, "B H W 1"]:
  luma = jnp.asarray(_LUMA, jnp.float32).reshape(1, 1, 1, 3)
  return (x * luma).sum(-1, keepdims=True)
