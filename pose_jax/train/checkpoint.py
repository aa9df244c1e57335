"""Checkpoints (orbax): saved in the background, latest and best kept.

Each holds the state (as host arrays, so that any number of devices can take
it up again), the position of the input pipeline and the run's config. A run
that is killed while it saves leaves the older checkpoints whole.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as policies

Tree = Any


class CheckpointError(ValueError):
  """A checkpoint that is missing or belongs to something else."""


class MisfitError(CheckpointError):
  """A checkpoint of another network than the one that it is read for."""


class Checkpoints:
  """The checkpoints of one run.

  Attributes:
    folder: where they are.
    best_metric: name of the score that decides which is best; higher is
      better.
  """

  def __init__(
    self,
    folder: pathlib.Path,
    *,
    best_metric: str,
    keep_latest: int = 1,
    keep_best: int = 1,
    read_only: bool = False,
  ):
    self.folder = pathlib.Path(folder).absolute()
    self.best_metric = best_metric
    if read_only and not self.folder.is_dir():
      raise CheckpointError(
        f"no checkpoints in {self.folder.parent}: is --workdir the folder "
        "that launch.train wrote?"
      )

    # BestN alone would delete the newest checkpoint when it is not among
    # the best, and with it the point from which to go on.
    # A run may have been started under another best_metric.
    def score_of(metrics):
      return metrics.get(best_metric, -np.inf)

    keep = policies.AnyPreservationPolicy(
      [
        policies.LatestN(keep_latest),
        policies.BestN(
          get_metric_fn=score_of,
          n=keep_best,
          keep_checkpoints_without_metrics=False,
        ),
      ]
    )
    self._manager = ocp.CheckpointManager(
      self.folder,
      item_handlers={
        "state": ocp.PyTreeCheckpointHandler(),
        "meta": ocp.JsonCheckpointHandler(),
      },
      options=ocp.CheckpointManagerOptions(
        preservation_policy=keep,
        best_fn=score_of,
        best_mode="max",
        create=not read_only,
        read_only=read_only,
        enable_async_checkpointing=True,
      ),
    )

  def save(
    self,
    step: int,
    state: Tree,
    meta: Mapping[str, Any],
    scores: Mapping[str, float] | None = None,
  ) -> None:
    """Copies the state to the host and writes it in the background.

    Saves nothing where this step is saved already.
    """
    if step in self._manager.all_steps():
      return
    scores = scores or {}
    best = scores.get(self.best_metric)
    self._manager.save(
      step,
      args=ocp.args.Composite(
        state=ocp.args.PyTreeSave(jax.device_get(state)),
        meta=ocp.args.JsonSave(dict(meta)),
      ),
      metrics=None if best is None else {self.best_metric: float(best)},
    )

  def steps(self) -> list[int]:
    """Steps that are saved, in rising order."""
    self._manager.reload()
    return sorted(self._manager.all_steps())

  def has_score(self, step: int) -> bool:
    """Whether a step was saved with a value of `best_metric`."""
    if step not in self._manager.all_steps():
      return False
    return self.best_metric in (self._manager.metrics(step) or {})

  def resolve(self, which: str | int) -> int:
    """The step that "latest", "best" or a number stands for."""
    steps = self.steps()
    if not steps:
      raise CheckpointError(
        f"{self.folder} holds no finished checkpoint: train first, or give "
        "the --workdir of a run that has one"
      )
    if which == "latest":
      return steps[-1]
    if which == "best":
      best = self._manager.best_step()
      if best is None or not self.has_score(best):
        raise CheckpointError(
          f"no checkpoint in {self.folder} carries the score "
          f"{self.best_metric!r}: use --checkpoint=latest"
        )
      return best
    if not str(which).isdigit() or int(which) not in steps:
      raise CheckpointError(
        f"--checkpoint={which} is not there: it must be latest, best or one "
        f"of {', '.join(map(str, steps))}"
      )
    return int(which)

  def restore(self, step: int, like: Tree) -> tuple[Tree, dict[str, Any]]:
    """State and meta of a step; `like` gives the expected tree.

    `like` may leave branches out at its top level (the optimiser's, say);
    they are not read then.

    Raises:
      MisfitError: if tree, shapes or dtypes are not those of `like`.
      CheckpointError: if it is gone or damaged.
    """
    abstract = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), like
    )
    try:
      saved = self._manager.item_metadata(step).state
    except FileNotFoundError as error:
      raise CheckpointError(
        f"checkpoint {step} of {self.folder} is gone: a run keeps only its "
        "latest and best"
      ) from error
    except (OSError, ValueError, KeyError) as error:
      raise CheckpointError(self._damaged(step)) from error
    if saved is None:
      raise CheckpointError(self._damaged(step))
    self._compare(step, _described(saved.tree), _described(abstract))
    as_numpy = jax.tree.map(
      lambda _: ocp.RestoreArgs(restore_type=np.ndarray), abstract
    )
    try:
      restored = self._manager.restore(
        step,
        args=ocp.args.Composite(
          state=ocp.args.PyTreeRestore(
            abstract, restore_args=as_numpy, partial_restore=True
          ),
          meta=ocp.args.JsonRestore(),
        ),
      )
    except (OSError, ValueError) as error:  # what orbax raises at bad files
      raise CheckpointError(self._damaged(step)) from error
    return restored.state, dict(restored.meta)

  def _damaged(self, step: int) -> str:
    return (
      f"checkpoint {step} of {self.folder} cannot be read: remove its folder "
      "to go on from an older one"
    )

  def _compare(self, step: int, saved: dict, wanted: dict) -> None:
    # orbax casts dtypes without a word and reports shapes one at a time.
    branches = {name.split("/")[0] for name in wanted}
    names = [n for n in saved if n.split("/")[0] in branches]
    names += [n for n in wanted if n not in saved]
    wrong = [n for n in names if saved.get(n) != wanted.get(n)]
    if wrong:
      name = wrong[0]
      raise MisfitError(
        f"checkpoint {step} of {self.folder} does not fit this config: "
        f"{name} should be {wanted.get(name, 'absent')}, is "
        f"{saved.get(name, 'absent')} ({len(wrong)} of {len(names)} arrays "
        "differ); give the config that it was trained with"
      )

  def wait(self) -> None:
    """Returns when what was given to `save` is on disk."""
    self._manager.wait_until_finished()

  def close(self) -> None:
    self._manager.close()


def _described(tree: Tree) -> dict[str, str]:
  """Path -> dtype and shape, whatever the containers are."""
  leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
  return {
    "/".join(_key(k) for k in path): f"{np.dtype(x.dtype)}{list(x.shape)}"
    for path, x in leaves
  }


def _key(key: Any) -> str:
  for field in ("key", "name", "idx"):
    if hasattr(key, field):
      return str(getattr(key, field))
  return str(key)
