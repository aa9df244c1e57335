"""Head of a drawn person: skull, face, ears, hair and hats."""

import numpy as np

from pose_jax.data.drawn.body import HEAD_KPTS
from pose_jax.data.drawn.clothes import Cloth, shifted
from pose_jax.data.drawn.sketch import Sketch, facing, plain
from pose_jax.skeleton import COCO17

_AT = COCO17.keypoints.index
_WHITE = (246.0, 244.0, 240.0)


def _near(sketch: Sketch) -> float:
  """Sort key of the skull: a little before the trunk of somebody upright."""
  return float(sketch.frame("head").origin[2]) + 0.045


def add_head(sketch: Sketch) -> None:
  """Adds skull, hair, ears and, where it is turned to the viewer, the face."""
  p, o = sketch.body.proportions, sketch.outfit
  s = p.head
  head = sketch.frame("head")
  near = _near(sketch)

  def put(rows: list, cloth: Cloth, *, rank: float, **kwargs) -> None:
    rows = [tuple(s * c for c in row) for row in rows]
    sketch.add([("head", rows)], cloth, near=near, lift=rank, **kwargs)

  turned = facing(head)
  normal = head.axes[2]
  shown = set()
  for name, at in HEAD_KPTS.items():
    direction = np.array(at) / np.linalg.norm(at)
    limit = -0.2 if "ear" in name else 0.0
    if float(normal @ direction) > limit:
      shown.add(_AT(name))
  shows = frozenset(shown)
  skin = plain(o.skin)
  skull = [
    (0, 0.02, -0.008, 0.06),
    (0, 0.012, 0.008, 0.056),
    (0, -0.034, 0.016, 0.042),
    (0, -0.05, 0.03, 0.022),
  ]
  put(
    skull,
    skin,
    rank=0.0,
    shows=shows,
    bulge=0.7,
    axis=head.at(np.array([(0, 0.08, 0), (0, -0.07, 0)]) * s),
  )
  for sign, name in ((1, "left_ear"), (-1, "right_ear")):
    ear = [
      (sign * 0.059, 0.006, -0.006, 0.011),
      (sign * 0.057, -0.012, -0.004, 0.008),
    ]
    side = 0.0005 if float(normal[0]) * sign > -0.2 else -0.0005
    put(ear, plain(shifted(o.skin, 0.92)), rank=side, shows=shows & {_AT(name)})
  if turned > -0.05:
    _face(sketch, put, shows)
  _hair(sketch, put, turned, shows)


def _face(sketch: Sketch, put, shows: frozenset[int]) -> None:
  o = sketch.outfit
  normal = sketch.frame("head").axes[2]
  if o.beard:
    put(
      [
        (0.034, -0.03, 0.03, 0.012),
        (-0.034, -0.03, 0.03, 0.012),
        (0, -0.055, 0.04, 0.018),
      ],
      plain(o.hair),
      rank=0.001,
      shows=shows,
    )
  for sign in (1, -1):
    if float(normal @ np.array((sign * 0.45, 0.0, 0.9))) < 0.12:
      continue
    x = sign * 0.0235
    put(
      [(x - 0.006, 0.008, 0.053, 0.0095), (x + 0.006, 0.008, 0.053, 0.0095)],
      plain(_WHITE),
      rank=0.002,
      shows=shows,
      relief=0.2,
    )
    put(
      [(x, 0.008, 0.055, 0.0078)],
      plain((40.0, 30.0, 28.0)),
      rank=0.0022,
      shows=shows,
      relief=0.0,
    )
    put(
      [(x - 0.012, 0.027, 0.054, 0.004), (x + 0.012, 0.028, 0.054, 0.004)],
      plain(shifted(o.hair, 0.8)),
      rank=0.0022,
      shows=shows,
    )
    if o.glasses:
      put(
        [(x - 0.01, 0.01, 0.058, 0.012), (x + 0.01, 0.01, 0.058, 0.012)],
        plain((34.0, 34.0, 40.0)),
        rank=0.003,
        shows=shows,
        relief=0.3,
      )
  put(
    [(0, 0.006, 0.064, 0.006), (0, -0.014, 0.069, 0.0105)],
    plain(shifted(o.skin, 0.86)),
    rank=0.0024,
    shows=shows,
  )
  if float(normal[2]) > 0.15:
    put(
      [
        (0.018, -0.038, 0.05, 0.004),
        (-0.018, -0.038, 0.05, 0.004),
        (0, -0.044, 0.055, 0.0055),
      ],
      plain((176.0, 66.0, 66.0)),
      rank=0.0025,
      shows=shows,
      relief=0.2,
    )


