"""All colour changes of a training picture, in one order.

What is off costs nothing: it leaves no operation in the compiled step.
"""

import numpy as np
from jax import Array
from jaxtyping import Float, UInt, UInt8

from pose_jax.ops import blur, color

Number = float | int
Images = UInt8[Array | np.ndarray, "B H W 3"] | Float[Array, "B H W 3"]


def vary(
  images: Images,
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
  hue_shift: Number = 0.0,
  saturation_shift: Number = 0.0,
  value_shift: Number = 0.0,
  hsv_probability: Number = 1.0,
  grey_probability: Number = 0.0,
  blur_probability: Number = 0.0,
  blur_max_size: int = 7,
  median_probability: Number = 0.0,
  median_max_size: int = 7,
) -> Images:
  """Factors, HSV, grey, blur, median, in this order; all off by default.

  Args:
    images: [B, H, W, 3] RGB, 0..255.
    seeds: one number per picture; equal seeds give equal pictures.
    channel_gain, brightness, contrast, saturation: see `color.jitter`.
    hue_shift, saturation_shift, value_shift, hsv_probability: see
      `color.shift_hsv`.
    grey_probability: see `color.to_grey`.
    blur_probability, blur_max_size: see `blur.box_blur`.
    median_probability, median_max_size: see `blur.median_blur`.
  Returns:
    0..255; the images themselves where everything is off.
  """
  if any((channel_gain, brightness, contrast, saturation)):
    images = color.jitter(
      images,
      seeds,
      channel_gain=channel_gain,
      channel_gain_probability=channel_gain_probability,
      brightness=brightness,
      brightness_probability=brightness_probability,
      contrast=contrast,
      contrast_probability=contrast_probability,
      saturation=saturation,
      saturation_probability=saturation_probability,
    )
  if any((hue_shift, saturation_shift, value_shift)) and hsv_probability:
    images = color.shift_hsv(
      images,
      seeds,
      hue=hue_shift,
      saturation=saturation_shift,
      value=value_shift,
      probability=hsv_probability,
    )
  if grey_probability:
    images = color.to_grey(images, seeds, probability=grey_probability)
  if blur_probability:
    images = blur.box_blur(
      images, seeds, probability=blur_probability, max_size=blur_max_size
    )
  if median_probability:
    images = blur.median_blur(
      images, seeds, probability=median_probability, max_size=median_max_size
    )
  return images
