"""Data sets that `launch.prepare` wrote: TFDS folders of ArrayRecord shards.

    DATA_DIR/coco/val2017/1.0.0/
      dataset_info.json, features.json    TFDS's own
      coco-images.array_record-*          record i is row i of the image table
      people.npz                          the table, see `people_file`
      prepared.json                       what was prepared, from what
      skipped.json                        broken images left out, and why

Opening reads no image. The table is that of the raw form bit for bit (but for
images that were skipped), and the bytes of an image are those of its file, so
training and scores are the same. tensorflow-datasets runs without TensorFlow;
importing it costs a tenth of a second, its insides load on first use.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow_datasets as tfds

from pose_jax.data.images import DataError, Row
from pose_jax.data.people import Dataset
from pose_jax.data.people_file import read_people

VERSION = "1.0.0"  # of the layout; grows when older code could not read it
SPLIT = "images"  # what TFDS calls the one split of a prepared set
PEOPLE, INFO, SKIPPED = "people.npz", "prepared.json", "skipped.json"
_ONLY_IMAGE = {"image": tfds.decode.SkipDecoding()}


@dataclasses.dataclass(frozen=True)
class PreparedInfo:
  """What a prepared set holds and where it came from.

  Attributes:
    name: of the data set.
    split: what reports call the split.
    options: how the table was made, where there is a choice.
    source: where the raw files were.
    digest: of the raw form's table; tells sets of other people apart.
    num_images, num_people: written.
    num_skipped: broken images left out, with their people.
    counts: what the numbers were compared with.
    shards: bytes of each shard, by file name.
    code_version: that wrote it.
  """

  name: str
  split: str
  options: Mapping[str, Any]
  source: str
  digest: str
  num_images: int
  num_people: int
  num_skipped: int
  counts: str
  shards: Mapping[str, int]
  code_version: str


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PreparedImages:
  """Images in ArrayRecord shards, by row.

  Threads share it; pickled for a worker process it takes no open file along.
  """

  folder: pathlib.Path
  names: tuple[str, ...]
  records: Any  # TFDS's data source of undecoded records
  features: Any

  def __len__(self) -> int:
    return len(self.names)

  def name(self, i: Row) -> str:
    return self.names[i]

  def read(self, i: Row) -> bytes:
    try:
      # The people in the record are not looked at: five times as fast.
      return self.features.deserialize_example_np(
        self.records[i], decoders=_ONLY_IMAGE
      )["image"]
    except (RuntimeError, ValueError, KeyError) as error:
      reason = " ".join(str(error).split())
      raise DataError(
        f"prepared image {self.names[i]!r} in {self.folder} cannot be read: "
        f"{reason}; {_again(self.folder)}"
      ) from None


def set_folder(
  data_dir: str | pathlib.Path, name: str, split: str
) -> pathlib.Path:
  """Where a set's versions lie."""
  return pathlib.Path(data_dir) / name / split


def open_prepared(
  data_dir: str | pathlib.Path,
  name: str,
  split: str,
  *,
  options: Mapping[str, Any] | None = None,
  flags: str = "",
) -> Dataset:
  """A prepared data set, as its raw form opens; reads no image.

  Args:
    data_dir: what `launch.prepare` was given.
    name: of the data set.
    split: folder of the split.
    options: values that the table must have been made with.
    flags: of the command that prepares it, for the sentence that it is
      missing; its split by default.
  Raises:
    DataError: if it is not there, damaged, of another version, or made with
      other options; says what to do.
  """
  folder = _find_version(data_dir, name, split, flags)
  info = read_info(folder)
  for option, wanted in (options or {}).items():
    found = info.options.get(option)
    if found != wanted:
      raise DataError(
        f"{folder} was prepared with {option}={found}, but {option}={wanted} "
        "is asked for: prepare that into another data_dir, or ask for what "
        "is there"
      )
  check_shards(folder, info)
  people = read_people(folder / PEOPLE)
  try:
    builder = tfds.builder_from_directory(folder)
    records = builder.as_data_source(
      split=SPLIT, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
    )
    features = tfds.features.FeaturesDict(
      {"image": builder.info.features["image"]}
    )
  except Exception as error:  # TFDS raises many kinds on damaged files
    raise DataError(
      f"{folder} is damaged: {' '.join(str(error).split())}; {_again(folder)}"
    ) from None
  if not len(records) == len(people.image_names) == info.num_images:
    raise DataError(
      f"{folder} is damaged: it has {len(records)} images, a table of "
      f"{len(people.image_names)} and should have {info.num_images}; "
      f"{_again(folder)}"
    )
  source = PreparedImages(folder, people.image_names, records, features)
  return Dataset(info.name, info.split, people, source)


def _find_version(
  data_dir: str | pathlib.Path, name: str, split: str, flags: str
) -> pathlib.Path:
  """Folder of the version this code reads."""
  parent = set_folder(data_dir, name, split)
  folder = parent / VERSION
  if folder.is_dir():
    return folder
  others = sorted(p.name for p in parent.glob("[0-9]*.[0-9]*.[0-9]*"))
  if others:
    raise DataError(
      f"{parent} was prepared by another version of pose_jax ({others[-1]}, "
      f"wanted {VERSION}): run launch.prepare again"
    )
  raise DataError(
    f"{name} {split} is not prepared in {data_dir}: run python -m "
    f"launch.prepare --dataset={name} {flags or f'--split={split}'} "
    f"--source=FOLDER --data_dir={data_dir}"
  )


def read_info(folder: pathlib.Path) -> PreparedInfo:
  """What a prepared set holds.

  Raises:
    DataError: if its file is missing or damaged.
  """
  try:
    content = json.loads((folder / INFO).read_text(encoding="utf-8"))
    return PreparedInfo(**content)
  except (OSError, ValueError, TypeError) as error:
    raise DataError(
      f"{folder / INFO} cannot be read ({error}): {_again(folder)}"
    ) from None


def check_shards(folder: pathlib.Path, info: PreparedInfo) -> None:
  """Raises DataError if a shard is missing or cut; reads none."""
  for shard, num_bytes in info.shards.items():
    path = folder / shard
    try:
      found = os.path.getsize(path)
    except OSError as error:
      raise DataError(
        f"cannot read {path}: {error.strerror}; {_again(folder)}"
      ) from None
    if found != num_bytes:
      raise DataError(
        f"{path} is damaged: it has {found} bytes, {num_bytes} were written; "
        f"{_again(folder)}"
      )


def _again(folder: pathlib.Path) -> str:
  return f"remove {folder} and run launch.prepare again"
