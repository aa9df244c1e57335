"""A progress bar for work that takes longer than a breath (tqdm)."""

import functools

from tqdm import tqdm

from pose_jax import parallel


class ProgressBar:
  """A tqdm bar behind `progress(done, total)`; silent but on process 0."""

  def __init__(self, what: str, unit: str):
    self._make = functools.partial(
      tqdm, desc=what, unit=f" {unit}", leave=False, mininterval=1.0
    )
    self._bar = None

  def __call__(self, done: int, total: int) -> None:
    if self._bar is None:
      is_silent = parallel.process()[0] != 0 or None  # None: if not a terminal
      self._bar = self._make(total=total, disable=is_silent)
    self._bar.update(done - self._bar.n)
    if done >= total:
      self._bar.close()
      self._bar = None
