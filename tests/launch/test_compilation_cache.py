"""Where compiled steps are kept, and that a user can do without."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
_COMMAND = """
import jax
import jax.numpy as jnp

from launch import doorway

jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def main():
  hits = []
  jax.monitoring.register_event_listener(
    lambda event, **_: hits.append(event.endswith("cache_hits"))
  )
  x = jnp.arange(512, dtype=jnp.float32).reshape(16, 32)
  y = jax.jit(lambda x: jnp.sin(x @ x.T).sum(0) / 7)(x)
  print(sum(hits) > 0, bytes(y).hex())


doorway.run(main)
"""


def _run(environment):
  dropped = ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE")
  base = {k: v for k, v in os.environ.items() if k not in dropped}
  done = subprocess.run(
    [sys.executable, "-c", _COMMAND],
    cwd=ROOT,
    env=base | {"JAX_PLATFORMS": "cpu"} | environment,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  is_hit, value = done.stdout.split()
  return is_hit == "True", value, done.stderr


@pytest.mark.slow
def test_a_second_run_loads_the_same_program_without_a_word(tmp_path):
  environment = {"XDG_CACHE_HOME": str(tmp_path)}
  first, second = _run(environment), _run(environment)
  assert (first[0], second[0]) == (False, True)
  assert first[1] == second[1]
  assert first[2] == second[2] == ""
  (machine,) = (tmp_path / "pose_jax").iterdir()
  assert any(machine.iterdir())


@pytest.mark.slow
def test_the_folder_can_be_chosen_and_the_cache_turned_off(tmp_path):
  chosen, home = tmp_path / "chosen" / "here", tmp_path / "home"
  environment = {
    "JAX_COMPILATION_CACHE_DIR": str(chosen),
    "XDG_CACHE_HOME": str(home),
  }
  _run(environment)
  assert any(chosen.iterdir()) and not home.exists()
  off = {"XDG_CACHE_HOME": str(home), "JAX_ENABLE_COMPILATION_CACHE": "false"}
  assert not _run(off)[0]
  assert not home.exists()


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_told_and_the_run_goes_on(tmp_path):
  blocked = tmp_path / "file"
  blocked.touch()
  _, _, said = _run({"XDG_CACHE_HOME": str(blocked)})
  assert said.startswith(f"compiled steps are not kept: {blocked}")
  assert said.count("\n") == 1 and "JAX_COMPILATION_CACHE_DIR names" in said
