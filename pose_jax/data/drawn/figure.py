"""A drawn person as a stack of parts: bones, flesh and clothes to circles.

Every part is a hull of balls fixed to a bone. Parts are ordered by how near
they are, so a forearm before the chest is drawn after it and one behind the
back before it; details (face, collar, buttons) follow what they are sewn to.

Self-occlusion: a keypoint is visible where the nearest part on its pixel is
one that carries it: the two segments that meet there, with their clothes; for
shoulders and hips also the trunk, unless they are on its far side; for the
face the head, while that side of the face is turned to the viewer. Anything
else on that pixel (another limb, hair over an ear, a skirt over a knee, a
person, an occluder) hides it.
"""

import numpy as np

from pose_jax.data.drawn.body import Body
from pose_jax.data.drawn.clothes import RGB, Cloth, Outfit
from pose_jax.data.drawn.head import add_head
from pose_jax.data.drawn.pose import SIDES
from pose_jax.data.drawn.sketch import Sketch, plain
from pose_jax.data.drawn.trunk import add_trunk
from pose_jax.skeleton import COCO17

_AT = COCO17.keypoints.index
_SOLE = (236.0, 234.0, 226.0)
_STEPS = {3: (0.0, 0.5, 1.0), 4: (0.0, 1 / 3, 2 / 3, 1.0)}


def _limb(
  sketch: Sketch,
  bones: tuple[tuple[str, float], tuple[str, float]],
  radii: tuple[tuple[float, ...], tuple[float, ...]],
  cover: tuple[float, Cloth | None],
  skin: RGB,
  keypoints: tuple[int, int, int],
  lift: float,
  near_first: float | None = None,
) -> None:
  """Two segments of bare limb and what covers `cover[0]` of them.

  Args:
    sketch: of the person.
    bones: frame and length of each segment.
    radii: of each segment, at equal steps from its start to its end.
    cover: how many segments the cloth covers, and the cloth.
    skin: colour of the rest.
    keypoints: at the start, between the segments, at the end.
    lift: added to the sort keys.
    near_first: sort key of the first segment if it is not its mean z.
  """
  reach, cloth = cover
  for k, ((name, length), radius) in enumerate(zip(bones, radii, strict=True)):
    shows = frozenset(keypoints[k : k + 2])
    steps = _STEPS[len(radius)]
    rows = [(0, -length * s, 0, r) for s, r in zip(steps, radius, strict=True)]
    covered = min(max(reach - k, 0.0), 1.0)
    frame = sketch.frame(name)
    near = float(frame.origin[2] - frame.axes[2, 1] * length / 2) + lift
    if k == 0 and near_first is not None:
      near = near_first
    if covered < 0.99 or cloth is None:
      sketch.add([(name, rows)], plain(skin), near=near, shows=shows)
    if covered > 0.02 and cloth is not None:
      cut = [covered * s for s in steps]
      wide = (np.interp(cut, steps, radius) * 1.06 + 0.004).tolist()
      rows = [(0, -length * s, 0, r) for s, r in zip(cut, wide, strict=True)]
      sketch.add([(name, rows)], cloth, near=near, shows=shows)


def _arm(sketch: Sketch, side: str) -> None:
  p, o = sketch.body.proportions, sketch.outfit
  g = p.girth
  keypoints = tuple(_AT(f"{side}_{k}") for k in ("shoulder", "elbow", "wrist"))
  _limb(
    sketch,
    ((f"arm_{side}", p.upper_arm), (f"forearm_{side}", p.forearm)),
    ((0.031 * g, 0.03 * g, 0.024 * g), (0.024 * g, 0.023 * g, 0.016 * g)),
    (o.sleeve, o.top),
    o.skin,
    keypoints,
    0.018,
  )
  wrist = frozenset(keypoints[2:])
  hand = [
    (0, 0, 0, 0.0155 * g),
    (0, -0.03, 0, 0.021),
    (0, -0.052, 0.004, 0.014),
  ]
  thumb = [(0, -0.012, 0.004, 0.009), (0, -0.036, 0.026, 0.0075)]
  color = o.gloves or o.skin
  key = sketch.add(
    [(f"hand_{side}", hand + thumb)],
    plain(color),
    lift=0.022,
    shows=wrist,
    hulls=(3, 2),
  )
  if o.watch and side == "left" and o.sleeve < 1.5:
    band = [(-0.004, 0.012, 0, 0.0165 * g), (0.004, 0.018, 0, 0.0165 * g)]
    sketch.add([(f"hand_{side}", band)], plain(o.accent), near=key, shows=wrist)


