"""Writes a checkpoint's weights for torch, to check results outside.

    python -m launch.export_weights --workdir=W --output=FILE.safetensors

Names are those of the network's authors, bit for bit what
launch.import_weights read; in torch:
  model.load_state_dict(safetensors.torch.load_file("FILE.safetensors"))
"""

import pathlib

from absl import flags

from launch import doorway
from launch.exported import export_weights

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.")
_CHECKPOINT = flags.DEFINE_string(
  "checkpoint", "latest", "latest, best or a step."
)
_OUTPUT = flags.DEFINE_string("output", None, "FILE.safetensors to write.")


def main() -> None:
  """Takes the flags, prints what became of them."""
  if not _WORKDIR.value or not _OUTPUT.value:
    doorway.fail(
      "--workdir=FOLDER and --output=FILE.safetensors must be given: a run's "
      "folder, and what to write"
    )
  summary = export_weights(
    pathlib.Path(_WORKDIR.value),
    pathlib.Path(_OUTPUT.value),
    which=_CHECKPOINT.value,
  )
  print(summary, flush=True)


if __name__ == "__main__":
  doorway.run(main)
