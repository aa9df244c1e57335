"""Rectangles, read back from the pictures that they cover."""

import functools

import jax
import numpy as np
import pytest

from pose_jax.ops import occlusion

SEEDS = np.arange(400, dtype=np.uint32)


@pytest.fixture
def images():
  return np.full((400, 40, 30, 3), (90, 120, 200), np.uint8)


def cover(images, seeds, **options):
  """Compiled: one by one the operations take ten times as long."""
  return jax.jit(functools.partial(occlusion.cover, **options))(images, seeds)


def covered(out, images):
  return (np.asarray(out) != images).any(-1)


def test_one_rectangle_of_the_asked_size_lies_inside(images):
  out = cover(images, SEEDS, probability=1, fill_rgb=(1, 2, 3))
  for mask, picture in zip(covered(out, images), out, strict=True):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    # a rectangle: rows and columns without gaps, all of their crossings
    assert len(rows) == np.ptp(rows) + 1 and len(columns) == np.ptp(columns) + 1
    assert mask.sum() == len(rows) * len(columns)
    # 0.2 to 0.4 of 40 and 30, a pixel centre more or less
    assert 7 <= len(rows) <= 17 and 5 <= len(columns) <= 13
    assert (np.asarray(picture)[mask] == (1, 2, 3)).all()


def test_rectangles_fall_everywhere_in_their_share_of_the_pictures(images):
  mask = covered(cover(images, SEEDS, probability=0.5), images)
  assert mask.any((1, 2)).mean() == pytest.approx(0.5, abs=0.1)
  often = mask.mean(0)
  assert often[20, 15] > often[20, 1] > 0 and often[1, 15] > 0


def test_number_of_rectangles_is_in_its_range(images):
  options = dict(probability=1, min_size=0.04, max_size=0.04, max_holes=4)
  mask = covered(cover(images, SEEDS, min_holes=2, **options), images)
  # One or two pixels high, one or two wide each; few overlap.
  assert mask.sum((1, 2)).max() <= 16 and mask.sum((1, 2)).min() >= 1
  few, many = (
    covered(cover(images, SEEDS, **options | {"min_holes": n}), images).mean()
    for n in (0, 4)
  )
  assert many == pytest.approx(2 * few, rel=0.15)  # 4 against 0 to 4


def test_fills(images):
  images = images.copy()
  images[:, :20] = (50, 60, 70)
  out = np.asarray(cover(images, SEEDS, probability=1, fill="mean"))
  mask = (out == np.array([70, 90, 135])).all(-1)
  assert (mask.sum((1, 2)) >= 30).all()
  noise = np.asarray(
    cover(images, SEEDS, probability=1, fill="noise", max_size=1.0)
  )
  drawn = noise[covered(noise, images)]
  assert drawn.min() < 2 and drawn.max() > 253
  assert drawn.mean() == pytest.approx(127.5, abs=1)
  assert np.abs(np.corrcoef(drawn.T)[np.triu_indices(3, 1)]).max() < 0.05


def test_a_cover_is_a_function_of_the_seed(images):
  options = dict(probability=0.7, max_holes=3, fill="noise")
  first = cover(images[:9], SEEDS[:9], **options)
  again = jax.jit(lambda x, s: occlusion.cover(x, s, **options))(
    images[4:9], SEEDS[4:9]
  )
  np.testing.assert_allclose(first[4:], again, atol=1e-3)


@pytest.mark.parametrize(
  "options, message",
  [
    (dict(min_holes=3), "min_holes 3 must not be above max_holes 1"),
    (dict(max_holes=0, min_holes=0), "at least 1"),
    (dict(min_size=0.5), "min_size 0.5 must not be above max_size 0.4"),
    (dict(max_size=1.2), "above 0 and at most 1"),
    (dict(fill="grey"), "'grey' is none of constant, mean, noise"),
    (dict(fill_rgb=(0.0,)), "three numbers"),
    (dict(fill_rgb=(0.0, 256.0, 0.0)), "in 0..255"),
  ],
)
def test_impossible_rectangles_are_refused(images, options, message):
  with pytest.raises(ValueError, match=message):
    occlusion.cover(images, SEEDS, probability=1, **options)
