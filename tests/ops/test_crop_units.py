"""Units of the crop: edges, middle, mirror images, the way back."""

import jax.numpy as jnp
import numpy as np

from pose_jax.ops.coordinates import crop_from_units, units_from_crop

CROP_HW = (128, 96)


def test_the_middle_is_zero_and_edges_are_a_half():
  points = np.array([[47.5, 63.5], [-0.5, -0.5], [95.5, 127.5]], np.float32)
  wanted = [[0, 0], [-0.5, -0.5], [0.5, 0.5]]
  np.testing.assert_array_equal(units_from_crop(points, CROP_HW), wanted)


def test_mirroring_pixels_changes_the_sign_of_x():
  points = np.random.default_rng(0).uniform(0, 96, (2, 5, 2))
  mirrored = np.stack([95 - points[..., 0], points[..., 1]], -1)
  found = units_from_crop(mirrored, CROP_HW)
  wanted = units_from_crop(points, CROP_HW) * jnp.array([[[-1, 1]]])
  np.testing.assert_allclose(found, wanted, atol=1e-6)  # float32's rounding


def test_there_and_back_is_the_same_point():
  points = np.random.default_rng(1).uniform(-50, 150, (7, 2))
  back = crop_from_units(units_from_crop(points, CROP_HW), CROP_HW)
  np.testing.assert_allclose(back, points, atol=1e-4)  # of 150 in float32
