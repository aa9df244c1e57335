"""Backgrounds of drawn pictures: walls, floors, skies, clutter, shadows."""

import functools

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from pose_jax.data.drawn.clothes import RGB, shifted, vivid

_BANK_HW = (288, 384)


def _cloudy(rng: np.random.Generator, cells: int) -> np.ndarray:
  """Smooth noise 0..1, about `cells` bumps across."""
  coarse = rng.random((cells, cells)).astype(np.float32)
  return np.clip(
    cv2.resize(coarse, _BANK_HW[::-1], interpolation=cv2.INTER_CUBIC), 0, 1
  )


@functools.cache
def _bank() -> UInt8[np.ndarray, "T h w"]:
  """Grey textures for walls and floors; the same in every process."""
  rng = np.random.default_rng(1)
  y, x = np.mgrid[: _BANK_HW[0], : _BANK_HW[1]].astype(np.float32)
  fine = rng.random(_BANK_HW).astype(np.float32)
  row = (y // 18).astype(int)
  brick = (y % 18 < 2) | ((x + (row % 2) * 20) % 40 < 2)
  plank = (x % 36 < 1.5).astype(np.float32)
  shade = rng.random(64).astype(np.float32)
  streak = cv2.GaussianBlur(fine, (0, 0), sigmaX=0.8, sigmaY=14)
  streak = np.clip((streak - 0.5) * 5 + 0.5, 0, 1)
  grass = cv2.GaussianBlur(fine, (0, 0), sigmaX=0.7, sigmaY=2.5)
  leaves = cv2.GaussianBlur(fine, (0, 0), 4.0)
  textures = [
    _cloudy(rng, 5),
    _cloudy(rng, 14),
    0.5 * _cloudy(rng, 7) + 0.5 * _cloudy(rng, 40),
    np.where(brick, 0.9, 0.25 + 0.3 * _cloudy(rng, 20)),
    0.25 + 0.35 * shade[(x // 36).astype(int)] + 0.3 * streak - 0.2 * plank,
    np.clip((grass - 0.5) * 3 + 0.5, 0, 1),
    np.clip((leaves - 0.5) * 9 + 0.5, 0, 1),
    ((x // 24).astype(int) % 2) * 0.6 + 0.2,
    np.where((x % 32 < 2) | (y % 32 < 2), 0.15, 0.6 + 0.2 * _cloudy(rng, 12)),
    ((x // 28).astype(int) + (y // 28).astype(int)) % 2 * 0.6 + 0.2,
    np.clip(0.5 + 0.5 * np.sin(x / 13 + 4 * _cloudy(rng, 6)), 0, 1),
    0.35 + 0.3 * fine,
  ]
  bank = np.stack([np.asarray(t, np.float32) for t in textures])
  return (np.clip(bank, 0, 1) * 255).astype(np.uint8)


_WALLS = (0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11)
_FLOORS = (1, 2, 4, 5, 8, 9, 11)


def _surface(
  rng: np.random.Generator,
  kinds: tuple[int, ...],
  hw: tuple[int, int],
  colors: tuple[RGB, RGB],
) -> UInt8[np.ndarray, "h w 3"]:
  """A random cut of a random texture between two colours."""
  texture = _bank()[kinds[rng.integers(len(kinds))]]
  part = rng.uniform(0.35, 0.95)
  h, w = int(_BANK_HW[0] * part), int(_BANK_HW[1] * part)
  top = rng.integers(_BANK_HW[0] - h + 1)
  left = rng.integers(_BANK_HW[1] - w + 1)
  grey = cv2.resize(texture[top : top + h, left : left + w], hw[::-1])
  ramp = np.linspace(0, 1, 256)[:, None]
  table = np.array(colors[0]) * (1 - ramp) + np.array(colors[1]) * ramp
  table = table.clip(0, 255).astype(np.uint8)[:, None]
  return cv2.LUT(cv2.merge([grey] * 3), table)


def _muted(rng: np.random.Generator) -> RGB:
  """A background colour: greyer than clothes."""
  color = vivid(rng)
  grey = sum(color) / 3
  keep = rng.uniform(0.15, 0.75)
  return tuple(grey + keep * (c - grey) for c in color)


def _two(rng: np.random.Generator) -> tuple[RGB, RGB]:
  color = _muted(rng)
  return color, shifted(color, rng.uniform(0.55, 1.5))


def _ints(values) -> tuple[int, ...]:
  return tuple(int(v) for v in values)


def _clutter(rng: np.random.Generator, image: np.ndarray, count: int) -> None:
  """Random rectangles, discs and slanted bars."""
  h, w = image.shape[:2]
  for _ in range(count):
    color = _ints(_muted(rng))
    x, y = rng.uniform(0, w), rng.uniform(0, h)
    size = rng.uniform(0.04, 0.22) * h
    kind = rng.integers(4)
    if kind == 0:
      corner = _ints((x + size, y + size * rng.uniform(0.4, 1.8)))
      cv2.rectangle(image, _ints((x, y)), corner, color, -1)
      cv2.rectangle(image, _ints((x, y)), corner, _ints(_muted(rng)), 1)
    elif kind == 1:
      cv2.circle(image, _ints((x, y)), int(size / 2), color, -1, cv2.LINE_AA)
    elif kind == 2:
      turn = rng.uniform(0, np.pi)
      end = (x + 2 * size * np.cos(turn), y + 2 * size * np.sin(turn))
      cv2.line(
        image,
        _ints((x, y)),
        _ints(end),
        color,
        int(rng.integers(2, 10)),
        cv2.LINE_AA,
      )
    else:
      axes = _ints((size, size * rng.uniform(0.2, 0.6)))
      cv2.ellipse(
        image,
        _ints((x, y)),
        axes,
        float(rng.uniform(0, 180)),
        0,
        360,
        color,
        -1,
        cv2.LINE_AA,
      )


def _outdoors(rng: np.random.Generator, image: np.ndarray, line: int) -> None:
  """Sky, hills or trees, ground."""
  h, w = image.shape[:2]
  blue = rng.uniform(0.6, 1.0)
  sky = ((130 * blue, 178 * blue, 226 * blue), (238.0, 240.0, 242.0))
  image[:line] = _surface(rng, (0, 1, 2), (line, w), sky)
  for _ in range(rng.integers(0, 4)):
    green = shifted((88.0, 128.0, 84.0), rng.uniform(0.5, 1.3))
    axes = _ints((rng.uniform(0.1, 0.5) * w, rng.uniform(0.06, 0.4) * h))
    center = (int(rng.uniform(0, w)), line)
    cv2.ellipse(image, center, axes, 0, 0, 360, _ints(green), -1, cv2.LINE_AA)
  grounds = (
    ((74.0, 112.0, 52.0), (122.0, 160.0, 84.0)),
    ((196.0, 176.0, 134.0), (220.0, 204.0, 164.0)),
    ((108.0, 108.0, 112.0), (140.0, 140.0, 144.0)),
    ((214.0, 220.0, 228.0), (238.0, 240.0, 246.0)),
  )
  ground = grounds[rng.integers(len(grounds))]
  image[line:] = _surface(rng, _FLOORS, (h - line, w), ground)


def _indoors(rng: np.random.Generator, image: np.ndarray, line: int) -> None:
  """Wall with frames or windows, floor, skirting board."""
  h, w = image.shape[:2]
  image[:line] = _surface(rng, _WALLS, (line, w), _two(rng))
  image[line:] = _surface(rng, _FLOORS, (h - line, w), _two(rng))
  for _ in range(rng.integers(0, 4)):
    x, y = rng.uniform(-0.1, 0.9) * w, rng.uniform(0, 0.5) * line
    box = (x, y, x + rng.uniform(0.1, 0.3) * w, y + rng.uniform(0.2, 0.5) * h)
    first, second = _ints(box[:2]), _ints(box[2:])
    cv2.rectangle(image, first, second, _ints(_muted(rng)), -1)
    cv2.rectangle(image, first, second, _ints(_muted(rng)), 3)
  image[max(line - 4, 0) : line] = _ints(_muted(rng))


def draw_backdrop(
  rng: np.random.Generator, image_hw: tuple[int, int]
) -> UInt8[np.ndarray, "H W 3"]:
  """A random background, RGB."""
  h, w = image_hw
  image = np.empty((h, w, 3), np.uint8)
  line = int(rng.uniform(0.45, 0.8) * h)
  kind = rng.random()
  if kind < 0.35:
    _outdoors(rng, image, line)
  elif kind < 0.75:
    _indoors(rng, image, line)
  else:
    image[:] = _surface(rng, _WALLS, (h, w), _two(rng))
    _clutter(rng, image, int(rng.integers(6, 16)))
    if rng.random() < 0.5:  # out of focus
      image = cv2.GaussianBlur(image, (0, 0), 2.0)
  _clutter(rng, image, int(rng.integers(0, 6)))
  # A ramp of light over the whole picture.
  ends = rng.uniform(0.72, 1.12, (2, 2)).astype(np.float32)
  ramp = cv2.resize(ends, (w, h), interpolation=cv2.INTER_LINEAR)
  return cv2.multiply(image, cv2.merge([ramp] * 3), dtype=cv2.CV_8U)


def cast_shadow(
  image: UInt8[np.ndarray, "H W 3"],
  center_xy_img: Float[np.ndarray, "2"],
  radius_xy: tuple[float, float],
) -> None:
  """Darkens a soft ellipse on the ground, in place."""
  rx, ry = (max(int(r), 1) for r in radius_xy)
  cx, cy = (int(c) for c in center_xy_img)
  h, w = image.shape[:2]
  left, right = max(cx - rx, 0), min(cx + rx + 1, w)
  top, bottom = max(cy - ry, 0), min(cy + ry + 1, h)
  if left >= right or top >= bottom:
    return
  y, x = np.ogrid[top:bottom, left:right]
  away = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2
  dark = 1.0 - 0.5 * np.clip(1.0 - away, 0.0, 1.0)
  patch = image[top:bottom, left:right]
  image[top:bottom, left:right] = (patch * dark[..., None]).astype(np.uint8)
