"""PCK, PCKh and PCP: correct keypoints and limbs.

PCK: a keypoint is correct if its error is at most `threshold` times the
person's reference length. On LSP that is the distance from the left shoulder
to the right hip, every labelled keypoint counts, hidden or not, left and
right are the person's own and the threshold is 0.2 (bearpaw/eval_pose:
eval_pck.m). Other papers divide by a box or by another part of the trunk:
their numbers are other numbers.

PCKh: the reference is the head size, 0.6 times the diagonal of the person's
head box. Code bases count it in four ways: PCKH_VARIANTS.

PCP: a limb is correct if its ends are within half of its true length.

All functions take NumPy or JAX arrays and compute in NumPy, float64. Scores
are shares in [0, 1].
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Array, Bool, Float, Int

from pose_jax.skeleton import MPII16, Skeleton

THRESHOLD = 0.2
CURVE = np.linspace(0, 0.5, 51).round(2)
PCP_RULES = ("strict", "loose")
_HEAD = ("neck", "head_top")  # averaged as "head" in papers

Points = Float[Array | np.ndarray, "N K 2"]
Mask = Bool[Array | np.ndarray, "N K"]
Lengths = Float[Array | np.ndarray, "N"]
Thresholds = Float[Array | np.ndarray, "T"] | tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Pck:
  """Counts of correct keypoints at T thresholds, people summed.

  Sums and counts, so that the results of parts of a dataset can be added;
  what divides is a property, nan where nothing was labelled.

  Attributes:
    thresholds: [T] in units of the reference length.
    correct: [T, K] keypoints within the threshold.
    labelled: [K] keypoints that counted.
    num_people: people that counted.
    num_without_reference: people left out, because their reference length
      is not known (the pair is not labelled, no head box) or zero.
    in_mean: [K] keypoints that `total` and `mean` go over; None: all.
  """

  thresholds: Float[np.ndarray, "T"]
  correct: Int[np.ndarray, "T K"]
  labelled: Int[np.ndarray, "K"]
  num_people: int
  num_without_reference: int
  in_mean: Bool[np.ndarray, "K"] | None = None

  @property
  def per_keypoint(self) -> Float[np.ndarray, "T K"]:
    return _share(self.correct, self.labelled)

  @property
  def total(self) -> Float[np.ndarray, "T"]:
    """Over all labelled keypoints: frequent ones weigh more."""
    counts = self._counts()
    return _share(self.correct[:, counts].sum(1), self.labelled[counts].sum())

  @property
  def mean(self) -> Float[np.ndarray, "T"]:
    """Mean over the keypoints that are labelled at all, each weighing 1."""
    is_there = self._counts() & (self.labelled > 0)
    if not is_there.any():
      return np.full(len(self.thresholds), np.nan)
    return self.per_keypoint[:, is_there].mean(1)

  def _counts(self):
    if self.in_mean is None:
      return np.ones(len(self.labelled), bool)
    return self.in_mean

  def at(self, threshold: float) -> int:
    """Index of a threshold; ValueError lists those that were computed."""
    index = np.flatnonzero(np.isclose(self.thresholds, threshold))
    if not len(index):
      raise ValueError(
        f"PCK was not computed at {threshold}, only at "
        f"{', '.join(f'{t:g}' for t in self.thresholds)}"
      )
    return int(index[0])


def _share(part, whole):
  return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def reference_length(
  kpts_xy_true: Points, labelled: Mask, pair: tuple[int, int]
) -> Float[np.ndarray, "N"]:
  """Distance between a pair of true keypoints; 0 if one is not labelled."""
  points = np.asarray(kpts_xy_true, np.float64)
  length = np.linalg.norm(points[:, pair[0]] - points[:, pair[1]], axis=-1)
  return np.where(np.asarray(labelled)[:, list(pair)].all(1), length, 0.0)


def pck(
  kpts_xy: Points,
  kpts_xy_true: Points,
  labelled: Mask,
  *,
  reference: Lengths,
  thresholds: Thresholds = (THRESHOLD,),
  is_strict: bool = False,
) -> Pck:
  """Counts keypoints whose error is <= threshold * reference length.

  Args:
    kpts_xy, kpts_xy_true: predicted and true, any one frame.
    labelled: which true keypoints count.
    reference: reference length of each person, same frame; a person with 0 is
      left out.
    thresholds: in units of the reference length.
    is_strict: an error exactly on the threshold is wrong.
  """
  reference = np.asarray(reference, np.float64)
  thresholds = np.asarray(thresholds, np.float64)
  error = normalized_error(kpts_xy, kpts_xy_true, reference=reference)
  counts = np.asarray(labelled) & (reference > 0)[:, None]
  limit = thresholds[:, None, None]
  is_correct = error[None] < limit if is_strict else error[None] <= limit
  return Pck(
    thresholds=thresholds,
    correct=(is_correct & counts[None]).sum(1),
    labelled=counts.sum(0),
    num_people=int((reference > 0).sum()),
    num_without_reference=int((reference <= 0).sum()),
  )


def normalized_error(
  kpts_xy: Points, kpts_xy_true: Points, *, reference: Lengths
) -> Float[np.ndarray, "N K"]:
  """Distance in reference lengths; inf for a person without reference."""
  reference = np.asarray(reference, np.float64)[:, None]
  difference = np.asarray(kpts_xy, np.float64) - np.asarray(
    kpts_xy_true, np.float64
  )
  error = np.linalg.norm(difference, axis=-1)
  return np.where(
    reference > 0, error / np.where(reference > 0, reference, 1), np.inf
  )


@dataclasses.dataclass(frozen=True)
class PckhVariant:
  """How a code base counts PCKh.

  Attributes:
    is_strict: an error must be below the threshold; else at most it.
    is_weighted: the score is the mean over all labelled keypoints (Pck.total);
      else over keypoints, each weighing 1 (Pck.mean).
    left_out: names of keypoints that the score leaves out.
    on_heatmaps: keypoints are heatmap pixels and the reference is a tenth of
      the map's side: a number to watch in training, not a PCKh.
  """

  is_strict: bool
  is_weighted: bool
  left_out: tuple[str, ...] = ("pelvis", "thorax")
  on_heatmaps: bool = False

  def score(self, result: Pck) -> Float[np.ndarray, "T"]:
    return result.total if self.is_weighted else result.mean


PCKH_VARIANTS = {
  "hrnet": PckhVariant(is_strict=False, is_weighted=True),
  "mmpose": PckhVariant(is_strict=True, is_weighted=True),
  "pytorch_pose": PckhVariant(is_strict=True, is_weighted=False),
  "newell": PckhVariant(
    is_strict=False,
    is_weighted=False,
    left_out=(
      *("pelvis", "thorax", "upper_neck", "head_top"),
      *("left_shoulder", "right_shoulder"),
    ),
    on_heatmaps=True,
  ),
}


def pckh(
  kpts_xy: Points,
  kpts_xy_true: Points,
  labelled: Mask,
  *,
  head_size: Lengths,
  variant: str = "hrnet",
  thresholds: Thresholds = CURVE,
  skeleton: Skeleton = MPII16,
) -> Pck:
  """PCK in head sizes, as a code base of the field counts it.

  Source: HRNet's (SimpleBaseline's, DARK's) mpii.py: "hrnet"; mmpose;
  bearpaw/pytorch-pose: eval_PCKh.py; princeton-vl/pose-hg-train: eval.lua
  ("newell": leaves out a target in the first row or column too, `labelled` is
  the caller's here).

  Args:
    kpts_xy, kpts_xy_true, labelled: as in `pck`.
    head_size: 0.6 times the diagonal of the head box, same frame; 0 leaves a
      person out. For "newell" a tenth of the heatmap's side.
    variant: a name of PCKH_VARIANTS.
    thresholds: in head sizes. HRNet's tables print 0.11 as "@0.1".
    skeleton: says what the K keypoints are called.
  Returns:
    All keypoints; those the variant leaves out are not in its total or mean.
    The variant's own score is PCKH_VARIANTS[variant].score(result).
  Raises:
    ValueError: for a variant that is not among them.
  """
  if variant not in PCKH_VARIANTS:
    raise ValueError(
      f"PCKh variant must be one of {', '.join(PCKH_VARIANTS)}, got {variant!r}"
    )
  rule = PCKH_VARIANTS[variant]
  result = pck(
    kpts_xy,
    kpts_xy_true,
    labelled,
    reference=head_size,
    thresholds=thresholds,
    is_strict=rule.is_strict,
  )
  in_mean = [name not in rule.left_out for name in skeleton.keypoints]
  return dataclasses.replace(result, in_mean=np.array(in_mean))


def pcp(
  kpts_xy: Points,
  kpts_xy_true: Points,
  labelled: Mask,
  *,
  limbs: Sequence[tuple[int, int]],
  threshold: float = 0.5,
  rule: str = "strict",
) -> Pck:
  """Counts limbs whose ends are found: the percentage of correct parts.

  A limb counts if both of its ends are labelled and apart.

  Args:
    kpts_xy, kpts_xy_true, labelled: as in `pck`.
    limbs: L pairs of keypoints.
    threshold: share of the limb's true length that an end may be off.
    rule: "strict": both ends are; "loose": the mean of their errors is.
  Returns:
    Pck at the one threshold, with the L limbs in place of keypoints;
    num_without_reference counts people who have no limb that counts.
  Raises:
    ValueError: for another rule.
  """
  if rule not in PCP_RULES:
    raise ValueError(
      f"rule of PCP must be one of {', '.join(PCP_RULES)}, got {rule!r}"
    )
  ends = np.asarray(limbs, np.intp).reshape(-1, 2)
  truth = np.asarray(kpts_xy_true, np.float64)
  error = np.linalg.norm(np.asarray(kpts_xy, np.float64) - truth, axis=-1)
  length = np.linalg.norm(truth[:, ends[:, 0]] - truth[:, ends[:, 1]], axis=-1)
  counts = np.asarray(labelled)[:, ends].all(-1) & (length > 0)
  worst = error[:, ends].max(-1)
  off = worst if rule == "strict" else error[:, ends].mean(-1)
  is_correct = counts & (off <= threshold * length)
  num_people = int(counts.any(1).sum())
  return Pck(
    thresholds=np.array([threshold], np.float64),
    correct=is_correct.sum(0)[None],
    labelled=counts.sum(0),
    num_people=num_people,
    num_without_reference=len(counts) - num_people,
  )


def groups(skeleton: Skeleton) -> dict[str, tuple[int, ...]]:
  """Keypoints that tables of papers average, in the order of the skeleton.

  Left and right of a pair under their common name; LSP's neck and top of the
  head as "head", which in MPII's tables is the top alone.
  """
  partner = skeleton.flip_permutation
  result: dict[str, tuple[int, ...]] = {}
  for i, name in enumerate(skeleton.keypoints):
    if partner[i] != i:
      name = _common_end(name, skeleton.keypoints[partner[i]])
    elif name in _HEAD:
      name = "head"
    result[name] = (*result.get(name, ()), i)
  return result


def curves(result: Pck, skeleton: Skeleton) -> dict[str, np.ndarray]:
  """Name -> share [T] over the thresholds: "all", then each of `groups`."""
  each, found = result.per_keypoint, {"all": result.total}
  for name, members in groups(skeleton).items():
    if not np.isnan(each[:, list(members)]).all():
      found[name] = np.nanmean(each[:, list(members)], 1)
  return found


def _common_end(a: str, b: str) -> str:
  """What two names end in alike: left_knee and right_knee give knee."""
  n = 0
  while n < min(len(a), len(b)) and a[-1 - n] == b[-1 - n]:
    n += 1
  common = a[len(a) - n :]
  _, separator, end = common.partition("_")
  return (end if separator else common).strip("_- ") or a
