"""Makes a run of published weights, to evaluate, predict with or go on from.

    python -m launch.import_weights --source=FILE --config=configs/NAME.py \
      --output=WORKDIR

Reads torch's .pth (both formats), safetensors and .npz files; nothing in them
is run. Weights do not tell the crops' size, the alignment and the decoder they
were trained for: the config, with its variant, must. Backbones alone, of
ImageNet classifiers say, are for the start of a training: launch.train
--config.init.weights=FILE.
"""

import pathlib

from absl import flags
from ml_collections import config_flags

from launch import doorway
from launch.check import check_config
from launch.imported import import_weights
from launch.mistakes import wanted_folder

_CONFIG = config_flags.DEFINE_config_file(
  "config", None, "Experiment, configs/NAME.py[:variant].", lock_config=True
)
_SOURCE = flags.DEFINE_string(
  "source", None, "File of weights: .pth, .pth.tar, .safetensors or .npz."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the run to make.")
_SHA256 = flags.DEFINE_string(
  "sha256", None, "What the file's hash must begin with, 8 to 64 hex digits."
)


def main() -> None:
  """Takes the flags, prints what became of them."""
  for flag, value, what in (
    ("source", _SOURCE.value, "the file of weights"),
    ("config", _CONFIG.value, "of the network they are of"),
    ("output", _OUTPUT.value, "the folder of the run to make"),
  ):
    if not value:
      doorway.fail(f"--{flag} must be given: {what}")
  check_config(_CONFIG.value, parts=())
  summary = import_weights(
    pathlib.Path(_SOURCE.value),
    _CONFIG.value,
    wanted_folder("output", _OUTPUT.value),
    sha256=_SHA256.value,
  )
  print(summary, flush=True)


if __name__ == "__main__":
  doorway.run(main)
