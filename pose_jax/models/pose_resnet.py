"""SimpleBaseline: a ResNet, a few transposed convolutions, a 1x1 head.

Source: Xiao, Wu, Wei 2018, arXiv 1804.06208. With attention in front of the
head, "Pose Estimation using Attention Based Mechanisms" (Figure 2): its pyramid
is what the transposed convolutions give.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.attention_options import (
  NONE,
  AttentionOptions,
  make_attention,
)
from pose_jax.models.deconv_head import (
  STRIDE,
  check_deconvs,
  deconv_head,
  deconv_map_hw,
)
from pose_jax.models.layers import (
  DTYPES,
  BatchNorm,
  Conv,
  check_numerics,
)
from pose_jax.models.output import PoseOutput
from pose_jax.models.resnet import STAGES, ResNet


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
    return deconv_head(
      pyramid[-1],
      num_keypoints=self.num_keypoints,
      filters=self.deconv_filters,
      strides=self.deconv_strides,
      attention=self.attention,
      norm=norm,
      dtype=self.dtype,
    )

  @property
  def crop_step(self) -> int:
    """Sides of a crop are multiples of it."""
    return STRIDE

  @nn.nowrap
  def map_hw(self, crop_hw: Sequence[int]) -> tuple[int, int]:
    """Returns the heatmaps' (height, width) for crops of `crop_hw` pixels."""
    return deconv_map_hw(
      crop_hw, strides=self.deconv_strides, network="a ResNet"
    )


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
  check_deconvs(deconv_filters, deconv_strides, deconv_kernels)
  return PoseResNet(
    num_keypoints=num_keypoints,
    depth=depth,
    width=width,
    deconv_filters=tuple(deconv_filters),
    deconv_strides=tuple(deconv_strides),
    attention=make_attention(attention, num_levels=len(deconv_filters)),
    dtype=DTYPES[dtype],
    axis_name="devices" if sync_batch_norm else None,
    batch_norm_momentum=batch_norm_momentum,
  )
