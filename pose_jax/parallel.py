"""Devices and processes: the only file that knows of either.

Everything else is a pure function of a state and one device's share of a
batch. State never carries a device axis: it is replicated over this process's
devices and goes in and out of `pmap` with axis None. Batches are split along a
new leading device axis.

Two traps this file is there for (both are tested): the state is placed on a
mesh of the axis name that `pmap` itself uses, or the step compiles twice; and
a batch that the devices cannot share evenly is refused, because `pmap` takes
it without a word.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

AXIS = "devices"

Rows = Mapping[str, np.ndarray]


def initialize(
  coordinator: str | None, num_processes: int | None, process_id: int | None
) -> None:
  """Joins the processes of one run; does nothing for a single process.

  Call it before anything else touches a device. SLURM, Kubernetes and TPU
  pods need only coordinator="auto".

  Raises:
    ValueError: if only some of the three are given.
  """
  given = (coordinator, num_processes, process_id)
  if given == (None, None, None):
    return
  if coordinator == "auto" and given[1:] == (None, None):
    jax.distributed.initialize()
    return
  if None in given:
    raise ValueError(
      "--coordinator, --num_processes and --process_id go together (or "
      f"--coordinator=auto alone), got {coordinator}, {num_processes}, "
      f"{process_id}"
    )
  jax.distributed.initialize(coordinator, num_processes, process_id)


def process() -> tuple[int, int]:
  """(index of this process, number of processes)."""
  return jax.process_index(), jax.process_count()


def num_devices() -> int:
  """Devices that this process drives."""
  return jax.local_device_count()


def device_kind() -> str:
  """What the devices are, for records of a measurement."""
  return jax.local_devices()[0].device_kind


def _local_mesh() -> Mesh:
  devices = np.array(jax.local_devices())
  return Mesh(devices, (AXIS,), axis_types=(AxisType.Auto,))


def replicate(tree: Any) -> Any:
  """A tree of arrays, on every local device, without a device axis.

  The tree given stays usable even when a step consumes the one returned.
  """
  everywhere = NamedSharding(_local_mesh(), PartitionSpec())
  return jax.device_put(jax.device_get(tree), everywhere)


def shard(rows: Rows) -> dict[str, jax.Array]:
  """Splits [B, ...] arrays over the local devices as [D, B / D, ...].

  Raises:
    ValueError: if the number of devices does not divide B.
  """
  count = num_devices()
  sharding = NamedSharding(_local_mesh(), PartitionSpec(AXIS))

  def split(name, value):
    if len(value) % count:
      raise ValueError(
        f"{name} has {len(value)} rows, which {count} devices cannot share: "
        f"choose a batch size that is a multiple of {count}"
      )
    return value.reshape(count, len(value) // count, *value.shape[1:])

  return jax.device_put({k: split(k, v) for k, v in rows.items()}, sharding)


def parallel_step(step: Callable) -> Callable:
  """Wraps `step(state, batch, *, axis_name) -> (state, metrics)`.

  The result takes a replicated state, which it consumes (its buffers are
  reused), and a sharded batch.
  """
  return jax.pmap(
    functools.partial(step, axis_name=AXIS),
    axis_name=AXIS,
    in_axes=(None, 0),
    out_axes=(None, None),
    donate_argnums=(0,),
  )


def parallel_predict(predict: Callable) -> Callable[[Any, Rows], Rows]:
  """Wraps `predict(variables, batch) -> arrays [B, ...]` for host batches.

  The result takes replicated variables and a host batch of any size (rows are
  repeated to fill the devices and dropped again) and returns NumPy arrays.
  """
  # Local devices only: every process predicts rows of its own, and as many of
  # them as it likes.
  mapped = jax.pmap(predict, in_axes=(None, 0), devices=jax.local_devices())

  def call(variables: Any, rows: Rows) -> dict[str, np.ndarray]:
    count = len(next(iter(rows.values())))
    fill = -count % num_devices()
    filled = {
      k: np.concatenate([v, np.repeat(v[-1:], fill, 0)]) if fill else v
      for k, v in rows.items()
    }
    out = mapped(variables, shard(filled))
    return {
      k: v.reshape(-1, *v.shape[2:])[:count]
      for k, v in jax.device_get(out).items()
    }

  return call


def gather_rows(rows: Rows) -> dict[str, np.ndarray]:
  """Rows of all processes, in process order; every process must call it.

  All processes must bring equally many rows (pad and mask them).
  """
  if jax.process_count() == 1:
    return dict(rows)
  # One device of each process: whoever has the rows waits for nothing else. A
  # process that ends while its other devices still gather never ends.
  firsts = {device.process_index: device for device in jax.devices()[::-1]}
  mesh = Mesh(
    [firsts[index] for index in sorted(firsts)],
    ("processes",),
    axis_types=(AxisType.Auto,),
  )
  split = NamedSharding(mesh, PartitionSpec("processes"))
  whole = NamedSharding(mesh, PartitionSpec())
  mine = {
    name: jax.make_array_from_process_local_data(split, value)
    for name, value in rows.items()
  }
  return jax.device_get(jax.jit(lambda x: x, out_shardings=whole)(mine))


def agreed(number: int) -> int:
  """Process 0's number; every process must call it."""
  return int(gather_rows({"numbers": np.array([number])})["numbers"][0])


def preempted(step: int) -> bool:
  """Whether the scheduler asked the processes of this run to stop.

  True on all processes at the same step. A single process is not told this
  way; it handles SIGTERM itself.
  """
  if jax.process_count() == 1:
    return False
  return multihost_utils.reached_preemption_sync_point(step)
