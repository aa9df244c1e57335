"""VGG's convolutions as a trunk, and as a pose network.

Simonyan and Zisserman 2015 (arXiv 1409.1556) in torchvision's form, whose
`features` these are, with batch norm or without. Convolutions have biases in
both forms; in front of a batch norm they have no effect and no gradient, but
released weights have them. Feature i of the last map is centred at crop pixel
32 i + 15.5, the middle of its 32x32 cell.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.deconv_head import DeconvPose, make_deconv_pose
from pose_jax.models.layers import BatchNorm, Conv
from pose_jax.models.resample import max_pool_2x2

STAGES = {  # depth: convolutions per block
  16: (2, 2, 3, 3, 3),
  19: (2, 2, 4, 4, 4),
}
FACTORS = (1, 2, 4, 8, 8)  # channels of each block, times width


class Vgg(nn.Module):
  """Five blocks of 3x3 convolutions; returns what each block's pool gives.

  Attributes:
    depth: 16 or 19, counted with the three dense layers of the classifier.
    width: channels of the first block; 64 is the published network.
    use_batch_norm: one behind every convolution.
    dtype: compute type; parameters and batch statistics are float32.
    axis_name: mapped axis over which batch norm is synchronised, or None.
    batch_norm_momentum: share of the old running statistics that is kept.
  """

  depth: int = 16
  width: int = 64
  use_batch_norm: bool = True
  dtype: Any = jnp.float32
  axis_name: str | None = None
  batch_norm_momentum: float = 0.9
  title = "a VGG"

  @nn.compact
  def __call__(
    self, x: Float[Array, "B H W 3"], train: bool = False
  ) -> tuple[Float[Array, "B _ _ _"], ...]:
    """Returns features at strides 2, 4, 8, 16 and 32 of the input.

    Args:
      x: images, sides multiples of 32.
      train: use and update batch statistics (mutable=["batch_stats"]).
    Raises:
      ValueError: if a side is not divisible by 32.
    """
    norm = partial(
      BatchNorm,
      use_running_average=not train,
      momentum=self.batch_norm_momentum,
      dtype=self.dtype,
      axis_name=self.axis_name,
    )
    pyramid = []
    for block, num_convs in enumerate(STAGES[self.depth]):
      features = self.width * FACTORS[block]
      for index in range(num_convs):
        name = f"block{block + 1}_conv{index + 1}"
        x = Conv(features, use_bias=True, dtype=self.dtype, name=name)(x)
        if self.use_batch_norm:
          x = norm(name=name.replace("conv", "norm"))(x)
        x = nn.relu(x)
      x = max_pool_2x2(x)
      pyramid.append(x)
    return tuple(pyramid)


def make_pose_vgg(
  num_keypoints: int,
  *,
  depth: int = 16,
  width: int = 64,
  use_batch_norm: bool = True,
  deconv_filters: Sequence[int] = (256, 256, 256),
  deconv_strides: Sequence[int] = (2, 2, 2),
  deconv_kernels: Sequence[int] = (4, 4, 4),
  attention: Mapping[str, Any] | None = None,
  dtype: str = "float32",
  sync_batch_norm: bool = False,
  batch_norm_momentum: float = 0.9,
) -> DeconvPose:
  """Returns a VGG with SimpleBaseline's head, each value checked.

  Args:
    depth: 16 or 19.
    width: channels of the first block.
    use_batch_norm: in the trunk; the head always has it.
    deconv_filters, deconv_strides, deconv_kernels: channels of each transposed
      convolution; 2 doubles the map, with a kernel of 4, 1 keeps it, with 3.
    attention: options of `make_attention`.
    sync_batch_norm: batch statistics over all devices.
  Raises:
    ValueError: naming the value that cannot be built and those that can.
  """
  if depth not in STAGES:
    raise ValueError(
      f"depth must be one of {', '.join(map(str, STAGES))}, got {depth!r}"
    )
  return make_deconv_pose(
    num_keypoints,
    partial(Vgg, depth=depth, use_batch_norm=use_batch_norm),
    width=width,
    deconv_filters=deconv_filters,
    deconv_strides=deconv_strides,
    deconv_kernels=deconv_kernels,
    attention=attention,
    dtype=dtype,
    sync_batch_norm=sync_batch_norm,
    batch_norm_momentum=batch_norm_momentum,
  )
