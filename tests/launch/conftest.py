"""One tiny run and one compilation cache for all tests of commands."""

import os

import pytest
from commands import HASTY, TINY, run
from made_regressor import NAME, make_made_regressor, regressing

from pose_jax.data.drawn import write_drawn
from pose_jax.models import MODELS


@pytest.fixture(scope="session")
def environment():
  """Few devices, and what is compiled, at little expense, is kept for all."""
  return os.environ | {
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": f"--xla_force_host_platform_device_count=2 {HASTY}",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
  }


@pytest.fixture(scope="session")
def finished(tmp_path_factory, environment):
  """A run that nothing disturbed."""
  workdir = tmp_path_factory.mktemp("finished")
  out = run("train", *TINY, f"--workdir={workdir}", environment=environment)
  return workdir, out


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
  """A COCO-format folder of one's own."""
  return write_drawn(
    tmp_path_factory.mktemp("pictures") / "set", num_images=6, seed=3
  ).parent


@pytest.fixture
def made_regressor(monkeypatch):
  """(config, options) -> the config with a network that regresses."""
  monkeypatch.setitem(MODELS, NAME, make_made_regressor)
  return regressing
