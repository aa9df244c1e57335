"""Writes a checkpoint's weights for torch, to check results outside.

    python -m launch.export_weights --workdir=W --output=FILE.safetensors

Names are those of the network's authors, bit for bit what
launch.import_weights read; in torch:
  model.load_state_dict(safetensors.torch.load_file("FILE.safetensors"))
"""

import json
import pathlib

from absl import flags

from launch import doorway
from launch.check import check_config
from launch.experiment import make_experiment
from launch.measure import code_version
from launch.mistakes import ConfigError
from launch.run_config import read_config
from pose_jax.models.cost import count_parameters
from pose_jax.train.checkpoint import Checkpoints
from pose_jax.train.state import abstract_variables
from pose_jax.weights import WeightsError, export, safetensors

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.")
_CHECKPOINT = flags.DEFINE_string(
  "checkpoint", "latest", "latest, best or a step."
)
_OUTPUT = flags.DEFINE_string("output", None, "FILE.safetensors to write.")


def main() -> None:
  """Reads a checkpoint, writes it under torch's names."""
  if not _WORKDIR.value or not _OUTPUT.value:
    doorway.fail(
      "--workdir=FOLDER and --output=FILE.safetensors must be given: a run's "
      "folder, and what to write"
    )
  workdir, output = pathlib.Path(_WORKDIR.value), pathlib.Path(_OUTPUT.value)
  if output.suffix != ".safetensors":
    raise ConfigError(
      f"--output={output}: the name must end in .safetensors, the format that "
      "is written"
    )
  if output.exists():
    raise ConfigError(f"--output={output} is there already: give another name")
  config = read_config(workdir)
  check_config(config, parts=())
  checkpoints = Checkpoints(
    workdir / "checkpoints",
    best_metric=config.checkpoint.best_metric,
    read_only=True,
  )
  step = checkpoints.resolve(_CHECKPOINT.value)
  model = make_experiment(config).model
  like = abstract_variables(model, tuple(config.data.crop_hw))
  variables, _ = checkpoints.restore(step, like)
  checkpoints.close()
  try:
    tensors = export(variables, config.model)
  except WeightsError as error:
    raise ConfigError(f"--workdir={workdir}: {error}") from error
  output.parent.mkdir(parents=True, exist_ok=True)
  metadata = {
    "format": "pt",  # what readers expect of tensors in torch's layout
    "network": json.dumps(config.model.to_dict()),
    "config": config.name,
    "skeleton": config.data.skeleton,
    "step": str(step),
    "code": code_version(),
  }
  safetensors.write(output, tensors, metadata)
  print(
    f"{output}: {len(tensors)} tensors of {config.name} at step {step}, "
    f"{count_parameters(variables['params']) / 1e6:.2f} M parameters",
    flush=True,
  )


if __name__ == "__main__":
  doorway.run(main)
