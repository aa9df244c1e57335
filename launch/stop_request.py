"""A run that is asked to stop, and obeys behind the step it is in."""

import signal

from pose_jax import parallel


class StopRequest:
  """True once a lone process gets SIGTERM, or a run of several is preempted.

  To be called behind every step. What it said stays in `asked`: of several
  processes a request is told once, at a step on which all agree, and that may
  be the last one of a phase. (JAX listens to SIGTERM itself there.)
  """

  def __init__(self):
    self.asked = False
    self._has_signal = False
    self._is_alone = parallel.process()[1] == 1
    if self._is_alone:
      signal.signal(signal.SIGTERM, self._remember_signal)

  def _remember_signal(self, *_) -> None:
    self._has_signal = True

  def __call__(self, step: int) -> bool:
    if self._has_signal or (not self._is_alone and parallel.preempted(step)):
      self.asked = True
    return self.asked
