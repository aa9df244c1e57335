"""PCKh of a table of people, and what its numbers are called.

A number's name holds its true threshold: "PCKh@0.1" is 0.10, "PCKh@0.11" is
what the tables of HRNet, SimpleBaseline and DARK print as "@0.1" (3 to 7
points more). Names without an ending count as HRNet does, which is the rule
of the MPII tables; other variants are named at the end: "PCKh@0.5_mmpose".
"""

import numpy as np
from jaxtyping import Array, Float

from pose_jax.eval import pck
from pose_jax.eval.results import PeopleTable

THRESHOLDS = (0.5, 0.1, 0.11)

_ROWS = {  # of the published tables; the head is its top alone
  "head": ("head_top",),
  **{
    name: (f"left_{name}", f"right_{name}")
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
  },
}


def pckh_of_people(
  kpts_xy_img: Float[Array | np.ndarray, "N K 2"],
  people: PeopleTable,
  *,
  variant: str = "hrnet",
) -> pck.Pck:
  """PCKh over the whole curve of thresholds.

  People without a head size are left out and counted
  (Pck.num_without_reference).

  Args:
    kpts_xy_img: the prediction of each person of the table.
    variant: a name of pck.PCKH_VARIANTS that counts in the picture.
  Raises:
    ValueError: for another variant, or if nobody has a head size.
  """
  head_size = np.asarray(people.head_size)
  if len(head_size) and not (head_size > 0).any():
    raise ValueError(
      f"PCKh divides by the size of the head, which none of the {len(people)} "
      "people has: use PCK, or a dataset with head boxes (MPII)"
    )
  result = pck.pckh(
    kpts_xy_img,
    np.asarray(people.kpts_xy_img),
    np.asarray(people.vis) > 0,
    head_size=head_size,
    variant=variant,
    thresholds=pck.CURVE,
    skeleton=people.skeleton,
  )
  _check_in_picture(variant)
  return result


def _check_in_picture(variant: str):
  if pck.PCKH_VARIANTS[variant].on_heatmaps:
    raise ValueError(
      f"variant {variant!r} is counted on heatmaps, not in the picture: use "
      "pose_jax.codec.accuracy.heatmap_accuracy"
    )


def names(variant: str = "hrnet") -> tuple[str, ...]:
  """What the scores of `values` are called, in its order."""
  end = "" if variant == "hrnet" else f"_{variant}"
  return tuple(f"PCKh@{threshold:g}{end}" for threshold in THRESHOLDS)


def values(result: pck.Pck, variant: str = "hrnet") -> dict[str, float]:
  """Name -> score in [0, 1] at THRESHOLDS; nan where nobody counted."""
  scores = pck.PCKH_VARIANTS[variant].score(result)
  return {
    name: float(scores[result.at(threshold)])
    for name, threshold in zip(names(variant), THRESHOLDS, strict=True)
  }


def table(
  result: pck.Pck, keypoints: tuple[str, ...], threshold: float = 0.5
) -> dict[str, float]:
  """The rows of the published tables: head to ankle, left and right averaged.

  Args:
    keypoints: names of the K keypoints; rows that they lack are left out.
  """
  each = result.per_keypoint[result.at(threshold)]
  return {
    row: float(np.mean([each[keypoints.index(name)] for name in members]))
    for row, members in _ROWS.items()
    if set(members) <= set(keypoints)
  }


def describe(variant: str = "hrnet") -> str:
  """The variant in one line, for the protocol of a score."""
  rule = pck.PCKH_VARIANTS[variant]
  compare = "below" if rule.is_strict else "at most"
  mean = "all labelled keypoints" if rule.is_weighted else "keypoints"
  length = "map side / 10" if rule.on_heatmaps else "0.6 head-box diagonal"
  return (
    f"PCKh ({variant}): error {compare} threshold x {length}, mean over "
    f"{mean} but {', '.join(rule.left_out)}; @0.1 is 0.10, @0.11 is what "
    "HRNet's tables call @0.1"
  )
