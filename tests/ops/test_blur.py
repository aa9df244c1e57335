"""Blurs against OpenCV, window side by window side."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.ops import blur

SEEDS = np.arange(300, dtype=np.uint32)


@pytest.fixture
def image():
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (13, 11, 3), dtype=np.uint8)


def by_size(image, opencv, sizes=(3, 5, 7)):
  return {1: image, **{k: opencv(image, k) for k in sizes}}


def sides(out, known):
  """Which of the known pictures each of the batch is."""
  found = []
  for picture in np.asarray(out):
    errors = {k: np.abs(picture - known[k]).max() for k in known}
    best = min(errors, key=errors.get)
    # OpenCV rounds its means to whole levels
    assert errors[best] <= 0.51
    found.append(best)
  return np.array(found)


@pytest.mark.parametrize(
  "ours, opencv",
  [
    (blur.box_blur, lambda image, k: cv2.blur(image, (k, k))),
    (blur.median_blur, cv2.medianBlur),
  ],
)
def test_blurs_are_opencvs(image, ours, opencv):
  known = by_size(image, opencv)
  batch = np.repeat(image[None], len(SEEDS), 0)
  found = sides(ours(batch, SEEDS, probability=0.4), known)
  assert (found > 1).mean() == pytest.approx(0.4, abs=0.1)
  # three sides share 120 pictures
  assert all(20 < (found == k).sum() < 60 for k in (3, 5, 7))
  always = sides(ours(batch[:40], SEEDS[:40], probability=1, max_size=5), known)
  assert set(always) == {3, 5}


def test_median_is_exact_also_of_fractions(image):
  x = jnp.asarray(image * 0.37, jnp.float32)
  out = blur.median_blur(x[None], SEEDS[:1], probability=1, max_size=3)
  rounded = cv2.medianBlur(np.round(np.asarray(x)).astype(np.uint8), 3)
  np.testing.assert_array_equal(out[0], rounded)


@pytest.mark.parametrize("ours", [blur.box_blur, blur.median_blur])
def test_blurs_are_functions_of_the_seed(image, ours):
  batch = np.repeat(image[None], 8, 0)
  options = dict(probability=0.5)
  first = ours(batch, SEEDS[:8], **options)
  again = jax.jit(lambda x, s: ours(x, s, **options))(batch[3:], SEEDS[3:8])
  np.testing.assert_allclose(first[3:], again, atol=1e-3)


@pytest.mark.parametrize("size", [1, 4, 17])
def test_windows_must_have_a_middle(image, size):
  with pytest.raises(ValueError, match=f"between 3 and 15, got {size}"):
    blur.box_blur(image[None], SEEDS[:1], probability=1, max_size=size)
