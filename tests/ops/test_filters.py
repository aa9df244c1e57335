"""Blur kernels and the blur itself, against OpenCV and goldens."""

import cv2
import jax
import jaxtyping
import numpy as np
import pytest

from pose_jax.ops import filters


@pytest.mark.parametrize("size", [1, 3, 5, 7, 9, 11, 17])
def test_kernel_is_opencvs(size):
  # For size 1 OpenCV's float64 kernel is [1] by every rule.
  expected = cv2.getGaussianKernel(size, 0)[:, 0] if size > 1 else [1.0]
  np.testing.assert_allclose(
    filters.gaussian_kernel(size), expected, rtol=1e-12
  )


def test_kernel_of_eleven_has_sigma_two():
  taps = np.exp(-0.5 * (np.arange(-5, 6) / 2.0) ** 2)
  np.testing.assert_allclose(
    filters.gaussian_kernel(11), taps / taps.sum(), rtol=1e-12
  )


def test_blur_matrix_of_three_by_hand():
  np.testing.assert_array_equal(
    filters.blur_matrix(3, 2),
    np.array([[0.25, 0.5, 0.25, 0], [0, 0.25, 0.5, 0.25]], np.float32),
  )


@pytest.mark.parametrize("size", [3, 11, 17])
def test_blur_is_opencvs_on_zero_padded_map(size):
  maps = np.random.default_rng(0).standard_normal((2, 13, 9, 3))
  radius = size // 2
  expected = np.zeros_like(maps)
  for b in range(2):
    for k in range(3):
      padded = np.pad(maps[b, :, :, k], radius)
      blurred = cv2.GaussianBlur(padded, (size, size), 0)
      expected[b, :, :, k] = blurred[radius:-radius, radius:-radius]
  result = filters.gaussian_blur(maps, size=size)
  assert result.dtype == np.float32
  # Two sums of up to 17 float32 products of order one.
  np.testing.assert_allclose(result, expected, atol=1e-6)


def test_blur_of_an_impulse_is_the_outer_product_of_the_kernel():
  maps = np.zeros((1, 15, 15, 1), np.float32)
  maps[0, 7, 7, 0] = 1
  kernel = filters.gaussian_kernel(11)
  blurred = filters.gaussian_blur(maps, size=11)[0, 2:13, 2:13, 0]
  np.testing.assert_allclose(blurred, np.outer(kernel, kernel), atol=1e-8)


def test_blur_loses_mass_only_at_the_border():
  maps = np.zeros((1, 31, 31, 1), np.float32)
  maps[0, 15, 15, 0] = 2
  assert filters.gaussian_blur(maps, size=11).sum() == pytest.approx(
    2, abs=1e-6
  )
  maps = np.ones((1, 31, 31, 1), np.float32)
  blurred = np.asarray(filters.gaussian_blur(maps, size=11))[0, :, :, 0]
  np.testing.assert_allclose(blurred[5:-5, 5:-5], 1, atol=1e-6)
  assert blurred[0, 0] < 0.4


def test_blur_is_the_same_under_jit():
  maps = np.random.default_rng(1).standard_normal((1, 12, 10, 2))
  maps = maps.astype(np.float32)
  jitted = jax.jit(filters.gaussian_blur, static_argnames="size")
  np.testing.assert_allclose(
    jitted(maps, size=5), filters.gaussian_blur(maps, size=5), atol=1e-6
  )


@pytest.mark.parametrize("size", [11, 17])
def test_blur_agrees_with_goldens(goldens, size):
  golden = np.load(goldens / "decode_64x48.npz")
  maps = np.moveaxis(golden["heatmaps"][[0, 2]][:, [0, 2, 4]], 1, -1)
  maps = maps.astype(np.float32)
  blurred = np.asarray(filters.gaussian_blur(maps, size=size))
  # The stored maps are scaled so that the maximum is what it was.
  highest = blurred.max((1, 2), keepdims=True)
  blurred = blurred * (maps.max((1, 2), keepdims=True) / highest)
  np.testing.assert_allclose(
    np.moveaxis(blurred, -1, 1), golden[f"blurred_k{size}_f64"], atol=2e-6
  )


@pytest.mark.parametrize("size", [0, -3, 4, 10])
def test_even_or_empty_kernel_is_refused(size):
  with pytest.raises(ValueError, match=f"odd, positive size, got {size}"):
    filters.gaussian_kernel(size)
  with pytest.raises(ValueError, match="odd, positive"):
    filters.gaussian_blur(np.zeros((1, 8, 8, 1), np.float32), size=size)


def test_map_without_batch_axis_is_refused_by_its_annotation():
  with pytest.raises(jaxtyping.TypeCheckError):
    filters.gaussian_blur(np.zeros((8, 8, 1), np.float32), size=3)
