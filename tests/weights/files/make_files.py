"""Writes the files of this folder with torch itself (and safetensors).

Needs torch, which pose_jax does not: run it by hand, anywhere.

    python tests/weights/files/make_files.py

Made with torch 2.13.0 and safetensors 0.8.0. Every value is a formula, which
`made_weights.py` beside the tests repeats in NumPy.
"""

import pathlib

import safetensors.torch
import torch

FOLDER = pathlib.Path(__file__).parent


def mixed():
  """Views, dtypes and shapes of every kind that a state dict may hold."""
  base = torch.arange(24.0) / 8 - 1
  return {
    "whole": base.reshape(2, 3, 4),
    "permuted": base.reshape(2, 3, 4).permute(2, 0, 1),
    "part": base[5:11:2],
    "parameter": torch.nn.Parameter(torch.arange(3.0)),
    "scalar": torch.tensor(7.5),
    "empty": torch.zeros(0, 3),
    "float64": torch.arange(3, dtype=torch.float64) / 3,
    "float16": torch.arange(3, dtype=torch.float16) / 4,
    "bfloat16": torch.arange(6, dtype=torch.bfloat16).reshape(2, 3).T,
    "int64": torch.arange(3) - 2**40,
    "int32": torch.arange(3, dtype=torch.int32) - 2**20,
    "int16": torch.arange(3, dtype=torch.int16) - 300,
    "int8": torch.arange(3, dtype=torch.int8) - 2,
    "uint8": torch.arange(3, dtype=torch.uint8) + 253,
    "uint16": torch.tensor([0, 65535]).to(torch.uint16),
    "bool": torch.tensor([True, False, True]),
  }


def checkpoint():
  """What pytorch-pose saves of a network that ran on several devices."""
  network = torch.nn.Sequential(
    torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3)
  )
  network[0].weight.data = torch.arange(6.0).reshape(3, 2, 1, 1)
  network[0].bias.data = -torch.arange(3.0)
  optimizer = torch.optim.Adam(network.parameters())
  network(torch.ones(2, 2, 2, 2)).sum().backward()
  best = network[0].bias.detach().clone()
  state = {f"module.{k}": v for k, v in network.state_dict().items()}
  state = {key: value.clone() for key, value in state.items()}
  optimizer.step()
  schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [60, 90])
  return {
    "epoch": 12,
    "arch": "hg",
    "history": [0.25, None, (True, "x")],
    "best_acc": best.double().sum().numpy()[()],  # a NumPy number
    "best": best,
    "state_dict": state,
    "optimizer": optimizer.state_dict(),
    "schedule": schedule.state_dict(),
  }


def main():
  for name, content in (("mixed", mixed()), ("checkpoint", checkpoint())):
    torch.save(content, FOLDER / f"{name}_zip.pth")
    torch.save(
      content,
      FOLDER / f"{name}_legacy.pth",
      _use_new_zipfile_serialization=False,
    )
  torch.save(
    torch.nn.BatchNorm2d(2).state_dict(),
    FOLDER / "norm_protocol4_zip.pth",
    pickle_protocol=4,
  )
  tensors = {key: value.contiguous() for key, value in mixed().items()}
  safetensors.torch.save_file(
    {key: value.detach().clone() for key, value in tensors.items()},
    FOLDER / "mixed.safetensors",
    {"format": "pt"},
  )


if __name__ == "__main__":
  main()
