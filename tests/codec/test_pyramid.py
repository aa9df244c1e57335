"""Tests of codec/pyramid.py against a loop and a closed form."""

import numpy as np
import pytest

from pose_jax.codec import pyramid
from pose_jax.geometry import ALIGNMENTS, Frames


def _bilinear(heatmap, x, y):
  """Value at a point, zeros outside."""
  height, width = heatmap.shape
  total = 0.0
  for j in (int(np.floor(y)), int(np.floor(y)) + 1):
    for i in (int(np.floor(x)), int(np.floor(x)) + 1):
      if 0 <= j < height and 0 <= i < width:
        total += heatmap[j, i] * (1 - abs(y - j)) * (1 - abs(x - i))
  return total


@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_merged_maps_are_the_mean_of_what_a_loop_samples(alignment):
  frames = Frames((32, 24), (8, 6), alignment)
  scales = (0.7, 1.0, 1.2)
  maps = np.random.default_rng(0).normal(size=(3, 2, 8, 6, 4))
  maps = maps.astype(np.float32)
  matrices = [frames.scaled_from_hm(s) for s in scales]
  got = pyramid.merge_scales(list(maps), matrices)
  for b, y, x, k in np.ndindex(2, 8, 6, 4):
    values, covers = [], []
    for s, matrix in enumerate(matrices):
      at = matrix @ [x, y, 1]
      values.append(_bilinear(maps[s, b, ..., k], *at))
      covers.append(_bilinear(np.ones((8, 6)), *at))
    wanted = sum(values) / sum(covers)
    assert got[b, y, x, k] == pytest.approx(wanted, abs=1e-5)


def test_one_scale_of_one_changes_nothing():
  frames = Frames((32, 24), (8, 6))
  maps = np.random.default_rng(1).normal(size=(1, 8, 6, 2)).astype(np.float32)
  got = pyramid.merge_scales([maps], [frames.scaled_from_hm(1.0)])
  np.testing.assert_allclose(got, maps, atol=1e-6)


@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_a_peak_seen_at_all_scales_stays_where_it_is(alignment):
  """Gaussians of the same spot in the picture, drawn at each scale."""
  frames = Frames((256, 192), (64, 48), alignment)
  peak = np.array([20.0, 41.0])
  y, x = np.mgrid[:64, :48]
  maps, matrices = [], []
  for scale in (0.7, 0.9, 1.0, 1.2):
    matrix = frames.scaled_from_hm(scale)
    cx, cy = matrix @ [*peak, 1]
    sigma = 3 * scale
    maps.append(
      np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2))[
        None, ..., None
      ].astype(np.float32)
    )
    matrices.append(matrix)
  got = np.asarray(pyramid.merge_scales(maps, matrices))[0, ..., 0]
  assert np.unravel_index(got.argmax(), got.shape) == (41, 20)
  centroid = [(got * axis).sum() / got.sum() for axis in (x, y)]
  np.testing.assert_allclose(centroid, peak, atol=0.05)
