"""Batches ahead of time, in threads or worker processes (grain)."""

from collections.abc import Iterator
from typing import Any

import cv2
import grain
from absl import flags

from pose_jax.data.processors import num_processors


def prefetched(
  source: Any, num_workers: int, num_threads: int | None
) -> Iterator[Any]:
  """Iterates over `source` in order, some batches ahead.

  Args:
    source: has `len` and gives batch i as `source[i]`.
    num_workers: worker processes; 0 works in threads of this one.
    num_threads: threads per process; None uses all processors.
  Raises:
    ValueError: on negative numbers.
  """
  if num_workers < 0 or (num_threads is not None and num_threads < 0):
    raise ValueError(
      f"num_workers and num_threads must not be negative, got {num_workers} "
      f"and {num_threads}"
    )
  if num_threads is None:
    num_threads = max(1, num_processors() // max(1, num_workers))
  _start_worker()
  batches = grain.MapDataset.source(source).to_iter_dataset(
    grain.ReadOptions(
      num_threads=num_threads, prefetch_buffer_size=num_threads + 1
    )
  )
  if num_workers:
    # grain hands its own flags to its workers and needs them parsed, which
    # absl's app.run has done and a notebook has not.
    if not flags.FLAGS.is_parsed():
      flags.FLAGS.mark_as_parsed()
    batches = batches.mp_prefetch(
      grain.MultiprocessingOptions(
        num_workers=num_workers, per_worker_buffer_size=2
      ),
      worker_init_fn=_start_worker,
    )
  iterator = iter(batches)
  iterator.start_prefetch()
  return _closing(iterator)


def _closing(iterator) -> Iterator[Any]:
  """The iterator's batches; stops its threads and workers at the end."""
  try:
    yield from iterator
  finally:
    iterator.close()


def _start_worker(*_):
  """One OpenCV thread per caller: batches already run side by side."""
  cv2.setNumThreads(1)
