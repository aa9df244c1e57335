"""Writes hourglass.pth.tar and hourglass_legacy.pth; needs torch."""

import collections
import pathlib
import sys

import torch

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from hourglass_state import TINY, hourglass_state  # noqa: E402

state = collections.OrderedDict(
  (name, torch.from_numpy(value))
  for name, value in hourglass_state(TINY, num_maps=16).items()
)
torch.save(
  {
    "epoch": 7,
    "arch": "hg1",
    "state_dict": {f"module.{name}": value for name, value in state.items()},
  },
  HERE / "hourglass.pth.tar",
)
torch.save(
  state, HERE / "hourglass_legacy.pth", _use_new_zipfile_serialization=False
)
