"""Batches of crops, the same bytes whatever threads, workers and processes.

Batch n of process p is a pure function of (seed, n, p): epoch e goes through
the usable people in the order of `default_rng([seed, 1, e])`, person i is
warped by what `default_rng([seed, 2, e, i])` draws, and the rows of the global
batch n are cut contiguously, one piece a process. So grain only has to call
that function ahead of time, in threads or in worker processes, and a run
resumes at step n by starting there. An epoch is as many whole global batches
as fit; the people left over are others in each epoch.

A batch is a dict of NumPy arrays:
  image          uint8 [B, H, W, 3], RGB crops
  kpts_xy_crop   float32 [B, K, 2]
  vis            int8 [B, K]; a flip has moved it with its keypoint
  crop_from_img  float32 [B, 2, 3], all augmentation included
  person         int32 [B], row in `dataset.people.usable()`
  sample_seed    uint32 [B], for randomness on the device
"""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np

from pose_jax.data.augment import Augmentation, sample
from pose_jax.data.crops import (
  Batch,
  Crops,
  check_process,
  positive,
  title,
  usable,
)
from pose_jax.data.people import Dataset
from pose_jax.data.prefetch import prefetched
from pose_jax.geometry import Frames


def steps_per_epoch(
  dataset: Dataset, *, batch_size: int, num_processes: int = 1
) -> int:
  """Whole global batches in one pass over the usable people.

  Args:
    dataset: what is trained on.
    batch_size: rows per process.
    num_processes: processes that share a global batch.
  Raises:
    ValueError: if not even one batch fits.
  """
  num = int(dataset.people.is_usable().sum())
  rows = positive("batch_size", batch_size) * num_processes
  if num < rows:
    raise ValueError(
      f"{title(dataset)} has {num} usable people, fewer than "
      f"one batch of {rows} ({batch_size} x {num_processes} processes): take "
      "a smaller batch or more data"
    )
  return num // rows


def make_batches(
  dataset: Dataset,
  frames: Frames,
  *,
  batch_size: int,
  seed: int,
  augmentation: Augmentation,
  num_steps: int,
  start_step: int = 0,
  process: tuple[int, int] = (0, 1),
  num_workers: int = 0,
  num_threads: int | None = None,
  reduce: bool = True,
) -> Iterator[Batch]:
  """Training batches `start_step` to `num_steps - 1` of one process.

  Decoding starts at once, in the background. Unusable people (see
  `People.usable`) never appear.

  Args:
    dataset: people and images.
    frames: sizes and alignment of the crop.
    batch_size: rows per process.
    seed: of order and augmentation; not negative.
    augmentation: how far crops vary.
    num_steps: steps of the whole run, not of the rest of it.
    start_step: where a resumed run goes on.
    process: (index, count) of the processes that share a global batch.
    num_workers: worker processes; 0 decodes in threads of this one.
    num_threads: threads per process; by default all processors are used.
    reduce: decode large images at reduced size, see `augment.crop_person`.
  Raises:
    ValueError: if the dataset is smaller than one global batch or an
      argument is out of range.
    DataError: while iterating, if an image cannot be read; names it.
  """
  check_process(process)
  if seed < 0 or not 0 <= start_step <= num_steps:
    raise ValueError(
      f"seed must not be negative, got {seed}, and start_step must be between "
      f"0 and num_steps {num_steps}, got {start_step}"
    )
  source = _TrainingBatches(
    crops=Crops(usable(dataset), frames, reduce),
    batch_size=batch_size,
    seed=seed,
    augmentation=augmentation,
    first=start_step,
    num=num_steps - start_step,
    per_epoch=steps_per_epoch(
      dataset, batch_size=batch_size, num_processes=process[1]
    ),
    process=process,
  )
  return prefetched(source, num_workers, num_threads)


@dataclasses.dataclass(frozen=True, repr=False)
class _TrainingBatches:
  """Random access to the training batches of one process."""

  crops: Crops
  batch_size: int
  seed: int
  augmentation: Augmentation
  first: int
  num: int
  per_epoch: int
  process: tuple[int, int]

  def __len__(self) -> int:
    return self.num

  def __getitem__(self, i) -> Batch:
    epoch, step = divmod(self.first + int(i), self.per_epoch)
    order = _order(self.seed, epoch, len(self.crops.dataset.people))
    index, count = self.process
    start = (step * count + index) * self.batch_size
    rows = order[start : start + self.batch_size]
    rngs = [
      np.random.default_rng([self.seed, _SAMPLE, epoch, row]) for row in rows
    ]
    sample_seed = [rng.integers(2**32, dtype=np.uint32) for rng in rngs]
    warps = [sample(self.augmentation, rng) for rng in rngs]
    batch = self.crops.batch(rows, warps)
    return batch | {"sample_seed": np.array(sample_seed, np.uint32)}


# What a stream of random numbers is for: NumPy pads seeds with zeros, so that
# without it an epoch's order and its first person's sample would share one.
_ORDER, _SAMPLE = 1, 2


@functools.lru_cache(maxsize=4)
def _order(seed: int, epoch: int, num: int) -> np.ndarray:
  order = np.random.default_rng([seed, _ORDER, epoch]).permutation(num)
  order.setflags(write=False)
  return order
