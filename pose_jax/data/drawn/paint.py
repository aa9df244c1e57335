"""Paints a stack of parts: who owns each pixel first, colour afterwards.

A part is one convex hull of circles, or several, with a material. Parts are
written from back to front into a map of numbers at twice the picture's
resolution; one vectorised pass then shades every owned pixel with the texture
and the light of its part. The map also says what is visible, so pictures and
visibility flags cannot disagree.
"""

import dataclasses
import functools
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int64, UInt8

SCALE = 2  # the map of numbers is this much finer than the picture
MAX_PARTS = 255
_FIXED_BITS = 4
Level = float | int
_BLOCK = 6144  # pixels shaded at once: temporaries stay in the cache
_LEVELS = 16  # mixtures of the two colours of a material
_TILE = 32  # texels of one period of a pattern
_ANGLES = np.linspace(0, 2 * np.pi, 20, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1)

PATTERNS = (
  "plain",
  "stripes",  # across the part
  "pinstripes",  # along the part
  "checks",
  "plaid",
  "dots",
  "diagonal",
  "band",
  "denim",
  "leaves",
  "wood",
  "bricks",
)


@dataclasses.dataclass(frozen=True)
class Material:
  """Two colours (RGB, 0..255) mixed by a pattern of a period in pixels."""

  color: tuple[Level, Level, Level]
  color2: tuple[Level, Level, Level] = (0, 0, 0)
  pattern: str = "plain"
  period: float = 8.0
  relief: float = 1.0  # 0 flat, 1 round


@dataclasses.dataclass(frozen=True)
class Part:
  """One shape of a picture.

  Attributes:
    circles: [N, 3] x, y, radius, picture pixels.
    axis: [2, 2] from and to; the texture runs along it, the light across.
    material: what it looks like.
    depth: larger is nearer; only used to cast shadows.
    owner: 0 scenery, 1.. people.
    shows: numbers of the keypoints that are visible on this part.
    hulls: how many circles form each of its hulls, in order; () for one
      hull of all circles.
    bulge: rounding along the axis too, 0 (limb) to 1 (ball).
  """

  circles: np.ndarray
  axis: np.ndarray
  material: Material
  depth: float = 0.0
  owner: int = 0
  shows: frozenset[int] = frozenset()
  hulls: tuple[int, ...] = ()
  bulge: float = 0.0


