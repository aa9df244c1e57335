"""SimpleBaseline: a ResNet, a few transposed convolutions, a 1x1 head.

Source: Xiao, Wu, Wei 2018, arXiv 1804.06208.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.layers import BatchNorm, Conv, Deconv
from pose_jax.models.output import PoseOutput
from pose_jax.models.resnet import STAGES, ResNet

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
STRIDE = 32  # of the backbone


class PoseResNet(nn.Module):
  """ResNet features doubled `len(deconv_filters)` times, then K heatmaps.

  Attributes:
    num_keypoints: K.
    depth: 18, 34, 50, 101 or 152.
    width: channels of the stem; 64 is the published network, 16 a tiny one.
    deconv_filters: channels of each 4x4 stride-2 transposed convolution.
    dtype: compute type; parameters, batch statistics, heatmaps are float32.
    axis_name: mapped axis over which batch norm is synchronised, or None.
    batch_norm_momentum: share of the old running statistics that is kept.
  """

  num_keypoints: int
  depth: int = 50
  width: int = 64
  deconv_filters: Sequence[int] = (256, 256, 256)
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
    x = pyramid[-1]
    for index, features in enumerate(self.deconv_filters):
      x = Deconv(features, dtype=self.dtype, name=f"deconv{index}")(x)
      x = nn.relu(norm(name=f"deconv{index}_norm")(x))
    heatmaps = Conv(
      self.num_keypoints,
      1,
      use_bias=True,
      kernel_init=nn.initializers.normal(0.001),
      name="head",
    )(x)
    return PoseOutput(heatmaps=heatmaps, stages=(heatmaps,))

  @nn.nowrap
  def map_hw(self, crop_hw: Sequence[int]) -> tuple[int, int]:
    """Returns the heatmaps' (height, width) for crops of `crop_hw` pixels."""
    height, width = crop_hw
    if height < 1 or width < 1 or height % STRIDE or width % STRIDE:
      raise ValueError(
        f"crop_hw must be positive multiples of {STRIDE} for a ResNet, got "
        f"({height}, {width}): choose for example (256, 192)"
      )
    scale = 2 ** len(self.deconv_filters)
    return height // STRIDE * scale, width // STRIDE * scale


def make_pose_resnet(
  num_keypoints: int,
  *,
  depth: int = 50,
  width: int = 64,
  deconv_filters: Sequence[int] = (256, 256, 256),
  deconv_kernels: Sequence[int] = (4, 4, 4),
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
  if dtype not in DTYPES:
    raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
  if not 0 <= batch_norm_momentum <= 1:
    raise ValueError(
      "batch_norm_momentum must be between 0 and 1, got "
      f"{batch_norm_momentum}: torch's 0.1 is 0.9 here"
    )
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
  if tuple(deconv_kernels) != (4,) * len(deconv_filters):
    raise ValueError(
      f"deconv_kernels must be 4 for each of the {len(deconv_filters)} "
      f"deconv_filters, got {tuple(deconv_kernels)}"
    )
  return PoseResNet(
    num_keypoints=num_keypoints,
    depth=depth,
    width=width,
    deconv_filters=tuple(deconv_filters),
    dtype=DTYPES[dtype],
    axis_name="devices" if sync_batch_norm else None,
    batch_norm_momentum=batch_norm_momentum,
  )
