"""SimpleBaseline: a ResNet, a few transposed convolutions, a 1x1 head.

Source: Xiao, Wu, Wei 2018, arXiv 1804.06208. With attention in front of the
head, "Pose Estimation using Attention Based Mechanisms" (Figure 2): its pyramid
is what the transposed convolutions give.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.attention import PoseHead
from pose_jax.models.attention_options import (
  NONE,
  AttentionOptions,
  make_attention,
)
from pose_jax.models.layers import (
  DTYPES,
  BatchNorm,
  Conv,
  Deconv,
  check_numerics,
)
from pose_jax.models.output import PoseOutput
from pose_jax.models.resnet import STAGES, ResNet

STRIDE = 32  # of the backbone


class PoseResNet(nn.Module):
  """ResNet features, enlarged by transposed convolutions, then K heatmaps.

  Attributes:
    num_keypoints: K.
    depth: 18, 34, 50, 101 or 152.
    width: channels of the stem; 64 is the published network, 16 a tiny one.
    deconv_filters: channels of each transposed convolution.
    deconv_strides: 2 (4x4, doubles the map) or 1 (3x3, keeps its size) each.
    attention: what stands in front of the head.
    dtype: compute type; parameters, batch statistics, heatmaps are float32.
    axis_name: mapped axis over which batch norm is synchronised, or None.
    batch_norm_momentum: share of the old running statistics that is kept.
  """

  num_keypoints: int
  depth: int = 50
  width: int = 64
  deconv_filters: Sequence[int] = (256, 256, 256)
  deconv_strides: Sequence[int] = (2, 2, 2)
  attention: AttentionOptions = NONE
  dtype: Any = jnp.float32
  axis_name: str | None = None
  batch_norm_momentum: float = 0.9

  @nn.compact
  def __call__(
    self, images: Float[Array | np.ndarray, "B H W 3"], train: bool = False
  ) -> PoseOutput:
    """Returns `heatmaps` [B, h, w, K], (h, w) = map_hw((H, W)).

    Args:
      images: [B, H, W, 3] float32, normalised, H and W divisible by 32.
      train: use and update batch statistics (mutable=["batch_stats"]).
    Raises:
      ValueError: if H or W is not divisible by 32.
    """
    self.map_hw(images.shape[1:3])
    conv = partial(Conv, dtype=self.dtype)
    norm = partial(
      BatchNorm,
      use_running_average=not train,
      momentum=self.batch_norm_momentum,
      dtype=self.dtype,
      axis_name=self.axis_name,
    )
    block, stage_sizes = STAGES[self.depth]
    pyramid = ResNet(
      stage_sizes, block, self.width, conv, norm, name="backbone"
    )(jnp.asarray(images))
    x, levels = pyramid[-1], []
    for index, (features, stride) in enumerate(
      zip(self.deconv_filters, self.deconv_strides, strict=True)
    ):
      x = self._enlarge(features, stride, name=f"deconv{index}")(x)
      x = nn.relu(norm(name=f"deconv{index}_norm")(x))
      levels.append(x)
    head = PoseHead(self.num_keypoints, self.attention, name="head")
    heatmaps, attention = head(levels)
    return PoseOutput(
      heatmaps=heatmaps, stages=(heatmaps,), attention=attention
    )

  def _enlarge(self, features: int, stride: int, name: str) -> nn.Module:
    """A transposed convolution; that of stride 1 is a plain one."""
    if stride == 2:
      return Deconv(features, dtype=self.dtype, name=name)
    init = nn.initializers.normal(0.001)
    return Conv(features, dtype=self.dtype, kernel_init=init, name=name)

  @property
  def crop_step(self) -> int:
    """Sides of a crop are multiples of it."""
    return STRIDE

  @nn.nowrap
  def map_hw(self, crop_hw: Sequence[int]) -> tuple[int, int]:
    """Returns the heatmaps' (height, width) for crops of `crop_hw` pixels."""
    height, width = crop_hw
    if height < 1 or width < 1 or height % STRIDE or width % STRIDE:
      raise ValueError(
        f"crop_hw must be positive multiples of {STRIDE} for a ResNet, got "
        f"({height}, {width}): choose for example (256, 192)"
      )
    scale = math.prod(self.deconv_strides)
    return height // STRIDE * scale, width // STRIDE * scale


def make_pose_resnet(
  num_keypoints: int,
  *,
  depth: int = 50,
  width: int = 64,
  deconv_filters: Sequence[int] = (256, 256, 256),
  deconv_strides: Sequence[int] = (2, 2, 2),
  deconv_kernels: Sequence[int] = (4, 4, 4),
  attention: Mapping[str, Any] | None = None,
  dtype: str = "float32",
  sync_batch_norm: bool = False,
  batch_norm_momentum: float = 0.9,
) -> PoseResNet:
  """Returns the network for plain config values, each of them checked.

  Raises:
    ValueError: naming the value that cannot be built and those that can.
  """
  if depth not in STAGES:
    raise ValueError(
      f"depth must be one of {', '.join(map(str, STAGES))}, got {depth!r}"
    )
  check_numerics(dtype=dtype, batch_norm_momentum=batch_norm_momentum)
  if width < 1 or num_keypoints < 1:
    raise ValueError(
      "width and num_keypoints must be at least 1, got "
      f"{width} and {num_keypoints}"
    )
  if not 1 <= len(deconv_filters) <= 5 or min(deconv_filters) < 1:
    raise ValueError(
      "deconv_filters must be one to five positive numbers of channels, got "
      f"{tuple(deconv_filters)}"
    )
  strides = tuple(deconv_strides)
  if len(strides) != len(deconv_filters) or not set(strides) <= {1, 2}:
    raise ValueError(
      f"deconv_strides must be 1 or 2 for each of the {len(deconv_filters)} "
      f"deconv_filters, got {strides}"
    )
  kernels = tuple(3 if stride == 1 else 4 for stride in strides)
  if tuple(deconv_kernels) != kernels:
    raise ValueError(
      f"deconv_kernels must be {kernels}, 4 where deconv_strides is 2 and 3 "
      f"where it is 1, got {tuple(deconv_kernels)}"
    )
  return PoseResNet(
    num_keypoints=num_keypoints,
    depth=depth,
    width=width,
    deconv_filters=tuple(deconv_filters),
    deconv_strides=strides,
    attention=make_attention(attention, num_levels=len(deconv_filters)),
    dtype=DTYPES[dtype],
    axis_name="devices" if sync_batch_norm else None,
    batch_norm_momentum=batch_norm_momentum,
  )
