"""ResNet-18 to 152 as a backbone that returns its feature pyramid.

He and others 2015 (arXiv 1512.03385), in torchvision's form: the stride of a
bottleneck sits on its 3x3 convolution.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.layers import BatchNorm, Conv
from pose_jax.models.resample import max_pool

Module = Callable[..., Any]  # a linen Module class with some fields bound


class BasicBlock(nn.Module):
  """Two 3x3 convolutions with a shortcut (ResNet-18 and 34)."""

  features: int
  conv: Module
  norm: Module
  act: Callable[[Array], Array]
  stride: int = 1
  expansion = 1

  @nn.compact
  def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B h w O"]:
    y = self.conv(self.features, 3, stride=self.stride, name="conv1")(x)
    y = self.act(self.norm(name="norm1")(y))
    y = self.conv(self.features, 3, name="conv2")(y)
    y = self.norm(name="norm2")(y)
    return self.act(y + _shortcut(self, x, y.shape[-1]))


class Bottleneck(nn.Module):
  """1x1, 3x3, 1x1 convolutions with a shortcut (ResNet-50, 101, 152)."""

  features: int
  conv: Module
  norm: Module
  act: Callable[[Array], Array]
  stride: int = 1
  expansion = 4

  @nn.compact
  def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B h w O"]:
    num_out = self.features * self.expansion
    y = self.conv(self.features, 1, name="conv1")(x)
    y = self.act(self.norm(name="norm1")(y))
    y = self.conv(self.features, 3, stride=self.stride, name="conv2")(y)
    y = self.act(self.norm(name="norm2")(y))
    y = self.conv(num_out, 1, name="conv3")(y)
    y = self.norm(name="norm3")(y)
    return self.act(y + _shortcut(self, x, num_out))


def _shortcut(block, x, num_out):
  """x itself, or projected by a 1x1 convolution where the shape changes."""
  if block.stride == 1 and x.shape[-1] == num_out:
    return x
  x = block.conv(num_out, 1, stride=block.stride, name="shortcut_conv")(x)
  return block.norm(name="shortcut_norm")(x)


STAGES = {  # depth: (block, blocks per stage)
  18: (BasicBlock, (2, 2, 2, 2)),
  34: (BasicBlock, (3, 4, 6, 3)),
  50: (Bottleneck, (3, 4, 6, 3)),
  101: (Bottleneck, (3, 4, 23, 3)),
  152: (Bottleneck, (3, 8, 36, 3)),
}


class ResNet(nn.Module):
  """Stem and four stages; returns their outputs C2, C3, C4, C5.

  Attributes:
    depth: 18, 34, 50, 101 or 152.
    width: channels of the stem; stage s has width * 2**s, times four from
      depth 50 on. 64 is the published network, 16 a tiny one.
    dtype: compute type; parameters and batch statistics are float32.
    axis_name: mapped axis over which batch norm is synchronised, or None.
    batch_norm_momentum: share of the old running statistics that is kept.
  """

  depth: int = 50
  width: int = 64
  dtype: Any = jnp.float32
  axis_name: str | None = None
  batch_norm_momentum: float = 0.9
  title = "a ResNet"

  @nn.compact
  def __call__(
    self, x: Float[Array, "B H W 3"], train: bool = False
  ) -> tuple[Float[Array, "B _ _ _"], ...]:
    """Returns features at strides 4, 8, 16 and 32 of the input.

    Args:
      x: images.
      train: use and update batch statistics (mutable=["batch_stats"]).
    """
    conv = partial(Conv, dtype=self.dtype)
    norm = partial(
      BatchNorm,
      use_running_average=not train,
      momentum=self.batch_norm_momentum,
      dtype=self.dtype,
      axis_name=self.axis_name,
    )
    block, stage_sizes = STAGES[self.depth]
    x = conv(self.width, 7, stride=2, name="stem_conv")(x)
    x = max_pool(nn.relu(norm(name="stem_norm")(x)))
    pyramid = []
    for stage, num_blocks in enumerate(stage_sizes):
      for index in range(num_blocks):
        x = block(
          features=self.width * 2**stage,
          conv=conv,
          norm=norm,
          act=nn.relu,
          stride=2 if stage > 0 and index == 0 else 1,
          name=f"stage{stage + 1}_block{index}",
        )(x)
      pyramid.append(x)
    return tuple(pyramid)
