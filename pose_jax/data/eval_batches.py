"""Batches for evaluation: every usable person once, in table order.

The keys are those of training (pose_jax/data/pipeline.py) without
sample_seed, and
  img_from_hm    float32 [B, 2, 3]
  valid          bool [B], False for rows that only fill up the last batch
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from pose_jax.data.augment import Warp
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


def num_eval_batches(
  dataset: Dataset, *, batch_size: int, num_processes: int = 1
) -> int:
  """Batches that every process gets from `make_eval_batches`."""
  num = int(dataset.people.is_usable().sum())
  return -(-num // (positive("batch_size", batch_size) * num_processes))


def make_eval_batches(
  dataset: Dataset,
  frames: Frames,
  *,
  batch_size: int,
  process: tuple[int, int] = (0, 1),
  num_workers: int = 0,
  num_threads: int | None = None,
  reduce: bool = True,
) -> Iterator[Batch]:
  """Every usable person once, in table order, without augmentation.

  The people are cut into global batches and these contiguously into the
  processes' batches. Rows beyond the last person repeat it and have
  valid=False, so that every process gets equally many full batches. Arguments
  and errors as `make_batches`.
  """
  check_process(process)
  source = _EvaluationBatches(
    crops=Crops(usable(dataset), frames, reduce),
    batch_size=batch_size,
    num=num_eval_batches(
      dataset, batch_size=batch_size, num_processes=process[1]
    ),
    process=process,
  )
  if not len(source):
    raise ValueError(
      f"{title(dataset)} has no usable people: nothing to evaluate"
    )
  return prefetched(source, num_workers, num_threads)


@dataclasses.dataclass(frozen=True, repr=False)
class _EvaluationBatches:
  """Random access to the evaluation batches of one process."""

  crops: Crops
  batch_size: int
  num: int
  process: tuple[int, int]

  def __len__(self) -> int:
    return self.num

  def __getitem__(self, i) -> Batch:
    index, count = self.process
    start = (int(i) * count + index) * self.batch_size
    wanted = np.arange(start, start + self.batch_size)
    last = len(self.crops.dataset.people) - 1
    rows = np.minimum(wanted, last)
    batch = self.crops.batch(rows, [Warp()] * len(rows))
    img_from_hm = self.crops.frames.img_from_hm(*self.crops.center_size(rows))
    return batch | {
      "img_from_hm": img_from_hm.astype(np.float32),
      "valid": wanted <= last,
    }
