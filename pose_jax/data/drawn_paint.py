"""Paints a stack of parts: who owns each pixel first, colour afterwards.

A part is one convex hull of circles, or several, with a material. Parts are
written from back to front into a map of numbers at twice the picture's
resolution; one vectorised pass then shades every owned pixel with the texture
and the light of its part. The map also says what is visible, so pictures and
visibility flags cannot disagree.
"""

import dataclasses
import functools

import cv2
import numpy as np
from jaxtyping import Float, UInt8

SCALE = 2  # the map of numbers is this much finer than the picture
MAX_PARTS = 255
_FIXED_BITS = 4
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

  color: tuple[float, float, float]
  color2: tuple[float, float, float] = (0.0, 0.0, 0.0)
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
def _tiles() -> Float[np.ndarray, "T 32 32"]:
  """One period of each pattern, rows along the part, values 0..1."""
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
  return np.stack([tiles[name] for name in PATTERNS]).astype(np.float32)


def _coefficients(
  parts: list[Part], circles: np.ndarray, starts: np.ndarray
) -> np.ndarray:
  """[16, P + 1] float32 per part; column 0 is the background.

  Rows: u = r0 x + r1 y + r2 along the axis in pixels, v = r3 x + r4 y + r5
  across; 1 / length; 1 / half width; pattern number; texels per pixel;
  relief; bulge; depth; direction of the axis (2).
  """
  axis = np.stack([p.axis for p in parts])
  origin, along = axis[:, 0], axis[:, 1] - axis[:, 0]
  length = np.hypot(*along.T)
  unit = along / np.maximum(length, 1e-6)[:, None]
  unit[length < 1e-6] = (0.0, 1.0)
  normal = np.stack([-unit[:, 1], unit[:, 0]], -1)
  counts = np.diff(np.append(starts, len(circles)))
  at = circles[:, :2] - np.repeat(origin, counts, 0)
  across = (at * np.repeat(normal, counts, 0)).sum(-1)
  ends = (at * np.repeat(unit, counts, 0)).sum(-1)
  radius = circles[:, 2]
  high = np.maximum.reduceat(across + radius, starts)
  low = np.minimum.reduceat(across - radius, starts)
  u_high = np.maximum.reduceat(ends + radius, starts)
  u_low = np.minimum.reduceat(ends - radius, starts)
  rows = [
    unit[:, 0],
    unit[:, 1],
    -(origin * unit).sum(-1) - u_low,
    normal[:, 0],
    normal[:, 1],
    -(origin * normal).sum(-1) - (high + low) / 2,
    1.0 / np.maximum(u_high - u_low, 1.0),
    2.0 / np.maximum(high - low, 1.0),
    [PATTERNS.index(p.material.pattern) for p in parts],
    [_TILE / max(p.material.period, 1.0) for p in parts],
    [p.material.relief for p in parts],
    [p.bulge for p in parts],
    [p.depth for p in parts],
    unit[:, 0],
    unit[:, 1],
  ]
  table = np.zeros((len(rows), len(parts) + 1), np.float32)
  table[:, 1:] = rows
  table[12, 0] = -1e9
  return table


def number_map(
  parts: list[Part], image_hw: tuple[int, int]
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
  parts: list[Part],
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
  circles = np.concatenate([p.circles for p in parts])
  starts = np.cumsum([0] + [len(p.circles) for p in parts[:-1]])
  table = _coefficients(parts, circles, starts)
  flat = np.flatnonzero(numbers)
  number = numbers.ravel()[flat].astype(np.intp)
  width = numbers.shape[1]
  row, column = np.divmod(flat.astype(np.int32), width)
  x = column.astype(np.float32) * (1 / SCALE) - (SCALE - 1) / (2 * SCALE)
  y = row.astype(np.float32) * (1 / SCALE) - (SCALE - 1) / (2 * SCALE)

  def of(k: int) -> np.ndarray:
    return table[k].take(number)

  u = of(0) * x + of(1) * y + of(2)
  v = of(3) * x + of(4) * y + of(5)
  texel = of(9)
  tile = (of(8).astype(np.int32) << 10) + (
    ((u * texel).astype(np.int32) & (_TILE - 1)) << 5
  )
  tile += (v * texel).astype(np.int32) & (_TILE - 1)
  mix = _tiles().ravel().take(tile)[:, None]

  v_round = np.clip(v * of(7), -1.0, 1.0) * 0.95
  u_round = of(11) * (2.0 * u * of(6) - 1.0)
  facing = np.sqrt(np.maximum(1 - v_round**2 - u_round**2, 0.04))
  ax, ay = of(13), of(14)
  lit = (
    light[0] * (u_round * ax - v_round * ay)
    + light[1] * (u_round * ay + v_round * ax)
    + light[2] * facing
  )
  relief = of(10)
  bright = 1.0 + relief * (0.48 + 0.62 * np.maximum(lit, 0.0) - 1.0)

  # Nearer parts cast a soft shadow on what lies behind them.
  depth = of(12)
  step = 3 * SCALE
  for reach in (step // 2, step):
    shift = round(light[1] * reach * 1.3) * width + round(light[0] * reach)
    over = numbers.ravel().take(flat + shift, mode="clip")
    bright[table[12].take(over) > depth + 0.05] *= 0.86

  first = np.array([(0, 0, 0)] + [p.material.color for p in parts], np.float32)
  second = np.array(
    [(0, 0, 0)] + [p.material.color2 for p in parts], np.float32
  )
  color = first.take(number, 0) + (second - first).take(number, 0) * mix
  color *= bright[:, None]
  np.clip(color, 0, 255, out=color)
  canvas.reshape(-1, 3)[flat] = color.astype(np.uint8)
