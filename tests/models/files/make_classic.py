"""Writes classic.npz; needs torch.

Narrow AlexNet, VGG-16 with batch norm and VGG-19 as torchvision's `features`
number their layers: drawn weights, an input, and what comes out while testing.
`../test_classic_torch.py` reads it without torch.
"""

import pathlib

import numpy as np
import torch
from make_hrnet import pack
from torch import nn

WIDTH = 2
HERE = pathlib.Path(__file__).parent
VGG = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def alexnet():
  """One column, no local response normalisation."""
  w = WIDTH
  return nn.Sequential(
    *(nn.Conv2d(3, w, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
    *(nn.Conv2d(w, 3 * w, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
    *(nn.Conv2d(3 * w, 6 * w, 3, 1, 1), nn.ReLU()),
    *(nn.Conv2d(6 * w, 4 * w, 3, 1, 1), nn.ReLU()),
    *(nn.Conv2d(4 * w, 4 * w, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2)),
  )


def vgg(depth, with_norm):
  layers, num_in = [], 3
  for block, num_convs in enumerate(VGG[depth]):
    width = WIDTH * min(2**block, 8)
    for _ in range(num_convs):
      layers.append(nn.Conv2d(num_in, width, 3, 1, 1))
      layers += [nn.BatchNorm2d(width)] * with_norm
      layers.append(nn.ReLU())
      num_in = width
    layers.append(nn.MaxPool2d(2, 2))
  return nn.Sequential(*layers)


def measured(features):
  """Drawn weights, in few levels, and what the network makes of an input."""
  features.eval()
  with torch.no_grad():
    for module in features.modules():
      if isinstance(module, nn.BatchNorm2d):
        module.weight.uniform_(0.5, 1.5)
        module.bias.uniform_(-0.3, 0.5)
        module.running_mean.uniform_(-0.2, 0.2)
        module.running_var.uniform_(0.5, 1.5)
      if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
        module.bias.uniform_(-0.2, 0.2)
    state = features.state_dict()
    packed = {
      name: pack(value)
      for name, value in state.items()
      if value.is_floating_point()
    }
    for name, (levels, step) in packed.items():
      state[name].copy_(torch.from_numpy(levels * step))
    images, step = pack(torch.randn(2, 3, 96, 64))
    output = features(torch.from_numpy(images * step))
  return {
    "names": [f"features.{name}" for name in packed],
    "steps": np.float32([step for _, step in packed.values()]),
    "shapes": [" ".join(map(str, a.shape)) for a, _ in packed.values()],
    "levels": np.concatenate([a.ravel() for a, _ in packed.values()]),
    "images": images.transpose(0, 2, 3, 1),
    "step": step,
    "output": output.permute(0, 2, 3, 1).numpy(),
  }


def main():
  torch.manual_seed(0)
  networks = {
    "alexnet": alexnet(),
    "vgg16_bn": vgg(16, True),
    "vgg19": vgg(19, False),
  }
  np.savez_compressed(
    HERE / "classic.npz",
    **{
      f"{name}/{key}": value
      for name, network in networks.items()
      for key, value in measured(network).items()
    },
  )


if __name__ == "__main__":
  main()
