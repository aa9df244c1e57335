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
class InitialWeights:
  """Weights that a training starts from.

  Attributes:
    source: all that there is.
    record: plain values that say what they are, for every checkpoint.
  """

  source: start.Source
  record: dict[str, Any]

  def begin(self, config: ConfigDict, variables: Tree) -> start.Start:
    """Fresh variables with the config's part of them replaced.

    Raises:
      WeightsError: if the part does not fit.
    """
    part = config.init.part
    return start.start(variables, self.source, config.model, part=part)


def check_initial_weights(config: ConfigDict, workdir: pathlib.Path) -> None:
  """Refuses weights that are not there, before anything is opened.

  Raises:
    ConfigError: saying what was wanted.
  """
  if not _are_needed(config, workdir):
    return
  path = pathlib.Path(config.init.weights)
  if not path.exists():
    raise ConfigError(
      f"init.weights: there is no file or folder {str(path)!r}; wanted a file "
      "of weights (.pth, .safetensors, .npz), or a run's folder"
    )
  if path.is_dir() and not (_run_of(path)[0] / "config.json").is_file():
    raise ConfigError(
      f"init.weights: the folder {path} holds no config.json: wanted that of a "
      f"run, its {_CHECKPOINTS}/STEP, or a file of weights"
    )


def read_initial_weights(
  experiment: Experiment, workdir: pathlib.Path
) -> InitialWeights | None:
  """What `config.init` names; None if nothing, or the run is under way.

  Raises:
    WeightsError, TorchFileError: if it cannot be read or does not fit.
    CheckpointError: if the run that it names has no such checkpoint.
  """
  config = experiment.config
  if not _are_needed(config, workdir):
    return None
  path = pathlib.Path(config.init.weights)
  if path.is_dir():
    source, kind = _of_run(path)
    sha256 = source.sha256()
  else:
    file = torch_files.read(path)
    source = start.source_from_torch(file.tensors, str(path))
    kind, sha256 = file.format, file.sha256
  record = {
    "weights": source.label,
    "part": config.init.part,
    "network": source.network,
    "format": kind,
    "sha256": sha256,
  }
  found = InitialWeights(source, record)
  crop_hw = tuple(config.data.crop_hw)
  found.begin(config, abstract_variables(experiment.model, crop_hw))
  return found


def describe_start(record: dict[str, Any]) -> str:
  """What a run's weights once were, from its checkpoint's record."""
  return (
    f"started from {record['part']} of {record['weights']} "
    f"({record['format']}, sha256 {record['sha256'][:12]}: "
    f"{record['network']})"
  )


def _are_needed(config: ConfigDict, workdir: pathlib.Path) -> bool:
  """A run that has a checkpoint goes on from it."""
  folder = workdir / _CHECKPOINTS
  saved = folder.iterdir() if folder.is_dir() else ()
  # Those that were not finished have other names.
  return bool(config.init.weights) and not any(p.name.isdigit() for p in saved)


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
