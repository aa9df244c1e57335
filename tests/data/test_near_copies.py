"""Copies of photographs are found, other photographs are not."""

import cv2
import numpy as np
import pytest

from pose_jax.data import near_copies
from pose_jax.data.near_copies import WINDOWS, find_candidates, find_near_copies

NUM = 24


def photograph(seed, hw=(160, 120)):
  """Random shapes of several sizes on a smooth ground, grey."""
  rng = np.random.default_rng(seed)
  coarse = rng.random((5, 4)).astype(np.float32) * 200
  image = cv2.resize(coarse, hw[::-1], interpolation=cv2.INTER_CUBIC)
  for _ in range(60):
    center = rng.integers(0, hw[::-1])
    radius = int(rng.integers(2, 18))
    cv2.circle(image, center.tolist(), radius, float(rng.random() * 255), -1)
  return cv2.GaussianBlur(image.clip(0, 255), (3, 3), 0).astype(np.uint8)


@pytest.fixture(scope="module")
def others():
  return [photograph(i) for i in range(NUM)]


def thumbnails(pictures):
  return np.stack(
    [cv2.resize(p, (32, 32), interpolation=cv2.INTER_AREA) for p in pictures]
  )


def find(pictures, **options):
  return find_near_copies(
    thumbnails(pictures), lambda i: pictures[i], **options
  )


def smaller(picture):
  return cv2.resize(picture, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)


def compressed(picture):
  _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])
  return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def brighter(picture):
  return np.clip(picture.astype(float) * 0.8 + 45, 0, 255).astype(np.uint8)


def shifted(picture):
  return picture[6:-2, 3:-5]


def cut(picture):
  return picture[:125, 28:]


def mirrored(picture):
  return np.ascontiguousarray(picture[:, ::-1])


def test_different_photographs_are_no_copies(others):
  assert find(others) == ()


@pytest.mark.parametrize(
  "change", [smaller, compressed, brighter, shifted, cut, mirrored]
)
def test_a_changed_copy_is_found_and_nothing_else(others, change):
  (found,) = find([*others, change(others[5])])
  assert {found.first, found.second} == {5, NUM}
  assert found.is_copy and found.agreement > 0.95
  assert found.is_mirrored == (change is mirrored)
  kept = change(others[5]).size / others[5].size
  if found.first == NUM or change is smaller:  # what covers the changed one
    kept = 1.0
  assert found.overlap == pytest.approx(kept, abs=0.04)


def test_same_scene_with_somebody_moved_is_no_copy(others):
  moved = others[5].copy()
  cv2.circle(moved, (60, 80), 11, 255, -1)
  (found,) = find([*others, moved])
  assert {found.first, found.second} == {5, NUM}
  assert not found.is_copy and 0.8 < found.agreement < 0.945


def test_three_copies_are_three_pairs(others):
  found = find([*others, others[0], brighter(others[0])])
  pairs = {frozenset((f.first, f.second)) for f in found}
  assert pairs == {
    frozenset(p) for p in ((0, NUM), (0, NUM + 1), (NUM, NUM + 1))
  }
  assert [f.agreement for f in found] == sorted(
    (f.agreement for f in found), reverse=True
  )


def test_only_what_is_asked_is_compared(others):
  pictures = [*others, others[0], others[7]]
  is_asked = np.zeros(NUM + 2, bool)
  is_asked[7] = True
  found = find(pictures, is_asked=is_asked)
  assert [{f.first, f.second} for f in found] == [{7, NUM + 1}]


def test_flat_pictures_are_no_candidates():
  grain = np.random.default_rng(0).integers(0, 3, (40, 40)).astype(np.uint8)
  flat = [grain, grain + 90, grain + 90, np.zeros_like(grain)]
  assert find_candidates(thumbnails(flat), np.ones(4, bool)) == []
  assert find(flat) == ()


def test_candidates_equal_slow_correlations(others):
  """Every window of every picture against every whole one."""
  pictures = [*others, cut(others[3])]
  small = thumbnails(pictures)

  def vector(image):
    values = cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA)
    return values.ravel().astype(np.float64)

  wanted = set()
  for i in range(len(small)):
    for window in WINDOWS:
      top, left, size = (
        round(32 * v) for v in (window.top, window.left, window.size)
      )
      part = small[i, top : top + size, left : left + size]
      part = np.ascontiguousarray(part[:, ::-1] if window.is_mirrored else part)
      for j in range(len(small)):
        value = np.corrcoef(vector(part), vector(small[j]))[0, 1]
        if i != j and value >= (0.78 if window.size == 1 else 0.9):
          wanted.add((min(i, j), max(i, j), window.is_mirrored))
  got = {
    (min(i, j), max(i, j), window.is_mirrored)
    for i, j, window in find_candidates(small, np.ones(len(small), bool))
  }
  assert got == wanted and (3, NUM, False) in got


def test_a_matrix_in_pieces_is_the_whole(others, monkeypatch):
  small = thumbnails([*others, cut(others[3])])
  is_asked = np.ones(len(small), bool)
  whole = find_candidates(small, is_asked)
  for cells in (1, 7 * len(small)):
    monkeypatch.setattr(near_copies, "_CELLS", cells)
    assert find_candidates(small, is_asked) == whole


def test_progress_ends_at_the_total(others):
  seen = []
  find([*others, others[0]], progress=lambda *p: seen.append(p))
  assert seen and seen[-1][0] == seen[-1][1]
