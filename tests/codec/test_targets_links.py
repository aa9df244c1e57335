"""Link maps: against segments drawn finely and in pixels, and by hand."""

import math

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.codec import targets
from pose_jax.skeleton import COCO17

MAP_HW = (32, 24)
PEAK = math.sqrt(2 * math.pi)  # of the uncut sum beside a long link, sigma 1


def one(start, end, *, sigma=1.0, weights=(1, 1)):
  maps, weight = targets.links(
    np.float32([[start, end]]),
    np.float32([weights]),
    pairs=((0, 1),),
    map_hw=MAP_HW,
    sigma=sigma,
  )
  return np.asarray(maps)[0, :, :, 0], float(weight[0, 0])


def swept(points_xy, mass, sigma):
  """Gaussians of peak `mass` at the points, summed and cut at 1; float64."""
  bells = [
    np.exp(
      -np.square(np.arange(length)[:, None] - points_xy[:, axis])
      / (2 * sigma**2)
    )
    for axis, length in ((1, MAP_HW[0]), (0, MAP_HW[1]))
  ]
  return np.minimum(1, mass * bells[0] @ bells[1].T)


def rasterised(start, end, sigma):
  """The whole pixels of a line, filtered with a Gaussian of peak 1."""
  image = np.zeros(MAP_HW, np.uint8)
  cv2.line(image, start, end, 1)
  return swept(np.argwhere(image)[:, ::-1], 1.0, sigma)


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.0])
def test_maps_are_the_sum_along_a_finely_drawn_segment(sigma):
  """4,000 pieces per segment, each of its length's mass: the integral."""
  rng = np.random.default_rng(0)
  for span in (0.3, 3, 40):
    start = rng.uniform(-3, 27, 2)
    end = start + rng.uniform(-span, span, 2)
    share = (np.arange(4_000) + 0.5)[:, None] / 4_000
    mass = np.linalg.norm(end - start) / 4_000
    wanted = swept(start + share * (end - start), mass, sigma)
    np.testing.assert_allclose(
      one(start, end, sigma=sigma)[0], wanted, atol=1e-5
    )


@pytest.mark.parametrize("end", [(18, 15), (5, 29)])
def test_beside_whole_pixels_only_the_ends_differ(end):
  """Pixels from 5 to 18 are a sum over 14, the segment is 13 long.

  Lengthened by half a pixel at either end it equals the raster to .021 (the
  midpoint rule at the cut end); as it is, .36 is missing one pixel beyond the
  end, and nothing along the way.
  """
  start = (5, 15)
  raster = rasterised(start, end, 1.0)
  half = (np.array(end) - start) / np.abs(np.array(end) - start).max() / 2
  longer, _ = one(start - half, end + half)
  np.testing.assert_allclose(longer, raster, atol=0.021)
  exact, _ = one(start, end)
  assert np.abs(exact - raster).max() == pytest.approx(0.356, abs=1e-3)
  axis = int(end[1] != 15)
  middle = [slice(None), slice(None)]
  middle[1 - axis] = slice(start[axis] + 4, end[axis] - 3)
  # four deviations from an end 3e-5 of the mass is beyond it
  np.testing.assert_allclose(
    exact[tuple(middle)], raster[tuple(middle)], atol=2e-5
  )


def test_an_oblique_raster_has_fewer_pixels_than_the_segment_is_long():
  """At 45 degrees 1 in sqrt(2): its band is narrower by that factor."""
  start, end = (2, 2), (21, 21)
  exact, raster = one(start, end)[0], rasterised(start, end, 1.0)
  # Pixels across the middle, at k / sqrt(2) from the line.
  for k in range(6):
    y, x = 11 + (k + 1) // 2, 11 - k // 2
    bell = PEAK * math.exp(-(k**2) / 4)
    assert exact[y, x] == pytest.approx(min(1, bell), abs=1e-5)
    assert raster[y, x] == pytest.approx(min(1, bell / math.sqrt(2)), abs=0.02)
  assert np.abs(exact - raster).max() < 0.28


def test_a_long_link_by_hand():
  """A band of ones 1.36 px to either side, then a Gaussian's flank."""
  heatmap, weight = one((4, 10), (20, 10))
  assert weight == 1
  assert (heatmap[9:12, 8:17] == 1).all()
  for row, apart in ((8, 2), (13, 3), (6, 4)):
    np.testing.assert_allclose(
      heatmap[row, 12], PEAK * math.exp(-(apart**2) / 2), rtol=1e-4
    )
  # At an end half of the line is summed: 1.253, cut; a pixel beyond .398.
  assert heatmap[10, 20] == heatmap[10, 4] == 1
  assert heatmap[10, 21] == pytest.approx(PEAK * 0.158655, rel=1e-4)
  assert heatmap[10, 3] == pytest.approx(PEAK * 0.158655, rel=1e-4)


