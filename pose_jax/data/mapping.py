"""People of one skeleton as people of another, keypoint by keypoint.

Keypoints of the same name are each other's counterparts: shoulders, elbows,
wrists, hips, knees and ankles of COCO, MPII and LSP, and the `head_top` of
MPII and LSP. One pair has two names: LSP's `neck` is MPII's `upper_neck`, as
in the training of Wei et al. 2016 (arXiv 1602.00134) on LSP and MPII. COCO's
face, and MPII's `thorax` and `pelvis`, have no counterpart in the others.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from pose_jax.data.people import Dataset, People
from pose_jax.skeleton import Skeleton

# (wanted skeleton, the data's): wanted keypoint -> the data's, where the names
# differ.
COUNTERPARTS: dict[tuple[str, str], dict[str, str]] = {
  ("lsp14", "mpii16"): {"neck": "upper_neck"},
  ("mpii16", "lsp14"): {"upper_neck": "neck"},
}


def counterparts(
  wanted: Skeleton,
  own: Skeleton,
  keypoint_map: Mapping[str, str] | None = None,
) -> dict[str, str]:
  """Wanted keypoint -> the data's own, in the order of the wanted skeleton.

  Args:
    wanted: the skeleton to fill.
    own: the data's.
    keypoint_map: goes before what is known here; an empty name says that a
      wanted keypoint has no counterpart.
  Raises:
    ValueError: if `keypoint_map` names a keypoint that a skeleton lacks.
  """
  known = {name: name for name in wanted.keypoints if name in own.keypoints}
  known |= COUNTERPARTS.get((wanted.name, own.name), {})
  for target, source in (keypoint_map or {}).items():
    wanted.index(target)
    if source:
      own.index(source)
    known[target] = source
  return {name: known[name] for name in wanted.keypoints if known.get(name)}


def remap(
  people: People,
  skeleton: Skeleton,
  keypoint_map: Mapping[str, str] | None = None,
) -> People:
  """The same people with the keypoints of another skeleton.

  Keypoints without counterpart become unlabelled (visibility 0, at 0, 0).
  Boxes, areas and head sizes stay those of the whole annotation.

  Args:
    people: with any skeleton.
    skeleton: the wanted one.
    keypoint_map: wanted keypoint -> the people's own, see `counterparts`.
  Raises:
    ValueError: if `keypoint_map` names a keypoint that a skeleton lacks.
  """
  own = people.skeleton
  pairs = counterparts(skeleton, own, keypoint_map)
  to = [skeleton.index(name) for name in pairs]
  source = [own.index(name) for name in pairs.values()]
  shape = (len(people), skeleton.num_keypoints)
  kpts_xy_img = np.zeros((*shape, 2), np.float32)
  vis = np.zeros(shape, np.int8)
  kpts_xy_img[:, to] = people.kpts_xy_img[:, source]
  vis[:, to] = people.vis[:, source]
  return dataclasses.replace(
    people, skeleton=skeleton, kpts_xy_img=kpts_xy_img, vis=vis
  )


def fit(
  datasets: Sequence[Dataset],
  skeleton: Skeleton,
  keypoint_map: Mapping[str, str] | None = None,
) -> list[Dataset]:
  """The data sets with `skeleton`, remapped where they have another one.

  A remapped one is called "mpii as lsp14"; one that has the same keypoints in
  the same order only gets the other sigmas, pairs, bones. An entry of
  `keypoint_map` speaks of those data sets whose own skeleton has its keypoint.

  Raises:
    ValueError: if an entry names no keypoint of `skeleton` or speaks of no
      data set, or a keypoint of `skeleton` would be labelled by none and
      `keypoint_map` does not say so.
  """
  keypoint_map = keypoint_map or {}
  for target in keypoint_map:
    skeleton.index(target)
  labelled = {target for target, own in keypoint_map.items() if not own}
  fitted, used = [], set(labelled)
  for dataset in datasets:
    own = dataset.people.skeleton
    if own.keypoints == skeleton.keypoints:
      people = dataclasses.replace(dataset.people, skeleton=skeleton)
      fitted.append(dataclasses.replace(dataset, people=people))
      labelled.update(skeleton.keypoints)
      continue
    pairs = {
      target: source
      for target, source in keypoint_map.items()
      if not source or source in own.keypoints
    }
    used.update(pairs)
    labelled.update(counterparts(skeleton, own, pairs))
    fitted.append(
      dataclasses.replace(
        dataset,
        name=f"{dataset.name} as {skeleton.name}",
        people=remap(dataset.people, skeleton, pairs),
      )
    )
  names = ", ".join(f"{d.name} ({d.people.skeleton.name})" for d in datasets)
  for target in keypoint_map:
    if target not in used:
      raise ValueError(
        f"keypoint_map has '{target}={keypoint_map[target]}', but no data set "
        f"with another skeleton than {skeleton.name} has such a keypoint: "
        f"opened are {names}"
      )
  missing = [name for name in skeleton.keypoints if name not in labelled]
  if missing:
    raise ValueError(
      f"the skeleton is {skeleton.name}, but nothing in {names} labels its "
      f"{', '.join(missing)}: take the data's skeleton, or say in keypoint_map "
      f"what they are called there ('{missing[0]}=NAME', or '{missing[0]}=' "
      "for never labelled)"
    )
  return fitted


def parse_keypoint_map(entries: Sequence[object]) -> dict[str, str]:
  """("neck=upper_neck", "head_top=") as wanted keypoint -> the data's own.

  Raises:
    ValueError: naming an entry that is no such text, or comes twice.
  """
  pairs = {}
  for entry in entries:
    target, sign, source = (
      entry.partition("=") if isinstance(entry, str) else ("", "", "")
    )
    target, source = target.strip(), source.strip()
    if not sign or not target:
      raise ValueError(
        f"keypoint_map has {entry!r}: wanted 'KEYPOINT=KEYPOINT OF THE DATA', "
        "such as 'neck=upper_neck', or 'KEYPOINT=' for none"
      )
    if target in pairs:
      raise ValueError(f"keypoint_map names {target!r} twice")
    pairs[target] = source
  return pairs
