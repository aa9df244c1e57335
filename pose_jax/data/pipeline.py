"""Batches of crops, the same bytes whatever threads, workers and processes.

Batch n of process p is a pure function of (seed, n, p): epoch e goes through
the usable people in the order of `default_rng([seed, 1, e])`, person i is
warped by what `default_rng([seed, 2, e, i])` draws, and the rows of the global
batch n are cut contiguously, one piece a process. So grain only has to call
that function ahead of time, in threads or in worker processes, and a run
resumes at step n by starting there. People with `repeats` other than 1 are
shown that often on average (see `epochs.py`), with draws of their own each
time. An epoch is as many whole global batches as fit into the sum of all
repeats; the samples left over are others in each epoch.

A batch is a dict of NumPy arrays:
  image          uint8 [B, H, W, 3], RGB crops
  kpts_xy_crop   float32 [B, K, 2]
  vis            int8 [B, K]; a flip has moved it with its keypoint
  crop_from_img  float32 [B, 2, 3], all augmentation included
  person         int32 [B], row in `dataset.people.usable()`
  sample_seed    uint32 [B], for randomness on the device
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from pose_jax.data.augment import Augmentation, Warp, sample
from pose_jax.data.crops import (
  Batch,
  Crops,
  check_process,
  positive,
  title,
  usable,
)
from pose_jax.data.epochs import (
  batch_rng,
  epoch_order,
  num_samples,
  sample_rng,
)
from pose_jax.data.half_body import half_body
from pose_jax.data.people import Dataset
from pose_jax.data.prefetch import prefetched
from pose_jax.geometry import Frames


def steps_per_epoch(
  dataset: Dataset, *, batch_size: int, num_processes: int = 1
) -> int:
  """Whole global batches in one epoch, the same for every epoch.

  An epoch has as many samples as the usable people's repeats add up to.

  Args:
    dataset: what is trained on.
    batch_size: rows per process.
    num_processes: processes that share a global batch.
  Raises:
    ValueError: if not even one batch fits, or a repeat is negative.
  """
  people = dataset.people.usable()
  num = num_samples(people)
  rows = positive("batch_size", batch_size) * num_processes
  if num < rows:
    weighted = "" if num == len(people) else f", {num} once weighted"
    raise ValueError(
      f"{title(dataset)} has {len(people)} usable people{weighted}, fewer than "
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
  source = training_batches(
    dataset,
    frames,
    batch_size=batch_size,
    seed=seed,
    augmentation=augmentation,
    num_steps=num_steps,
    start_step=start_step,
    process=process,
    reduce=reduce,
  )
  return prefetched(source, num_workers, num_threads)


def training_batches(
  dataset: Dataset,
  frames: Frames,
  *,
  batch_size: int,
  seed: int,
  augmentation: Augmentation,
  num_steps: int,
  start_step: int = 0,
  process: tuple[int, int] = (0, 1),
  reduce: bool = True,
) -> "TrainingBatches":
  """What `make_batches` iterates over, by index; decodes when asked.

  Arguments and errors as `make_batches`.
  """
  check_process(process)
  if seed < 0 or not 0 <= start_step <= num_steps:
    raise ValueError(
      f"seed must not be negative, got {seed}, and start_step must be between "
      f"0 and num_steps {num_steps}, got {start_step}"
    )
  return TrainingBatches(
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


@dataclasses.dataclass(frozen=True)
class Samples:
  """What a batch drew, row for row.

  Attributes:
    rows: of `dataset.people.usable()`.
    warps: `half` is the one that is shown, None where the whole body is.
    center_xy_img, size_wh_img: what is cropped before the warp, [B, 2] each.
    sample_seed: [B] uint32, for randomness on the device.
  """

  rows: np.ndarray
  warps: tuple[Warp, ...]
  center_xy_img: np.ndarray
  size_wh_img: np.ndarray
  sample_seed: np.ndarray


@dataclasses.dataclass(frozen=True, repr=False)
class TrainingBatches:
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
    drawn = self.samples(i)
    batch = self.crops.batch(
      drawn.rows, drawn.warps, (drawn.center_xy_img, drawn.size_wh_img)
    )
    return batch | {"sample_seed": drawn.sample_seed}

  def samples(self, i) -> Samples:
    """Who is in batch i, and how they are warped; reads no image."""
    epoch, step = divmod(self.first + int(i), self.per_epoch)
    order, showing = epoch_order(self.seed, epoch, self.crops.dataset.people)
    index, count = self.process
    start = (step * count + index) * self.batch_size
    rows = order[start : start + self.batch_size]
    rngs = [
      sample_rng(self.seed, epoch, row, nth)
      for row, nth in zip(
        rows.tolist(),
        showing[start : start + self.batch_size].tolist(),
        strict=True,
      )
    ]
    sample_seed = [rng.integers(2**32, dtype=np.uint32) for rng in rngs]
    warps = [sample(self.augmentation, rng) for rng in rngs]
    if self.augmentation.flip_per_batch:
      coin = batch_rng(self.seed, epoch, step).random()
      flip = bool(coin < self.augmentation.flip_probability)
      warps = [dataclasses.replace(warp, flip=flip) for warp in warps]
    return Samples(
      rows,
      *self._placed(rows, warps),
      sample_seed=np.array(sample_seed, np.uint32),
    )

  def _placed(
    self, rows: np.ndarray, warps: list[Warp]
  ) -> tuple[tuple[Warp, ...], np.ndarray, np.ndarray]:
    """The warps, and the boxes they start from: whole people or halves."""
    people, a = self.crops.dataset.people, self.augmentation
    center_xy, size_wh = self.crops.center_size(rows)
    placed = []
    for b, (row, warp) in enumerate(zip(rows, warps, strict=True)):
      labelled = people.vis[row] > 0
      found = None
      if warp.half and labelled.sum() >= a.half_body_min_keypoints:
        found = half_body(
          people.kpts_xy_img[row],
          labelled,
          people.skeleton,
          self.crops.frames,
          wanted=warp.half,
          padding=a.half_body_padding,
        )
      if found:
        center_xy[b], size_wh[b] = found.center_xy_img, found.size_wh_img
      half = found.name if found else None
      placed.append(dataclasses.replace(warp, half=half))
    return tuple(placed), center_xy, size_wh
