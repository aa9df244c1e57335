"""What is freed stays with the process, unless the user wants it otherwise."""

import os
import pathlib
import platform
import subprocess
import sys

import pytest

from launch import freed_memory

ROOT = pathlib.Path(__file__).parents[2]
# Address space, not memory: nobody writes to the block.
_SIZES = """
import pathlib
import numpy as np
from launch.freed_memory import keep_freed_memory

def size_mb():
  pages = pathlib.Path("/proc/self/statm").read_text().split()[0]
  return int(pages) * 4096 / 2**20

kept = keep_freed_memory()
before = size_mb()
block = np.empty(3 * 2**30, np.uint8)
during = size_mb()
del block
print(kept, during - before, size_mb() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")
@pytest.mark.parametrize(
  "variables, kept",
  [({}, True), ({"MALLOC_ARENA_MAX": "4"}, False)],
  ids=["as commands do", "the user's choice"],
)
def test_a_freed_block_of_3_gb(variables, kept):
  mine = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
  mine.pop("GLIBC_TUNABLES", None)
  done = subprocess.run(
    [sys.executable, "-c", _SIZES],
    cwd=ROOT,
    env=mine | {"JAX_PLATFORMS": "cpu"} | variables,
    capture_output=True,
    text=True,
    check=True,
  )
  said, during, after = done.stdout.split()
  assert said == str(kept)
  assert float(during) > 3000
  assert float(after) > 3000 if kept else float(after) < 100


def test_nothing_changes_where_an_accelerator_may_be(monkeypatch):
  def entry_points(group):
    assert group == "jax_plugins"
    return ["xla_cuda12"]

  monkeypatch.setattr(
    freed_memory.importlib.metadata, "entry_points", entry_points
  )
  for name in [*os.environ]:
    if name.startswith("MALLOC_") or name == "GLIBC_TUNABLES":
      monkeypatch.delenv(name)
  before = freed_memory.jax.config.jax_platforms
  try:
    freed_memory.jax.config.update("jax_platforms", None)
    assert freed_memory.keep_freed_memory() is False
  finally:
    freed_memory.jax.config.update("jax_platforms", before)
