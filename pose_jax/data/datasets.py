"""Datasets by name, opened from the plain values of a config section."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from pose_jax.data.coco import open_coco
from pose_jax.data.drawn import open_drawn
from pose_jax.data.leeds import open_lsp, open_lspet
from pose_jax.data.people import Dataset, concatenate_datasets
from pose_jax.skeleton import COCO17, Skeleton


def open_dataset(
  section: Mapping[str, Any], *, skeleton: Skeleton | None = None
) -> Dataset:
  """Opens what a config's data section names; reads no image.

  Args:
    section: `name` (a key of DATASETS, or several joined by "+") and `root`;
      `annotations` and `images` below root (coco); `split` and `boxes` (lsp,
      lspet: in folders of these names below root); `num_images` and `seed`
      (drawn: drawn below root on first use; `progress`, called with pictures
      done and wanted, is optional). Missing values count as empty.
    skeleton: what the model is built for; coco reads its file as having it.
  Raises:
    ValueError: if the name is unknown or the people have another skeleton.
    DataError: if files are missing or faulty.
  """
  names = section["name"].split("+")
  unknown = [name for name in names if name not in DATASETS]
  if unknown:
    raise ValueError(
      f"unknown dataset {unknown[0]!r}: choose from {', '.join(DATASETS)}"
    )
  opened = [DATASETS[name](section, skeleton or COCO17) for name in names]
  dataset = opened[0] if len(opened) == 1 else concatenate_datasets(opened)
  if skeleton is not None and dataset.people.skeleton != skeleton:
    raise ValueError(
      f"dataset {section['name']} has the keypoints of "
      f"{dataset.people.skeleton.name}, the config asks for {skeleton.name}"
    )
  return dataset


def _root(section: Mapping[str, Any]) -> pathlib.Path:
  if not section.get("root"):
    raise ValueError(
      f"dataset {section['name']} needs root, the folder of its files"
    )
  return pathlib.Path(section["root"])


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
    split=split if split and stem.endswith(split) else stem,
  )


def _drawn(section: Mapping[str, Any], _: Skeleton) -> Dataset:
  num_images, seed = section["num_images"], section["seed"]
  folder = _root(section) / f"{num_images}_of_seed_{seed}"
  return dataclasses.replace(
    open_drawn(
      folder,
      num_images=num_images,
      seed=seed,
      progress=section.get("progress"),
    ),
    split=f"{section.get('split') or ''} ({num_images} of seed {seed})".strip(),
  )


def _leeds(open_it: Callable[..., Dataset], folder: str):
  def open_section(section: Mapping[str, Any], _: Skeleton) -> Dataset:
    return open_it(
      _root(section) / folder,
      section.get("split") or "train",
      boxes=section.get("boxes") or "keypoints",
    )

  return open_section


DATASETS: dict[str, Callable[[Mapping[str, Any], Skeleton], Dataset]] = {
  "coco": _coco,
  "lsp": _leeds(open_lsp, "lsp"),
  "lspet": _leeds(open_lspet, "lspet"),
  "drawn": _drawn,
}
