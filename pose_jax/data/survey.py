"""The whole inspection of one data set, or of the parts of one.

Each part is read once; pairs of images are looked for within and between the
parts, and between them and further sets that are compared with only.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from pose_jax.data.findings import KINDS, Finding, ordered
from pose_jax.data.image_facts import read_facts
from pose_jax.data.images import decode
from pose_jax.data.inspection import counts, inspect_table
from pose_jax.data.near_copies import NearCopy, find_near_copies
from pose_jax.data.odd_poses import pose_findings
from pose_jax.data.people import Dataset

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Survey:
  """What was found.

  Attributes:
    parts: the inspected data sets, then those only compared with.
    num_inspected: how many of them were inspected.
    findings: the gravest first; their rows are of `parts[part]`.
  """

  parts: tuple[Dataset, ...]
  num_inspected: int
  findings: tuple[Finding, ...]

  @property
  def is_faulty(self) -> bool:
    """Whether something found makes data wrong for certain."""
    return any(KINDS[f.kind].is_wrong for f in self.findings)

  def by_kind(self) -> dict[str, list[Finding]]:
    """Findings of each kind that occurs, the gravest kind first."""
    groups = itertools.groupby(self.findings, key=lambda f: f.kind)
    return {kind: list(group) for kind, group in groups}

  def as_json(self) -> dict[str, Any]:
    """Everything, in plain values and by name."""
    inspected = self.parts[: self.num_inspected]
    return {
      "parts": [
        {"name": d.name, "split": d.split, **counts(d.people)}
        | ({"left_out": d.left_out} if d.left_out else {})
        for d in inspected
      ],
      "compared_with": [
        {"name": d.name, "split": d.split}
        for d in self.parts[self.num_inspected :]
      ],
      "kinds": {
        kind: {
          "title": KINDS[kind].title,
          "rule": KINDS[kind].rule,
          "is_wrong": KINDS[kind].is_wrong,
          "count": len(group),
        }
        for kind, group in self.by_kind().items()
      },
      "findings": [self._finding(f) for f in self.findings],
    }

  def _finding(self, finding: Finding) -> dict[str, Any]:
    row = {"kind": finding.kind, "text": finding.text, "size": finding.size}
    row |= self._place(finding.part, finding.image, finding.person)
    if finding.keypoints:
      names = self.parts[finding.part].people.skeleton.keypoints
      row["keypoints"] = [names[k] for k in finding.keypoints]
    if finding.other_image is not None:
      part = finding.part if finding.other_part is None else finding.other_part
      row["other"] = self._place(
        part, finding.other_image, finding.other_person
      )
    return row

  def _place(
    self, part: int, image: int | None, person: int | None
  ) -> dict[str, Any]:
    people = self.parts[part].people
    place: dict[str, Any] = {
      "dataset": self.parts[part].name,
      "split": self.parts[part].split,
    }
    if image is not None:
      place["image"] = people.image_names[image]
      place["image_id"] = int(people.image_ids[image])
    if person is not None:
      place["person_id"] = int(people.person_ids[person])
    return place


def survey(
  parts: Sequence[Dataset],
  against: Sequence[Dataset] = (),
  *,
  with_near_copies: bool = True,
  num_threads: int = 2,
  progress: Callable[[str, str], Progress] | None = None,
) -> Survey:
  """Inspects every part; broken or missing images do not stop it.

  Args:
    parts: data sets opened without looking for their images.
    against: data sets whose images are compared with those of the parts.
    with_near_copies: compare the images of all pairs, which takes a minute
      for 10,000 and grows with their square; else only equal files are found.
    num_threads: threads that read and compare images.
    progress: (what, unit) -> function called with things done and wanted.
  """

  def told(what: str, unit: str) -> Progress | None:
    return progress(what, unit) if progress else None

  every = (*parts, *against)
  facts = [
    read_facts(
      dataset.images,
      num_threads=num_threads,
      progress=told(f"reading {dataset.name} {dataset.split}", "images"),
    )
    for dataset in every
  ]
  findings = []
  for part, dataset in enumerate(parts):
    found = [
      *inspect_table(dataset, facts[part]),
      *pose_findings(dataset.people),
    ]
    findings += [dataclasses.replace(f, part=part) for f in found]
  place = [(p, i) for p, d in enumerate(every) for i in range(len(d.images))]
  is_asked = np.array([p < len(parts) for p, _ in place], bool)
  near = []
  if with_near_copies:
    near = find_near_copies(
      np.concatenate([f.thumbnails for f in facts]),
      _grey_reader(every, place),
      is_asked=is_asked,
      num_threads=num_threads,
      progress=told("comparing images", "pairs"),
    )
  known = {frozenset((pair.first, pair.second)) for pair in near}
  same = [
    pair
    for pair in same_files([digest for f in facts for digest in f.digest])
    if frozenset((pair.first, pair.second)) not in known
    and (is_asked[pair.first] or is_asked[pair.second])
  ]
  findings += [_pair(pair, place) for pair in (*near, *same)]
  return Survey(every, len(parts), tuple(ordered(findings)))


def _grey_reader(
  parts: Sequence[Dataset], place: Sequence[tuple[int, int]]
) -> Callable[[int], UInt8[np.ndarray, "_ _"]]:
  """Row of all images -> the image in grey."""

  def read_grey(row: int) -> UInt8[np.ndarray, "_ _"]:
    part, i = place[row]
    images = parts[part].images
    image = decode(images.read(i), images.name(i))
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)

  return read_grey


def same_files(digests: Sequence[bytes]) -> Iterator[NearCopy]:
  """Rows with the digest of an earlier row, however flat the picture is."""
  first: dict[bytes, int] = {}
  for row, digest in enumerate(digests):
    if digest and first.setdefault(digest, row) != row:
      yield NearCopy(first[digest], row, 1.0, 1.0, False)


def _pair(pair: NearCopy, place: Sequence[tuple[int, int]]) -> Finding:
  (part, image), (other_part, other_image) = sorted(
    (place[pair.first], place[pair.second])
  )
  across = "" if part == other_part else "_across"
  return Finding(
    f"{'copy' if pair.is_copy else 'scene'}{across}",
    f"patches agree to {pair.agreement:.3f}"
    + (" once mirrored" if pair.is_mirrored else ""),
    pair.agreement,
    image=image,
    other_image=other_image,
    part=part,
    other_part=other_part,
  )
