"""A checkpoint's weights as a file for torch."""

import json
import pathlib

from launch.check import check_config
from launch.experiment import make_experiment
from launch.measure import code_version
from launch.mistakes import ConfigError
from launch.run_config import read_config
from pose_jax.models.cost import count_parameters
from pose_jax.train.checkpoint import Checkpoints
from pose_jax.train.state import abstract_variables
from pose_jax.weights import WeightsError, export, safetensors


def export_weights(
  workdir: pathlib.Path, output: pathlib.Path, *, which: str = "latest"
) -> str:
  """Writes a checkpoint under torch's names; says what was written.

  Raises:
    ConfigError: if workdir or output are not as they must be, or torch has no
      such network.
    CheckpointError: if there is no such checkpoint.
  """
  if output.suffix != ".safetensors":
    raise ConfigError(
      f"--output={output}: the name must end in .safetensors, the format that "
      "is written"
    )
  place = output.resolve()
  if place.exists():
    raise ConfigError(f"--output={output} is there already: give another name")
  config = read_config(workdir)
  check_config(config, parts=())
  checkpoints = Checkpoints(
    workdir / "checkpoints",
    best_metric=config.checkpoint.best_metric,
    read_only=True,
  )
  step = checkpoints.resolve(which)
  model = make_experiment(config).model
  like = abstract_variables(model, tuple(config.data.crop_hw))
  variables, _ = checkpoints.restore(step, like)
  checkpoints.close()
  try:
    tensors = export(variables, config.model)
  except WeightsError as error:
    raise ConfigError(f"--workdir={workdir}: {error}") from error
  place.parent.mkdir(parents=True, exist_ok=True)
  metadata = {
    "format": "pt",  # what readers expect of tensors in torch's layout
    "network": json.dumps(config.model.to_dict()),
    "config": config.name,
    "skeleton": config.data.skeleton,
    "step": str(step),
    "code": code_version(),
  }
  safetensors.write(place, tensors, metadata)
  return (
    f"{output}: {len(tensors)} tensors of {config.name} at step {step}, "
    f"{count_parameters(variables['params']) / 1e6:.2f} M parameters"
  )
