"""Writes hrnet.npz; needs torch.

A tiny HRNet written here in torch from the published structure (Sun and others
2019, arXiv 1902.09212), with the names of its authors' state dict: drawn
weights, an input, and the heatmaps while testing. `../test_hrnet.py` reads it
without torch.
"""

import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

WIDTH, STEM, NUM_KEYPOINTS = 4, 4, 3
HERE = pathlib.Path(__file__).parent


def conv(num_in, num_out, size=3, stride=1):
  return nn.Conv2d(num_in, num_out, size, stride, size // 2, bias=False)


class Basic(nn.Module):
  """Two 3x3 convolutions beside an identity."""

  def __init__(self, width):
    super().__init__()
    self.conv1, self.bn1 = conv(width, width), nn.BatchNorm2d(width)
    self.conv2, self.bn2 = conv(width, width), nn.BatchNorm2d(width)

  def forward(self, x):
    y = F.relu(self.bn1(self.conv1(x)))
    return F.relu(x + self.bn2(self.conv2(y)))


class Bottleneck(nn.Module):
  """1x1, 3x3, 1x1 to four times the width; the first has a projection."""

  def __init__(self, num_in, width):
    super().__init__()
    out = 4 * width
    self.conv1, self.bn1 = conv(num_in, width, 1), nn.BatchNorm2d(width)
    self.conv2, self.bn2 = conv(width, width), nn.BatchNorm2d(width)
    self.conv3, self.bn3 = conv(width, out, 1), nn.BatchNorm2d(out)
    self.downsample = None
    if num_in != out:
      self.downsample = nn.Sequential(conv(num_in, out, 1), nn.BatchNorm2d(out))

  def forward(self, x):
    y = F.relu(self.bn1(self.conv1(x)))
    y = F.relu(self.bn2(self.conv2(y)))
    y = self.bn3(self.conv3(y))
    return F.relu(y + (self.downsample(x) if self.downsample else x))


def down(num_in, num_out, is_last):
  """3x3 of stride 2; all but the last of a chain have a ReLU."""
  layers = [conv(num_in, num_out, stride=2), nn.BatchNorm2d(num_out)]
  return nn.Sequential(*layers, *([] if is_last else [nn.ReLU()]))


class Module(nn.Module):
  """One block a branch, then every output from every branch."""

  def __init__(self, num_branches, num_outputs):
    super().__init__()
    widths = [WIDTH * 2**i for i in range(num_branches)]
    self.branches = nn.ModuleList(
      nn.Sequential(Basic(width)) for width in widths
    )
    self.fuse_layers = nn.ModuleList()
    for i in range(num_outputs):
      row = nn.ModuleList()
      for j in range(num_branches):
        if j > i:  # coarser: 1x1, then enlarged
          part = nn.Sequential(
            conv(widths[j], widths[i], 1),
            nn.BatchNorm2d(widths[i]),
            nn.Upsample(scale_factor=2 ** (j - i), mode="nearest"),
          )
        elif j == i:
          part = nn.Identity()
        else:
          steps = range(j + 1, i + 1)
          part = nn.Sequential(
            *(
              down(widths[j], widths[i if step == i else j], step == i)
              for step in steps
            )
          )
        row.append(part)
      self.fuse_layers.append(row)

  def forward(self, xs):
    xs = [branch(x) for branch, x in zip(self.branches, xs, strict=True)]
    return [
      F.relu(sum(part(x) for part, x in zip(row, xs, strict=True)))
      for row in self.fuse_layers
    ]


class HRNet(nn.Module):
  """Stem, four stages with one module each, heatmaps of the finest branch."""

  def __init__(self):
    super().__init__()
    self.conv1, self.bn1 = conv(3, STEM, stride=2), nn.BatchNorm2d(STEM)
    self.conv2, self.bn2 = conv(STEM, STEM, stride=2), nn.BatchNorm2d(STEM)
    self.layer1 = nn.Sequential(
      Bottleneck(STEM, STEM), *(Bottleneck(4 * STEM, STEM) for _ in range(3))
    )
    first = nn.Sequential(
      conv(4 * STEM, WIDTH), nn.BatchNorm2d(WIDTH), nn.ReLU()
    )
    self.transition1 = nn.ModuleList(
      [first, nn.Sequential(down(4 * STEM, 2 * WIDTH, False))]
    )
    self.stage2 = nn.Sequential(Module(2, 2))
    self.transition2 = self._transition(2)
    self.stage3 = nn.Sequential(Module(3, 3))
    self.transition3 = self._transition(3)
    self.stage4 = nn.Sequential(Module(4, 1))
    self.final_layer = nn.Conv2d(WIDTH, NUM_KEYPOINTS, 1)

  def _transition(self, n):
    """A new branch from the coarsest; the others stay."""
    new = nn.Sequential(down(WIDTH * 2 ** (n - 1), WIDTH * 2**n, False))
    return nn.ModuleList([*(nn.Identity() for _ in range(n)), new])

  def forward(self, x):
    x = F.relu(self.bn1(self.conv1(x)))
    x = self.layer1(F.relu(self.bn2(self.conv2(x))))
    xs = self.stage2([layer(x) for layer in self.transition1])
    for transition, stage in (
      (self.transition2, self.stage3),
      (self.transition3, self.stage4),
    ):
      xs = stage([*xs, transition[-1](xs[-1])])
    return self.final_layer(xs[0])


def main():
  torch.manual_seed(0)
  model = HRNet().eval()
  with torch.no_grad():
    for module in model.modules():
      if isinstance(module, nn.BatchNorm2d):
        module.weight.uniform_(0.5, 1.5)
        module.bias.uniform_(-0.3, 0.5)
        module.running_mean.uniform_(-0.2, 0.2)
        module.running_var.uniform_(0.5, 1.5)
    state = model.state_dict()
    packed = {
      name: pack(value)
      for name, value in state.items()
      if value.is_floating_point()
    }
    # What is computed is of the values kept.
    for name, (levels, step) in packed.items():
      state[name].copy_(torch.from_numpy(levels * step))
    images, step = pack(torch.randn(2, 3, 32, 64))
    heatmaps = model(torch.from_numpy(images * step))
  np.savez_compressed(
    HERE / "hrnet.npz",
    names=list(packed),
    steps=np.float32([step for _, step in packed.values()]),
    shapes=[" ".join(map(str, a.shape)) for a, _ in packed.values()],
    levels=np.concatenate([a.ravel() for a, _ in packed.values()]),
    images=images.transpose(0, 2, 3, 1) * step,
    heatmaps=heatmaps.permute(0, 2, 3, 1).numpy(),
  )


def pack(value):
  """Whole numbers -7 to 7 and their step, so that the file is small."""
  value = value.numpy()
  step = np.float32(np.abs(value).max() / 7)
  return np.round(value / step).astype(np.int8), step


if __name__ == "__main__":
  main()
