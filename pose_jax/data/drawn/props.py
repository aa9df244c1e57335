"""Things around drawn people: occluders before them, distractors behind."""

import numpy as np
from jaxtyping import Float

from pose_jax.data.drawn.clothes import SKINS, shifted, vivid
from pose_jax.data.drawn.paint import Material, Part

_WOODS = ((150.0, 108.0, 68.0), (104.0, 72.0, 46.0), (196.0, 156.0, 108.0))


def _box_circles(box_xyxy) -> np.ndarray:
  x0, y0, x1, y1 = box_xyxy
  return np.array([(x0, y0, 0), (x1, y0, 0), (x1, y1, 0), (x0, y1, 0)], float)


def _slab(
  box_xyxy, material: Material, depth: float, *, upright: bool = True
) -> Part:
  """An axis-aligned rectangle; its texture runs down or to the right."""
  x0, y0, x1, y1 = box_xyxy
  end = (x0, y1) if upright else (x1, y0)
  axis = np.array([(x0, y0), end], float)
  return Part(_box_circles(box_xyxy), axis, material, depth)


def _bar(start, end, radius: float, material: Material, depth: float) -> Part:
  circles = np.array([(*start, radius), (*end, radius)], float)
  return Part(circles, circles[:, :2], material, depth)


def _wooden(rng: np.random.Generator, relief: float) -> Material:
  color = shifted(_WOODS[rng.integers(len(_WOODS))], rng.uniform(0.8, 1.15))
  return Material(color, shifted(color, 0.78), "wood", 22.0, relief)


def _painted(rng: np.random.Generator, relief: float) -> Material:
  color = vivid(rng)
  pattern = str(rng.choice(("plain", "plain", "stripes", "bricks", "checks")))
  return Material(
    color, shifted(color, 0.7), pattern, rng.uniform(10, 24), relief
  )


def _any_material(rng: np.random.Generator, relief: float) -> Material:
  make = _wooden if rng.random() < 0.4 else _painted
  return make(rng, relief)


def _pole(rng, box, image_hw, depth) -> list[Part]:
  """A lamp post, a tree trunk or a column from top to bottom."""
  x = rng.uniform(box[0] + 0.15 * (box[2] - box[0]), box[2])
  lean = rng.normal(0, 6)
  radius = rng.uniform(0.02, 0.05) * image_hw[0]
  ends = ((x + lean, -20.0), (x - lean, image_hw[0] + 20.0))
  return [_bar(*ends, radius, _any_material(rng, 1.0), depth)]


def _crate(rng, box, image_hw, depth) -> list[Part]:
  """A box with a lid, standing on the ground before the person."""
  w, h = box[2] - box[0], box[3] - box[1]
  x = rng.uniform(box[0] - 0.3 * w, box[0] + 0.7 * w)
  top = box[1] + rng.uniform(0.58, 0.85) * h
  right = x + rng.uniform(0.35, 0.8) * max(w, 0.4 * h)
  bottom = min(image_hw[0], box[3] + 0.08 * h)
  material = _any_material(rng, 0.15)
  lid = Material(shifted(material.color, 1.25), relief=0.0)
  slope = 0.06 * h
  top_face = np.array(
    [
      (x, top, 0),
      (right, top, 0),
      (right - slope, top - slope, 0),
      (x + slope, top - slope, 0),
    ],
    float,
  )
  axis = np.array([(x, top), (right, top)])
  return [
    Part(top_face, axis, lid, depth),
    _slab((x, top, right, bottom), material, depth),
  ]


def _bush(rng, box, image_hw, depth) -> list[Part]:
  """Foliage: many blobs in three tones, from dark to light."""
  w, h = box[2] - box[0], box[3] - box[1]
  center = np.array([rng.uniform(box[0], box[2]), box[3] - 0.05 * h])
  if rng.random() < 0.3:
    center[1] = box[1] + rng.uniform(0.2, 0.8) * h
  spread = np.array([rng.uniform(0.25, 0.5) * max(w, 0.35 * h), 0.16 * h])
  green = shifted((74.0, 118.0, 58.0), rng.uniform(0.7, 1.3))
  parts = []
  for tone in (0.6, 0.85, 1.15):
    at = center + rng.normal(0, 0.6, (12, 2)) * spread
    circles = np.column_stack([at, rng.uniform(0.02, 0.055, 12) * h])
    material = Material(
      shifted(green, tone), shifted(green, tone * 0.6), "leaves", 14.0, 0.6
    )
    axis = np.array([center - spread, center + spread])
    parts.append(Part(circles, axis, material, depth, hulls=(1,) * 12))
  return parts


