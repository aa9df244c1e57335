"""What HRNet is made of: chains of blocks, and the exchange between branches.

Sun and others 2019 (arXiv 1902.09212) in the form of its authors' pose code,
whose weights load. Branches are tuples [B, h, w, C], [B, h/2, w/2, 2C], ...
from fine to coarse.
"""

from collections.abc import Callable, Sequence
from typing import Any

from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.resample import upsample_nearest
from pose_jax.models.resnet import BasicBlock, Bottleneck

Module = Callable[..., Any]  # a linen Module class with some fields bound
Branches = tuple[Float[Array, "B _ _ _"], ...]


class ConvNorm(nn.Module):
  """A convolution and its norm, with a ReLU or without."""

  features: int
  kernel_size: int
  stride: int
  conv: Module
  norm: Module
  is_rectified: bool = True

  @nn.compact
  def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B h w O"]:
    x = self.conv(
      self.features, self.kernel_size, stride=self.stride, name="conv"
    )(x)
    x = self.norm(name="norm")(x)
    return nn.relu(x) if self.is_rectified else x


# Blocks of equal fields and shapes are traced and lowered once, which halves
# both times of a training step; XLA inlines them, so that nothing else changes.
TracedBasicBlock = nn.jit(BasicBlock)
TracedBottleneck = nn.jit(Bottleneck)
TracedConvNorm = nn.jit(ConvNorm)


class Exchange(nn.Module):
  """One exchange module: blocks on every branch, then fusion across them.

  Output i is the ReLU of the sum over all branches j, each brought to the size
  and channels of i: coarser ones by a 1x1 convolution, norm and nearest
  enlargement; finer ones by i - j convolutions 3x3 of stride 2 with norms,
  the last of which alone changes the channels and has no ReLU.

  Attributes:
    features: channels of each branch, fine to coarse.
    num_blocks: basic blocks on each branch.
    num_outputs: how many branches are fused, the finest ones; the others leave
      as they are before the fusion.
    conv, norm: what blocks are made of.
  """

  features: Sequence[int]
  num_blocks: int
  num_outputs: int
  conv: Module
  norm: Module

  @nn.compact
  def __call__(self, branches: Branches) -> Branches:
    """Returns the fused branches, then those that are left as they are."""
    branches = tuple(self._blocks(j, x) for j, x in enumerate(branches))
    fused = tuple(
      nn.relu(sum(self._brought(x, j, i) for j, x in enumerate(branches)))
      for i in range(self.num_outputs)
    )
    return *fused, *branches[self.num_outputs :]

  def _blocks(self, j: int, x: Array) -> Array:
    for index in range(self.num_blocks):
      x = TracedBasicBlock(
        self.features[j],
        self.conv,
        self.norm,
        nn.relu,
        name=f"branch{j}_block{index}",
      )(x)
    return x

  def _brought(self, x: Array, j: int, i: int) -> Array:
    """Branch j in the size and channels of branch i."""
    bound = {"conv": self.conv, "norm": self.norm}
    name = f"fuse{i}_from{j}"
    if j > i:
      x = TracedConvNorm(
        self.features[i], 1, 1, **bound, is_rectified=False, name=name
      )(x)
      return upsample_nearest(x, 2 ** (j - i))
    for step in range(i - j):
      is_last = step == i - j - 1
      x = TracedConvNorm(
        self.features[i if is_last else j],
        3,
        2,
        **bound,
        is_rectified=not is_last,
        name=f"{name}_step{step}",
      )(x)
    return x