def _thigh_near(sketch: Sketch, side: str) -> float:
  """Under the shirt, unless the thigh points to the viewer."""
  hip = sketch.frame(f"leg_{side}").origin[2]
  knee = sketch.frame(f"shank_{side}").origin[2]
  trunk = sketch.trunk_near()
  if knee - hip > 0.09:
    return max(float(hip + knee) / 2, trunk + 0.006)
  return min(float(hip + knee) / 2, trunk - 0.006 + 0.01 * float(hip))


def _leg(sketch: Sketch, side: str) -> float:
  """Adds a leg; returns the sort key of the thigh."""
  p, o = sketch.body.proportions, sketch.outfit
  g = p.girth
  keypoints = tuple(_AT(f"{side}_{k}") for k in ("hip", "knee", "ankle"))
  bones = ((f"leg_{side}", p.thigh), (f"shank_{side}", p.shank))
  radii = (
    (0.055 * g, 0.051 * g, 0.037 * g),
    (0.036 * g, 0.037 * g, 0.03 * g, 0.021 * g),
  )
  near = _thigh_near(sketch, side)
  _limb(sketch, bones, radii, (o.leg, o.bottom), o.skin, keypoints, -0.02, near)
  ankle = frozenset(keypoints[2:])
  if o.socks is not None and o.leg < 1.5:
    rows = [(0, 0.06, 0, 0.029 * g), (0, -0.005, 0, 0.025 * g)]
    sketch.add(
      [(f"foot_{side}", rows)], plain(o.socks), lift=-0.01, shows=ankle
    )
  shoe = [
    (0, -0.002, 0, 0.024 * g),
    (0, -0.028, -0.016, 0.021),
    (0, -0.026, 0.055, 0.023),
    (0, -0.032, 0.085, 0.017),
  ]
  name = f"foot_{side}"
  key = sketch.add(
    [(name, shoe)],
    plain(o.shoes),
    lift=0.004,
    shows=ankle,
    axis=sketch.frame(name).at(np.array([(0, 0, 0), (0, -1.0, 0)])),
  )
  sole = [(0, -0.045, -0.018, 0.0085), (0, -0.045, 0.092, 0.0085)]
  sketch.add([(name, sole)], plain(_SOLE), near=key, lift=-0.001)
  return near


def _trunk_shows(body: Body) -> frozenset[int]:
  """Shoulders and hips that are not on the far side of the trunk."""
  z = body.kpts_xyz[:, 2]
  shown = set()
  for name, half in (
    ("shoulder", body.proportions.shoulder),
    ("hip", body.proportions.hip),
  ):
    left, right = _AT(f"left_{name}"), _AT(f"right_{name}")
    for one, other in ((left, right), (right, left)):
      if z[one] - z[other] > -1.5 * half:
        shown.add(one)
  return frozenset(shown)


def build_figure(body: Body, outfit: Outfit) -> Sketch:
  """Dresses a body: all its parts, not yet projected."""
  sketch = Sketch(body, outfit)
  thigh_keys = [_leg(sketch, side) for side in SIDES]
  add_trunk(sketch, max(thigh_keys), _trunk_shows(body))
  for side in SIDES:
    _arm(sketch, side)
  add_head(sketch)
  return sketch