def _hair(sketch: Sketch, put, turned: float, shows: frozenset[int]) -> None:
  o = sketch.outfit
  color = plain(o.accent if o.hair_style in ("cap", "beanie") else o.hair)
  hair = plain(o.hair)
  behind = 0.0004 if turned < 0 else -0.001
  head = sketch.frame("head")
  axis = head.at(np.array([(0, 0.09, 0), (0, -0.08, 0)]))
  ears = shows & {_AT("left_ear"), _AT("right_ear")}
  if o.hair_style != "bald":
    low = -0.03 if o.hair_style != "beanie" else 0.0
    back = [(0, 0.03, -0.018, 0.066), (0, low, -0.026, 0.05)]
    put(back, hair, rank=behind, bulge=0.7, axis=axis)
  if o.hair_style == "long":
    fall = [
      (0.03, 0.0, -0.026, 0.043),
      (-0.03, 0.0, -0.026, 0.043),
      (0.035, -0.12, -0.045, 0.03),
      (-0.035, -0.12, -0.045, 0.03),
    ]
    rank = behind * 1.1
    if turned > 0.35:  # behind the shoulders
      rank = min(rank, sketch.trunk_near() - 0.01 - _near(sketch))
    put(fall, hair, rank=rank, axis=axis)
  elif o.hair_style == "tail":
    tail = [
      (0, 0.03, -0.085, 0.02),
      (0, -0.03, -0.1, 0.024),
      (0, -0.1, -0.08, 0.012),
    ]
    put(tail, plain(shifted(o.hair, 1.15)), rank=behind * 1.5)
  elif o.hair_style == "bun":
    put(
      [(0, 0.065, -0.06, 0.032)],
      plain(shifted(o.hair, 1.12)),
      rank=behind * 1.5,
      bulge=1.0,
    )
  elif o.hair_style == "curly":
    curls = [
      (0.062 * np.cos(a), 0.03 + 0.05 * np.sin(a), -0.02, 0.034)
      for a in np.linspace(-0.6, 3.74, 9)
    ]
    put(curls, hair, rank=behind, hulls=(1,) * 9, bulge=0.6)
  if o.hair_style == "bald":
    return
  crown = [
    (0.03, 0.057, 0.006, 0.034),
    (-0.03, 0.057, 0.006, 0.034),
    (0, 0.062, 0.018, 0.03),
    (0.014, 0.054, 0.03, 0.026),
    (0, 0.062, -0.03, 0.04),
  ]
  put(crown, color, rank=0.004, bulge=0.5, axis=axis, shows=ears)
  if o.hair_style == "cap":
    if turned > -0.3:
      brim = [
        (0.04, 0.046, 0.04, 0.008),
        (-0.04, 0.046, 0.04, 0.008),
        (0.026, 0.04, 0.1, 0.006),
        (-0.026, 0.04, 0.1, 0.006),
      ]
      put(brim, plain(shifted(o.accent, 0.75)), rank=0.005)
    put(
      [(0, 0.02, -0.045, 0.045), (0, 0.05, -0.03, 0.05)],
      color,
      rank=0.0045 if turned < 0 else -0.0008,
      bulge=0.5,
    )
  elif o.hair_style == "beanie":
    put([(0, 0.088, -0.006, 0.016)], plain(_WHITE), rank=0.005, bulge=1.0)
    if turned < 0.2:
      put([(0, 0.03, -0.04, 0.05)], color, rank=0.0042, bulge=0.5)
