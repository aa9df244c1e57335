"""SimpleBaseline: a ResNet, a few transposed convolutions, a 1x1 head.

Source: Xiao, Wu, Wei 2018, arXiv 1804.06208. With attention in front of the
head, "Pose Estimation using Attention Based Mechanisms" (Figure 2): its pyramid
is what the transposed convolutions give.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pose_jax.models.deconv_head import DeconvPose, make_deconv_pose
from pose_jax.models.resnet import STAGES, ResNet


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
) -> DeconvPose:
  """Returns a ResNet with SimpleBaseline's head, each value checked.

  Args:
    depth: 18, 34, 50, 101 or 152.
    width: channels of the stem.
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
    partial(ResNet, depth=depth),
    width=width,
    deconv_filters=deconv_filters,
    deconv_strides=deconv_strides,
    deconv_kernels=deconv_kernels,
    attention=attention,
    dtype=dtype,
    sync_batch_norm=sync_batch_norm,
    batch_norm_momentum=batch_norm_momentum,
  )
