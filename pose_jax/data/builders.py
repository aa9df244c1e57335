"""Writes any open data set as a TFDS data set of ArrayRecord shards.

`write_prepared` is the door; `prepared.py` describes what it leaves and reads
it. The builder is TFDS's `GeneratorBasedBuilder` with one change: TFDS
collects a split in memory, and above 1 GB in temporary files that only
TensorFlow can write, so shards are written here, one after the other.

Killed at any moment, a run leaves a hidden folder of finished shards beside
the place of the set; started again, it keeps those in which every image was
good. The set appears under its name in one renaming, when all of it is there.
"""

import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import io
import itertools
import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from pose_jax import __version__
from pose_jax.data.examples import (
  make_example,
  make_features,
  make_serialize,
  rows_of_image,
)
from pose_jax.data.images import DataError
from pose_jax.data.people import Dataset, People
from pose_jax.data.people_file import digest, write_people
from pose_jax.data.prepared import (
  INFO,
  PEOPLE,
  SKIPPED,
  SPLIT,
  VERSION,
  PreparedInfo,
  check_shards,
  read_info,
  set_folder,
)
from pose_jax.data.processors import num_processors
from pose_jax.data.shards import Skipped, checked_images, write_shards

Progress = Callable[[int, int], None]
_INCOMPLETE = "incomplete."  # how TFDS names a folder it has not finished
_WRITING = ".writing-"


def write_prepared(
  dataset: Dataset,
  data_dir: str | pathlib.Path,
  split: str,
  *,
  options: Mapping[str, Any] | None = None,
  source: str = "",
  counts: str = "not compared",
  max_skipped: float = 0.01,
  progress: Progress | None = None,
) -> tuple[PreparedInfo, bool]:
  """Writes a data set below `data_dir`, unless it is there already.

  Every image is read and decoded once. A broken one is skipped with its
  people and listed in `skipped.json`.

  Args:
    dataset: raw, just opened.
    data_dir: gets NAME/SPLIT/VERSION.
    split: name of the folder.
    options: how the table was made, where there is a choice; `open_prepared`
      can ask for them.
    source: folder of the images, for the record; a run that goes on where
      another was killed must have the same.
    counts: what the numbers were compared with, for the record.
    max_skipped: share of the images that may be broken; one always may.
    progress: called with images done and wanted.
  Returns:
    What the set holds, and whether it was there already.
  Raises:
    DataError: if too many images are broken, another set is in the way,
      another process is writing it, or the disk is full.
  """
  if not re.fullmatch(r"\w[\w.-]*", split):
    raise DataError(
      f"a prepared split cannot be called {split!r}: use letters, digits, "
      "'_', '-' and '.'"
    )
  if not dataset.people.image_names:
    raise DataError(f"{dataset.name} {split} has no images: nothing to prepare")
  parent = set_folder(data_dir, dataset.name, split)
  try:
    parent.mkdir(parents=True, exist_ok=True)
    with _lock(parent):
      plan = _Plan(
        dataset, dict(options or {}), source, counts, max_skipped, progress
      )
      return _write(plan, pathlib.Path(data_dir), parent)
  except OSError as error:
    raise DataError(
      f"cannot write to {error.filename or parent}: {error.strerror or error}"
    ) from None


@dataclasses.dataclass(frozen=True)
class _Plan:
  """What is to be written."""

  dataset: Dataset
  options: dict[str, Any]
  source: str
  counts: str
  max_skipped: float
  progress: Progress | None

  @functools.cached_property
  def digest(self) -> str:
    """Of the raw form's table."""
    return digest(self.dataset.people)

  @property
  def key(self) -> str:
    """Tells half-written sets of other people or images apart."""
    text = f"{self.digest} {self.source}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(
  plan: _Plan, data_dir: pathlib.Path, parent: pathlib.Path
) -> tuple[PreparedInfo, bool]:
  """Under the lock: so what a run left unfinished is stale."""
  folder = parent / VERSION
  writing = parent / f"{_WRITING}{VERSION}-{plan.key}"
  for stale in (*parent.glob(f"{_INCOMPLETE}*"), *parent.glob(f"{_WRITING}*")):
    if stale != writing:
      shutil.rmtree(stale)
  if folder.exists():
    info = _there(folder, plan)
    shutil.rmtree(writing, ignore_errors=True)
    return info, True
  builder = PeopleBuilder(plan, data_dir, parent.name, writing)
  # TFDS tells stdout what it does.
  with contextlib.redirect_stdout(io.StringIO()):
    builder.download_and_prepare(
      file_format="array_record", download_dir=writing / "downloads"
    )
  shutil.rmtree(writing)
  return read_info(folder), False


def _there(folder: pathlib.Path, plan: _Plan) -> PreparedInfo:
  """The set that is there, if it is the one that is wanted."""
  info = read_info(folder)
  if (info.digest, info.options) != (plan.digest, plan.options):
    raise DataError(
      f"{folder} holds another set (made from {info.source} with "
      f"{info.options or 'no options'}): remove it or give another data_dir"
    )
  check_shards(folder, info)
  return info


