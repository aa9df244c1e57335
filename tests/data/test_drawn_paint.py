"""The painter: who owns a pixel, and its colour."""

import numpy as np
import pytest

from pose_jax.data.drawn.paint import (
  MAX_PARTS,
  PATTERNS,
  SCALE,
  Material,
  Part,
  number_map,
  shade,
)

HW = (24, 32)
AXIS = np.array([(16.0, 4.0), (16.0, 20.0)])
FRONT_LIGHT = np.array((0.0, 0.0, 1.0))


def _disc(x, y, radius, color=(200.0, 100.0, 50.0), **kwargs) -> Part:
  circles = np.array([(x, y, radius)], float)
  return Part(circles, AXIS, Material(color), **kwargs)


def _fine_xy() -> tuple[np.ndarray, np.ndarray]:
  """Picture coordinates of the pixels of the map."""
  y, x = np.mgrid[: HW[0] * SCALE, : HW[1] * SCALE].astype(float)
  return (x - 0.5) / 2, (y - 0.5) / 2


def test_disc_owns_the_pixels_within_its_radius():
  number = number_map([_disc(15.25, 11.5, 6.0)], HW)
  x, y = _fine_xy()
  away = np.hypot(x - 15.25, y - 11.5)
  # A polygon of 20 corners and rounding: half a picture pixel at the rim.
  assert (number[away < 5.5] == 1).all()
  assert (number[away > 6.5] == 0).all()


def test_hull_joins_circles_and_hulls_of_one_do_not():
  circles = np.array([(6, 12, 3), (26, 12, 3)], float)
  joined = Part(circles, AXIS, Material((9.0, 9.0, 9.0)))
  apart = Part(circles, AXIS, Material((9.0, 9.0, 9.0)), hulls=(1, 1))
  assert number_map([joined], HW)[24, 32] == 1
  number = number_map([apart], HW)
  assert number[24, 32] == 0
  assert number[24, 12] == number[24, 52] == 1


def test_later_parts_cover_earlier_ones():
  number = number_map([_disc(12, 12, 6), _disc(20, 12, 6)], HW)
  assert number[24, 32] == 2
  assert number[24, 20] == 1


def test_too_many_parts_are_refused():
  parts = [_disc(12, 12, 3)] * (MAX_PARTS + 1)
  with pytest.raises(ValueError, match="at most 255 parts"):
    number_map(parts, HW)


def _shaded(parts: list[Part], light: np.ndarray) -> np.ndarray:
  canvas = np.full((HW[0] * SCALE, HW[1] * SCALE, 3), 77, np.uint8)
  shade(canvas, number_map(parts, HW), parts, light)
  return canvas


def test_shade_leaves_the_background_alone():
  parts = [_disc(15, 12, 6)]
  canvas = _shaded(parts, FRONT_LIGHT)
  number = number_map(parts, HW)
  assert (canvas[number == 0] == 77).all()
  assert (canvas[number == 1] != 77).all()


def test_flat_part_has_exactly_its_colour():
  circles = np.array([(15, 12, 6)], float)
  flat = Part(circles, AXIS, Material((200.0, 100.0, 50.0), relief=0.0))
  canvas = _shaded([flat], FRONT_LIGHT)
  assert (canvas[24, 30] == (200, 100, 50)).all()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_side_towards_the_light_is_brighter(sign):
  light = np.array((0.8 * sign, 0.0, 0.6))
  canvas = _shaded([_disc(16, 12, 8)], light).astype(int)
  right, left = canvas[24, 32 + 10].sum(), canvas[24, 32 - 10].sum()
  assert sign * (right - left) > 30


def test_nearer_part_casts_a_shadow_away_from_the_light():
  """The light comes from the left: the far part is darker at the right."""
  light = np.array((-0.6, 0.0, 0.8))
  wall = Part(
    np.array([(0, 0, 0), (31, 0, 0), (31, 23, 0), (0, 23, 0)], float),
    AXIS,
    Material((100.0, 100.0, 100.0), relief=0.0),
    depth=0.0,
  )
  ball = _disc(16, 12, 5, depth=1.0)
  canvas = _shaded([wall, ball], light)
  assert canvas[24, 32 + 12, 0] < 90
  assert canvas[24, 32 - 14, 0] == 100


@pytest.mark.parametrize("pattern", PATTERNS[1:])
def test_patterns_mix_both_colours(pattern):
  material = Material(
    (250.0, 0.0, 0.0), (0.0, 0.0, 250.0), pattern, 10.0, relief=0.0
  )
  wall = np.array([(0, 0, 0), (31, 0, 0), (31, 23, 0), (0, 23, 0)], float)
  canvas = _shaded([Part(wall, AXIS, material)], FRONT_LIGHT)
  red = canvas[2:-2, 2:-2, 0].astype(float)
  assert red.std() > 10
  np.testing.assert_allclose(red + canvas[2:-2, 2:-2, 2], 250, atol=1.01)


def test_stripes_run_across_the_part():
  material = Material(
    (250.0, 0.0, 0.0), (0.0, 0.0, 250.0), "stripes", 8.0, relief=0.0
  )
  wall = np.array([(0, 0, 0), (31, 0, 0), (31, 23, 0), (0, 23, 0)], float)
  canvas = _shaded([Part(wall, AXIS, material)], FRONT_LIGHT)[2:-2, 2:-2, 0]
  assert (canvas == canvas[:, :1]).all()  # constant across the vertical axis
  changes = np.count_nonzero(np.diff(canvas[:, 0].astype(int)))
  assert changes == pytest.approx(2 * canvas.shape[0] / (8 * SCALE), abs=1)
