"""Crops about points against OpenCV, slow loops and finite differences."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.ops.crops import crop_round

H, W = 21, 34  # of most images here


def _pixels(seed, *shape):
  return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _about(seed, batch, count):
  """Middles in and round the image, sizes of either aspect."""
  rng = np.random.default_rng(seed)
  center_xy = rng.uniform((-6, -6), (W + 6, H + 6), (batch, count, 2))
  return center_xy, rng.uniform(2.0, 30.0, (batch, count, 2))


def _float(*arrays):
  return (np.asarray(array, np.float32) for array in arrays)


def _slow_crop(image, center_xy, size_xy, out_hw):
  """Every pixel from the definition, as a sum of tents over all pixels."""
  (height, width), out = out_hw, np.zeros((*out_hw, image.shape[-1]))
  for row, column in np.ndindex(height, width):
    x = center_xy[0] + (column - (width - 1) / 2) * size_xy[0] / width
    y = center_xy[1] + (row - (height - 1) / 2) * size_xy[1] / height
    for i, j in np.ndindex(image.shape[:2]):
      tent = max(0, 1 - abs(x - j)) * max(0, 1 - abs(y - i))
      out[row, column] += tent * image[i, j]
  return out


def _opencv_crop(image, center_xy, size_xy, out_hw):
  step = size_xy / np.array(out_hw[::-1])
  first_xy = center_xy - (np.array(out_hw[::-1]) - 1) / 2 * step
  matrix = np.array([[step[0], 0, first_xy[0]], [0, step[1], first_xy[1]]])
  return cv2.warpAffine(
    image,
    matrix,
    out_hw[::-1],
    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    borderMode=cv2.BORDER_CONSTANT,
  )


def test_it_is_opencvs_to_one_grey_level():
  images = _pixels(0, 2, H, W, 3)
  center_xy, size_xy = _about(1, 2, 12)
  # Some versions of OpenCV round positions to 1/32 pixel: these all are such.
  center_xy = np.round(center_xy * 32) / 32
  size_xy = 2 * np.maximum(np.round(size_xy / 2), 1)
  out_hw = 16, 32
  crops = crop_round(*_float(images, center_xy, size_xy), out_hw)
  for b, k in np.ndindex(2, 12):
    expected = _opencv_crop(images[b], center_xy[b, k], size_xy[b, k], out_hw)
    np.testing.assert_allclose(crops[b, k], expected, atol=1.0)
  middle_xy = np.array([[[W / 2, H / 2], [0.0, 0.0]]])
  inside, half_outside = crop_round(
    *_float(images[:1], middle_xy, [[[10, 10]] * 2]), out_hw
  )[0]
  assert (np.asarray(inside) > 0).mean() > 0.99
  assert 0.2 < (np.asarray(half_outside) > 0).mean() < 0.5


def test_it_is_the_definition_written_out():
  images = np.random.default_rng(2).uniform(-1, 1, (2, 7, 9, 2))
  center_xy, size_xy = _about(3, 2, 5)
  center_xy, size_xy = center_xy / 4, size_xy / 2
  crops = crop_round(*_float(images, center_xy, size_xy), (4, 5))
  expected = np.array(
    [
      [_slow_crop(images[b], *of, (4, 5)) for of in zip(*both, strict=True)]
      for b, both in enumerate(zip(center_xy, size_xy, strict=True))
    ]
  )
  np.testing.assert_allclose(crops, expected, atol=1e-5)
  assert np.abs(expected).max() > 0.5 and (expected == 0).mean() > 0.05


def test_a_crop_of_the_images_size_at_its_middle_is_the_image():
  (images,) = _float(_pixels(4, 2, H, W, 3))
  center_xy = np.tile(np.float32([(W - 1) / 2, (H - 1) / 2]), (2, 1, 1))
  size_xy = np.tile(np.float32([W, H]), (2, 1, 1))
  crops = crop_round(images, center_xy, size_xy, (H, W))
  np.testing.assert_array_equal(crops[:, 0], images)
  # Whole pixels away it is a slice, and zero beyond the border.
  moved = crop_round(images, center_xy + np.float32([3, -2]), size_xy, (H, W))
  np.testing.assert_array_equal(moved[:, 0, 2:, :-3], images[:, :-2, 3:])
  assert not moved[:, 0, :2].any() and not moved[:, 0, :, -3:].any()


def test_an_axis_twice_as_large_shows_middles_of_two_pixels():
  ramp = np.float32([0, 1, 2, 3, 4, 5])
  image = np.tile(ramp, (6, 1))[None, :, :, None]
  crop = crop_round(image, *_float([[[2.5, 2.5]]], [[[6, 6]]]), (6, 3))
  np.testing.assert_allclose(crop[0, 0, 1:5, :, 0], [[0.5, 2.5, 4.5]] * 4)


@pytest.mark.parametrize("far", [1e5, -1e30, np.inf])
def test_far_outside_there_is_nothing(far):
  images = np.ones((1, 4, 6, 1), np.float32)
  center_xy = np.float32([[[far, 2]]])

  def total(images, center_xy):
    size_xy = jnp.full((1, 1, 2), 3.0)
    return crop_round(images, center_xy, size_xy, (3, 3)).sum()

  value, gradients = jax.value_and_grad(total, (0, 1))(images, center_xy)
  assert value == 0 and not any(np.asarray(g).any() for g in gradients)


def test_gradients_equal_finite_differences():
  rng = np.random.default_rng(5)
  images = rng.standard_normal((2, 6, 7, 2))
  center_xy = rng.uniform(0, 6, (2, 3, 2))
  size_xy = rng.uniform(2, 9, (2, 3, 2))
  weight = rng.standard_normal((2, 3, 4, 5, 2))
  with jax.enable_x64(True):

    @jax.jit
    def loss(*arrays):
      return (crop_round(*arrays, (4, 5)) * weight).sum()

    arrays = images, center_xy, size_xy
    gradients = jax.jit(jax.grad(loss, (0, 1, 2)))(*arrays)
    for which, gradient in enumerate(gradients):
      expected = np.zeros(gradient.shape)
      for index in np.ndindex(*gradient.shape):
        step = np.zeros(gradient.shape)
        step[index] = 1e-6
        more, less = (
          loss(*arrays[:which], arrays[which] + by, *arrays[which + 1 :])
          for by in (step, -step)
        )
        expected[index] = (more - less) / 2e-6
      np.testing.assert_allclose(gradient, expected, atol=1e-6)
      assert np.abs(expected).max() > 0.5


def test_mapped_over_images_it_is_the_same():
  (images,) = _float(_pixels(6, 3, 8, 9, 2))
  center_xy, size_xy = _float(*_about(7, 3, 4))
  crops = crop_round(images, center_xy, size_xy, (5, 4))
  mapped = jax.vmap(lambda *one: crop_round(*(x[None] for x in one), (5, 4))[0])
  np.testing.assert_allclose(mapped(images, center_xy, size_xy), crops)


def test_half_precision_images_stay_so():
  images = jnp.asarray(_pixels(8, 1, 4, 300, 1), jnp.bfloat16)
  center_xy, size_xy = _float([[[149.5, 1.5]]], [[[300, 4]]])
  crops = crop_round(images, center_xy, size_xy, (4, 300))
  assert crops.dtype == jnp.bfloat16
  np.testing.assert_array_equal(crops[:, 0], images)
