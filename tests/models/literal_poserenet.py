"""PoseReNet's Eq. 4 to 7 written out, one number after the other."""

import numpy as np


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def convolution(x, layer):
  """[h, w, I] to [h, w, O], zeros outside."""
  kernel, bias = np.float64(layer["kernel"]), np.float64(layer["bias"])
  height, width, _ = x.shape
  radius = kernel.shape[0] // 2
  y = np.zeros((height, width, kernel.shape[-1]))
  for i, j in np.ndindex(height, width):
    y[i, j] = bias
    for a, b in np.ndindex(*kernel.shape[:2]):
      row, column = i + a - radius, j + b - radius
      if 0 <= row < height and 0 <= column < width:
        y[i, j] += x[row, column] @ kernel[a, b]
  return y


def transposed(x, kernel):
  """[h, w, I] to [2h, 2w, O]: each pixel adds a 4x4 stamp."""
  height, width, _ = x.shape
  y = np.zeros((2 * height, 2 * width, kernel.shape[-1]))
  for i, j, a, b in np.ndindex(height, width, 4, 4):
    row, column = 2 * i - 1 + a, 2 * j - 1 + b
    if 0 <= row < 2 * height and 0 <= column < 2 * width:
      y[row, column] += x[i, j] @ np.float64(kernel[a, b])
  return y


def gate(x, params, kind):
  mean = np.array([x[..., k].mean() for k in range(x.shape[-1])])
  if kind == "eca":
    y = np.zeros_like(mean)
    for k in range(len(mean)):
      for tap, other in enumerate((k - 1, k, k + 1)):
        if 0 <= other < len(mean):
          y[k] += float(params["kernel"][tap]) * mean[other]
    return sigmoid(y)
  y = convolution(mean[None, None], params["conv0"])
  return sigmoid(convolution(y, params["conv1"])[0, 0])


def enlarged(x):
  """Twice as large, bilinear: pixel i of the small one is at 2i + 0.5."""
  height, width, _ = x.shape
  y = np.zeros((2 * height, 2 * width, x.shape[-1]))
  for i, j in np.ndindex(2 * height, 2 * width):
    for row, row_weight in _two(i, height):
      for column, column_weight in _two(j, width):
        y[i, j] += row_weight * column_weight * x[row, column]
  return y


def _two(position, length):
  """The small map's pixels beside a position, and their weights."""
  at = (position - 0.5) / 2
  low = int(np.floor(at))
  pairs = ((low, 1 - (at - low)), (low + 1, at - low))
  return [(min(max(pixel, 0), length - 1), weight) for pixel, weight in pairs]


def halved(x):
  height, width = x.shape[0] // 2, x.shape[1] // 2
  y = np.zeros((height, width, x.shape[-1]))
  for i, j in np.ndindex(height, width):
    y[i, j] = x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((0, 1))
  return y


def refinement(x, params, options):
  """Aggregate and lifted map of one person's heatmaps [h, w, K]."""
  x = np.float64(x)
  branch1 = x * gate(x, params["channel"], options.channel_attention)
  y = transposed(x, params["lifting"]["deconv"]["kernel"])
  y = convolution(y, params["lifting"]["conv0"])
  lifted = sigmoid(convolution(y, params["lifting"]["conv1"]))
  branch3 = convolution(x, params["identity"]["conv0"])
  branch3 = convolution(branch3, params["identity"]["conv1"])
  if options.fusion == "pool":
    branches = branch1, halved(lifted), branch3
  else:
    branches = enlarged(branch1), lifted, enlarged(branch3)
  if options.aggregation == "learned":
    aggregate = convolution(np.concatenate(branches, -1), params["aggregate"])
  else:
    number = {"mean": 3, "sum": 1}[options.aggregation]
    aggregate = (branches[0] + branches[1] + branches[2]) / number
  return halved(aggregate) if options.fusion == "enlarge" else aggregate, lifted
