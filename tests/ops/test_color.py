"""Colours: against NumPy written out, and properties of the jitter."""

import cv2
import jax
import jax.numpy as jnp
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


def test_blue_first_takes_the_first_mean_off_blue(images):
  mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
  wanted = (images[..., ::-1] / 255 - np.array(mean)) / np.array(std)
  given = color.normalize(images, mean=mean, std=std, channel_order="bgr")
  np.testing.assert_allclose(given, wanted, atol=1e-6)


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


def test_each_factor_is_applied_in_its_share_of_the_pictures():
  images = np.full((600, 2, 2, 3), 100, np.uint8)
  images[:, 0, 0] = (40, 90, 150)
  seeds = np.arange(600, dtype=np.uint32)
  for name, share in (
    ("channel_gain", 0.3),
    ("brightness", 0.5),
    ("contrast", 0.7),
    ("saturation", 0.1),
  ):
    options = {name: 0.4, f"{name}_probability": share}
    out = np.asarray(color.jitter(images, seeds, **options))
    always = np.asarray(color.jitter(images, seeds, **{name: 0.4}))
    changed = np.abs(out - images).max((1, 2, 3)) > 1e-3
    # 600 draws: a deviation of 2 % at most
    assert changed.mean() == pytest.approx(share, abs=0.08)
    np.testing.assert_allclose(out[changed], always[changed], atol=1e-3)


def opencv_hsv(image):
  """Hue in [0, 180), saturation and value in 0..255, unrounded."""
  hsv = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
  return hsv * (0.5, 255, 255)


def opencv_rgb(hsv):
  scaled = (hsv / (0.5, 255, 255)).astype(np.float32)
  return 255 * cv2.cvtColor(scaled, cv2.COLOR_HSV2RGB)


def test_hsv_is_opencvs(images):
  special = np.zeros((1, 8, 6, 3), np.uint8)  # black, white, grey, primaries
  special[0, 1] = 255
  special[0, 2] = 77
  special[0, 3:6] = 200 * np.eye(3)[:, None]
  special[0, 6] = (200, 200, 0)
  for picture in (*images, *special):
    x = jnp.asarray(picture[None], jnp.float32)
    hsv = color.hsv_from_rgb(x)
    wanted = opencv_hsv(picture)
    np.testing.assert_allclose(np.stack(hsv, -1)[0], wanted, atol=2e-3)
    back = color.rgb_from_hsv(*hsv)
    np.testing.assert_allclose(back[0], picture, atol=1e-2)


def test_hsv_shifts_are_yolox_s(images):
  """What was drawn is read off the hue; then OpenCV does the same."""
  seeds = np.arange(40, dtype=np.uint32)
  picture = np.full((4, 4, 3), (150, 90, 60), np.uint8)
  picture[1:] = images[0, :3, :4] // 2 + 60
  batch = np.repeat(picture[None], 40, 0)
  out = np.asarray(
    color.shift_hsv(
      batch, seeds, hue=5, saturation=30, value=30, probability=0.5
    )
  )
  before = opencv_hsv(picture)
  seen = []
  for changed in out:
    shift = np.round(opencv_hsv(changed)[0, 0] - before[0, 0])
    seen.append(shift)
    wanted = before + shift
    wanted[..., 0] %= 180
    wanted[..., 1:] = wanted[..., 1:].clip(0, 255)
    assert np.abs(opencv_rgb(wanted) - changed).max() < 0.05
  seen = np.array(seen)
  assert (np.abs(seen) <= (5, 30, 30)).all()
  # Each of the three is left alone half of the time, and hue also where less
  # than one was drawn (a fifth of the rest): 40 draws.
  assert 8 <= (seen[:, 1] == 0).sum() <= 32
  assert len(np.unique(seen[:, 2])) > 10


def test_uint8_hsv_of_opencv_is_near(images):
  """As mmdet computes it, up to its rounding of hue to two degrees."""
  picture = cv2.GaussianBlur(images[0], (3, 3), 0)
  out = np.asarray(
    color.shift_hsv(picture[None], SEEDS[:1], hue=5, saturation=30, value=30)
  )[0]
  shift = np.round(np.median(opencv_hsv(out) - opencv_hsv(picture), (0, 1)))
  hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV).astype(np.int16)
  hsv[..., 0] = (hsv[..., 0] + shift[0]) % 180
  hsv[..., 1:] = np.clip(hsv[..., 1:] + shift[1:], 0, 255)
  rounded = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
  # One unit of hue is at most 255 / 30 = 8.5 levels, and rounds by half.
  assert np.abs(rounded - out).max() <= 6
  assert np.abs(rounded - out).mean() < 1


def test_grey_takes_the_colour_out_of_its_share(images):
  luma = np.array([0.299, 0.587, 0.114])
  seeds = np.arange(400, dtype=np.uint32)
  batch = np.repeat(images[:1], 400, 0)
  out = np.asarray(color.to_grey(batch, seeds, probability=0.25))
  is_grey = np.ptp(out, -1).max((1, 2)) == 0
  assert is_grey.mean() == pytest.approx(0.25, abs=0.08)
  np.testing.assert_allclose(
    out[is_grey][0, ..., 0], images[0] @ luma, rtol=1e-5
  )
  np.testing.assert_array_equal(out[~is_grey][0], images[0])
