"""What looks wrong in a data set: images, boxes, keypoints, flags, duplicates.

Every rule is a function of the table of people and of what the images really
are; `inspect_table` asks them all. Rules on poses are in odd_poses.py, on
pairs of images in near_copies.py.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from pose_jax.data.counts import difference
from pose_jax.data.findings import Finding, keypoint_names, of_person
from pose_jax.data.image_facts import ImageFacts
from pose_jax.data.images import Row
from pose_jax.data.people import Dataset, People


def inspect_table(dataset: Dataset, facts: ImageFacts) -> list[Finding]:
  """Everything but poses and pairs of images; any order."""
  people, hw = dataset.people, true_hw(dataset.people, facts)
  return [
    *image_findings(people, facts),
    *count_findings(dataset),
    *flag_findings(people),
    *box_findings(people, hw),
    *keypoint_findings(people, hw),
    *duplicate_people(people),
  ]


def true_hw(people: People, facts: ImageFacts) -> np.ndarray:
  """[M, 2] of the pictures, or else of the annotations; 0 where unknown."""
  is_known = (facts.image_hw > 0).all(1, keepdims=True)
  return np.where(is_known, facts.image_hw, people.image_hw)


def counts(people: People) -> dict[str, Any]:
  """Numbers of a table: images, people, and keypoints by name.

  Hidden keypoints are None where none is flagged so: then the files do not say
  which are visible.
  """
  is_labelled, is_hidden = people.vis > 0, people.vis == 1
  is_said = is_hidden.any()
  used = np.unique(people.image_index)
  return {
    "images": len(people.image_names),
    "images_without_people": len(people.image_names) - len(used),
    "people": len(people),
    "people_with_keypoints": int(is_labelled.any(1).sum()),
    "usable_people": int(people.is_usable().sum()),
    "crowds": int(people.is_crowd.sum()),
    "labelled": int(is_labelled.sum()),
    "hidden": int(is_hidden.sum()) if is_said else None,
    "keypoints": {
      name: {
        "labelled": int(is_labelled[:, k].sum()),
        "hidden": int(is_hidden[:, k].sum()) if is_said else None,
      }
      for k, name in enumerate(people.skeleton.keypoints)
    },
  }


def image_findings(people: People, facts: ImageFacts) -> Iterator[Finding]:
  """Images that are missing, broken or of another size than annotated."""
  for i, (fault, why) in enumerate(zip(facts.fault, facts.why, strict=True)):
    if fault:
      yield Finding(f"{fault}_image", why, image=i)
      continue
    (h, w), (height, width) = people.image_hw[i], facts.image_hw[i]
    if (h, w) != (0, 0) and (h, w) != (height, width):
      off = float(max(abs(h - height), abs(w - width)))
      text = f"is {width} x {height}, annotated as {w} x {h} (width x height)"
      yield Finding("image_size", text, off, image=i)


def count_findings(dataset: Dataset) -> Iterator[Finding]:
  """Differences from the published numbers, where these are known."""
  wrong = difference(dataset.people, dataset.name, dataset.split)
  if wrong:
    yield Finding("counts", wrong)


def flag_findings(people: People) -> Iterator[Finding]:
  """Shares of labelled and hidden keypoints that no data set has."""
  known = people.vis[(people.vis > 0).any(1)]
  if known.size == 0:
    return
  labelled = float((known > 0).mean())
  hidden = float((known == 1).sum() / (known > 0).sum())
  if hidden > 0.5:
    text = f"{100 * hidden:.1f} % of the labelled keypoints are hidden"
    yield Finding("flags", text, hidden)
  if labelled < 0.25:
    text = f"only {100 * labelled:.1f} % of the keypoints are labelled"
    yield Finding("flags", text, 1 - labelled)
  is_covered = (
    ((people.vis > 0).sum(1) >= 5) & ~(people.vis == 2).any(1) & (hidden <= 0.5)
  )
  for i in np.flatnonzero(is_covered):
    num = int((people.vis[i] > 0).sum())
    text = f"all {num} labelled keypoints are hidden"
    yield of_person(people, i, "all_hidden", text, float(num))


def box_findings(people: People, image_hw: np.ndarray) -> Iterator[Finding]:
  """Boxes without area, outside the image, or beyond its border."""
  hw = image_hw[people.image_index]
  low = people.box_xywh_img[:, :2].astype(np.float64)
  size = people.box_xywh_img[:, 2:].astype(np.float64)
  is_known = (hw > 0).all(1)
  inside = np.minimum(low + size, hw[:, ::-1]) - np.maximum(low, 0)
  # Of the four sides, the one that is farthest out.
  beyond = np.maximum(-low, low + size - hw[:, ::-1]).max(1)
  longer = size.max(1)
  is_person = (people.vis > 0).any(1) & ~people.is_crowd
  is_empty = (size < 1).any(1) | (is_known & (inside < 1).any(1))
  is_cut = is_known & (beyond > 1) & (beyond > 0.01 * longer)
  for i in np.flatnonzero(is_empty & is_person):
    x, y, w, h = people.box_xywh_img[i]
    text = f"box at ({x:g}, {y:g}) of {w:g} x {h:g}"
    yield of_person(people, i, "empty_box", text, float(-size[i].min()))
  for i in np.flatnonzero(is_cut & ~is_empty & ~people.is_crowd):
    text = f"box reaches {beyond[i]:.1f} px beyond the image"
    yield of_person(people, i, "box_cut", text, float(beyond[i] / longer[i]))


def keypoint_findings(
  people: People, image_hw: np.ndarray
) -> Iterator[Finding]:
  """Keypoints in the corner, outside image or box, or at one place."""
  xy = people.kpts_xy_img.astype(np.float64)
  is_labelled = people.vis > 0
  corner = is_labelled & (np.abs(xy) <= 1).all(-1)
  hw = image_hw[people.image_index]
  last_xy = hw[:, None, ::-1] - 0.5  # half a pixel beyond the last centre
  beyond = np.maximum(-0.5 - xy, xy - last_xy).max(-1)
  beyond[(hw <= 0).any(1)] = 0
  beyond[~is_labelled | corner] = 0
  low = people.box_xywh_img[:, None, :2].astype(np.float64)
  size = people.box_xywh_img[:, None, 2:].astype(np.float64)
  longer = np.maximum(size.max((1, 2)), 1)
  off = np.maximum(low - xy, xy - low - size).max(-1)
  off[~is_labelled | corner] = 0
  is_off = (off > 1) & (off > 0.05 * longer[:, None])
  rules = (
    ("placeholder", corner, "at the corner of the image", None),
    ("keypoint_outside_image", beyond > 1e-3, "px beyond the image", beyond),
    ("keypoint_outside_box", is_off, "px outside the box", off),
  )
  for kind, found, words, distance in rules:
    for i in np.flatnonzero(found.any(1)):
      which = np.flatnonzero(found[i])
      far = 0.0 if distance is None else float(distance[i].max())
      text = (
        f"{keypoint_names(people, which)} {f'{far:.1f} ' if far else ''}{words}"
      )
      share = far / longer[i] if kind.endswith("box") else far
      yield of_person(people, i, kind, text, float(share or len(which)), which)
  yield from _at_one_place(people, xy, is_labelled & ~corner)


def _at_one_place(
  people: People,
  xy: Float[np.ndarray, "N K 2"],
  is_labelled: Bool[np.ndarray, "N K"],
) -> Iterator[Finding]:
  first, second = np.triu_indices(xy.shape[1], 1)
  same = is_labelled[:, first] & is_labelled[:, second]
  for p, (a, b) in enumerate(zip(first, second, strict=True)):
    same[:, p] &= (xy[:, a] == xy[:, b]).all(-1)
  for i in np.flatnonzero(same.any(1)):
    pairs = np.flatnonzero(same[i])
    which = np.unique([first[pairs], second[pairs]])
    text = f"{keypoint_names(people, which)} at exactly one place"
    yield of_person(people, i, "same_place", text, float(len(which)), which)


def duplicate_people(people: People) -> Iterator[Finding]:
  """Pairs of rows of one image that are the same person."""
  order = np.argsort(people.image_index, kind="stable")
  starts = np.flatnonzero(np.diff(people.image_index[order], prepend=-1))
  for rows in np.split(order, starts[1:]):
    rows = rows[~people.is_crowd[rows]]
    for at, i in enumerate(rows[:-1]):
      for j in rows[at + 1 :]:
        overlap = _overlap(people.box_xywh_img[i], people.box_xywh_img[j])
        if overlap >= 0.9 and _are_alike(people, i, j, overlap):
          text = (
            f"boxes of persons {people.person_ids[i]} and "
            f"{people.person_ids[j]} overlap by {100 * overlap:.1f} %"
          )
          yield dataclasses.replace(
            of_person(people, i, "duplicate_person", text, overlap),
            other_image=int(people.image_index[j]),
            other_person=int(j),
          )


def _overlap(a_xywh: np.ndarray, b_xywh: np.ndarray) -> float:
  """Intersection over union; 0 if both are empty."""
  a, b = a_xywh.astype(np.float64), b_xywh.astype(np.float64)
  low = np.maximum(a[:2], b[:2])
  high = np.minimum(a[:2] + a[2:], b[:2] + b[2:])
  both = float(np.prod(np.maximum(high - low, 0)))
  union = float(a[2] * a[3] + b[2] * b[3]) - both
  return both / union if union > 0 else 0.0


def _are_alike(people: People, i: Row, j: Row, overlap: float) -> bool:
  """Whether two overlapping rows have their keypoints at the same places."""
  both = (people.vis[i] > 0) & (people.vis[j] > 0)
  if not both.any():
    return overlap >= 0.98
  apart = people.kpts_xy_img[i, both] - people.kpts_xy_img[j, both]
  distance = np.sqrt(np.mean(np.sum(np.square(apart), 1)))
  return bool(distance <= 0.05 * people.box_xywh_img[i, 2:].max())
