"""One pass of a network over all batches, its rows joined across hosts."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from pose_jax.eval import predict

Batch = Mapping[str, np.ndarray]

_KEPT = ("kpts_xy_img", "score", "presence")  # of what a network's run gives


def no_progress(done: int, total: int) -> None:
  """Tells nobody."""


def predict_people(
  predict_fn: Callable[[Any, Batch], Batch],
  variables: Any,
  batches: Iterator[Batch],
  *,
  num_people: int,
  gather: Callable[[Batch], Batch],
  offer: Callable[[Batch, np.ndarray], None],
  progress: Callable[[int, int], None] = no_progress,
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
  """Predictions of all people in table order, and where the time went.

  Args:
    predict_fn: (variables, host batch) -> kpts_xy_img [B, V, K, 2] and score
      [B, V, K], V ways of testing; presence [B, V, K] if the network says it.
    batches: with images, img_from_hm, person (row of the table), valid.
    num_people: rows of the table; each must come exactly once, over all hosts.
    gather: joins the rows of all hosts.
    offer: is shown every batch and its keypoints [B, V, K, 2], to choose
      crops to keep.
    progress: called with (people done on this host, num_people).
  Returns:
    person [R], kpts_xy_img [R, V, K, 2], score [R, V, K] and, if it is said,
    presence [R, V, K]; and stage -> seconds, the first batch, which compiles,
    apart.
  Raises:
    ValueError: if a row is missing or comes twice, or there is no batch.
  """
  parts: list[dict[str, np.ndarray]] = []
  seconds = {"first batch (compiles)": 0.0, "prediction": 0.0}
  start, done = time.perf_counter(), 0
  for batch in batches:
    out = predict_fn(variables, {k: batch[k] for k in predict.BATCH_KEYS})
    part = {
      "person": np.asarray(batch["person"]),
      "valid": np.asarray(batch["valid"]),
      **{key: np.asarray(out[key]) for key in _KEPT if key in out},
    }
    offer(batch, part["kpts_xy_img"])
    stage = "prediction" if parts else "first batch (compiles)"
    now = time.perf_counter()
    seconds[stage] += now - start
    start = now
    parts.append(part)
    done += int(part["valid"].sum())
    progress(done, num_people)
  if not parts:
    raise ValueError("make_batches gave no batch: the table holds nobody")
  local = {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
  return _in_table_order(gather(local), num_people), seconds


def _in_table_order(rows: Batch, num_people: int) -> dict[str, np.ndarray]:
  """Rows without padding, sorted, each person exactly once."""
  valid = np.asarray(rows["valid"]).astype(bool)
  rows = {k: np.asarray(v)[valid] for k, v in rows.items() if k != "valid"}
  order = np.argsort(rows["person"], kind="stable")
  rows = {key: value[order] for key, value in rows.items()}
  if not np.array_equal(rows["person"], np.arange(num_people)):
    raise ValueError(
      f"the batches hold {len(order)} people, {len(np.unique(rows['person']))} "
      f"of them different, but the table has {num_people}: batches and table "
      "must come from one dataset, each person once"
    )
  return rows
