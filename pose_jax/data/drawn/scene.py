"""A drawn picture: people, occluders and distractors on a background.

Everything but the background is a stack of parts (`paint`), from back
to front: distractors, people from small (far) to large (near), occluders.
"""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from pose_jax.data.drawn.backdrop import cast_shadow, draw_backdrop
from pose_jax.data.drawn.body import Body, pose_body, sample_proportions
from pose_jax.data.drawn.clothes import Cloth, sample_outfit, shifted, vivid
from pose_jax.data.drawn.figure import build_figure
from pose_jax.data.drawn.paint import SCALE, Part, number_map, shade
from pose_jax.data.drawn.pose import rotation, sample_pose
from pose_jax.data.drawn.props import distractors, occluder
from pose_jax.data.drawn.sketch import Sketch, project

_OCCLUDED_SHARE = 0.22
_TRUNCATED_SHARE = 0.1


@dataclasses.dataclass(frozen=True)
class DrawnPerson:
  """One person of a picture.

  Attributes:
    kpts_xy_img: [17, 2] COCO order; outside the picture too.
    vis: [17] int8: 2 visible, 1 hidden, 0 outside the picture.
    box_xywh_img: [4] of the visible pixels; zeros if there are none.
    area: number of visible pixels.
    activity, turn_deg: what was drawn; a turn of 0 faces the viewer.
  """

  kpts_xy_img: np.ndarray
  vis: np.ndarray
  box_xywh_img: np.ndarray
  area: float
  activity: str
  turn_deg: float


@dataclasses.dataclass(frozen=True)
class Picture:
  """A picture, its people from far to near, and who owns each pixel.

  Attributes:
    image: [H, W, 3] RGB.
    people: from far to near.
    owner: [2 H, 2 W] at twice the resolution: 0 scenery, 1.. people.
    part: [2 H, 2 W]: number of the part, 0 background.
    parts: the stack; number k is parts[k - 1].
  """

  image: np.ndarray
  people: tuple[DrawnPerson, ...]
  owner: np.ndarray
  part: np.ndarray
  parts: tuple[Part, ...]


@dataclasses.dataclass(frozen=True)
class _Actor:
  body: Body
  sketch: Sketch
  height_px: float
  origin_xy_img: np.ndarray
  kpts_xy_img: np.ndarray
  box_xyxy: np.ndarray
  activity: str
  turn_deg: float


def _sample_turn(rng: np.random.Generator) -> float:
  """Fronts and backs more often than sides; degrees, 0 is the front."""
  kind = rng.random()
  if kind < 0.56:
    return float(rng.normal(0, 20))
  if kind < 0.9:
    return float(rng.normal(180, 20))
  return float(rng.uniform(-180, 180))


def _seat(rng: np.random.Generator, sketch: Sketch) -> None:
  """A box or a stool under somebody who sits."""
  cloth = Cloth(vivid(rng), vivid(rng), str(rng.choice(("plain", "wood"))), 0.2)
  half, deep = rng.uniform(0.09, 0.17), rng.uniform(0.08, 0.13)
  top, floor = -0.052 * sketch.body.proportions.girth, -0.29
  sides = [
    (x, y, z, 0.004)
    for x in (half, -half)
    for y in (top, floor)
    for z in (-deep, deep)
  ]
  key = sketch.add(
    [("pelvis", sides)], cloth, lift=-0.03, relief=0.5, scenery=True
  )
  sketch.add(
    [("pelvis", [row for row in sides if row[1] == top])],
    Cloth(shifted(cloth.color, 1.2)),
    near=key,
    relief=0.0,
    scenery=True,
  )


def _make_actor(rng: np.random.Generator, height_px: float) -> _Actor:
  """A dressed and posed person, its hips at (0, 0) of the picture."""
  angles, activity = sample_pose(rng)
  turn = _sample_turn(rng)
  roll = rng.normal(0, 5)
  if activity != "sit" and rng.random() < 0.04:  # lying, falling, cartwheel
    roll = rng.choice((-1, 1)) * rng.uniform(45, 120)
  view = (
    rotation("z", roll) @ rotation("x", rng.normal(6, 6)) @ rotation("y", turn)
  )
  body = pose_body(angles, sample_proportions(rng), view)
  sketch = build_figure(body, sample_outfit(rng))
  if activity == "sit":
    _seat(rng, sketch)
  kpts, _ = project(body.kpts_xyz, height_px, np.zeros(2))
  margin = 0.06 * height_px
  box = np.concatenate([kpts.min(0) - margin, kpts.max(0) + margin])
  return _Actor(body, sketch, height_px, np.zeros(2), kpts, box, activity, turn)


def _placed(
  rng: np.random.Generator,
  actor: _Actor,
  others: list[_Actor],
  image_hw: tuple[int, int],
) -> _Actor:
  """Moves a person to where it stands, at times cut by the border."""
  h, w = image_hw
  x0, y0, x1, y1 = actor.box_xyxy
  wide, high = x1 - x0, y1 - y0
  room_x, room_y = w - wide, h - high
  x = rng.uniform(min(0, room_x), max(0, room_x))
  if others and rng.random() < 0.3:  # close to another person
    near = others[rng.integers(len(others))].box_xyxy
    x = (near[0] + near[2]) / 2 - wide / 2
    x += rng.choice((-1, 1)) * rng.uniform(0.2, 0.7) * wide
    x = float(np.clip(x, min(0, room_x), max(0, room_x)))
  # Rather low: feet are on the ground, and cut if the person is too tall.
  y = room_y * rng.beta(4, 1.3) if room_y > 0 else rng.uniform(room_y, 0)
  if rng.random() < _TRUNCATED_SHARE:
    cut = rng.uniform(0.15, 0.45)
    side = rng.choice(4, p=(0.3, 0.3, 0.3, 0.1))
    if side == 0:
      x = -cut * wide
    elif side == 1:
      x = w - (1 - cut) * wide
    else:
      y = h - (1 - cut) * high if side == 2 else -cut * high
  shift = np.array([x - x0, y - y0])
  return dataclasses.replace(
    actor,
    origin_xy_img=shift,
    kpts_xy_img=actor.kpts_xy_img + shift,
    box_xyxy=actor.box_xyxy + np.tile(shift, 2),
  )


