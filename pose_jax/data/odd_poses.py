"""Poses that are hardly possible: left and right swapped, limbs too long.

Rules of geometry hold for every set. What is usual (lengths of limbs, poses)
is learnt from the data set itself, so small sets get fewer rules: the swap
rule needs MIN_POSES people whose trunk is labelled. A person of whom all of
left and right is swapped looks like one seen from behind and is not found.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float

from pose_jax.data.findings import Finding, keypoint_names, of_person
from pose_jax.data.people import People
from pose_jax.skeleton import Skeleton

MIN_POSES = 500
_TRUNK = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
_FACING = 0.2  # body sizes: shoulders and hips this wide show their side
_OPPOSITE = -0.766  # cosine of 140 degrees: nobody is twisted so far
_USUAL_LENGTH = 0.9  # quantile of a limb's length over people
_PERSON_SIZE = 0.75  # quantile over the limbs of a person
_TOO_LONG = 2.0
_MIN_LIMBS = 4  # other limbs that say how large the person is
_NEIGHBOURS = 5
_MAX_REFERENCES = 4000
_SWAP_RATIO = 0.7  # distance to other poses once swapped, over that before
_SWAP_DISTANCE = 0.25  # body sizes: nearer poses are not odd
_ROWS = 512  # people whose distances are computed at a time


def pose_findings(people: People) -> list[Finding]:
  """Everything this file knows, in any order."""
  return [
    *opposite_sides(people),
    *long_limbs(people),
    *swapped_limbs(people),
  ]


def opposite_sides(people: People) -> Iterator[Finding]:
  """Shoulders and hips whose left and right point opposite ways.

  Both must be wide against the body, whose size is the root of the sum of
  squares of the trunk's length and its two widths.
  """
  rows = _with_trunk(people)
  if not len(rows):
    return
  trunk = _trunk(people, rows)
  shoulders, hips = trunk[:, 0] - trunk[:, 1], trunk[:, 2] - trunk[:, 3]
  size = body_size(trunk)
  product = np.sum(shoulders * hips, 1)
  widths = np.linalg.norm(shoulders, axis=1), np.linalg.norm(hips, axis=1)
  cosine = product / np.maximum(widths[0] * widths[1], 1e-9)
  is_wide = (widths[0] > _FACING * size) & (widths[1] > 0.7 * _FACING * size)
  which = [people.skeleton.index(name) for name in _TRUNK]
  for at in np.flatnonzero(is_wide & (cosine < _OPPOSITE)):
    width = float(min(widths[0][at], widths[1][at]) / size[at])
    angle = float(np.degrees(np.arccos(np.clip(cosine[at], -1, 1))))
    text = f"shoulders and hips point {angle:.0f} degrees apart"
    yield of_person(people, rows[at], "sides", text, width, which)


def body_size(trunk: Float[np.ndarray, "n 4 2"]) -> Float[np.ndarray, "n"]:
  """Size of bodies turned any way: trunk's length and its two widths.

  Args:
    trunk: left and right shoulder, left and right hip.
  """
  axis = trunk[:, :2].mean(1) - trunk[:, 2:].mean(1)
  shoulders, hips = trunk[:, 0] - trunk[:, 1], trunk[:, 2] - trunk[:, 3]
  squares = sum(np.sum(np.square(v), 1) for v in (axis, shoulders, hips))
  return np.maximum(np.sqrt(squares), 1e-6)


def long_limbs(people: People) -> Iterator[Finding]:
  """Limbs longer than the other limbs of the person allow.

  A person's size is the upper quartile of its limbs' lengths, each in units
  of what is usual for the limb; limbs that share a keypoint with the one in
  question are left out.
  """
  bones = np.array(people.skeleton.bones)
  ends = people.kpts_xy_img[:, bones].astype(np.float64)
  length = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1)
  length[~(people.vis[:, bones] > 0).all(-1)] = np.nan
  rows = np.flatnonzero((length > 0).sum(1) > _MIN_LIMBS)
  if not len(rows):
    return
  length = length[rows]
  usual = np.ones(len(bones))
  for _ in range(3):  # sizes and usual lengths say each other
    size = np.nanquantile(length / usual, _PERSON_SIZE, axis=1)
    usual = _column_quantiles(length / size[:, None], _USUAL_LENGTH)
  times = _times_too_long(length / usual, people.skeleton.bones)
  for at in np.flatnonzero((times > _TOO_LONG).any(1)):
    worst = float(times[at].max())
    found = bones[times[at] > _TOO_LONG]
    which = np.unique(bones[np.argmax(times[at])])
    text = f"{keypoint_names(people, which)}: {worst:.1f} times too long"
    if len(found) > 1:
      text += f", and {len(found) - 1} more"
    yield of_person(people, rows[at], "limb", text, worst, np.unique(found))


def _times_too_long(
  relative: Float[np.ndarray, "n L"], bones: Sequence[tuple[int, int]]
) -> Float[np.ndarray, "n L"]:
  """Length of each limb against that of the others; 0 where unknown."""
  times = np.zeros(relative.shape)
  for k, bone in enumerate(bones):
    others = [m for m, b in enumerate(bones) if not set(b) & set(bone)]
    rest = relative[:, others]
    is_known = np.isfinite(rest).sum(1) >= _MIN_LIMBS
    is_known &= np.isfinite(relative[:, k])
    if is_known.any():
      size = np.nanquantile(rest[is_known], _PERSON_SIZE, axis=1)
      times[is_known, k] = relative[is_known, k] / np.maximum(size, 1e-9)
  return times


def _column_quantiles(values: np.ndarray, q: float) -> np.ndarray:
  """Of each column's finite values; 1 where there is none."""
  return np.array(
    [
      np.quantile(c[np.isfinite(c)], q) if np.isfinite(c).any() else 1.0
      for c in values.T
    ]
  )


