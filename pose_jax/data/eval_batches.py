"""Batches for evaluation: every person of a table once, in table order.

The table is taken as it is, so the caller says whom to crop: the usable
people, a detector's boxes, or both one after the other. A batch is a dict of
NumPy arrays:
  images         uint8 [B, S, H, W, 3], RGB crops at S scales
  img_from_hm    float32 [B, 2, 3], of the heatmap at scale 1
  person         int32 [B], row of the table
  valid          bool [B], False for rows that only fill up the last batch
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, UInt8

from pose_jax.data.augment import reduction, warp_image
from pose_jax.data.crops import Batch, check_process, positive, title
from pose_jax.data.images import decode
from pose_jax.data.people import Dataset
from pose_jax.data.prefetch import prefetched
from pose_jax.geometry import Frames


def num_eval_batches(
  dataset: Dataset, *, batch_size: int, num_processes: int = 1
) -> int:
  """Batches that every process gets from `make_eval_batches`."""
  rows = positive("batch_size", batch_size) * num_processes
  return -(-len(dataset.people) // rows)


def make_eval_batches(
  dataset: Dataset,
  frames: Frames,
  *,
  batch_size: int,
  scales: Sequence[float | int] = (1.0,),
  process: tuple[int, int] = (0, 1),
  num_workers: int = 0,
  num_threads: int | None = None,
  reduce: bool = True,
) -> Iterator[Batch]:
  """Crops of every person of the table, without augmentation.

  The people are cut into global batches and these contiguously into the
  processes' batches. Rows beyond the last person repeat it and have
  valid=False, so that every process gets equally many full batches. A picture
  that several people of a batch are in is decoded once, so a table in order of
  images is the fastest.

  Args:
    dataset: whom to crop.
    frames: sizes and alignment of the crop.
    batch_size: rows per process.
    scales: of the test pyramid; at 0.7 a person appears 0.7 times as large.
    process: (index, count) of the processes that share a global batch.
    num_workers, num_threads, reduce: as in `pipeline.make_batches`.
  Raises:
    ValueError: if the table is empty or an argument out of range.
    DataError: while iterating, if an image cannot be read; names it.
  """
  check_process(process)
  if not scales or min(scales) <= 0:
    raise ValueError(f"scales must be above 0, got {tuple(scales)}")
  source = _EvaluationBatches(
    dataset=dataset,
    frames=frames,
    reduce=reduce,
    scales=tuple(scales),
    batch_size=batch_size,
    num=num_eval_batches(
      dataset, batch_size=batch_size, num_processes=process[1]
    ),
    process=process,
  )
  if not len(source):
    raise ValueError(
      f"{title(dataset)} has nobody to crop: nothing to evaluate"
    )
  return prefetched(source, num_workers, num_threads)


@dataclasses.dataclass(frozen=True, repr=False)
class _EvaluationBatches:
  """Random access to the evaluation batches of one process."""

  dataset: Dataset
  frames: Frames
  reduce: bool
  scales: tuple[float | int, ...]
  batch_size: int
  num: int
  process: tuple[int, int]

  def __len__(self) -> int:
    return self.num

  def __getitem__(self, i) -> Batch:
    index, count = self.process
    start = (int(i) * count + index) * self.batch_size
    wanted = np.arange(start, start + self.batch_size)
    last = len(self.dataset.people) - 1
    rows = np.minimum(wanted, last)
    center, size = self.frames.center_size(
      self.dataset.people.box_xywh_img[rows]
    )
    return {
      "images": self._crops(rows, center, size),
      "img_from_hm": self.frames.img_from_hm(center, size).astype(np.float32),
      "person": rows.astype(np.int32),
      "valid": wanted <= last,
    }

  def _crops(
    self, rows: np.ndarray, center: np.ndarray, size: np.ndarray
  ) -> UInt8[np.ndarray, "B S H W 3"]:
    matrices = np.stack(
      [
        self.frames.crop_from_img(center, self.frames.scaled_size(size, scale))
        for scale in self.scales
      ],
      axis=1,
    )
    decoded = {}
    crops = np.empty(
      (len(rows), len(self.scales), *self.frames.crop_hw, 3), np.uint8
    )
    for row, of_row, image in zip(
      crops, matrices, self.dataset.people.image_index[rows], strict=True
    ):
      for s, matrix in enumerate(of_row):
        row[s] = self._crop(int(image), matrix, decoded)
    return crops

  def _crop(
    self, image: int, matrix: Float[np.ndarray, "2 3"], decoded: dict
  ) -> UInt8[np.ndarray, "H W 3"]:
    """One crop; what is decoded for it is there for the next."""
    source = self.dataset.images
    factor = reduction(matrix) if self.reduce else 1
    if (image, factor) not in decoded:
      for other in [key for key in decoded if key[0] != image]:
        del decoded[other]  # tables are in order of images: it is done with
      decoded[image, factor] = decode(
        source.read(image), source.name(image), factor
      )
    return warp_image(
      decoded[image, factor], factor, matrix, self.frames.crop_hw
    )