@contextlib.contextmanager
def _lock(parent: pathlib.Path) -> Iterator[None]:
  """Only one process writes a set; the lock dies with its process."""
  with open(parent / ".lock", "w") as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise DataError(
        f"another process is preparing {parent}: wait for it"
      ) from None
    yield


class PeopleBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """TFDS builder of one split of one data set, see `write_prepared`."""

  # Beside the code TFDS looks for checksums of downloads, by a package that it
  # does not install; there are no downloads.
  code_path = None

  def __init__(
    self,
    plan: _Plan,
    data_dir: pathlib.Path,
    split: str,
    writing: pathlib.Path,
  ):
    """Writes `plan` below data_dir/NAME/split, by way of `writing`."""
    self.name = plan.dataset.name  # which TFDS would take from the class
    self._plan, self._writing = plan, writing
    self._rows_of_image = rows_of_image(plan.dataset.people)
    super().__init__(
      data_dir=data_dir,
      config=tfds.core.BuilderConfig(name=split, version=VERSION),
    )

  def _info(self) -> tfds.core.DatasetInfo:
    dataset = self._plan.dataset
    skeleton = dataset.people.skeleton
    return tfds.core.DatasetInfo(
      builder=self,
      description=(
        f"{dataset.name} {dataset.split}: photographs and people with the "
        f"keypoints {', '.join(skeleton.keypoints)}"
      ),
      features=make_features(skeleton.num_keypoints),
      disable_shuffling=True,  # record i is row i of the table
    )

  def _split_generators(self, dl_manager):
    del dl_manager  # nothing is downloaded
    num_images = len(self._plan.dataset.images)
    return {SPLIT: self._generate_examples(range(num_images), [])}

  def _generate_examples(self, rows: range, skipped: Skipped):
    """Examples of the images in `rows`; adds what is broken to `skipped`."""
    dataset = self._plan.dataset
    images = checked_images(
      dataset.images, rows, skipped, num_threads=num_processors()
    )
    for row, data, hw in images:
      people = dataset.people
      yield row, make_example(people, row, self._rows_of_image[row], data, hw)

  def _generate_splits(self, dl_manager, download_config):
    """Writes shards where they survive a kill, then moves them in."""
    del dl_manager, download_config
    plan, serialize = self._plan, make_serialize(self.info.features)

    def records(rows: range, skipped: Skipped) -> Iterator[bytes]:
      for _, example in self._generate_examples(rows, skipped):
        yield serialize(example)

    shards = write_shards(
      records,
      len(plan.dataset.images),
      self._writing,
      max_skipped=plan.max_skipped,
      progress=plan.progress,
    )
    template = self._get_filename_template(SPLIT)
    sizes = {}
    for number, shard in enumerate(shards):
      path = template.sharded_filepath(
        shard_index=number, num_shards=len(shards)
      )
      os.rename(self._writing / shard.file, path)
      sizes[path.name] = shard.file_bytes
    skipped = [item for shard in shards for item in shard.skipped]
    _write_tables(pathlib.Path(self.data_path), plan, skipped, sizes)
    lengths = [shard.num_images for shard in shards]
    return [
      tfds.core.SplitInfo(
        name=SPLIT,
        shard_lengths=lengths,
        num_bytes=sum(sizes.values()),
        filename_template=template,
      )
    ]


def _write_tables(
  folder: pathlib.Path, plan: _Plan, skipped: Skipped, shards: dict[str, int]
) -> None:
  """People, what was skipped, and what the set is."""
  people = plan.dataset.people
  kept = without_images(people, [row for row, _ in skipped])
  write_people(folder / PEOPLE, kept)
  report = [
    {
      "image": people.image_names[row],
      "image_id": int(people.image_ids[row]),
      "people": people.person_ids[people.image_index == row].tolist(),
      "reason": reason,
    }
    for row, reason in skipped
  ]
  info = PreparedInfo(
    name=plan.dataset.name,
    split=plan.dataset.split,
    options=plan.options,
    source=plan.source,
    digest=plan.digest,
    num_images=len(kept.image_names),
    num_people=len(kept),
    num_skipped=len(skipped),
    counts=plan.counts,
    shards=shards,
    code_version=f"pose_jax {__version__}",
  )
  for name, content in (
    (SKIPPED, report),
    (INFO, dataclasses.asdict(info)),
  ):
    (folder / name).write_text(json.dumps(content, indent=1) + "\n")


def without_images(people: People, images: Sequence[int]) -> People:
  """The table without some images and the people in them."""
  stays = np.ones(len(people.image_names), bool)
  stays[list(images)] = False
  kept = people.select(stays[people.image_index])
  new_row = np.cumsum(stays, dtype=np.int32) - 1
  return dataclasses.replace(
    kept,
    image_names=tuple(itertools.compress(people.image_names, stays)),
    image_ids=people.image_ids[stays],
    image_hw=people.image_hw[stays],
    image_index=new_row[kept.image_index],
  )