def test_doubled_map_and_sigma_double_the_picture():
  """The same link at twice the scale is the same function."""
  small, _ = one((2.5, 3.25), (9.5, 12.0), sigma=1.0)
  large, _ = one((5, 6.5), (19, 24), sigma=2.0)
  # twice the mass along the line; uncut values double, so compare below 1 / 2
  low = small < 0.5
  np.testing.assert_allclose(
    large[::2, ::2][low[:16, :12]],
    2 * small[:16, :12][low[:16, :12]],
    atol=2e-5,
  )


def test_ends_may_change_places():
  there, _ = one((3, 4), (17, 25))
  back, _ = one((17, 25), (3, 4))
  np.testing.assert_allclose(there, back, atol=1e-5)


def test_a_link_without_length_is_empty_and_short_ones_are_faint():
  heatmap, weight = one((7, 9), (7, 9))
  assert weight == 1 and (heatmap == 0).all()
  peak = {
    size: one((7 - size / 2, 9), (7 + size / 2, 9))[0].max()
    for size in (0.1, 0.5, 1.1)
  }
  assert peak[0.1] == pytest.approx(0.1, abs=1e-3)
  assert 0.4 < peak[0.5] < 0.5 and peak[1.1] == 1


def test_a_link_off_the_map_is_empty_and_keeps_its_weight():
  heatmap, weight = one((-40, -40), (-30, 60))
  assert weight == 1 and heatmap.max() < 1e-6
  across, _ = one((-1e3, 10), (1e3, 10))  # both ends far off, it crosses
  np.testing.assert_allclose(across[10], 1)
  np.testing.assert_allclose(across[:5], 0, atol=1e-5)


@pytest.mark.parametrize("weights", [(0, 1), (1, 0), (0, 0)])
def test_a_link_weighs_what_both_ends_do(weights):
  for bad in (5.0, np.nan, np.inf):
    points = [(bad, bad) if not w else (5, 5) for w in weights]
    heatmap, weight = one(*points, weights=weights)
    assert weight == 0 and (heatmap == 0).all()


def _batch():
  rng = np.random.default_rng(3)
  kpts_xy = rng.uniform(-4, 30, (3, 17, 2)).astype(np.float32)
  weight = (rng.random((3, 17)) < 0.8).astype(np.float32)
  kpts_xy[weight == 0] = np.nan
  pairs = tuple((link.start, link.end) for link in COCO17.links)
  return kpts_xy, weight, {"pairs": pairs, "map_hw": MAP_HW}


def test_channels_are_the_skeletons_links():
  kpts_xy, weight, options = _batch()
  maps, weight_BL = targets.links(kpts_xy, weight, **options)
  assert maps.shape == (3, *MAP_HW, 16) and maps.dtype == np.float32
  for b, c in np.ndindex(3, 16):
    start, end = options["pairs"][c]
    alone, kept = one(
      kpts_xy[b, start],
      kpts_xy[b, end],
      weights=(weight[b, start], weight[b, end]),
    )
    np.testing.assert_allclose(maps[b, :, :, c], alone, atol=1e-5)
    assert weight_BL[b, c] == kept
  assert 0 < np.asarray(weight_BL).sum() < weight_BL.size


def test_same_under_jit_and_gradients_are_finite():
  kpts_xy, weight, options = _batch()
  kpts_xy[0, 6] = kpts_xy[0, 5] = 9.0  # a link without length
  weight[0, 5:7] = 1
  plain = targets.links(kpts_xy, weight, **options)
  jitted = jax.jit(lambda p, w: targets.links(p, w, **options))
  for a, b in zip(plain, jitted(kpts_xy, weight), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)
  gradient = jax.grad(
    lambda p: jnp.square(targets.links(p, weight, **options)[0]).sum()
  )(jnp.asarray(kpts_xy))
  assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0.1


@pytest.mark.parametrize(
  ("wrong", "message"),
  [
    ({"sigma": 0.0}, "must be positive, got sigma=0.0"),
    ({"map_hw": (0, 24)}, "must be positive"),
    ({"pairs": ()}, "at least one link, got none"),
    ({"pairs": ((0, 17),)}, r"keypoints 0 to 16, got \(0, 17\)"),
    ({"pairs": ((-1, 2),)}, "are they of another skeleton"),
  ],
)
def test_impossible_links_are_refused(wrong, message):
  options = {"pairs": ((0, 1),), "map_hw": MAP_HW} | wrong
  with pytest.raises(ValueError, match=message):
    targets.links(
      np.zeros((1, 17, 2), np.float32), np.ones((1, 17), np.float32), **options
    )
