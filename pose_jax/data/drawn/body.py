"""The bones of a drawn person: proportions, and pose to points in space.

Lengths are in heights of the standing person; frames as in `pose`.
"""

import dataclasses

import numpy as np
from jaxtyping import Float

from pose_jax.data.drawn.pose import SIDES, Angles, Frame, rotation
from pose_jax.skeleton import COCO17


@dataclasses.dataclass(frozen=True)
class Proportions:
  """Lengths in body heights; `girth` multiplies every thickness."""

  head: float = 1.0  # size of the head, 1 for an adult
  shoulder: float = 0.112  # half the distance of the shoulders
  hip: float = 0.055
  torso: float = 0.295  # hip to shoulder
  upper_arm: float = 0.165
  forearm: float = 0.145
  thigh: float = 0.245
  shank: float = 0.245
  girth: float = 1.0
  waist: float = 1.0  # thickness of the waist against the chest


def sample_proportions(rng: np.random.Generator) -> Proportions:
  """Adults from slim to stout, and a fifth of children."""
  child = rng.random() < 0.2
  limbs = rng.normal(1.0, 0.03)
  arm = limbs * (0.93 if child else 1.0) * rng.normal(1.0, 0.02)
  leg = limbs * (0.92 if child else 1.0) * rng.normal(1.0, 0.02)
  build = rng.normal(0.0, 1.0)  # broad shoulders against broad hips
  return Proportions(
    head=rng.uniform(1.22, 1.4) if child else rng.uniform(0.97, 1.12),
    shoulder=(0.112 + 0.006 * build) * (0.95 if child else 1.0),
    hip=0.056 - 0.002 * build,
    torso=0.295 * rng.normal(1.0, 0.03),
    upper_arm=0.165 * arm,
    forearm=0.145 * arm,
    thigh=0.245 * leg,
    shank=0.245 * leg,
    girth=float(np.clip(rng.normal(1.05, 0.12), 0.85, 1.4)),
    waist=float(np.clip(rng.normal(0.92 + 0.04 * build, 0.1), 0.75, 1.3)),
  )


@dataclasses.dataclass(frozen=True)
class Body:
  """A posed skeleton in view coordinates, the middle of the hips at 0.

  Attributes:
    proportions: whose body.
    frames: frame of each part: pelvis, chest (origin at the waist), head
      (origin at its centre) and, for each side, arm, forearm, hand, leg,
      shank, foot. Limbs point along -y of their frame.
    kpts_xyz: [17, 3] COCO order.
  """

  proportions: Proportions
  frames: dict[str, Frame]
  kpts_xyz: np.ndarray


def _add_arm(frames: dict, angles: Angles, p: Proportions, side: str) -> None:
  sign = 1.0 if side == "left" else -1.0
  plane = sign * angles[f"arm_plane_{side}"]
  axes = (
    rotation("y", plane)
    @ rotation("x", -angles[f"arm_raise_{side}"])
    @ rotation("y", sign * angles[f"arm_turn_{side}"] - plane)
  )
  # The shoulder rises with the raised arm.
  lift = 0.03 * max(0.0, angles[f"arm_raise_{side}"] - 60.0) / 110.0
  shoulder = (sign * (p.shoulder - 0.4 * lift), p.torso - 0.1 + lift, 0.0)
  arm = frames["chest"].child(shoulder, axes)
  elbow = rotation("x", -angles[f"elbow_{side}"])
  forearm = arm.child((0, -p.upper_arm, 0), elbow)
  hand = forearm.child((0, -p.forearm, 0), rotation("x", -8.0))
  frames |= {
    f"arm_{side}": arm,
    f"forearm_{side}": forearm,
    f"hand_{side}": hand,
  }


def _add_leg(frames: dict, angles: Angles, p: Proportions, side: str) -> None:
  sign = 1.0 if side == "left" else -1.0
  axes = (
    rotation("x", -angles[f"leg_raise_{side}"])
    @ rotation("z", sign * angles[f"leg_out_{side}"])
    @ rotation("y", sign * angles[f"leg_turn_{side}"])
  )
  leg = frames["pelvis"].child((sign * p.hip, 0, 0), axes)
  shank = leg.child((0, -p.thigh, 0), rotation("x", angles[f"knee_{side}"]))
  ankle = rotation("x", -angles[f"ankle_{side}"])
  foot = shank.child((0, -p.shank, 0), ankle)
  frames |= {
    f"leg_{side}": leg,
    f"shank_{side}": shank,
    f"foot_{side}": foot,
  }


# Keypoints of the head in its frame, for a head of size 1.
HEAD_KPTS = {
  "nose": (0.0, -0.014, 0.069),
  "left_eye": (0.0235, 0.008, 0.053),
  "right_eye": (-0.0235, 0.008, 0.053),
  "left_ear": (0.058, -0.004, -0.006),
  "right_ear": (-0.058, -0.004, -0.006),
}
_LIMB_KPTS = {
  "shoulder": "arm",
  "elbow": "forearm",
  "wrist": "hand",
  "hip": "leg",
  "knee": "shank",
  "ankle": "foot",
}


def pose_body(
  angles: Angles, proportions: Proportions, view: Float[np.ndarray, "3 3"]
) -> Body:
  """Places every bone of a person; `view` turns the body frame into the view.

  Args:
    angles: all angles of LIMITS_DEG, degrees.
    proportions: lengths of the bones.
    view: rotation; the identity shows the person from the front, upright.
  """
  p = proportions
  pelvis = Frame(np.zeros(3), view)
  spine = (
    rotation("y", angles["spine_twist"])
    @ rotation("z", -angles["spine_side"])
    @ rotation("x", angles["spine_bend"])
  )
  chest = pelvis.child((0, 0.1, 0), spine)
  neck = (
    rotation("y", angles["neck_turn"])
    @ rotation("z", -angles["neck_side"])
    @ rotation("x", angles["neck_bend"])
  )
  neck_base = chest.child((0, p.torso - 0.08, -0.005), neck)
  head = neck_base.child((0, 0.05 + 0.055 * p.head, 0.012), np.eye(3))
  frames = {"pelvis": pelvis, "chest": chest, "neck": neck_base, "head": head}
  for side in SIDES:
    _add_arm(frames, angles, p, side)
    _add_leg(frames, angles, p, side)
  face = head.at(np.array(list(HEAD_KPTS.values())) * p.head)
  limbs = [
    frames[f"{part}_{side}"].origin
    for part in _LIMB_KPTS.values()
    for side in SIDES
  ]
  names = [f"{side}_{k}" for k in _LIMB_KPTS for side in SIDES]
  order = [COCO17.keypoints.index(n) for n in (*HEAD_KPTS, *names)]
  kpts_xyz = np.empty((len(order), 3))
  kpts_xyz[order] = np.concatenate([face, np.array(limbs)])
  return Body(p, frames, kpts_xyz)