def _table(rng, box, image_hw, depth) -> list[Part]:
  """A table or a counter: a top, two legs, at times a cloth."""
  w, h = box[2] - box[0], box[3] - box[1]
  left = box[0] - rng.uniform(0.1, 0.5) * w
  right = box[2] + rng.uniform(-0.3, 0.5) * w
  top = box[1] + rng.uniform(0.55, 0.72) * h
  bottom = box[3] + 0.06 * h
  wood = _wooden(rng, 0.5)
  thick = max(0.025 * h, 2.0)
  parts = [
    _bar((x, top), (x, bottom), thick * 0.8, wood, depth)
    for x in (left + 3, right - 3)
  ]
  if rng.random() < 0.4:
    skirt = (left, top, right, top + rng.uniform(0.1, 0.2) * h)
    parts.append(_slab(skirt, _painted(rng, 0.2), depth))
  parts.append(_bar((left, top), (right, top), thick, wood, depth))
  return parts


def _fence(rng, box, image_hw, depth) -> list[Part]:
  """Slats and rails across the whole picture."""
  h = box[3] - box[1]
  top = box[1] + rng.uniform(0.5, 0.75) * h
  bottom = min(box[3] + 0.05 * h, image_hw[0] + 5.0)
  pitch = rng.uniform(0.12, 0.25) * h
  wood = _any_material(rng, 0.7)
  radius = 0.018 * h
  count = int(image_hw[1] / pitch) + 2
  start = rng.uniform(-pitch, 0)
  posts = []
  for k in range(min(count, 24)):
    x = start + k * pitch
    posts += [(x, top, radius), (x, bottom, radius)]
  circles = np.array(posts, float)
  axis = np.array([(0, top), (0, bottom)], float)
  relief = Material(wood.color, wood.color2, wood.pattern, wood.period, 0.0)
  slats = Part(circles, axis, relief, depth, hulls=(2,) * (len(posts) // 2))
  rail = top + 0.3 * (bottom - top)
  ends = ((-10.0, rail), (image_hw[1] + 10.0, rail))
  return [slats, _bar(*ends, radius, wood, depth)]


def _panel(rng, box, image_hw, depth) -> list[Part]:
  """A board, a screen or a bag held before the body."""
  w, h = box[2] - box[0], box[3] - box[1]
  x = rng.uniform(box[0], box[2] - 0.2 * w)
  y = rng.uniform(box[1] + 0.2 * h, box[3] - 0.25 * h)
  size = (rng.uniform(0.2, 0.45) * max(w, 0.4 * h), rng.uniform(0.1, 0.22) * h)
  corner = (x, y, x + size[0], y + size[1])
  return [_slab(corner, _painted(rng, 0.2), depth, upright=False)]


_OCCLUDERS = (_pole, _crate, _bush, _table, _fence, _panel)
_SHARE = (0.22, 0.2, 0.2, 0.14, 0.08, 0.16)


def occluder(
  rng: np.random.Generator,
  box_xyxy: Float[np.ndarray, "4"],
  image_hw: tuple[int, int],
  depth: float,
) -> list[Part]:
  """A random thing that hides some of the person in a box."""
  box = np.array(box_xyxy, float)
  box[[0, 2]] = box[[0, 2]].clip(0, image_hw[1])
  box[[1, 3]] = box[[1, 3]].clip(0, image_hw[0])
  kind = int(rng.choice(len(_OCCLUDERS), p=_SHARE))
  return _OCCLUDERS[kind](rng, box, image_hw, depth)


def distractors(
  rng: np.random.Generator, image_hw: tuple[int, int]
) -> list[Part]:
  """Up to six sharp shapes behind the people, some like limbs or heads."""
  h, w = image_hw
  parts = []
  for _ in range(rng.integers(0, 7)):
    at = rng.uniform((0, 0), (w, h))
    kind = rng.random()
    if kind < 0.4:  # like a limb
      turn = rng.uniform(0, np.pi)
      reach = (
        rng.uniform(0.12, 0.3) * h * np.array((np.cos(turn), np.sin(turn)))
      )
      color = (
        SKINS[rng.integers(len(SKINS))] if rng.random() < 0.4 else vivid(rng)
      )
      radius = rng.uniform(0.012, 0.03) * h
      part = _bar(at, at + reach, radius, Material(color), 0.0)
    elif kind < 0.6:  # a ball
      circle = np.array([(*at, rng.uniform(0.02, 0.06) * h)])
      axis = np.array([at - (0, circle[0, 2]), at + (0, circle[0, 2])])
      part = Part(circle, axis, _painted(rng, 1.0), 0.0, bulge=0.9)
    else:
      size = rng.uniform(0.05, 0.3, 2) * h
      part = _slab((*at, *(at + size)), _any_material(rng, 0.2), 0.0)
    parts.append(part)
  return parts
