"""Strict numerics, two fake CPU devices and run-time shape checks.

The import hook turns every jaxtyping annotation of pose_jax into a check, so
an annotation that is not true fails the suite. It must be installed before
pose_jax is imported anywhere.
"""

import os
import pathlib
import tempfile

from hasty import HASTY

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = " ".join(
  (
    os.environ.get("XLA_FLAGS", ""),
    "--xla_force_host_platform_device_count=2",
    HASTY,
  )
)

# Commands keep what they compile in the user's cache folder; here in another,
# which all workers of pytest-xdist inherit, so that each step compiles once.
if "PYTEST_XDIST_WORKER" not in os.environ:
  _CACHE = tempfile.TemporaryDirectory(prefix="pose_jax_tests_")
  os.environ["XDG_CACHE_HOME"] = _CACHE.name
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")

import jax  # noqa: E402
import jaxtyping  # noqa: E402
import pytest  # noqa: E402
from jaxtyping import install_import_hook  # noqa: E402

install_import_hook("pose_jax", "beartype.beartype")

jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_collection_modifyitems(items):
  """Marks what needs POSE_JAX_SHARED, so that it can be run by itself."""
  for item in items:
    if {"goldens", "shared_data"} & set(item.fixturenames):
      item.add_marker("shared")


def _shared(part: str) -> pathlib.Path:
  root = os.environ.get("POSE_JAX_SHARED")
  if not root:
    pytest.skip(f"POSE_JAX_SHARED is not set: no {part} to test against")
  folder = pathlib.Path(root) / part
  if not folder.is_dir():
    pytest.fail(f"POSE_JAX_SHARED is set, but {folder} does not exist")
  return folder


@pytest.fixture
def no_annotation_checks():
  """Lets wrong shapes reach a function's own check, as for users."""
  jaxtyping.config.update("jaxtyping_disable", True)
  yield
  jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def goldens() -> pathlib.Path:
  """Folder of outputs of the reference implementations."""
  return _shared("goldens")


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
  """Folder of real photographs with annotations."""
  return _shared("data")
