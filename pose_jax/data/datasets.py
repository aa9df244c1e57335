"""Datasets by name, opened from the plain values of a config section."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from pose_jax.data.coco import open_coco
from pose_jax.data.drawn import open_drawn
from pose_jax.data.leeds import open_lsp, open_lspet
from pose_jax.data.mapping import fit, parse_keypoint_map
from pose_jax.data.mixture import join, member_sections, weigh
from pose_jax.data.mpii import open_mpii
from pose_jax.data.mpii_release import open_mpii_release
from pose_jax.data.people import Dataset
from pose_jax.data.portion import parse_portion, portion_of
from pose_jax.data.prepared import open_prepared
from pose_jax.skeleton import COCO17, SKELETONS, Skeleton


def open_dataset(
  section: Mapping[str, Any], *, skeleton: Skeleton | None = None
) -> Dataset:
  """Opens what a config's data section names; reads no image.

  Several names joined by "+" make a mixture, whose members may have values of
  their own, see `mixture.member_sections`. Members with another skeleton than
  the wanted one are remapped, see `mapping.fit`; ids that two members share
  are moved apart, see `mixture.join`.

  Args:
    section: `name` (a key of DATASETS, or several joined by "+") and `root`;
      `annotations` and `images` below root (coco); `split` and `boxes` (lsp,
      lspet, in root or a folder of this name there); `split` (mpii, in
      root or a folder of this name there: of the JSON lists, or of the
      release if `annotations` names its .mat; `images` if the folder of
      images is called something else); `num_images` and `seed`
      (drawn: drawn below root on first use; `progress`, called with pictures
      done and wanted, is optional). With `data_dir` the set is opened from
      what `launch.prepare` wrote there, and root is not needed (nor are a
      coco file's annotations and images, where there is a split); with
      `check_images` False a missing image is found when it is read; with
      `clip_boxes` False boxes stay as a coco file has them.
      `weights`, how often an epoch shows the people of each member, become
      their `repeats`; `keypoint_map` names further counterparts; `portion`
      takes some of the images, of joined sets too, in the order that `seed`
      draws, see `portion.portion_of`. Missing values count as empty.
    skeleton: what the model is built for; coco reads its file as having it,
      or the known one that the file's names are those of.
  Raises:
    ValueError: if a name is unknown, a value does not fit the number of
      members, nothing labels a keypoint of `skeleton`, or there are fewer
      images than `portion` asks for.
    DataError: if files are missing or faulty.
  """
  opened = open_members(section, skeleton=skeleton)
  opened = weigh(opened, section.get("weights") or ())
  if skeleton is not None:
    keypoint_map = parse_keypoint_map(section.get("keypoint_map") or ())
    opened = fit(opened, skeleton, keypoint_map)
  portion = parse_portion(section.get("portion") or ())
  if portion is None:
    return join(opened)
  return portion_of(join(opened), *portion, seed=section.get("seed") or 0)


def open_members(
  section: Mapping[str, Any], *, skeleton: Skeleton | None = None
) -> list[Dataset]:
  """Each data set that a section joins, as it is.

  With its own keypoints, ids and all its images; weights, keypoint_map and
  portion play no part.
  Arguments and errors as `open_dataset`.
  """
  members = member_sections(section)
  unknown = [m["name"] for m in members if m["name"] not in DATASETS]
  if unknown:
    raise ValueError(
      f"unknown dataset {unknown[0]!r}: choose from {', '.join(DATASETS)}"
    )
  return [_open_member(member, skeleton or COCO17) for member in members]


def _open_member(section: Mapping[str, Any], skeleton: Skeleton) -> Dataset:
  """One data set, from its own section."""
  if not section.get("data_dir"):
    return DATASETS[section["name"]](section, skeleton)
  wanted = prepared_as(section)
  dataset = open_prepared(
    section["data_dir"],
    section["name"],
    wanted.split,
    options=wanted.demanded,
    flags=wanted.flags,
  )
  if section["name"] == "drawn":
    dataset = dataclasses.replace(dataset, split=_drawn_split(section))
  return dataset


@dataclasses.dataclass(frozen=True)
class PreparedAs:
  """Where the prepared form of a data set lies.

  Attributes:
    split: folder of its split.
    options: what its table depends on besides.
    flags: that `launch.prepare` needs, besides the folders.
    demanded: those of the options that the set must have been made with; of
      the others the split alone decides.
    values: of a section that names the set, besides data_dir.
  """

  split: str
  options: Mapping[str, str]
  flags: str
  demanded: Mapping[str, str]
  values: Mapping[str, str | int]


def prepared_as(section: Mapping[str, Any]) -> PreparedAs:
  """What the prepared form of one data set is called.

  Args:
    section: with the values of its raw form.
  Raises:
    ValueError: if the section says too little.
  """
  name, split = section["name"], section.get("split")
  if name == "drawn":
    folder = _drawn_folder(section)
    values = {key: section[key] for key in ("num_images", "seed")}
    return PreparedAs(folder, {}, _flags(values), {}, values)
  if name == "coco":
    return _coco_prepared_as(section)
  split, boxes = split or "train", section.get("boxes") or "keypoints"
  values: dict[str, str | int] = {"split": split}
  options = {}
  if name in ("lsp", "lspet"):
    values["boxes"] = options["boxes"] = boxes
  if name == "mpii" and section.get("annotations"):
    values["annotations"] = section["annotations"]
    options["annotations"] = pathlib.Path(section["annotations"]).stem
    split = f"release_{split}"
  return PreparedAs(split, options, _flags(values), options, values)


def _coco_prepared_as(section: Mapping[str, Any]) -> PreparedAs:
  """The split decides: a config's own default file is that of another."""
  split, annotations = section.get("split"), section.get("annotations") or ""
  stem = pathlib.Path(annotations).stem
  if not (split or stem):
    raise ValueError("dataset coco needs split or annotations")
  values = {"split": split or stem}
  making = values
  if annotations not in ("", f"annotations/person_keypoints_{split}.json"):
    is_its_own = stem.endswith(values["split"])
    images = section.get("images") or "."
    making = values | {
      "annotations": annotations if is_its_own else "FILE",
      "images": images if is_its_own else "FOLDER",
    }
  options = {"annotations": stem} if stem else {}
  return PreparedAs(values["split"], options, _flags(making), {}, values)


def _flags(values: Mapping[str, str | int]) -> str:
  return " ".join(f"--{key}={value}" for key, value in values.items())


def _root(section: Mapping[str, Any]) -> pathlib.Path:
  if not section.get("root"):
    raise ValueError(
      f"dataset {section['name']} needs root, the folder of its files"
    )
  return pathlib.Path(section["root"])


def _folder(section: Mapping[str, Any]) -> pathlib.Path:
  """The set's own folder: root, or one of the set's name there."""
  root = _root(section)
  below = root / section["name"]
  return below if below.is_dir() else root


def _coco(section: Mapping[str, Any], skeleton: Skeleton) -> Dataset:
  root = _root(section)
  if not section.get("annotations"):
    raise ValueError("dataset coco needs annotations, a JSON file below root")
  # A file that is not the named split's is called what it is called.
  stem, split = pathlib.Path(section["annotations"]).stem, section.get("split")
  return open_coco(
    root / section["annotations"],
    root / (section.get("images") or ""),
    skeleton=skeleton,
    alternatives=tuple(SKELETONS.values()),
    split=split if split and stem.endswith(split) else stem,
    check_images=section.get("check_images", True),
    clip_boxes=section.get("clip_boxes", True),
  )


def _mpii(section: Mapping[str, Any], _: Skeleton) -> Dataset:
  root = _folder(section)
  split, annotations = section.get("split"), section.get("annotations") or ""
  images = root / (section.get("images") or "images")
  check_images = section.get("check_images", True)
  if not annotations:
    return open_mpii(
      root, split or "train", images=images, check_images=check_images
    )
  if not annotations.endswith(".mat"):
    raise ValueError(
      f"dataset mpii has annotations {annotations!r}: wanted none, as split "
      "names the JSON list, or the release's .mat"
    )
  return open_mpii_release(
    root / annotations, images, split or "train", check_images=check_images
  )


def _drawn(section: Mapping[str, Any], _: Skeleton) -> Dataset:
  dataset = open_drawn(
    _root(section) / _drawn_folder(section),
    num_images=section["num_images"],
    seed=section["seed"],
    progress=section.get("progress"),
  )
  return dataclasses.replace(dataset, split=_drawn_split(section))


def _drawn_folder(section: Mapping[str, Any]) -> str:
  if section.get("num_images", 0) < 1 or "seed" not in section:
    raise ValueError("dataset drawn needs num_images, from 1, and seed")
  return f"{section['num_images']}_of_seed_{section['seed']}"


def _drawn_split(section: Mapping[str, Any]) -> str:
  pictures = f"({section['num_images']} of seed {section['seed']})"
  return f"{section.get('split') or ''} {pictures}".strip()


def _leeds(open_it: Callable[..., Dataset]):
  def open_section(section: Mapping[str, Any], _: Skeleton) -> Dataset:
    return open_it(
      _folder(section),
      section.get("split") or "train",
      boxes=section.get("boxes") or "keypoints",
      check_images=section.get("check_images", True),
    )

  return open_section


DATASETS: dict[str, Callable[[Mapping[str, Any], Skeleton], Dataset]] = {
  "coco": _coco,
  "lsp": _leeds(open_lsp),
  "lspet": _leeds(open_lspet),
  "mpii": _mpii,
  "drawn": _drawn,
}
