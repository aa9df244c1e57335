"""What `config.init` says: where a training's weights come from at step 0."""

import dataclasses
import pathlib
from typing import Any

from ml_collections import ConfigDict

from launch.experiment import Experiment, make_experiment
from launch.mistakes import ConfigError
from launch.run_config import read_config
from pose_jax.train.checkpoint import Checkpoints
from pose_jax.train.state import abstract_variables
from pose_jax.weights import start, torch_files
from pose_jax.weights.assemble import Tree

_CHECKPOINTS = "checkpoints"


@dataclasses.dataclass(frozen=True, eq=False)
class Beginning:
  """Variables to start with.

  Attributes:
    record: plain values, for every checkpoint of the run.
    note: what was used, for people.
  """

  variables: Tree
  record: dict[str, Any]
  note: str


def check_initial_weights(config: ConfigDict, workdir: pathlib.Path) -> None:
  """Refuses weights that are not there, before anything is opened.

  A run that has a checkpoint goes on from it and needs them no more.

  Raises:
    ConfigError: saying what was wanted.
  """
  weights = config.init.weights
  if not weights or any((workdir / _CHECKPOINTS).glob("[0-9]*")):
    return
  path = pathlib.Path(weights)
  if not path.exists():
    raise ConfigError(
      f"init.weights: there is no file or folder {weights!r}; wanted a file of "
      "weights (.pth, .safetensors, .npz), or a run's folder"
    )
  if path.is_dir() and not (_run_of(path)[0] / "config.json").is_file():
    raise ConfigError(
      f"init.weights: the folder {weights} holds no config.json: wanted that "
      f"of a run, its {_CHECKPOINTS}/STEP, or a file of weights"
    )


def begin(experiment: Experiment, variables: Tree) -> Beginning:
  """Fresh variables with what `config.init` names in its place.

  Raises:
    WeightsError, TorchFileError: if the file cannot be read or does not fit.
    CheckpointError: if the run cannot be read.
  """
  init = experiment.config.init
  path = pathlib.Path(init.weights)
  if path.is_dir():
    source, kind = _of_run(path)
    sha256 = source.sha256()
  else:
    file = torch_files.read(path)
    source = start.source_from_torch(file.tensors, str(path))
    kind, sha256 = file.format, file.sha256
  found = start.start(
    variables, source, experiment.config.model, part=init.part
  )
  return Beginning(
    found.variables,
    record={
      "weights": source.label,
      "part": init.part,
      "network": source.network,
      "format": kind,
      "sha256": sha256,
    },
    note=f"init: {init.part} of {source.label} ({kind}, sha256 {sha256[:12]}: "
    f"{source.network}): {found.describe()}",
  )


def _of_run(path: pathlib.Path) -> tuple[start.Source, str]:
  """The latest checkpoint of a run, or the one whose folder is given."""
  folder, which = _run_of(path)
  config = read_config(folder)
  checkpoints = Checkpoints(
    folder / _CHECKPOINTS,
    best_metric=config.checkpoint.best_metric,
    read_only=True,
  )
  step = checkpoints.resolve(which)
  model = make_experiment(config).model
  like = abstract_variables(model, tuple(config.data.crop_hw))
  variables, _ = checkpoints.restore(step, like)
  checkpoints.close()
  return (
    start.source_from_variables(variables, config.model, str(path)),
    f"{config.name}, step {step}",
  )


def _run_of(path: pathlib.Path) -> tuple[pathlib.Path, str]:
  """A run's folder, and which of its checkpoints."""
  if path.parent.name == _CHECKPOINTS and path.name.isdigit():
    return path.parent.parent, path.name
  return path, "latest"