def swapped_limbs(people: People) -> Iterator[Finding]:
  """Limbs whose left and right, exchanged, make a much more usual pose.

  Poses are laid upright on their trunk, at one size, and compared by the root
  mean square distance of the keypoints that both have. A pose's oddness is
  that to its fifth nearest neighbour among the other people and their mirror
  images.
  """
  rows = _with_trunk(people)
  rows = rows[
    (people.vis[rows] > 0).sum(1) >= people.skeleton.num_keypoints / 2
  ]
  if len(rows) < MIN_POSES:
    return
  poses, has = _upright(people, rows)
  step = -(-len(rows) // _MAX_REFERENCES)
  known = np.arange(len(rows))[::step]
  mirror = list(people.skeleton.flip_permutation)
  references = np.concatenate(
    [poses[known], (poses[known] * (-1, 1))[:, mirror]]
  )
  has_reference = np.concatenate([has[known], has[known][:, mirror]])
  owner = np.concatenate([known, known])
  table = references, has_reference, owner
  oddness = _oddness(poses, has, np.arange(len(rows)), table)
  odd = np.flatnonzero(oddness > _SWAP_DISTANCE)
  best = np.ones(len(odd))
  chosen = np.zeros(len(odd), int)
  variants = exchanges(people.skeleton)
  for v, pairs in enumerate(variants):
    order = np.arange(people.skeleton.num_keypoints)
    for a, b in pairs:
      order[[a, b]] = b, a
    swapped = _oddness(poses[odd][:, order], has[odd][:, order], odd, table)
    ratio = swapped / oddness[odd]
    chosen = np.where(ratio < best, v, chosen)
    best = np.minimum(ratio, best)
  for at in np.flatnonzero(best < _SWAP_RATIO):
    which = [k for pair in variants[chosen[at]] for k in pair]
    text = (
      f"{keypoint_names(people, which)}: {1 / best[at]:.1f} times nearer to "
      "other poses if swapped"
    )
    i = rows[odd[at]]
    yield of_person(people, i, "swap", text, float(1 / best[at]), which)


def exchanges(skeleton: Skeleton) -> list[tuple[tuple[int, int], ...]]:
  """What annotators mix up: pairs, neighbouring pairs, halves of the body."""
  pairs = skeleton.flip_pairs
  linked = {frozenset(bone) for bone in skeleton.bones}

  def are_linked(a, b):
    return any(frozenset((x, y)) in linked for x in a for y in b)

  neighbours = [
    (a, b)
    for i, a in enumerate(pairs)
    for b in pairs[i + 1 :]
    if are_linked(a, b)
  ]
  halves = [
    tuple(p for p in pairs if set(p) <= set(half))
    for half in (skeleton.upper, skeleton.lower)
  ]
  every = [*((pair,) for pair in pairs), *neighbours, *halves]
  return list(dict.fromkeys(v for v in every if v))


def _with_trunk(people: People) -> np.ndarray:
  """Rows of people whose shoulders and hips are labelled."""
  if not set(_TRUNK) <= set(people.skeleton.keypoints):
    return np.zeros(0, int)
  which = [people.skeleton.index(name) for name in _TRUNK]
  return np.flatnonzero((people.vis[:, which] > 0).all(1) & ~people.is_crowd)


def _trunk(people: People, rows: np.ndarray) -> Float[np.ndarray, "n 4 2"]:
  which = [people.skeleton.index(name) for name in _TRUNK]
  return people.kpts_xy_img[rows][:, which].astype(np.float64)


def _upright(
  people: People, rows: np.ndarray
) -> tuple[Float[np.ndarray, "n K 2"], Bool[np.ndarray, "n K"]]:
  """Poses with the trunk's middle at 0, its axis upright, size 1."""
  trunk = _trunk(people, rows)
  top, bottom = trunk[:, :2].mean(1), trunk[:, 2:].mean(1)
  axis = bottom - top
  axis /= np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-6)
  across = np.stack([axis[:, 1], -axis[:, 0]], 1)
  turn = np.stack([across, axis], 2)  # columns: the new x and y
  centered = people.kpts_xy_img[rows] - ((top + bottom) / 2)[:, None]
  poses = centered @ turn / body_size(trunk)[:, None, None]
  has = people.vis[rows] > 0
  return np.where(has[..., None], poses, 0.0), has


def _oddness(
  poses: Float[np.ndarray, "n K 2"],
  has: Bool[np.ndarray, "n K"],
  owner: np.ndarray,
  table: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> Float[np.ndarray, "n"]:
  """Distance to the fifth nearest reference that is not one's own."""
  references, has_reference, reference_owner = table
  flat = references.reshape(len(references), -1)
  squares = np.sum(np.square(references), -1)
  seen = has_reference.astype(np.float64)
  result = np.zeros(len(poses))
  for start in range(0, len(poses), _ROWS):
    at = slice(start, start + _ROWS)
    mine = has[at].astype(np.float64)
    total = np.sum(np.square(poses[at]), -1) @ seen.T + mine @ squares.T
    total -= 2 * poses[at].reshape(len(mine), -1) @ flat.T
    common = mine @ seen.T
    mean = np.maximum(total, 0) / np.maximum(common, 1)
    # Few common keypoints make any two poses alike.
    mean[common < 0.75 * mine.sum(1, keepdims=True)] = np.inf
    mean[owner[at][:, None] == reference_owner] = np.inf
    nearest = np.partition(mean, _NEIGHBOURS - 1, axis=1)[:, _NEIGHBOURS - 1]
    result[at] = np.sqrt(nearest)
  return result
