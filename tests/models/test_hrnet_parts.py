"""An exchange module against its fusion written out in NumPy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.models.hrnet_parts import Exchange
from pose_jax.models.layers import BatchNorm, Conv

NORM = partial(BatchNorm, use_running_average=True)
FEATURES = (3, 5, 4)
SIZES = ((8, 12), (4, 6), (2, 3))


def _conv(x, kernel, stride=1):
  """Padded correlation, one output pixel after the other, float64."""
  size, pad = kernel.shape[0], kernel.shape[0] // 2
  kernel = np.float64(kernel)
  padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
  height, width = x.shape[1] // stride, x.shape[2] // stride
  y = np.zeros((len(x), height, width, kernel.shape[-1]))
  for row in range(height):
    for column in range(width):
      r, c = stride * row, stride * column
      window = padded[:, r : r + size, c : c + size]
      y[:, row, column] = np.einsum("bijc,ijco->bo", window, kernel)
  return y


def _norm(x, params, stats):
  spread = np.sqrt(np.float64(stats["var"]) + 1e-5)
  y = (x - np.float64(stats["mean"])) / spread
  return y * np.float64(params["scale"]) + np.float64(params["bias"])


def _slow_exchange(branches, params, stats, num_blocks, num_outputs):
  """Two convolutions a block, then every branch brought to every output."""

  def conv_norm(x, name, stride):
    x = _conv(x, params[name]["conv"]["kernel"], stride)
    return _norm(x, params[name]["norm"], stats[name]["norm"])

  seen = []
  for j, x in enumerate(branches):
    x = np.float64(x)
    for k in range(num_blocks):
      name, y = f"branch{j}_block{k}", x
      for n in (1, 2):
        y = _conv(y, params[name][f"conv{n}"]["kernel"])
        y = _norm(y, params[name][f"norm{n}"], stats[name][f"norm{n}"])
        y = np.maximum(y, 0) if n == 1 else np.maximum(y + x, 0)
      x = y
    seen.append(x)
  outputs = []
  for i in range(num_outputs):
    total = seen[i]
    for j, x in enumerate(seen):
      name = f"fuse{i}_from{j}"
      if j > i:
        x = conv_norm(x, name, 1)
        total = total + x.repeat(2 ** (j - i), 1).repeat(2 ** (j - i), 2)
      elif j < i:
        for step in range(i - j):
          x = conv_norm(x, f"{name}_step{step}", 2)
          x = np.maximum(x, 0) if step < i - j - 1 else x
        total = total + x
    outputs.append(np.maximum(total, 0))
  return *outputs, *seen[num_outputs:]


def _shaken(variables):
  """The variables with every scale, bias and statistic made its own."""
  leaves, tree = jax.tree.flatten(variables)
  rng = np.random.default_rng(0)
  return tree.unflatten(
    [
      jnp.float32(
        leaf * rng.uniform(0.5, 1.5, leaf.shape) + 0.1 * rng.random(leaf.shape)
      )
      for leaf in leaves
    ]
  )


@pytest.mark.parametrize("num_outputs", [3, 1])
def test_exchange_equals_its_fusion_written_out(num_outputs):
  rng = np.random.default_rng(1)
  branches = tuple(
    jnp.float32(rng.standard_normal((2, *size, features)))
    for size, features in zip(SIZES, FEATURES, strict=True)
  )
  module = Exchange(FEATURES, 2, num_outputs, Conv, NORM)
  variables = _shaken(jax.jit(module.init)(jax.random.key(0), branches))
  # What is left unfused has no parameters that could bring it anywhere.
  fused = [name for name in variables["params"] if name.startswith("fuse")]
  assert len(fused) == {3: 3 + 4, 1: 2}[num_outputs]
  ours = jax.jit(module.apply)(variables, branches)
  expected = _slow_exchange(
    branches, variables["params"], variables["batch_stats"], 2, num_outputs
  )
  assert len(ours) == len(expected) == 3
  for mine, wanted in zip(ours, expected, strict=True):
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(mine, wanted, rtol=0, atol=1e-5 * scale)
