"""Colours: against NumPy written out, and properties of the jitter."""

import jax
import numpy as np
import pytest

from pose_jax.ops import color


@pytest.fixture
def images():
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (3, 8, 6, 3), dtype=np.uint8)


SEEDS = np.array([1, 2, 3], np.uint32)


def test_normalize_is_torchvisions(images):
  mean, std = np.array(color.IMAGENET_MEAN), np.array(color.IMAGENET_STD)
  wanted = (images / 255 - mean) / std
  # float32 rounding of numbers up to 2.7
  np.testing.assert_allclose(color.normalize(images), wanted, atol=1e-6)


def test_no_jitter_changes_nothing(images):
  np.testing.assert_allclose(color.jitter(images, SEEDS), images, atol=1e-3)


def test_jitter_is_a_function_of_the_seed(images):
  options = dict(channel_gain=0.3, brightness=0.2, contrast=0.2)
  first = color.jitter(images, SEEDS, **options)
  again = jax.jit(lambda x, s: color.jitter(x, s, **options))(images, SEEDS)
  np.testing.assert_allclose(first, again, atol=1e-3)
  alone = color.jitter(images[1:2], SEEDS[1:2], **options)
  np.testing.assert_allclose(first[1:2], alone, atol=1e-3)
  other = color.jitter(images, SEEDS + 1, **options)
  assert np.abs(first - other).max() > 1


def test_channel_gain_scales_each_channel_within_its_bounds():
  images = np.full((200, 2, 2, 3), 100, np.uint8)
  seeds = np.arange(200, dtype=np.uint32)
  out = np.asarray(color.jitter(images, seeds, channel_gain=0.4))
  gains = out[:, 0, 0] / 100
  assert 0.6 <= gains.min() < 0.65 and 1.35 < gains.max() <= 1.4
  # Channels are independent: three uniform numbers, correlation near 0.
  correlation = np.corrcoef(gains.T)[np.triu_indices(3, 1)]
  assert np.abs(correlation).max() < 0.25


def test_saturation_and_contrast_keep_what_they_should(images):
  luma = np.array([0.299, 0.587, 0.114])
  middle = (images // 2 + 64).astype(np.uint8)  # nothing clips
  grey = middle @ luma
  out = np.asarray(color.jitter(middle, SEEDS, saturation=0.3))
  np.testing.assert_allclose(out @ luma, grey, atol=1e-2)
  out = np.asarray(color.jitter(middle, SEEDS, contrast=0.3))
  np.testing.assert_allclose(
    (out @ luma).mean((1, 2)), grey.mean((1, 2)), atol=1e-2
  )


def test_values_stay_pixels(images):
  out = color.jitter(images, SEEDS, channel_gain=0.9, brightness=0.9)
  assert out.min() >= 0 and out.max() <= 255
