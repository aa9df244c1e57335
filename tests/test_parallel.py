"""Devices: one equals several, one compilation, uneven batches refused."""

import os
import pathlib
import socket
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax import parallel
from pose_jax.models import make_model
from pose_jax.skeleton import LSP14

ROOT = pathlib.Path(__file__).parents[1]


def test_suite_runs_on_two_devices():
  assert parallel.num_devices() == 2
  assert parallel.process() == (0, 1)


def test_shard_splits_rows_in_order():
  rows = np.arange(12.0).reshape(6, 2)
  sharded = parallel.shard({"x": rows})["x"]
  assert sharded.shape == (2, 3, 2)
  np.testing.assert_array_equal(np.asarray(sharded).reshape(6, 2), rows)


def test_shard_refuses_rows_that_devices_cannot_share():
  with pytest.raises(ValueError, match="x has 3 rows, which 2 devices"):
    parallel.shard({"x": np.zeros((3, 2))})


def _step(state, batch, *, axis_name):
  gradient = jax.lax.pmean(batch["x"].mean(0), axis_name)
  return {"w": state["w"] - gradient}, {"g": gradient.sum()}


def test_step_averages_over_devices_and_keeps_the_state_whole():
  step = parallel.parallel_step(_step)
  rows = np.arange(8, dtype=np.float32).reshape(4, 2)
  state = parallel.replicate({"w": np.zeros(2, np.float32)})
  state, metrics = step(state, parallel.shard({"x": rows}))
  np.testing.assert_allclose(state["w"], -rows.mean(0), rtol=1e-6)
  assert state["w"].shape == (2,)
  assert float(metrics["g"]) == pytest.approx(rows.mean(0).sum())


def test_step_compiles_once_although_its_output_is_its_next_input():
  traces = []

  def step(state, batch, *, axis_name):
    traces.append(1)
    return _step(state, batch, axis_name=axis_name)

  step = parallel.parallel_step(step)
  state = parallel.replicate({"w": np.zeros(2, np.float32)})
  compiled = []
  listener = lambda name, *_, **__: compiled.append(name)  # noqa: E731
  for i in range(3):
    rows = parallel.shard({"x": np.ones((4, 2), np.float32)})
    if i == 1:
      jax.monitoring.register_event_duration_secs_listener(listener)
    state, _ = step(state, rows)
  jax.monitoring.unregister_event_duration_listener(listener)
  assert len(traces) == 1
  assert not [c for c in compiled if "compile" in c], compiled


def test_step_consumes_the_state():
  step = parallel.parallel_step(_step)
  state = parallel.replicate({"w": np.zeros(2, np.float32)})
  step(state, parallel.shard({"x": np.ones((4, 2), np.float32)}))
  assert state["w"].is_deleted()


def test_step_leaves_alone_what_was_replicated():
  step = parallel.parallel_step(_step)
  source = {"w": jnp.full(2, 5.0)}
  step(
    parallel.replicate(source),
    parallel.shard({"x": np.ones((4, 2), np.float32)}),
  )
  np.testing.assert_array_equal(source["w"], [5.0, 5.0])


@pytest.mark.parametrize("count", [1, 2, 5])
def test_predict_takes_any_number_of_rows(count):
  predict = parallel.parallel_predict(
    lambda variables, batch: {"y": batch["x"] * variables}
  )
  rows = np.arange(count, dtype=np.float32)
  variables = parallel.replicate(np.float32(3))
  out = predict(variables, {"x": rows})["y"]
  assert isinstance(out, np.ndarray)
  np.testing.assert_array_equal(out, 3 * rows)


def test_initialize_wants_all_or_none():
  parallel.initialize(None, None, None)
  with pytest.raises(ValueError, match="go together"):
    parallel.initialize("localhost:1", 2, None)


_TWO_PROCESSES = """
import sys
import numpy as np
from pose_jax import parallel
from pose_jax.models import make_model
from pose_jax.skeleton import LSP14
port, index = int(sys.argv[1]), int(sys.argv[2])
parallel.initialize(f"localhost:{port}", 2, index)
import jax
def step(state, batch, *, axis_name):
  g = jax.lax.pmean(batch["x"].mean(0), axis_name)
  return {"w": state["w"] - g}, {"g": g.sum()}
rows = np.arange(16, dtype=np.float32).reshape(8, 2)
state = parallel.replicate({"w": np.zeros(2, np.float32)})
mine = rows[index * 4:(index + 1) * 4]
state, _ = parallel.parallel_step(step)(state, parallel.shard({"x": mine}))
np.testing.assert_allclose(np.asarray(state["w"]), -rows.mean(0), rtol=1e-6)
everything = parallel.gather_rows({"x": mine})["x"]
np.testing.assert_array_equal(everything, rows)
assert parallel.process() == (index, 2)
print("good")
"""


@pytest.mark.slow
def test_two_processes_equal_one():
  with socket.socket() as free:
    free.bind(("localhost", 0))
    port = free.getsockname()[1]
  environment = os.environ | {
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
  }
  processes = [
    subprocess.Popen(
      [sys.executable, "-c", _TWO_PROCESSES, str(port), str(index)],
      cwd=ROOT,
      env=environment,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
    )
    for index in (0, 1)
  ]
  try:
    for process in processes:
      output, _ = process.communicate(timeout=120)
      assert process.returncode == 0, output
      assert "good" in output
  finally:
    for process in processes:
      with process:
        process.kill()


def test_networks_synchronise_over_this_axis():
  model = make_model(
    {"name": "pose_resnet", "depth": 18, "sync_batch_norm": True}, LSP14
  )
  assert model.axis_name == parallel.AXIS


def test_one_process_agrees_with_itself():
  assert parallel.agreed(7) == 7


def test_gather_rows_of_one_process_is_the_identity():
  rows = {"x": np.arange(3)}
  np.testing.assert_array_equal(parallel.gather_rows(rows)["x"], rows["x"])


def test_replicated_values_are_unchanged():
  tree = {"a": np.arange(4.0, dtype=np.float32), "b": jnp.int32(3)}
  placed = parallel.replicate(tree)
  np.testing.assert_array_equal(placed["a"], tree["a"])
  assert placed["a"].sharding.is_fully_replicated
