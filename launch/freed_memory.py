"""Freed memory stays with the process: training steps on CPUs wait less.

glibc hands a large block back to the system as soon as it is freed, and the
system fills the next one with zeros, page by page. A training step asks for
the same hundreds of megabytes every time. No result depends on it; the process
holds what it once needed until it ends. benchmarks/train_step.py measures it.
"""

import ctypes
import importlib.metadata
import importlib.util
import os
import platform

import jax

_NEVER_TRIM = (-1, -1)  # M_TRIM_THRESHOLD: any amount
_ALL_FROM_ONE_HEAP = (-4, 0), (-8, 1)  # M_MMAP_MAX, M_ARENA_MAX


def keep_freed_memory() -> bool:
  """Tells glibc to keep what is freed; returns whether it does.

  Left as it is with another C library, where JAX may find an accelerator
  (steps run elsewhere), and where a variable MALLOC_... or GLIBC_TUNABLES says
  what the user wants. Call it before threads are started: they would have
  heaps of their own.
  """
  chosen = any(
    name.startswith("MALLOC_") or name == "GLIBC_TUNABLES"
    for name in os.environ
  )
  if chosen or platform.libc_ver()[0] != "glibc" or _may_find_accelerator():
    return False
  mallopt = ctypes.CDLL(None).mallopt
  return all(mallopt(*option) for option in (_NEVER_TRIM, *_ALL_FROM_ONE_HEAP))


def _may_find_accelerator() -> bool:
  """Whether JAX has anything but the CPU to look for; starts no device."""
  if jax.config.jax_platforms == "cpu":
    return False
  return bool(importlib.metadata.entry_points(group="jax_plugins")) or any(
    importlib.util.find_spec(name) for name in ("jax_plugins", "libtpu")
  )
