"""Prepares a data set: one pass over raw files, TFDS shards behind it.

    python -m launch.prepare --dataset=NAME --source=DIR --data_dir=DIR

  coco    DIR as released: annotations/person_keypoints_{train,val}2017.json
          and {train,val}2017/; or, also for data of one's own in this format,
          --annotations=FILE --images=FOLDER (below DIR) --split=NAME
          [--skeleton=FILE.toml]
  mpii    DIR has {train,valid}.json or annot/{train,valid}.json, and images/;
          the official release: --annotations=mpii_human_pose_v1_u12_1.mat
  lsp     DIR has joints.mat and images/, or lsp/joints.mat and lsp/images/
  lspet   likewise, or in lspet/
  drawn   --num_images=N --seed=S; drawn in DIR

Without --split all splits that are there. Configs then take data_dir instead
of root: --config.data.train.data_dir=DIR; what else names the set is printed at
the end. Every image is decoded once; broken ones are skipped and listed in
skipped.json. Killed and started again, it goes on where it was; what is
finished is not written again.
"""

import pathlib
import shlex
import time
from collections.abc import Mapping
from typing import Any

from absl import flags

from launch import doorway
from launch.mistakes import ConfigError, suggest
from launch.progress import ProgressBar
from pose_jax.data import counts
from pose_jax.data.builders import write_prepared
from pose_jax.data.datasets import DATASETS, PreparedAs, prepared_as
from pose_jax.data.leeds import BOXES
from pose_jax.data.people import DataError, Dataset
from pose_jax.data.prepared import SKIPPED, VERSION, set_folder
from pose_jax.skeleton import COCO17
from pose_jax.skeleton_file import find_skeleton

_DATASET = flags.DEFINE_string(
  "dataset", None, f"One of {', '.join(DATASETS)}."
)
_SOURCE = flags.DEFINE_string("source", None, "Folder of the raw files.")
_DATA_DIR = flags.DEFINE_string(
  "data_dir", None, "Where prepared sets go: DATA_DIR/NAME/SPLIT/VERSION."
)
_SPLIT = flags.DEFINE_string("split", "", "Only this split.")
_ANNOTATIONS = flags.DEFINE_string(
  "annotations",
  "",
  "coco: JSON file below the source; mpii: the release's .mat.",
)
_IMAGES = flags.DEFINE_string(
  "images", "", "coco, mpii: folder of the images below the source."
)
_SKELETON = flags.DEFINE_string(
  "skeleton", "", "coco: what the keypoints are, a name or a TOML file."
)
_BOXES = flags.DEFINE_enum(
  "boxes", BOXES[0], BOXES, "lsp, lspet: boxes of people."
)
_NUM_IMAGES = flags.DEFINE_integer("num_images", 0, "drawn: how many.")
_SEED = flags.DEFINE_integer("seed", 0, "drawn: of the pictures.")
_SUBSET = flags.DEFINE_bool(
  "subset", False, "The source is a part of the published set, on purpose."
)
_MAX_SKIPPED = flags.DEFINE_float(
  "max_skipped",
  0.01,
  "Share of the images that may be broken before preparing fails.",
  lower_bound=0.0,
  upper_bound=1.0,
)
# Splits of the sets that have fixed ones; LSP-extended's "all" is its others.
_SPLITS = {
  "coco": ("train2017", "val2017"),
  "mpii": ("train", "valid"),
  "mpii_release": ("train", "test"),
  "lsp": ("train", "test"),
  "lspet": ("train", "val"),
}


def main() -> None:
  """Prepares one split after the other."""
  for flag in (_DATASET, _SOURCE, _DATA_DIR):
    if not flag.value:
      doorway.fail(
        "--dataset=NAME, --source=FOLDER and --data_dir=FOLDER must be given, "
        "for example --dataset=coco --source=coco --data_dir=prepared"
      )
  if _DATASET.value not in DATASETS:
    doorway.fail(
      f"--dataset is {_DATASET.value!r}: {suggest(_DATASET.value, DATASETS)}"
    )
  for section in _sections():
    _prepare(section)


