"""Findings of an inspection: their kinds, from grave to harmless.

A finding is something to look at; its kind says how it was found and whether
it makes data wrong for certain.
"""

import dataclasses
from collections.abc import Iterable

from pose_jax.data.images import Row
from pose_jax.data.people import People


@dataclasses.dataclass(frozen=True)
class Kind:
  """A kind of finding: its heading, how it is found, how grave it is."""

  title: str
  rule: str
  is_wrong: bool = False  # certainly a fault of the data


KINDS: dict[str, Kind] = {  # the gravest first
  "missing_image": Kind(
    "Images that are not there", "The file cannot be read.", True
  ),
  "broken_image": Kind(
    "Broken images", "The file cannot be decoded to its end.", True
  ),
  "image_size": Kind(
    "Images of another size",
    "Width and height differ from what the annotations say.",
    True,
  ),
  "counts": Kind(
    "Not the published numbers",
    "Images and people are counted and compared with the release: a part of "
    "it, a broken download or another release.",
  ),
  "flags": Kind(
    "Visibility flags look misread",
    "More than half of the labelled keypoints are hidden, or fewer than a "
    "quarter of the keypoints are labelled on people who have any: so it is "
    "when flags of one convention are read by another (LSP and LSP-extended "
    "mean opposite things by them).",
    True,
  ),
  "placeholder": Kind(
    "Keypoints in the corner of the image",
    "A labelled keypoint within a pixel of (0, 0): where files put keypoints "
    "that they do not have.",
    True,
  ),
  "empty_box": Kind(
    "Boxes without area",
    "The box of a person with keypoints is less than a pixel wide or high, or "
    "lies outside the image; training and evaluation leave the person out.",
    True,
  ),
  "copy_across": Kind(
    "The same photograph in two parts",
    "Aligned, the two agree patch by patch. Where one part trains and the "
    "other tests, the test knows the answer.",
  ),
  "copy": Kind(
    "The same photograph twice", "Aligned, the two agree patch by patch."
  ),
  "scene_across": Kind(
    "The same scene in two parts",
    "Photographs taken one after the other, or one of them retouched: most of "
    "the picture agrees, some of it does not.",
  ),
  "scene": Kind("The same scene twice", "As above, within one part."),
  "duplicate_person": Kind(
    "One person annotated twice",
    "In one image two boxes overlap by nine tenths and the keypoints that both "
    "have lie within 5 % of the box of each other (without common keypoints: "
    "the boxes overlap by 98 %).",
  ),
  "sides": Kind(
    "Left and right disagree between shoulders and hips",
    "The line from right to left shoulder and the one between the hips point "
    "opposite ways, both long enough not to be chance: the upper or the lower "
    "body is swapped, or the person is twisted very far.",
  ),
  "swap": Kind(
    "Left and right of a limb are probably swapped",
    "With these keypoints exchanged, the pose is much nearer to other poses of "
    "the data set than as it is annotated.",
  ),
  "limb": Kind(
    "Limbs too long",
    "A limb is more than twice as long as the person's other limbs allow, "
    "measured by the lengths usual in the data set.",
  ),
  "same_place": Kind(
    "Keypoints at one place",
    "Two labelled keypoints have exactly the same position.",
  ),
  "keypoint_outside_image": Kind(
    "Keypoints outside the image",
    "A labelled keypoint is more than half a pixel beyond the outermost pixel.",
  ),
  "keypoint_outside_box": Kind(
    "Keypoints outside the person's box",
    "By more than a pixel and 5 % of the box's longer side. A crop with the "
    "usual padding of 1.25 keeps 12.5 % round the box.",
  ),
  "all_hidden": Kind(
    "People of whom nothing is visible",
    "Five or more keypoints are labelled and every one is flagged hidden.",
  ),
  "box_cut": Kind(
    "Boxes that reach beyond the image",
    "By more than a pixel and 1 % of the box's longer side. Boxes made from a "
    "centre and a scale often do; boxes drawn by hand should not.",
  ),
}


@dataclasses.dataclass(frozen=True)
class Finding:
  """One thing to look at.

  Attributes:
    kind: key in KINDS.
    text: what was found, without the names of image and person.
    size: how much; findings of one kind are ordered by it.
    image: row of the image it is in, if it is in one.
    person: row of the person, if it is one person's.
    keypoints: numbers of the keypoints concerned.
    other_image, other_person: the second of a pair.
    part, other_part: which data set the rows are of, where several are
      inspected together.
  """

  kind: str
  text: str
  size: float = 0.0
  image: int | None = None
  person: int | None = None
  keypoints: tuple[int, ...] = ()
  other_image: int | None = None
  other_person: int | None = None
  part: int = 0
  other_part: int | None = None


def ordered(findings: list[Finding]) -> list[Finding]:
  """The gravest kind first, within a kind the largest."""
  rank = {kind: i for i, kind in enumerate(KINDS)}
  return sorted(findings, key=lambda f: (rank[f.kind], -f.size))


def of_person(
  people: People,
  i: Row,
  kind: str,
  text: str,
  size: float,
  keypoints: Iterable = (),
) -> Finding:
  """A finding on row i of the table."""
  return Finding(
    kind,
    text,
    float(size),
    image=int(people.image_index[i]),
    person=int(i),
    keypoints=tuple(int(k) for k in keypoints),
  )


def keypoint_names(people: People, keypoints: Iterable) -> str:
  """Names in a row, for a text."""
  return ", ".join(people.skeleton.keypoints[k] for k in keypoints)
