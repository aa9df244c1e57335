"""Trunk of a drawn person: neck, hips, skirt, shirt and what is sewn on.

Tells front from back: neckline, tie, buttons, print, buckle and straps in
front; hood, print on the back and the backpack itself behind.
"""

import numpy as np

from pose_jax.data.drawn.clothes import Cloth, shifted
from pose_jax.data.drawn.sketch import Sketch, facing, plain

_WHITE = (246.0, 244.0, 240.0)


def add_trunk(
  sketch: Sketch, thighs_near: float, shows: frozenset[int]
) -> None:
  """Adds neck, hips, skirt, shirt and what is sewn on.

  Args:
    sketch: of the person.
    thighs_near: sort key of the nearer thigh; a skirt goes over it.
    shows: keypoints visible on the trunk.
  """
  p, o = sketch.body.proportions, sketch.outfit
  g = p.girth
  waist = g * p.waist
  top = p.torso - 0.1
  near = sketch.trunk_near()
  axis = np.stack([sketch.frame("neck").origin, sketch.frame("pelvis").origin])
  skin = plain(o.skin)
  neck = [
    ("chest", [(0, top - 0.01, -0.004, 0.034 * g)]),
    ("head", [(0, -0.03 * p.head, -0.012, 0.03 * g)]),
  ]
  sketch.add(neck, skin, near=near, lift=-0.004)
  hips = [
    (p.hip, 0.0, -0.006, 0.053 * g),
    (-p.hip, 0.0, -0.006, 0.053 * g),
    (0.034 * waist, 0.075, 0, 0.05 * waist),
    (-0.034 * waist, 0.075, 0, 0.05 * waist),
  ]
  sketch.add(
    [("pelvis", hips)], o.bottom, near=near, lift=-0.004, shows=shows, axis=axis
  )
  if o.belt and o.skirt == 0:
    belt = [
      (0.035 * waist, 0.075, 0, 0.052 * waist - 0.002),
      (-0.035 * waist, 0.075, 0, 0.052 * waist - 0.002),
      (0.037 * waist, 0.062, 0, 0.052 * waist),
      (-0.037 * waist, 0.062, 0, 0.052 * waist),
    ]
    sketch.add(
      [("pelvis", belt)],
      plain((52.0, 40.0, 34.0)),
      near=near,
      lift=-0.003,
      shows=shows,
    )
    if facing(sketch.frame("pelvis")) > 0.2:
      buckle = [
        (-0.007, 0.04, 0.055 * g, 0.006),
        (0.007, 0.04, 0.055 * g, 0.006),
      ]
      sketch.add(
        [("pelvis", buckle)],
        plain((214.0, 186.0, 96.0)),
        near=near,
        lift=-0.002,
        shows=shows,
      )
  if o.skirt > 0:
    _skirt(sketch, max(near - 0.002, thighs_near + 0.002), shows, axis)
  _shirt(sketch, near, shows, axis)
  _front_or_back(sketch, near, shows)
  if o.backpack is not None:
    _backpack(sketch, near, shows)


def _skirt(sketch: Sketch, near: float, shows: frozenset[int], axis) -> None:
  p, o = sketch.body.proportions, sketch.outfit
  g = p.girth
  groups = [
    ("pelvis", [(0.04, 0.06, 0, 0.045 * g), (-0.04, 0.06, 0, 0.045 * g)])
  ]
  for side in ("left", "right"):
    groups.append(
      (
        f"leg_{side}",
        [
          (0, 0, 0, 0.056 * g),
          (0, -p.thigh * o.skirt + 0.03, 0, 0.06 * g),
          (0, -p.thigh * o.skirt, 0.02, 0.05 * g),
        ],
      )
    )
  sketch.add(groups, o.bottom, near=near, shows=shows, axis=axis)


def _shirt(sketch: Sketch, near: float, shows: frozenset[int], axis) -> None:
  p, o = sketch.body.proportions, sketch.outfit
  g, waist, top = p.girth, p.girth * p.waist, p.torso - 0.1
  sh = p.shoulder
  chest = [
    (sh - 0.014, top - 0.006, 0, 0.031 * g),
    (0.014 - sh, top - 0.006, 0, 0.031 * g),
    (0.025, top + 0.012, -0.006, 0.024 * g),
    (-0.025, top + 0.012, -0.006, 0.024 * g),
    (sh - 0.058, top - 0.07, 0.006, 0.056 * g),
    (0.058 - sh, top - 0.07, 0.006, 0.056 * g),
    (0.036 * waist, 0, 0, 0.052 * waist),
    (-0.036 * waist, 0, 0, 0.052 * waist),
  ]
  belly = [
    (0.036 * waist, 0, 0, 0.052 * waist),
    (-0.036 * waist, 0, 0, 0.052 * waist),
  ]
  side = p.hip * 0.92
  hem = max(0.05 - o.hem, -0.04)
  lower = [(side, hem, 0, 0.05 * g), (-side, hem, 0, 0.05 * g)]
  sketch.add(
    [("chest", chest + belly), ("pelvis", lower)],
    o.top,
    near=near,
    shows=shows,
    hulls=(8, 4),
    axis=axis,
  )


