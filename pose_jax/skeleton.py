"""Sets of keypoints as frozen data.

Everything that depends on which keypoint is which (flips, links, drawing, the
sigmas of OKS, the reference length of PCK) is read from a `Skeleton`; no other
file knows a keypoint by its number. Left and right are the person's own.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Link:
  """Two keypoints that belong together (Jun, Lee and Kim's skeletal links).

  A physical link is a limb or a side of the trunk, a virtual one joins the
  left and the right keypoint of a pair.
  """

  start: int
  end: int
  kind: str  # "physical" or "virtual"
  half: str  # "upper" or "lower"


@dataclasses.dataclass(frozen=True)
class Skeleton:
  """A set of K keypoints; indices refer to the order of `keypoints`.

  Attributes:
    name: the key in SKELETONS, or what the file of one's own says.
    keypoints: K names, `left_`/`right_` from the person's point of view.
    flip_pairs: pairs that change places when the picture is mirrored.
    links: of the body's sets sixteen, ten physical and six virtual, none in
      the head; may be empty.
    bones: pairs that a drawing joins with a line.
    upper, lower: the two halves of the body (half-body augmentation).
    oks_sigmas: COCO's per-keypoint sigma_i; OKS uses (2 sigma_i)^2.
    pck_pair: PCK's reference length is the distance between these two; None
      where it is the head box's (MPII's PCKh), or where there is none.
    category: name of the COCO category that has these keypoints.
  """

  name: str
  keypoints: tuple[str, ...]
  flip_pairs: tuple[tuple[int, int], ...]
  links: tuple[Link, ...]
  bones: tuple[tuple[int, int], ...]
  upper: tuple[int, ...]
  lower: tuple[int, ...]
  oks_sigmas: tuple[float, ...]
  pck_pair: tuple[int, int] | None
  category: str = "person"

  @property
  def num_keypoints(self) -> int:
    return len(self.keypoints)

  @property
  def flip_permutation(self) -> tuple[int, ...]:
    """Keypoint k of the mirror image is keypoint permutation[k]."""
    permutation = list(range(self.num_keypoints))
    for a, b in self.flip_pairs:
      permutation[a], permutation[b] = b, a
    return tuple(permutation)

  def index(self, keypoint: str) -> int:
    """Index of a keypoint by name; ValueError lists the names."""
    if keypoint not in self.keypoints:
      raise ValueError(
        f"{self.name} has no keypoint {keypoint!r}; it has "
        f"{', '.join(self.keypoints)}"
      )
    return self.keypoints.index(keypoint)


def _sided_pairs(keypoints: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
  """Every (left, right) pair, lower index first, in order of appearance."""
  pairs = {
    tuple(sorted((i, keypoints.index("right_" + name[len("left_") :]))))
    for i, name in enumerate(keypoints)
    if name.startswith("left_")
  }
  return tuple(sorted(pairs))


_SIDES = ("left", "right")
_LIMBS = (  # start, end, half; the sides of the trunk count as upper
  ("shoulder", "elbow", "upper"),
  ("elbow", "wrist", "upper"),
  ("shoulder", "hip", "upper"),
  ("hip", "knee", "lower"),
  ("knee", "ankle", "lower"),
)
_RUNGS = (
  ("shoulder", "upper"),
  ("elbow", "upper"),
  ("wrist", "upper"),
  ("hip", "lower"),
  ("knee", "lower"),
  ("ankle", "lower"),
)


def _body_links(keypoints: tuple[str, ...]) -> tuple[Link, ...]:
  at = keypoints.index
  physical = tuple(
    Link(at(f"{side}_{start}"), at(f"{side}_{end}"), "physical", half)
    for start, end, half in _LIMBS
    for side in _SIDES
  )
  virtual = tuple(
    Link(at(f"left_{name}"), at(f"right_{name}"), "virtual", half)
    for name, half in _RUNGS
  )
  return physical + virtual


def _make(
  name: str,
  keypoints: str,
  *,
  head_bones: tuple[tuple[str, str], ...],
  lower: tuple[str, ...],
  oks_sigmas: tuple[float, ...],
  pck_pair: tuple[str, str] | None,
) -> Skeleton:
  names = tuple(keypoints.split())
  links = _body_links(names)
  girdle = tuple(
    (link.start, link.end)
    for link in links
    if link.kind == "physical"
    or names[link.start] in ("left_shoulder", "left_hip")
  )
  lower_at = tuple(i for i, n in enumerate(names) if n.endswith(lower))
  return Skeleton(
    name=name,
    keypoints=names,
    flip_pairs=_sided_pairs(names),
    links=links,
    bones=tuple((names.index(a), names.index(b)) for a, b in head_bones)
    + girdle,
    upper=tuple(i for i in range(len(names)) if i not in lower_at),
    lower=lower_at,
    oks_sigmas=oks_sigmas,
    pck_pair=pck_pair and (names.index(pck_pair[0]), names.index(pck_pair[1])),
  )


# Sigmas: pycocotools' kpt_oks_sigmas. PCK on COCO has no agreed reference;
# ours is the diagonal of the trunk, as on LSP.
COCO17 = _make(
  "coco17",
  "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder "
  "left_elbow right_elbow left_wrist right_wrist left_hip right_hip "
  "left_knee right_knee left_ankle right_ankle",
  head_bones=(
    ("nose", "left_eye"),
    ("nose", "right_eye"),
    ("left_eye", "left_ear"),
    ("right_eye", "right_ear"),
    ("left_ear", "left_shoulder"),
    ("right_ear", "right_shoulder"),
  ),
  lower=("hip", "knee", "ankle"),
  oks_sigmas=(
    *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
    *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
  ),
  pck_pair=("left_shoulder", "right_hip"),
)

# MPII and LSP publish no sigmas: each keypoint takes the one of its COCO
# counterpart; thorax and neck take the shoulder's, pelvis the hip's, the top
# of the head the ear's (0.035).
MPII16 = _make(
  "mpii16",
  "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis "
  "thorax upper_neck head_top right_wrist right_elbow right_shoulder "
  "left_shoulder left_elbow left_wrist",
  head_bones=(
    ("upper_neck", "head_top"),
    ("thorax", "upper_neck"),
    ("pelvis", "thorax"),
  ),
  lower=("hip", "knee", "ankle", "pelvis"),
  oks_sigmas=(
    *(0.089, 0.087, 0.107, 0.107, 0.087, 0.089, 0.107, 0.079),
    *(0.079, 0.035, 0.062, 0.072, 0.079, 0.079, 0.072, 0.062),
  ),
  pck_pair=None,
)

# The reference of PCK@0.2 on LSP is the diagonal from the left shoulder to
# the right hip (bearpaw/eval_pose).
LSP14 = _make(
  "lsp14",
  "right_ankle right_knee right_hip left_hip left_knee left_ankle "
  "right_wrist right_elbow right_shoulder left_shoulder left_elbow "
  "left_wrist neck head_top",
  head_bones=(
    ("neck", "head_top"),
    ("neck", "left_shoulder"),
    ("neck", "right_shoulder"),
  ),
  lower=("hip", "knee", "ankle"),
  oks_sigmas=(
    *(0.089, 0.087, 0.107, 0.107, 0.087, 0.089, 0.062),
    *(0.072, 0.079, 0.079, 0.072, 0.062, 0.079, 0.035),
  ),
  pck_pair=("left_shoulder", "right_hip"),
)

SKELETONS = {s.name: s for s in (COCO17, MPII16, LSP14)}
