"""Poses of drawn people: angles within human limits, and the bones in space.

A pose is a dict of named angles in degrees. Angles of limbs end in `_left` or
`_right`; zero everywhere is a person at attention. Space is measured in
heights of the standing person. The body frame has x to the person's left, y
up, z forward; the view frame has x to the right of the picture, y up, z
towards the viewer. At a turn of zero the person faces the viewer and the two
frames agree: the person's left is at the right of the picture.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Float

Number = float | int
Angles = dict[str, Number]

SIDES = ("left", "right")

# Lower and upper limit of each angle, degrees. Ordinary adults reach all of
# these; dancers reach further.
LIMITS_DEG: dict[str, tuple[float, float]] = {
  "spine_bend": (-20.0, 75.0),  # forward
  "spine_side": (-25.0, 25.0),  # towards the left
  "spine_twist": (-35.0, 35.0),  # chest turned to the left
  "neck_bend": (-35.0, 40.0),
  "neck_side": (-25.0, 25.0),
  "neck_turn": (-60.0, 60.0),
  # The arm is raised in a vertical plane: 0 forward, 90 sideways, 180 back.
  "arm_raise": (0.0, 172.0),
  "arm_plane": (-35.0, 180.0),
  "arm_turn": (-80.0, 90.0),  # outwards about the arm's own axis
  "elbow": (0.0, 145.0),
  "leg_raise": (-30.0, 120.0),  # forward
  "leg_out": (-8.0, 45.0),
  "leg_turn": (-15.0, 35.0),  # toes outwards
  "knee": (0.0, 145.0),
  "ankle": (-40.0, 20.0),  # toes up
}
LIMB_ANGLES = (
  "arm_raise",
  "arm_plane",
  "arm_turn",
  "elbow",
  "leg_raise",
  "leg_out",
  "leg_turn",
  "knee",
  "ankle",
)
# How far the arm rises in each plane: behind the body only about 50 degrees.
_RAISE_PLANES = (-35.0, 0.0, 110.0, 180.0)
_RAISE_MAX = (125.0, 172.0, 172.0, 50.0)


def clip_to_limits(angles: Angles) -> Angles:
  """Returns the nearest angles within LIMITS_DEG; missing ones are zero."""
  clipped = {}
  for name, (low, high) in LIMITS_DEG.items():
    names = [f"{name}_{s}" for s in SIDES] if name in LIMB_ANGLES else [name]
    for full in names:
      clipped[full] = float(min(max(angles.get(full, 0.0), low), high))
  for side in SIDES:
    most = np.interp(clipped[f"arm_plane_{side}"], _RAISE_PLANES, _RAISE_MAX)
    clipped[f"arm_raise_{side}"] = min(
      clipped[f"arm_raise_{side}"], float(most)
    )
  return clipped


def _arm(
  side: str, raised: Number, plane: Number, turn: Number, elbow: Number
) -> Angles:
  return {
    f"arm_raise_{side}": raised,
    f"arm_plane_{side}": plane,
    f"arm_turn_{side}": turn,
    f"elbow_{side}": elbow,
  }


def _swung_arm(side: str, swing: Number, elbow: Number) -> Angles:
  """An arm swung forward (positive) or back, as in walking."""
  plane = 12.0 if swing >= 0 else 168.0
  return _arm(side, abs(swing), plane, 0.0, elbow)


def _leg(
  side: str, raised: Number, out: Number, knee: Number, ankle: Number = 0.0
) -> Angles:
  return {
    f"leg_raise_{side}": raised,
    f"leg_out_{side}": out,
    f"leg_turn_{side}": 8.0,
    f"knee_{side}": knee,
    f"ankle_{side}": ankle,
  }


def _hanging_arms(rng: np.random.Generator) -> Angles:
  out = {}
  for side in SIDES:
    out |= _arm(
      side,
      rng.uniform(8, 28),
      rng.uniform(60, 100),
      rng.uniform(-30, 20),
      rng.uniform(5, 35),
    )
  return out


def _stand(rng: np.random.Generator) -> Angles:
  out = {"spine_bend": rng.normal(2, 4)}
  shift = rng.uniform(0, 12)  # the free leg is a little bent
  out |= _leg("left", shift, rng.uniform(2, 10), 1.7 * shift)
  out |= _leg("right", 0.0, rng.uniform(2, 10), rng.uniform(0, 5))
  return out | _hanging_arms(rng)


def _stride(rng: np.random.Generator, *, run: bool) -> Angles:
  """Walking or running, at a random moment of the step."""
  phase = rng.uniform(0, 2 * math.pi)
  swing = rng.uniform(38, 52) if run else rng.uniform(20, 30)
  out: Angles = {
    "spine_bend": rng.uniform(8, 22) if run else rng.uniform(0, 8),
    "spine_twist": 8 * math.sin(phase),
  }
  for side, lag in (("left", 0.0), ("right", math.pi)):
    s, c = math.sin(phase + lag), math.cos(phase + lag)
    lift = max(0.0, c)  # the leg that travels forward is lifted
    knee = (12 + 85 * lift + 25 * max(0, -s)) if run else 6 + 48 * lift
    raised = swing * s + (18 if run else 4) + 12 * lift
    out |= _leg(side, raised, 2.0, knee, -10 - 14 * max(0.0, -s))
    elbow = rng.uniform(70, 110) if run else rng.uniform(10, 40)
    out |= _swung_arm(side, -swing * s * 0.95 + 6, elbow)
  return out


def _walk(rng: np.random.Generator) -> Angles:
  return _stride(rng, run=False)


def _run(rng: np.random.Generator) -> Angles:
  return _stride(rng, run=True)


def _raised_arm(rng: np.random.Generator, side: str) -> Angles:
  return _arm(
    side,
    rng.uniform(85, 168),
    rng.uniform(35, 100),
    rng.uniform(20, 80),
    rng.uniform(0, 85),
  )


def _cheer(rng: np.random.Generator) -> Angles:
  """One arm or both arms up: waving, cheering, reaching."""
  out = _stand(rng)
  out["neck_bend"] = rng.uniform(-20, 5)
  sides = SIDES if rng.random() < 0.6 else (SIDES[rng.integers(2)],)
  for side in sides:
    out |= _raised_arm(rng, side)
  return out


def _jump(rng: np.random.Generator) -> Angles:
  out: Angles = {"spine_bend": rng.uniform(-8, 15)}
  star = rng.random() < 0.5
  for side in SIDES:
    out |= _raised_arm(rng, side)
    if star:
      out |= _leg(side, rng.uniform(-5, 15), rng.uniform(22, 42), 5, -30)
      continue
    raised = rng.uniform(-10, 75)
    knee = rng.uniform(30, 100) if raised < 15 else raised * 1.2
    out |= _leg(side, raised, rng.uniform(4, 18), knee, -30)
  return out


def _sit(rng: np.random.Generator) -> Angles:
  out: Angles = {"spine_bend": rng.uniform(-4, 20)}
  for side in SIDES:
    raised = rng.uniform(78, 92)
    knee = rng.uniform(65, 95)
    out |= _leg(side, raised, rng.uniform(2, 16), knee, knee - raised)
    if rng.random() < 0.7:  # hands towards the knees
      out |= _arm(side, rng.uniform(25, 45), 18, -12, rng.uniform(25, 60))
    else:
      out |= _raised_arm(rng, side)
  return out


def _squat(rng: np.random.Generator) -> Angles:
  deep = rng.uniform(0.5, 1.0)
  out: Angles = {"spine_bend": 40 * deep, "neck_bend": -25 * deep}
  for side in SIDES:
    out |= _leg(side, 110 * deep, rng.uniform(8, 28), 125 * deep, 18)
    out |= _arm(
      side, rng.uniform(40, 100), rng.uniform(0, 25), 0, rng.uniform(0, 60)
    )
  return out


def _hands_on_hips(rng: np.random.Generator) -> Angles:
  out = _stand(rng)
  sides = SIDES if rng.random() < 0.6 else (SIDES[rng.integers(2)],)
  for side in sides:
    out |= _arm(side, rng.uniform(42, 52), 105, -62, rng.uniform(85, 105))
  return out


def _hold(rng: np.random.Generator) -> Angles:
  """Arms crossed, or both hands holding something before the chest."""
  out = _stand(rng)
  for side in SIDES:
    out |= _arm(
      side,
      rng.uniform(15, 45),
      rng.uniform(0, 40),
      rng.uniform(-70, -15),
      rng.uniform(75, 125),
    )
  out["neck_bend"] = rng.uniform(0, 25)
  return out


def _lunge(rng: np.random.Generator) -> Angles:
  """A wide sideways or forward step with free arms: sports."""
  out: Angles = {"spine_bend": rng.uniform(0, 35)}
  out["spine_side"] = rng.uniform(-20, 20)
  front, back = SIDES if rng.random() < 0.5 else SIDES[::-1]
  if rng.random() < 0.5:
    out |= _leg(front, rng.uniform(45, 85), 8, rng.uniform(50, 95))
    out |= _leg(back, rng.uniform(-30, -5), 6, rng.uniform(5, 40), -20)
  else:
    out |= _leg(front, rng.uniform(20, 50), 35, rng.uniform(30, 70))
    out |= _leg(back, rng.uniform(-5, 10), rng.uniform(15, 40), 5)
  for side in SIDES:
    out |= _arm(
      side,
      rng.uniform(20, 150),
      rng.uniform(-10, 110),
      rng.uniform(-40, 60),
      rng.uniform(0, 110),
    )
  return out


def _kick(rng: np.random.Generator) -> Angles:
  out: Angles = {"spine_bend": rng.uniform(-10, 10)}
  kicking, standing = SIDES if rng.random() < 0.5 else SIDES[::-1]
  out |= _leg(kicking, rng.uniform(40, 95), rng.uniform(0, 20), 15, -30)
  out |= _leg(standing, -5, 3, rng.uniform(5, 20))
  out |= _swung_arm(kicking, rng.uniform(-45, -10), 30)
  out |= _arm(standing, rng.uniform(30, 90), rng.uniform(20, 80), 0, 30)
  return out


# name -> (how often, sampler); upright poses are the most frequent, as in
# photographs.
ACTIVITIES = {
  "stand": (0.18, _stand),
  "walk": (0.17, _walk),
  "run": (0.13, _run),
  "cheer": (0.14, _cheer),
  "jump": (0.08, _jump),
  "sit": (0.08, _sit),
  "squat": (0.05, _squat),
  "hands_on_hips": (0.05, _hands_on_hips),
  "hold": (0.04, _hold),
  "lunge": (0.05, _lunge),
  "kick": (0.03, _kick),
}


def sample_pose(rng: np.random.Generator) -> tuple[Angles, str]:
  """A random pose within LIMITS_DEG, and the name of its activity."""
  names = tuple(ACTIVITIES)
  share = np.cumsum([ACTIVITIES[n][0] for n in names])
  name = names[int(np.searchsorted(share, rng.random() * share[-1]))]
  pose = {
    "neck_turn": rng.normal(0, 16),
    "neck_side": rng.normal(0, 6),
    "neck_bend": rng.normal(4, 8),
    "spine_side": rng.normal(0, 4),
    "spine_twist": rng.normal(0, 6),
  } | ACTIVITIES[name][1](rng)
  if rng.random() < 0.5:
    pose = mirrored(pose)
  noise = rng.normal(0, 3.0, len(pose))
  pose = {
    k: v + float(n) for (k, v), n in zip(pose.items(), noise, strict=True)
  }
  return clip_to_limits(pose), name


def mirrored(angles: Angles) -> Angles:
  """The pose with left and right exchanged."""
  swap = {"left": "right", "right": "left"}
  out = {}
  for name, value in angles.items():
    stem, _, side = name.rpartition("_")
    if side in swap:
      out[f"{stem}_{swap[side]}"] = value
    else:
      odd = side in ("side", "twist", "turn")
      out[name] = -value if odd else value
  return out


def rotation(axis: str, degrees: Number) -> Float[np.ndarray, "3 3"]:
  """Right-handed rotation about x, y or z, float64."""
  c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
  if axis == "x":
    return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])
  if axis == "y":
    return np.array([[c, 0, s], [0, 1.0, 0], [-s, 0, c]])
  return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


@dataclasses.dataclass(frozen=True)
class Frame:
  """Where a body part is: its origin and its axes, in view coordinates."""

  origin: np.ndarray
  axes: np.ndarray

  def at(self, points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
    """Points of the part's own frame in view coordinates."""
    return points @ self.axes.T + self.origin

  def child(self, offset, axes: np.ndarray) -> "Frame":
    """A frame fixed in this one at `offset`, turned by `axes`."""
    return Frame(
      self.axes @ np.asarray(offset, float) + self.origin, self.axes @ axes
    )
