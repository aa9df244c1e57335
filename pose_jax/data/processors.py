"""How many processors there are to work with."""

import os


def num_processors() -> int:
  """Processors that this process may use; a batch system may allow a few."""
  if hasattr(os, "sched_getaffinity"):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1
