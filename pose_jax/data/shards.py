"""ArrayRecord shards that survive a kill.

A shard holds the images of some consecutive rows. It is written under another
name, renamed when it is complete, and vouched for by a small JSON file beside
it; a run that finds such a pair goes on behind it. Nothing is compressed:
images are already.
"""

import collections
import concurrent.futures
import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

from array_record.python.array_record_module import (
  ArrayRecordReader,
  ArrayRecordWriter,
)

from pose_jax.data.images import DataError, ImageSource, decode

IMAGES_PER_SHARD = 1024
_OPTIONS = "group_size:1,uncompressed"
Skipped = list[tuple[int, str]]  # row of an image, why it was skipped


@dataclasses.dataclass(frozen=True)
class Shard:
  """A finished shard.

  Attributes:
    file: its name.
    num_images: records in it.
    file_bytes: its size.
    skipped: rows left out, and why.
  """

  file: str
  num_images: int
  file_bytes: int
  skipped: Skipped


def write_shards(
  records: Callable[[range, Skipped], Iterator[bytes]],
  num_images: int,
  folder: pathlib.Path,
  *,
  max_skipped: float,
  progress: Callable[[int, int], None] | None = None,
) -> list[Shard]:
  """Writes the shards of all rows that `folder` does not have yet.

  Shards with skipped images are written again: the images may be mended.

  Args:
    records: gives the records of a range of rows, in order, and adds to the
      list what it skips.
    num_images: rows.
    folder: is created; belongs to these images alone.
    max_skipped: share of the rows that may be skipped; one always may.
    progress: called with rows done and wanted.
  Raises:
    DataError: if too many are skipped or a shard cannot be written.
  """
  folder.mkdir(parents=True, exist_ok=True)
  allowed = max(1, int(max_skipped * num_images))
  shards, skipped = [], []
  for first in range(0, num_images, IMAGES_PER_SHARD):
    rows = range(first, min(first + IMAGES_PER_SHARD, num_images))
    path = folder / f"{first:09d}"
    shard = _finished(path) or _write(path, rows, records, num_images, progress)
    shards.append(shard)
    skipped += shard.skipped
    if progress is not None:
      progress(rows.stop, num_images)
    if len(skipped) > allowed or len(skipped) == num_images:
      raise DataError(
        f"{len(skipped)} of the first {rows.stop} images are broken, "
        f"{allowed} of all {num_images} may be (--max_skipped); the first: "
        f"{skipped[0][1]}"
      )
  return shards


def _finished(path: pathlib.Path) -> Shard | None:
  """The shard at `path`, if it is complete and has every image."""
  try:
    content = json.loads(path.with_suffix(".json").read_text())
    skipped = [tuple(item) for item in content.pop("skipped")]
    shard = Shard(**content, skipped=skipped)
    is_whole = os.path.getsize(path) == shard.file_bytes
  except (OSError, ValueError, KeyError, TypeError):
    return None
  return shard if is_whole and not shard.skipped else None


def _write(
  path: pathlib.Path,
  rows: range,
  records: Callable[[range, Skipped], Iterator[bytes]],
  num_images: int,
  progress: Callable[[int, int], None] | None,
) -> Shard:
  partial, skipped, num = path.with_suffix(".partial"), [], 0
  path.with_suffix(".json").unlink(missing_ok=True)
  generated = records(rows, skipped)
  try:
    writer = ArrayRecordWriter(str(partial), _OPTIONS)
    for num, record in enumerate(generated, 1):
      writer.write(record)
      if progress is not None:
        progress(rows.start + num + len(skipped), num_images)
    writer.close()
    reader = ArrayRecordReader(str(partial))
    is_whole = reader.num_records() == num
    reader.close()
  except RuntimeError as error:  # what ArrayRecord says when a disk is full
    reason = str(error).split("; writing")[0].split("; opening")[0]
    raise DataError(f"cannot write {partial}: {reason}") from None
  if not is_whole:
    raise DataError(f"cannot write {partial}: records are missing")
  os.replace(partial, path)
  shard = Shard(path.name, num, os.path.getsize(path), skipped)
  vouch = path.with_suffix(".json.partial")
  vouch.write_text(json.dumps(dataclasses.asdict(shard)))
  os.replace(vouch, path.with_suffix(".json"))
  return shard


def checked_images(
  source: ImageSource,
  rows: Sequence[int],
  skipped: Skipped,
  *,
  num_threads: int,
) -> Iterator[tuple[int, bytes, tuple[int, int]]]:
  """Row, bytes and (height, width) of every image that can be decoded.

  Args:
    source: of encoded images.
    rows: which, and in which order.
    skipped: gets the rows of the others, with the reason.
    num_threads: that read and decode.
  """

  def read(row: int) -> tuple[bytes, tuple[int, int]] | DataError:
    try:
      data = source.read(row)
      return data, decode(data, source.name(row)).shape[:2]
    except DataError as error:
      return error

  for row, found in zip(rows, _ahead(read, rows, num_threads), strict=True):
    if isinstance(found, DataError):
      skipped.append((int(row), str(found)))
    else:
      yield row, *found


def _ahead(function: Callable, items: Sequence, num_threads: int) -> Iterator:
  """`map` in threads that are only a few items ahead of the consumer."""
  with concurrent.futures.ThreadPoolExecutor(num_threads) as pool:
    waiting = collections.deque()
    try:
      for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > 4 * num_threads:
          yield waiting.popleft().result()
      while waiting:
        yield waiting.popleft().result()
    finally:
      for future in waiting:
        future.cancel()
