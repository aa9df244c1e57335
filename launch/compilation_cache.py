"""Compiled steps are kept on disk: the second start of a network is quick.

JAX's persistent compilation cache, on for every command. The folder is
JAX_COMPILATION_CACHE_DIR, else one below XDG_CACHE_HOME (or ~/.cache), and may
be deleted at any time. JAX_ENABLE_COMPILATION_CACHE=false turns it off. What
is loaded is the program that was stored, so results are equal bit for bit.
"""

import hashlib
import os
import pathlib
import platform
import sys
import tempfile

import jax

_FOLDER = "jax_compilation_cache_dir"


def keep_compiled() -> pathlib.Path | str | None:
  """Switches the cache on; returns its folder, None where it is off.

  A folder that cannot be written to is told on stderr, and nothing is kept.
  Call it before anything is compiled.
  """
  if not jax.config.jax_enable_compilation_cache:
    return None
  given = os.environ.get(_FOLDER.upper())
  if given and "://" in given:  # a bucket: JAX's business
    return given
  folder = pathlib.Path(given).expanduser() if given else _default_folder()
  try:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
      pass
  except OSError as error:
    jax.config.update("jax_enable_compilation_cache", False)
    print(
      f"compiled steps are not kept: {folder}: {error.strerror} "
      f"({_FOLDER.upper()} names another folder)",
      file=sys.stderr,
      flush=True,
    )
    return None
  jax.config.update(_FOLDER, str(folder))
  return folder


def _default_folder() -> pathlib.Path:
  base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
  return pathlib.Path(base).expanduser() / "pose_jax" / _machine()


def _machine() -> str:
  """Kind of this machine: homes are shared between machines that differ.

  Programs for CPUs use all instructions of the one that compiled them.
  """
  try:
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
  except OSError:
    lines = []
  flags = [line for line in lines if line.lower().startswith(("flags", "feat"))]
  told = flags[0] if flags else platform.processor()
  digest = hashlib.sha256(told.encode()).hexdigest()
  return f"{platform.machine()}-{digest[:8]}"