def _sample_actors(
  rng: np.random.Generator, image_hw: tuple[int, int], max_people: int
) -> list[_Actor]:
  """People from far to near."""
  share = np.array([0.72, 0.2, 0.08])[:max_people]
  count = 1 + int(rng.choice(len(share), p=share / share.sum()))
  unit = image_hw[0] / 192.0
  actors: list[_Actor] = []
  for k in range(count):
    tall = rng.uniform(115, 190) if k == 0 else rng.uniform(85, 170)
    actor = _make_actor(rng, tall * unit)
    actors.append(_placed(rng, actor, actors, image_hw))
  return sorted(actors, key=lambda a: a.height_px)


def _finish(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
  """Grain, exposure, and at times a soft lens."""
  if rng.random() < 0.15:
    image = cv2.GaussianBlur(image, (3, 3), 0)
  gain, offset = rng.uniform(0.85, 1.15), rng.uniform(0, 12)
  image = cv2.convertScaleAbs(image, alpha=gain, beta=offset)
  # One row of noise, cut at a random place for each row: cheap grain.
  h, w = image.shape[:2]
  long = rng.normal(0, rng.uniform(0, 5.5), 2 * w + 97).astype(np.int16)
  grain = long[rng.integers(0, w + 97, h)[:, None] + np.arange(w)]
  return cv2.add(image, cv2.merge([grain] * 3), dtype=cv2.CV_8U)


def keypoint_visibility(
  kpts_xy_img: Float[np.ndarray, "K 2"],
  number: UInt8[np.ndarray, "H2 W2"],
  parts: list[Part],
  person: int,
) -> np.ndarray:
  """[K] int8: 2 seen, 1 hidden, 0 outside (see `figure`)."""
  h, w = number.shape[0] // SCALE, number.shape[1] // SCALE
  vis = np.zeros(len(kpts_xy_img), np.int8)
  for k, (x, y) in enumerate(kpts_xy_img):
    if not (-0.5 <= x < w - 0.5 and -0.5 <= y < h - 0.5):
      continue
    fine = int((x + 0.5) * SCALE), int((y + 0.5) * SCALE)
    seen = number[fine[1], fine[0]]
    part = parts[seen - 1] if seen else None
    own = part is not None and part.owner == person and k in part.shows
    vis[k] = 2 if own else 1
  return vis


def _describe(
  actor: _Actor, person: int, number, owner, parts: list[Part]
) -> DrawnPerson:
  mine = owner == person
  area = np.count_nonzero(mine) / SCALE**2
  box = np.zeros(4)
  if area:
    columns = np.flatnonzero(mine.any(0))
    rows = np.flatnonzero(mine.any(1))
    low = np.array([columns[0], rows[0]]) / SCALE
    high = np.array([columns[-1] + 1, rows[-1] + 1]) / SCALE
    box = np.concatenate([low, high - low])
  return DrawnPerson(
    actor.kpts_xy_img,
    keypoint_visibility(actor.kpts_xy_img, number, parts, person),
    box,
    area,
    actor.activity,
    actor.turn_deg,
  )


def draw_picture(
  seed: int,
  index: int,
  *,
  image_hw: tuple[int, int] = (192, 256),
  max_people: int = 3,
) -> Picture:
  """Draws picture `index` of the set `seed`; nothing else decides it."""
  rng = np.random.default_rng([seed, index])
  backdrop = draw_backdrop(rng, image_hw)
  actors = _sample_actors(rng, image_hw, max_people)
  parts = distractors(rng, image_hw)
  for person, actor in enumerate(actors, 1):
    parts += actor.sketch.parts(
      person, actor.height_px, actor.origin_xy_img, float(person)
    )
    feet = actor.kpts_xy_img[[15, 16]]
    ground = np.array([feet[:, 0].mean(), actor.box_xyxy[3]])
    wide = 0.3 * actor.height_px
    cast_shadow(backdrop, ground, (wide, 0.25 * wide))
  if rng.random() < _OCCLUDED_SHARE:
    target = actors[rng.integers(len(actors))]
    parts += occluder(rng, target.box_xyxy, image_hw, len(actors) + 1.0)
  number = number_map(parts, image_hw)
  canvas = cv2.resize(backdrop, (image_hw[1] * SCALE, image_hw[0] * SCALE))
  light = np.array([rng.uniform(-0.6, 0.6), -0.5, 0.8])
  shade(canvas, number, parts, light / np.linalg.norm(light))
  image = cv2.resize(canvas, image_hw[::-1], interpolation=cv2.INTER_AREA)
  image = _finish(rng, image)
  owners = np.zeros(256, np.uint8)
  owners[1 : len(parts) + 1] = [p.owner for p in parts]
  owner = cv2.LUT(number, owners)
  people = tuple(
    _describe(actor, person, number, owner, parts)
    for person, actor in enumerate(actors, 1)
  )
  return Picture(image, people, owner, number, tuple(parts))
