"""PCP of a table of people: limbs of a skeleton, by name.

Limbs are the skeleton's physical links and the head; left and right share a
name. "torso" are the two sides from shoulder to hip, not one middle line.
"""

import dataclasses

import numpy as np
from jaxtyping import Array, Float

from pose_jax.eval import pck
from pose_jax.eval.results import PeopleTable
from pose_jax.skeleton import Skeleton

THRESHOLD = 0.5

_NAMES = {
  ("shoulder", "elbow"): "upper arm",
  ("elbow", "wrist"): "lower arm",
  ("shoulder", "hip"): "torso",
  ("hip", "knee"): "upper leg",
  ("knee", "ankle"): "lower leg",
}
_HEADS = (("upper_neck", "head_top"), ("neck", "head_top"))


@dataclasses.dataclass(frozen=True)
class Limb:
  """Two keypoints of a skeleton and what lies between them."""

  name: str
  start: int
  end: int


def limbs_of(skeleton: Skeleton) -> tuple[Limb, ...]:
  """The limbs of a skeleton, its head last.

  One that has no name of its own is called by its ends ("neck - hip").
  """
  limbs = [
    Limb(_name(skeleton, link.start, link.end), link.start, link.end)
    for link in skeleton.links
    if link.kind == "physical"
  ]
  for pair in _HEADS:
    if set(pair) <= set(skeleton.keypoints):
      limbs.append(Limb("head", *(skeleton.index(name) for name in pair)))
  return tuple(limbs)


def _name(skeleton: Skeleton, start: int, end: int) -> str:
  ends = tuple(_without_side(skeleton.keypoints[i]) for i in (start, end))
  return _NAMES.get(ends) or _NAMES.get(ends[::-1]) or " - ".join(ends)


def _without_side(keypoint: str) -> str:
  return keypoint.removeprefix("left_").removeprefix("right_")


def pcp_of_people(
  kpts_xy_img: Float[Array | np.ndarray, "N K 2"],
  people: PeopleTable,
  *,
  rule: str = "strict",
) -> pck.Pck:
  """PCP at half a limb's length, one column per limb of `limbs_of`.

  Args:
    kpts_xy_img: the prediction of each person of the table.
    rule: "strict" or "loose", see `pck.pcp`.
  """
  return pck.pcp(
    kpts_xy_img,
    np.asarray(people.kpts_xy_img),
    np.asarray(people.vis) > 0,
    limbs=[(limb.start, limb.end) for limb in limbs_of(people.skeleton)],
    threshold=THRESHOLD,
    rule=rule,
  )


def values(
  result: pck.Pck, skeleton: Skeleton, rule: str = "strict"
) -> dict[str, float]:
  """Name -> score in [0, 1]: the mean over limbs, then each kind of limb.

  The mean weighs every limb alike, so arms and legs, which are two, count
  twice. nan where nothing was labelled.
  """
  title = f"PCP_{rule}@{THRESHOLD:g}"
  scores = {title: float(result.mean[0])}
  columns: dict[str, list[int]] = {}
  for column, limb in enumerate(limbs_of(skeleton)):
    columns.setdefault(limb.name, []).append(column)
  for name, members in columns.items():
    labelled = result.labelled[members].sum()
    correct = result.correct[0, members].sum()
    scores[f"{title} {name}"] = (
      float(correct / labelled) if labelled else np.nan
    )
  return scores
