"""All colours in one call: order, and nothing where nothing is asked for."""

import jax
import numpy as np
import pytest

from pose_jax.ops import blur, color, photometric

SEEDS = np.array([1, 2, 3], np.uint32)
OFF = dict(channel_gain=0.0, hue_shift=5.0, hsv_probability=0.0)


@pytest.fixture
def images():
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (3, 16, 12, 3), dtype=np.uint8)


def test_off_is_the_picture_itself_and_no_operation(images):
  assert photometric.vary(images, SEEDS, **OFF) is images
  program = jax.make_jaxpr(lambda x, s: photometric.vary(x, s, **OFF))
  assert not program(images, SEEDS).eqns


def test_the_order_is_factors_hsv_grey_blur_median(images):
  out = photometric.vary(
    images,
    SEEDS,
    channel_gain=0.4,
    saturation=0.2,
    hue_shift=5.0,
    value_shift=30.0,
    hsv_probability=0.5,
    grey_probability=0.5,
    blur_probability=0.5,
    median_probability=0.5,
    median_max_size=3,
  )
  x = color.jitter(images, SEEDS, channel_gain=0.4, saturation=0.2)
  x = color.shift_hsv(x, SEEDS, hue=5.0, value=30.0, probability=0.5)
  x = color.to_grey(x, SEEDS, probability=0.5)
  x = blur.box_blur(x, SEEDS, probability=0.5)
  x = blur.median_blur(x, SEEDS, probability=0.5, max_size=3)
  np.testing.assert_array_equal(out, x)
  assert np.abs(out - images).max() > 5


def test_switching_one_on_leaves_what_the_others_draw(images):
  gains = photometric.vary(images, SEEDS, channel_gain=0.4)
  both = photometric.vary(
    images, SEEDS, channel_gain=0.4, channel_gain_probability=0.999999
  )
  np.testing.assert_allclose(gains, both, atol=1e-3)
  grey = photometric.vary(images, SEEDS, grey_probability=0.5)
  more = photometric.vary(
    images, SEEDS, grey_probability=0.5, hue_shift=1e-6, blur_probability=1e-9
  )
  np.testing.assert_allclose(grey, more, atol=1e-3)