@functools.cache
def _tiles() -> Int64[np.ndarray, "T 32 32"]:
  """One period of each pattern, rows along the part; 0.._LEVELS - 1."""
  rng = np.random.default_rng(0)
  u, v = np.meshgrid(np.arange(_TILE), np.arange(_TILE), indexing="ij")
  half = _TILE // 2
  noise = rng.random((_TILE, _TILE))
  soft = cv2.GaussianBlur(np.tile(noise, (3, 3)), (0, 0), 2.2)[
    _TILE : 2 * _TILE, _TILE : 2 * _TILE
  ]
  soft = np.clip((soft - soft.mean()) / soft.std() * 0.3 + 0.5, 0, 1)
  grain = np.sin(u * 2 * np.pi / _TILE * 4 + 4 * soft) * 0.5 + 0.5
  mortar = (u % half < 2) | ((v + (u // half) * half) % _TILE < 2)
  near = ((u - half) % half - half / 2) ** 2 + (
    (v + (u // half) * half / 2) % half - half / 2
  ) ** 2
  tiles = {
    "plain": np.zeros_like(noise),
    "stripes": u < half,
    "pinstripes": v < 8,
    "checks": (u < half) ^ (v < half),
    "plaid": 0.5 * (u < half) + 0.35 * (v < half) + 0.15 * (u % half < 3),
    "dots": near < 22,
    "diagonal": (u + v) % _TILE < half,
    "band": u < 9,
    "denim": 0.6 * noise + 0.4 * ((u + v) % 4 < 2),
    "leaves": soft,
    "wood": grain,
    "bricks": mortar,
  }
  mix = np.stack([tiles[name] for name in PATTERNS]).astype(np.float64)
  return np.round(mix * (_LEVELS - 1)).astype(np.int64)


# Rows of the table of coefficients: x, y and constant term of the place
# along the part in texels, across it in texels, and both as the sine of the
# surface's tilt; first texel of the pattern; brightness per unit of light
# along, across and towards the viewer, and without light; depth.
_ALONG, _ACROSS, _TILT_U, _TILT_V = 0, 3, 6, 9
_TILE_AT, _LIGHT_U, _LIGHT_V, _LIGHT_Z, _DARK, _DEPTH = range(12, 18)
_ROWS = 18
# Keeps texel numbers positive; a multiple of the tile.
_FAR_TEXELS = 1024.0 * _TILE
_AMBIENT, _DIFFUSE = 0.48, 0.62


def _coefficients(
  parts: Sequence[Part], light: Float[np.ndarray, "3"]
) -> Float32[np.ndarray, "R P"]:
  """What shading needs of each part; column 0 is the background."""
  circles = np.concatenate([p.circles for p in parts])
  counts = np.array([len(p.circles) for p in parts])
  starts = np.cumsum(counts) - counts
  axis = np.array([p.axis for p in parts])
  origin, along = axis[:, 0], axis[:, 1] - axis[:, 0]
  length = np.hypot(along[:, 0], along[:, 1])
  unit = along / np.maximum(length, 1e-6)[:, None]
  unit[length < 1e-6] = (0.0, 1.0)
  normal = np.stack([-unit[:, 1], unit[:, 0]], -1)
  at = circles[:, :2] - np.repeat(origin, counts, 0)
  radius = circles[:, 2]

  def extent(direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    place = (at * np.repeat(direction, counts, 0)).sum(-1)
    low = np.minimum.reduceat(place - radius, starts)
    return low, np.maximum.reduceat(place + radius, starts)

  u_low, u_high = extent(unit)
  v_low, v_high = extent(normal)
  texels = np.array([_TILE / max(p.material.period, 1.0) for p in parts])
  bulge = np.array([p.bulge for p in parts])
  relief = np.array([p.material.relief for p in parts])
  u0, v0 = (origin * unit).sum(-1), (origin * normal).sum(-1)
  u_scale = 2 * bulge / np.maximum(u_high - u_low, 1.0)
  v_scale = 2 * 0.95 / np.maximum(v_high - v_low, 1.0)
  table = np.zeros((_ROWS, len(parts) + 1), np.float32)
  body = table[:, 1:]
  for row, direction, zero, scale in (
    (_ALONG, unit, u0 + u_low, texels),
    (_ACROSS, normal, v0 + (v_low + v_high) / 2, texels),
    (_TILT_U, unit, u0 + (u_low + u_high) / 2, u_scale),
    (_TILT_V, normal, v0 + (v_low + v_high) / 2, v_scale),
  ):
    body[row : row + 2] = direction.T * scale
    body[row + 2] = -zero * scale
  body[_ACROSS + 2] += _FAR_TEXELS
  body[_TILE_AT] = [
    PATTERNS.index(p.material.pattern) * _TILE**2 for p in parts
  ]
  body[_LIGHT_U] = relief * _DIFFUSE * (unit @ light[:2])
  body[_LIGHT_V] = relief * _DIFFUSE * (normal @ light[:2])
  body[_LIGHT_Z] = relief * _DIFFUSE * light[2]
  body[_DARK] = 1 + relief * (_AMBIENT - 1)
  body[_DEPTH] = [p.depth for p in parts]
  table[_DEPTH, 0] = -1e9
  return table


def _palette(parts: Sequence[Part]) -> Float32[np.ndarray, "3 L"]:
  """Colours of part number n mixed at each level, in columns n * _LEVELS."""
  first = np.array([(0, 0, 0), *(p.material.color for p in parts)], np.float32)
  second = np.array(
    [(0, 0, 0), *(p.material.color2 for p in parts)], np.float32
  )
  mix = np.linspace(0, 1, _LEVELS, dtype=np.float32)[:, None]
  colors = first[:, None] * (1 - mix) + second[:, None] * mix
  return np.ascontiguousarray(colors.reshape(-1, 3).T)


@functools.lru_cache(maxsize=4)
def _grids(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
  """x and y in picture pixels of the places of a flat map, float32."""
  y, x = np.indices(shape, dtype=np.float32)
  return tuple((g.ravel() + 0.5) / SCALE - 0.5 for g in (x, y))


def number_map(
  parts: Sequence[Part], image_hw: tuple[int, int]
) -> UInt8[np.ndarray, "H2 W2"]:
  """[2h, 2w]: the number (1..) of the part seen there, 0 for background.

  Args:
    parts: from back to front; at most MAX_PARTS.
    image_hw: of the picture.
  """
  if len(parts) > MAX_PARTS:
    raise ValueError(f"a picture has at most {MAX_PARTS} parts: {len(parts)}")
  numbers = np.zeros((SCALE * image_hw[0], SCALE * image_hw[1]), np.uint8)
  if not parts:
    return numbers
  circles = np.concatenate([p.circles for p in parts])
  # Integer coordinates are pixel centres in both resolutions.
  rim = circles[:, None, :2] + circles[:, None, 2:] * _CIRCLE
  rim = (rim * SCALE + (SCALE - 1) / 2) * (1 << _FIXED_BITS)
  rim = np.round(rim).astype(np.int32)
  start = 0
  for number, part in enumerate(parts, 1):
    for count in part.hulls or (len(part.circles),):
      hull = rim[start] if count == 1 else rim[start : start + count]
      if count > 1:
        hull = cv2.convexHull(hull.reshape(-1, 2))
      cv2.fillConvexPoly(numbers, hull, number, 8, _FIXED_BITS)
      start += count
  return numbers


def shade(
  canvas: UInt8[np.ndarray, "H2 W2 3"],
  numbers: UInt8[np.ndarray, "H2 W2"],
  parts: Sequence[Part],
  light: Float[np.ndarray, "3"],
) -> None:
  """Colours every owned pixel of the canvas, in place.

  Args:
    canvas: RGB at the resolution of `numbers`.
    numbers: from `number_map`.
    parts: the same parts.
    light: unit direction towards the light: right, down, towards the viewer.
  """
  if not parts:
    return
  table = _coefficients(parts, light)
  palette = _palette(parts)
  width = numbers.shape[1]
  shadows = [
    round(light[1] * reach * 1.3) * width + round(light[0] * reach)
    for reach in (1.5 * SCALE, 3 * SCALE)
  ]
  owned = np.flatnonzero(numbers)
  pixels = canvas.reshape(-1, 3)
  for start in range(0, len(owned), _BLOCK):
    flat = owned[start : start + _BLOCK]
    pixels[flat] = _shade_block(flat, numbers, table, palette, shadows)


def _shade_block(
  flat: np.ndarray,
  numbers: np.ndarray,
  table: np.ndarray,
  palette: np.ndarray,
  shadows: list[int],
) -> UInt8[np.ndarray, "N 3"]:
  """Colours of some pixels, given by their places in the flat map."""
  all_numbers = numbers.ravel()
  number = all_numbers.take(flat).astype(np.intp)
  x, y = (grid.take(flat) for grid in _grids(numbers.shape))

  def of(k: int) -> np.ndarray:
    return table[k].take(number)

  def linear(k: int) -> np.ndarray:
    return of(k) * x + of(k + 1) * y + of(k + 2)

  tile = of(_TILE_AT).astype(np.int32)
  tile += (linear(_ALONG).astype(np.int32) & (_TILE - 1)) * _TILE
  tile += linear(_ACROSS).astype(np.int32) & (_TILE - 1)
  shade_of_color = number * _LEVELS + _tiles().ravel().take(tile)
  u = np.clip(linear(_TILT_U), -1.0, 1.0)
  v = np.clip(linear(_TILT_V), -1.0, 1.0)
  facing = np.sqrt(np.maximum(1 - u * u - v * v, 0.04))
  bright = of(_LIGHT_U) * u + of(_LIGHT_V) * v + of(_LIGHT_Z) * facing
  bright = np.maximum(bright, 0.0) + of(_DARK)
  # Nearer parts cast a soft shadow on what lies behind them.
  depth = of(_DEPTH) + 0.05
  for shadow in shadows:
    over = table[_DEPTH].take(all_numbers.take(flat + shadow, mode="clip"))
    bright *= np.where(over > depth, np.float32(0.86), np.float32(1.0))
  color = np.empty((len(flat), 3), np.uint8)
  for k in range(3):
    channel = palette[k].take(shade_of_color)
    color[:, k] = np.minimum(channel * bright, 255.0)
  return color
