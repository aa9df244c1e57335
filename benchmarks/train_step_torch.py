"""Torch's side of train_step.py: the same network, channels last."""

import os
import resource
import sys
import time

import torch
from torch import nn

STAGES = {
  18: (1, (2, 2, 2, 2)),
  34: (1, (3, 4, 6, 3)),
  50: (4, (3, 4, 6, 3)),
  101: (4, (3, 4, 23, 3)),
  152: (4, (3, 8, 36, 3)),
}


def conv_norm(num_in, num_out, size, stride=1):
  """Convolution and batch norm."""
  conv = nn.Conv2d(num_in, num_out, size, stride, size // 2, bias=False)
  return nn.Sequential(conv, nn.BatchNorm2d(num_out))


class Block(nn.Module):
  """Residual block, basic (expansion 1) or bottleneck (4)."""

  def __init__(self, num_in, features, stride, expansion):
    super().__init__()
    num_out = features * expansion
    relu = nn.ReLU(inplace=True)
    if expansion == 1:
      first = conv_norm(num_in, features, 3, stride)
      self.body = nn.Sequential(*first, relu, *conv_norm(features, num_out, 3))
    else:
      self.body = nn.Sequential(
        *conv_norm(num_in, features, 1),
        relu,
        *conv_norm(features, features, 3, stride),
        relu,
        *conv_norm(features, num_out, 1),
      )
    changes = stride != 1 or num_in != num_out
    self.shortcut = (
      conv_norm(num_in, num_out, 1, stride) if changes else nn.Identity()
    )

  def forward(self, x):
    """Returns relu(body + shortcut)."""
    return torch.relu_(self.body(x) + self.shortcut(x))


def pose_resnet(depth, num_keypoints=17):
  """SimpleBaseline with three 4x4 stride-2 transposed convolutions."""
  expansion, sizes = STAGES[depth]
  layers = [*conv_norm(3, 64, 7, 2), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)]
  num_in = 64
  for stage, size in enumerate(sizes):
    for index in range(size):
      stride = 2 if stage > 0 and index == 0 else 1
      layers.append(Block(num_in, 64 * 2**stage, stride, expansion))
      num_in = 64 * 2**stage * expansion
  for _ in range(3):
    deconv = nn.ConvTranspose2d(num_in, 256, 4, 2, 1, bias=False)
    layers += [deconv, nn.BatchNorm2d(256), nn.ReLU(True)]
    num_in = 256
  return nn.Sequential(*layers, nn.Conv2d(256, num_keypoints, 1))


def main(depth, batch, height, width):
  """Serves steps until standard input ends."""
  torch.set_num_threads(len(os.sched_getaffinity(0)))
  layout = torch.channels_last
  model = pose_resnet(depth).to(memory_format=layout)
  images = torch.randn(batch, 3, height, width).to(memory_format=layout)
  targets = torch.rand(batch, 17, height // 4, width // 4)
  targets = targets.to(memory_format=layout)
  optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
  for line in sys.stdin:
    start = time.perf_counter()
    if line.strip() == "train":
      model.train()
      optimizer.zero_grad(set_to_none=True)
      loss = 0.5 * nn.functional.mse_loss(model(images), targets)
      loss.backward()
      optimizer.step()
      loss.item()
    elif line.strip() == "forward":
      model.eval()
      with torch.inference_mode():
        model(images)
    else:
      kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
      print(kilobytes / 1024, flush=True)
      continue
    print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
  main(*map(int, sys.argv[1:]))
