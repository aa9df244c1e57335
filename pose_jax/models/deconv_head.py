"""From a trunk's coarse features to heatmaps: transposed convolutions, 1x1.

Source: SimpleBaseline's head, Xiao, Wu, Wei 2018, arXiv 1804.06208, which has
it on ResNet; `DeconvPose` puts it on any trunk.
"""

import math
from collections.abc import Callable, Mapping, Sequence
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

STRIDE = 32  # of trunks that name no `stride` of their own


def deconv_head(
  x: Float[Array, "B h w C"],
  *,
  num_keypoints: int,
  filters: Sequence[int],
  strides: Sequence[int],
  attention: AttentionOptions,
  norm: Callable[..., nn.Module],
  dtype: Any,
) -> PoseOutput:
  """Returns the heatmaps of features; to be called in a module's __call__.

  The pyramid that attention reads is what the transposed convolutions give.

  Args:
    x: the trunk's coarsest features.
    filters, strides: of each transposed convolution.
    attention: what stands in front of the heatmaps.
    norm: batch norm behind each of them, everything but its name bound.
    dtype: compute type; heatmaps are float32.
  """
  levels = []
  for index, (features, stride) in enumerate(
    zip(filters, strides, strict=True)
  ):
    x = _enlarge(features, stride, dtype, name=f"deconv{index}")(x)
    x = nn.relu(norm(name=f"deconv{index}_norm")(x))
    levels.append(x)
  head = PoseHead(num_keypoints, attention, name="head")
  heatmaps, maps = head(levels)
  return PoseOutput(
    heatmaps=heatmaps, stages=(heatmaps,), features=x, attention=maps
  )


def _enlarge(features, stride, dtype, name):
  """A transposed convolution; that of stride 1 is a plain one."""
  if stride == 2:
    return Deconv(features, dtype=dtype, name=name)
  init = nn.initializers.normal(0.001)
  return Conv(features, dtype=dtype, kernel_init=init, name=name)


def check_deconvs(
  filters: Sequence[int], strides: Sequence[int], kernels: Sequence[int]
) -> None:
  """Raises ValueError for transposed convolutions that cannot be built."""
  if not 1 <= len(filters) <= 5 or min(filters) < 1:
    raise ValueError(
      "deconv_filters must be one to five positive numbers of channels, got "
      f"{tuple(filters)}"
    )
  strides = tuple(strides)
  if len(strides) != len(filters) or not set(strides) <= {1, 2}:
    raise ValueError(
      f"deconv_strides must be 1 or 2 for each of the {len(filters)} "
      f"deconv_filters, got {strides}"
    )
  wanted = tuple(3 if stride == 1 else 4 for stride in strides)
  if tuple(kernels) != wanted:
    raise ValueError(
      f"deconv_kernels must be {wanted}, 4 where deconv_strides is 2 and 3 "
      f"where it is 1, got {tuple(kernels)}"
    )


class DeconvPose(nn.Module):
  """A trunk, transposed convolutions, then K heatmaps.

  Attributes:
    num_keypoints: K.
    backbone: called as backbone(images, train); returns features, fine to
      coarse, and names itself in `title`.
    deconv_filters: channels of each transposed convolution.
    deconv_strides: 2 (4x4, doubles the map) or 1 (3x3, keeps its size) each.
    attention: what stands in front of the head.
    dtype: compute type; parameters, batch statistics, heatmaps are float32.
    axis_name: mapped axis over which batch norm is synchronised, or None.
    batch_norm_momentum: share of the old running statistics that is kept.
  """

  num_keypoints: int
  backbone: nn.Module
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
      images: [B, H, W, 3] float32, normalised, sides multiples of
        `crop_step`, which is 32 of most trunks.
      train: use and update batch statistics (mutable=["batch_stats"]).
    Raises:
      ValueError: if H or W is no such multiple.
    """
    self.map_hw(images.shape[1:3])
    pyramid = self.backbone(jnp.asarray(images), train)
    return deconv_head(
      pyramid[-1],
      num_keypoints=self.num_keypoints,
      filters=self.deconv_filters,
      strides=self.deconv_strides,
      attention=self.attention,
      norm=partial(
        BatchNorm,
        use_running_average=not train,
        momentum=self.batch_norm_momentum,
        dtype=self.dtype,
        axis_name=self.axis_name,
      ),
      dtype=self.dtype,
    )

  @property
  def crop_step(self) -> int:
    """Sides of a crop are multiples of it."""
    return getattr(self.backbone, "stride", STRIDE)

  @nn.nowrap
  def map_hw(self, crop_hw: Sequence[int]) -> tuple[int, int]:
    """Returns the heatmaps' (height, width) for crops of `crop_hw` pixels.

    Raises:
      ValueError: if a side is not divisible by the trunk's stride.
    """
    (height, width), step = crop_hw, self.crop_step
    if height < 1 or width < 1 or height % step or width % step:
      raise ValueError(
        f"crop_hw must be positive multiples of {step} for "
        f"{self.backbone.title}, got ({height}, {width}): choose for example "
        "(256, 192)"
      )
    scale = math.prod(self.deconv_strides)
    return height // step * scale, width // step * scale


def make_deconv_pose(
  num_keypoints: int,
  backbone: Callable[..., nn.Module],
  *,
  width: int,
  deconv_filters: Sequence[int],
  deconv_strides: Sequence[int],
  deconv_kernels: Sequence[int],
  attention: Mapping[str, Any] | None,
  dtype: str,
  sync_batch_norm: bool,
  batch_norm_momentum: float,
) -> DeconvPose:
  """Returns the network for plain config values, each of them checked.

  Args:
    backbone: makes the trunk from the keywords width, dtype, axis_name and
      batch_norm_momentum.
  Raises:
    ValueError: naming the value that cannot be built and those that can.
  """
  check_numerics(dtype=dtype, batch_norm_momentum=batch_norm_momentum)
  if width < 1 or num_keypoints < 1:
    raise ValueError(
      "width and num_keypoints must be at least 1, got "
      f"{width} and {num_keypoints}"
    )
  check_deconvs(deconv_filters, deconv_strides, deconv_kernels)
  numerics = {
    "dtype": DTYPES[dtype],
    "axis_name": "devices" if sync_batch_norm else None,
    "batch_norm_momentum": batch_norm_momentum,
  }
  return DeconvPose(
    num_keypoints=num_keypoints,
    backbone=backbone(width=width, **numerics),
    deconv_filters=tuple(deconv_filters),
    deconv_strides=tuple(deconv_strides),
    attention=make_attention(attention, num_levels=len(deconv_filters)),
    **numerics,
  )