def _front_or_back(sketch: Sketch, near: float, shows: frozenset[int]) -> None:
  p, o = sketch.body.proportions, sketch.outfit
  turned = facing(sketch.frame("chest"))
  top, front = p.torso - 0.1, 0.058 * p.girth

  def sew(rows: list, cloth: Cloth, frame: str = "chest", relief: float = 0.6):
    sketch.add(
      [(frame, rows)], cloth, near=near, lift=0.003, shows=shows, relief=relief
    )

  trim = plain(o.accent)
  if turned > 0.12:
    _neckline(sketch, sew)
    if o.buttons:
      for y in np.linspace(top - 0.075, 0.0, 4):
        sew([(0, y, front, 0.0065)], plain(_WHITE))
      sew(
        [(0.004, top - 0.05, front, 0.002), (0.004, -0.02, front, 0.002)],
        plain(shifted(o.top.color, 0.6)),
      )
    if o.tie:
      sew(
        [
          (0, top - 0.03, front, 0.009),
          (0, 0.03, front, 0.014),
          (0, 0.0, front, 0.004),
        ],
        trim,
      )
    elif o.print_kind == "disc" and not o.buttons:
      sew([(0, top - 0.095, front, 0.032)], trim)
    elif o.print_kind == "block" and not o.buttons:
      sew(
        [
          (0.035, top - 0.085, front, 0.009),
          (-0.035, top - 0.085, front, 0.009),
          (-0.02, top - 0.12, front, 0.008),
        ],
        trim,
      )
    elif o.print_kind == "pocket":
      sew(
        [
          (0.035, top - 0.075, front, 0.004),
          (0.064, top - 0.075, front, 0.004),
          (0.064, top - 0.1, front, 0.004),
          (0.035, top - 0.1, front, 0.004),
        ],
        plain(shifted(o.top.color, 0.7)),
      )
  elif turned < -0.12:
    if o.collar == "hood":
      sew(
        [
          (0.03, top + 0.005, -0.05, 0.03),
          (-0.03, top + 0.005, -0.05, 0.03),
          (0, top - 0.05, -0.06, 0.022),
        ],
        plain(shifted(o.top.color, 0.78)),
      )
    elif o.collar == "shirt":
      sew(
        [(0.03, top + 0.022, -0.03, 0.009), (-0.03, top + 0.022, -0.03, 0.009)],
        plain(shifted(o.top.color, 1.25)),
      )
    if o.back_print:
      sew(
        [
          (0.045, top - 0.06, -front, 0.012),
          (-0.045, top - 0.06, -front, 0.012),
        ],
        trim,
      )


def _neckline(sketch: Sketch, sew) -> None:
  p, o = sketch.body.proportions, sketch.outfit
  top, skin = p.torso - 0.1, plain(o.skin)
  y, z = top + 0.014, 0.034 * p.girth
  if o.collar in ("v", "shirt"):
    edge = plain(_WHITE if o.collar == "shirt" else o.accent)
    deep = 0.07 if o.collar == "v" else 0.045
    sew(
      [
        (0.034, y, z, 0.008),
        (-0.034, y, z, 0.008),
        (0, y - deep, z + 0.02, 0.01),
      ],
      edge,
    )
    sew(
      [
        (0.026, y + 0.002, z, 0.006),
        (-0.026, y + 0.002, z, 0.006),
        (0, y - deep + 0.012, z + 0.02, 0.003),
      ],
      skin,
    )
  elif o.collar == "round":
    sew(
      [(0.024, y, z, 0.018), (-0.024, y, z, 0.018), (0, y - 0.02, z, 0.018)],
      plain(o.accent),
    )
    sew(
      [
        (0.022, y + 0.003, z, 0.013),
        (-0.022, y + 0.003, z, 0.013),
        (0, y - 0.016, z, 0.014),
      ],
      skin,
    )
  elif o.collar == "hood":
    sew(
      [(0.036, y, z, 0.016), (-0.036, y, z, 0.016), (0, y - 0.03, z, 0.012)],
      plain(shifted(o.top.color, 0.75)),
    )
    sew(
      [
        (0.02, y + 0.006, z, 0.012),
        (-0.02, y + 0.006, z, 0.012),
        (0, y - 0.01, z, 0.012),
      ],
      skin,
    )
  else:
    sew(
      [(0.02, y + 0.018, z - 0.02, 0.016), (-0.02, y + 0.018, z - 0.02, 0.016)],
      plain(shifted(o.top.color, 0.85)),
    )


def _backpack(sketch: Sketch, near: float, shows: frozenset[int]) -> None:
  p, o = sketch.body.proportions, sketch.outfit
  top, g = p.torso - 0.1, p.girth
  turned = facing(sketch.frame("chest"))
  pack = [
    (x, y, z, 0.03)
    for x in (0.052, -0.052)
    for y in (top - 0.03, 0.0)
    for z in (-0.06 * g - 0.01, -0.06 * g - 0.05)
  ]
  key = near - 0.04 * np.sign(turned)
  sketch.add(
    [("chest", pack)],
    o.backpack,
    near=key,
    lift=0.0,
    shows=shows if turned < 0 else frozenset(),
  )
  if turned < -0.12:
    pocket = [
      (0.038, 0.045, -0.14, 0.02),
      (-0.038, 0.045, -0.14, 0.02),
      (0.038, 0.0, -0.14, 0.02),
      (-0.038, 0.0, -0.14, 0.02),
    ]
    sketch.add(
      [("chest", pocket)],
      plain(shifted(o.backpack.color, 0.75)),
      near=key,
      lift=0.001,
      shows=shows,
    )
  elif turned > 0.12:
    for x in (0.066, -0.066):
      strap = [
        (x, top + 0.022, 0.02, 0.011),
        (x * 1.02, top - 0.06, 0.056 * g, 0.011),
        (x * 1.1, top - 0.13, 0.02, 0.01),
      ]
      sketch.add(
        [("chest", strap)],
        o.backpack,
        near=near,
        lift=0.004,
        shows=shows,
        hulls=(),
      )
