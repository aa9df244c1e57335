"""A progress bar for work that takes longer than a breath (tqdm)."""

import functools
import sys
import time

from tqdm import tqdm

from pose_jax import parallel

_SECONDS = 10.0  # between two lines where there is no terminal


class ProgressBar:
  """A tqdm bar behind `progress(done, total)`; silent but on process 0.

  Where stderr is no terminal, a line now and then.
  """

  def __init__(self, what: str, unit: str):
    self._what, self._unit = what, unit
    self._make = functools.partial(
      tqdm, desc=what, unit=f" {unit}", leave=False, mininterval=1.0
    )
    self._bar = None
    self._told = 0.0

  def __call__(self, done: int, total: int) -> None:
    if not sys.stderr.isatty():
      self._tell(done, total)
      return
    if self._bar is None:
      is_silent = parallel.process()[0] != 0
      self._bar = self._make(total=total, disable=is_silent)
    self._bar.update(done - self._bar.n)
    if done >= total:
      self._bar.close()
      self._bar = None

  def _tell(self, done: int, total: int) -> None:
    now = time.monotonic()
    self._told = self._told or now
    if done < total and now - self._told >= _SECONDS:
      self._told = now
      if parallel.process()[0] == 0:
        text = f"{self._what}: {done:,} of {total:,} {self._unit}"
        print(text, file=sys.stderr, flush=True)
    if done >= total:
      self._told = 0.0
