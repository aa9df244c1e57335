"""Checkpoints: what is kept, what is refused, what comes back."""

import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import optax
import pytest

from pose_jax.train.checkpoint import CheckpointError, Checkpoints, MisfitError
from pose_jax.train.state import TrainState, init_state


def make_state(seed=0, rows=3):
  rng = np.random.default_rng(seed)
  kernel = rng.normal(size=(rows, 4)).astype(np.float32)
  params = {"dense": {"kernel": kernel, "bias": np.zeros(4, np.float32)}}
  state = init_state({"params": params, "batch_stats": {}}, optax.adam(1e-3))
  return state.replace(step=np.int32(seed))


def open_in(folder, **options):
  return Checkpoints(folder / "checkpoints", best_metric="AP", **options)


def test_latest_and_best_are_kept(tmp_path):
  checkpoints = open_in(tmp_path)
  for step, ap in ((1, 0.3), (2, 0.7), (3, 0.5), (4, None)):
    scores = {} if ap is None else {"AP": ap}
    checkpoints.save(step, make_state(step), {"step": step}, scores)
  checkpoints.wait()
  assert checkpoints.steps() == [2, 4]
  assert checkpoints.resolve("best") == 2
  assert checkpoints.resolve("latest") == 4
  assert checkpoints.resolve(2) == 2
  checkpoints.close()


def test_state_and_meta_come_back_bit_equal(tmp_path):
  saved = make_state(5)
  checkpoints = open_in(tmp_path)
  checkpoints.save(5, saved, {"config": {"a": [1, 2]}, "step": 5})
  checkpoints.close()
  reader = open_in(tmp_path, read_only=True)
  state, meta = reader.restore(5, jax.eval_shape(lambda: saved))
  assert isinstance(state, TrainState)
  jax.tree.map(np.testing.assert_array_equal, state, saved)
  assert meta == {"config": {"a": [1, 2]}, "step": 5}


def test_saved_values_are_those_of_the_moment(tmp_path):
  checkpoints = open_in(tmp_path)
  state = jax.device_put(make_state(1))
  wanted = np.array(state.params["dense"]["kernel"])
  checkpoints.save(1, state, {})
  consume = jax.jit(
    lambda s: jax.tree.map(lambda x: x * 0, s), donate_argnums=0
  )
  consume(state)
  checkpoints.wait()
  restored, _ = checkpoints.restore(1, jax.eval_shape(lambda: make_state(1)))
  np.testing.assert_array_equal(restored.params["dense"]["kernel"], wanted)
  checkpoints.close()


def test_variables_can_be_read_without_the_optimizer(tmp_path):
  saved = make_state(1)
  checkpoints = open_in(tmp_path)
  checkpoints.save(1, saved, {})
  checkpoints.wait()
  variables, _ = checkpoints.restore(1, {"params": saved.params})
  np.testing.assert_array_equal(
    variables["params"]["dense"]["kernel"], saved.params["dense"]["kernel"]
  )
  checkpoints.close()


BIAS = np.zeros(4, np.float32)


@pytest.mark.parametrize(
  "dense",
  [
    {"kernel": np.zeros((5, 4), np.float32), "bias": BIAS},
    {"kernel": np.zeros((3, 4), np.float16), "bias": BIAS},
    {"weight": np.zeros((3, 4), np.float32), "bias": BIAS},
    {"bias": BIAS},
  ],
  ids=["shape", "dtype", "name", "saved has more"],
)
def test_another_network_is_refused(tmp_path, dense):
  checkpoints = open_in(tmp_path)
  checkpoints.save(1, make_state(1), {})
  checkpoints.wait()
  with pytest.raises(MisfitError, match="does not fit this config"):
    checkpoints.restore(1, {"params": {"dense": dense}})
  checkpoints.close()


def test_absent_checkpoints_are_named(tmp_path):
  with pytest.raises(CheckpointError, match="no checkpoints in"):
    open_in(tmp_path, read_only=True)
  checkpoints = open_in(tmp_path)
  with pytest.raises(CheckpointError, match="no finished checkpoint"):
    checkpoints.resolve("latest")
  checkpoints.save(3, make_state(3), {})
  checkpoints.wait()
  with pytest.raises(CheckpointError, match="latest, best or one of 3"):
    checkpoints.resolve("7")
  with pytest.raises(CheckpointError, match="use --checkpoint=latest"):
    checkpoints.resolve("best")
  checkpoints.close()


def test_saving_a_step_twice_keeps_the_first(tmp_path):
  checkpoints = open_in(tmp_path)
  checkpoints.save(1, make_state(1), {"n": 1})
  checkpoints.wait()
  checkpoints.save(1, make_state(2), {"n": 2})
  checkpoints.wait()
  _, meta = checkpoints.restore(1, jax.eval_shape(lambda: make_state(1)))
  assert meta == {"n": 1}
  checkpoints.close()


def test_another_best_metric_finds_no_best_but_goes_on(tmp_path):
  first = open_in(tmp_path)
  first.save(1, make_state(1), {}, {"AP": 0.5})
  first.close()
  other = Checkpoints(tmp_path / "checkpoints", best_metric="PCK@0.2")
  assert not other.has_score(1)
  with pytest.raises(CheckpointError, match="'PCK@0.2'"):
    other.resolve("best")
  other.save(2, make_state(2), {}, {"PCK@0.2": 0.1})
  other.wait()
  assert other.resolve("best") == 2
  other.close()


def test_vanished_checkpoints_are_named(tmp_path):
  checkpoints = open_in(tmp_path)
  checkpoints.save(1, make_state(1), {})
  checkpoints.wait()
  like = jax.eval_shape(lambda: make_state(1))
  with pytest.raises(CheckpointError, match="checkpoint 9 .* is gone"):
    checkpoints.restore(9, like)
  checkpoints.close()


_RESTORE = """
import sys, jax, test_checkpoint as t
checkpoints = t.open_in(t.pathlib.Path(sys.argv[1]))
try:
  checkpoints.restore(1, jax.eval_shape(lambda: t.make_state(1)))
except t.CheckpointError as error:
  print("told:", error)
"""


def test_damaged_checkpoints_are_named(tmp_path):
  """In a process of its own: the reader abandons the reads of other arrays,
  which end at any later time with errors that no test is to blame for."""
  checkpoints = open_in(tmp_path)
  checkpoints.save(1, make_state(1), {})
  checkpoints.close()
  for path in (tmp_path / "checkpoints/1/state").rglob("*"):
    if path.is_file() and path.name != "_METADATA":
      path.write_bytes(b"")
  done = subprocess.run(
    [sys.executable, "-c", _RESTORE, str(tmp_path)],
    cwd=pathlib.Path(__file__).parent,
    env=os.environ | {"PYTHONPATH": str(pathlib.Path(__file__).parents[2])},
    capture_output=True,
    text=True,
  )
  assert "told: " in done.stdout and "cannot be read" in done.stdout, done