def _sections() -> list[dict[str, Any]]:
  """A section of a config for every split to be prepared.

  Raises:
    ConfigError: if flags are missing.
    DataError: if the source has none of the splits.
  """
  name, source = _DATASET.value, pathlib.Path(_SOURCE.value)
  section = {
    "name": name,
    "root": str(source),
    "annotations": _ANNOTATIONS.value,
    "images": _IMAGES.value,
    "split": _SPLIT.value,
    "boxes": _BOXES.value,
    "num_images": _NUM_IMAGES.value,
    "seed": _SEED.value,
    "progress": ProgressBar("drawing", "pictures"),
    "check_images": False,  # a missing one is skipped as a broken one is
  }
  if name == "drawn" and _NUM_IMAGES.value < 1:
    raise ConfigError("--num_images must say how many pictures to draw")
  if name == "drawn" or (name == "coco" and _ANNOTATIONS.value):
    return [section]
  key = "mpii_release" if name == "mpii" and _ANNOTATIONS.value else name
  splits = (_SPLIT.value,) if _SPLIT.value else _SPLITS[key]
  sections = [_of_split(section, split) for split in splits]
  if _SPLIT.value:
    return sections
  there = [s for s in sections if _is_there(s)]
  if not there:
    raise DataError(
      f"{source} has none of the files of {name}'s splits {', '.join(splits)}: "
      "--help says how the folder should look, --split names another split"
    )
  return there


def _of_split(section: Mapping[str, Any], split: str) -> dict[str, Any]:
  section = dict(section) | {"split": split}
  if section["name"] == "coco":
    section["annotations"] = f"annotations/person_keypoints_{split}.json"
    section["images"] = section["images"] or split
  return section


def _is_there(section: Mapping[str, Any]) -> bool:
  """Whether the source has the split; COCO's and MPII's come one by one."""
  root, split = pathlib.Path(section["root"]), section["split"]
  if section["name"] == "coco":
    return (root / section["annotations"]).is_file()
  if section["name"] != "mpii" or section["annotations"]:
    return True
  folders = ("", "annot", "mpii", "mpii/annot")
  return any((root / f / f"{split}.json").is_file() for f in folders)


def _prepare(section: Mapping[str, Any]) -> None:
  """Opens, compares, writes, tells."""
  skeleton = find_skeleton(_SKELETON.value) if _SKELETON.value else COCO17
  try:
    prepared = prepared_as(section)
    dataset = DATASETS[section["name"]](section, skeleton)
  except ValueError as error:
    if isinstance(error, DataError):
      raise
    raise ConfigError(str(error)) from None
  title = f"{dataset.name} {prepared.split}"
  compared = _compare(dataset)
  _say(
    f"{title}: {len(dataset.people):,} people in {len(dataset.images):,} "
    f"images, {compared}"
    + (f"; left out: {dataset.left_out}" if dataset.left_out else "")
  )
  start = time.monotonic()
  info, was_there = write_prepared(
    dataset,
    _DATA_DIR.value,
    prepared.split,
    options=prepared.options,
    source=str(dataset.images.root.absolute()),
    counts=compared,
    max_skipped=_MAX_SKIPPED.value,
    progress=ProgressBar(f"preparing {title}", "images"),
  )
  seconds = time.monotonic() - start
  folder = set_folder(_DATA_DIR.value, dataset.name, prepared.split) / VERSION
  _say(
    f"{title}: already prepared in {folder}"
    if was_there
    else f"{title}: {info.num_images:,} images written to {folder} in "
    f"{seconds:.1f} s"
  )
  if info.num_skipped:
    _say(
      f"{title}: {info.num_skipped} broken images skipped, with their people; "
      f"{folder / SKIPPED} lists them"
    )
  _say(f"use it with {_use(prepared)} (or data.eval)")


def _use(prepared: PreparedAs) -> str:
  """Flags of a run that takes the set for training."""
  values = {"data_dir": _DATA_DIR.value} | dict(prepared.values)
  return " ".join(
    f"--config.data.train.{key}={shlex.quote(str(value))}"
    for key, value in values.items()
  )


def _compare(dataset: Dataset) -> str:
  """How the counts compare with the published ones, in words.

  Raises:
    DataError: if they differ and --subset is not given.
  """
  key = (dataset.name, dataset.split)
  found = counts.difference(dataset.people, *key)
  published = counts.published(*key)
  if published is None:
    return "no published counts to compare with"
  if found is None and published.is_ours:
    return "as this repository's rule splits the published set"
  if found is None:
    return "as published"
  if _SUBSET.value:
    return f"a subset of the published set ({found})"
  if not published.is_certain:
    return f"not as published, perhaps by another rule ({found})"
  raise DataError(
    f"{dataset.name} {dataset.split} in {_SOURCE.value} is not as published: "
    f"{found}; is the download complete? If it is a part on purpose, give "
    "--subset"
  )


def _say(text: str) -> None:
  print(text, flush=True)


if __name__ == "__main__":
  doorway.run(
    main, interrupted="interrupted; the same command goes on where it was"
  )
