"""Residual blocks against a composition in NumPy; the feature pyramid."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from pose_jax.models.layers import BatchNorm, Conv
from pose_jax.models.resnet import STAGES, BasicBlock, Bottleneck, ResNet

NORM = partial(BatchNorm, use_running_average=True)


def _conv(x, params, stride=1):
  """Padded correlation by shifting the map, float64."""
  kernel = np.float64(params["kernel"])
  size, pad = kernel.shape[0], kernel.shape[0] // 2
  height, width = x.shape[1:3]
  x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
  full = sum(
    x[:, i : i + height, j : j + width] @ kernel[i, j]
    for i in range(size)
    for j in range(size)
  )
  return full[:, ::stride, ::stride]


def _norm(x, variables, name):
  params, stats = variables["params"][name], variables["batch_stats"][name]
  spread = np.sqrt(np.float64(stats["var"]) + 1e-5)
  return (x - np.float64(stats["mean"])) / spread * np.float64(
    params["scale"]
  ) + np.float64(params["bias"])


def _slow_block(x, variables, strides):
  """relu(convolutions with norms, relu between them, + shortcut)."""
  params, y = variables["params"], np.float64(x)
  for n, stride in enumerate(strides, start=1):
    y = _norm(_conv(y, params[f"conv{n}"], stride), variables, f"norm{n}")
    if n < len(strides):
      y = np.maximum(y, 0)
  shortcut = np.float64(x)
  if "shortcut_conv" in params:
    shortcut = _conv(shortcut, params["shortcut_conv"], max(strides))
    shortcut = _norm(shortcut, variables, "shortcut_norm")
  return np.maximum(y + shortcut, 0)


def _shaken(variables):
  """The variables with every scale, bias and statistic made its own."""
  leaves, tree = jax.tree.flatten(variables)
  rng = np.random.default_rng(0)
  factors = [rng.uniform(0.5, 1.5, leaf.shape) for leaf in leaves]
  offsets = [0.1 * rng.random(leaf.shape) for leaf in leaves]
  return tree.unflatten(
    [
      jnp.float32(leaf * factor + offset)
      for leaf, factor, offset in zip(leaves, factors, offsets, strict=True)
    ]
  )


@pytest.mark.parametrize(
  ("block", "num_in", "stride", "strides"),
  [
    (BasicBlock, 4, 1, (1, 1)),
    (BasicBlock, 6, 2, (2, 1)),
    (Bottleneck, 16, 1, (1, 1, 1)),
    (Bottleneck, 6, 1, (1, 1, 1)),
    (Bottleneck, 6, 2, (1, 2, 1)),  # the stride sits on the 3x3 convolution
  ],
)
def test_block_equals_its_composition(block, num_in, stride, strides):
  x = jax.random.normal(jax.random.key(0), (2, 6, 4, num_in))
  module = block(4, conv=Conv, norm=NORM, act=nn.relu, stride=stride)
  variables = _shaken(jax.jit(module.init)(jax.random.key(1), x))
  is_projected = stride != 1 or num_in != 4 * block.expansion
  assert ("shortcut_conv" in variables["params"]) == is_projected
  y = jax.jit(module.apply)(variables, x)
  expected = _slow_block(x, variables, strides)
  np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("depth", STAGES)
def test_backbone_returns_four_strides(depth):
  block, sizes = STAGES[depth]
  # Stem, head of a classifier and the convolutions of the blocks.
  assert 2 + sum(sizes) * (2 if block is BasicBlock else 3) == depth
  model = ResNet(depth, width=8)
  images = jax.ShapeDtypeStruct((1, 64, 96, 3), jnp.float32)
  pyramid, _ = jax.eval_shape(model.init_with_output, jax.random.key(0), images)
  assert [feature.shape[1:] for feature in pyramid] == [
    (64 // stride, 96 // stride, 8 * 2**stage * block.expansion)
    for stage, stride in enumerate((4, 8, 16, 32))
  ]
