"""A few convolutions, each with a max-pool behind it: paper 004's baselines.

"Human Pose Estimation" (Chen, Huang, Tseng, UC San Diego), section 3.3: its
Baseline-1 has two, Baseline-2 three. Their sizes stand in figures that do not
survive; those here are ours, an AlexNet's beginning: 7x7, 5x5, 3x3, the first
two of stride 2, so that 224x224 pixels end as 14x14 and 7x7 features.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.deconv_head import DeconvPose, make_deconv_pose
from pose_jax.models.layers import Conv
from pose_jax.models.resample import max_pool

_LAYERS = ((7, 2), (5, 2), (3, 1))  # kernel size and stride
_INIT = nn.initializers.variance_scaling(2.0, "fan_in", "normal")


class PlainCnn(nn.Module):
  """Convolution, ReLU, 3x3 stride-2 max-pool, two or three times over.

  Kernels start as He and others 2015 have it (arXiv 1502.01852), by what goes
  in; convolutions have biases. There is no batch norm.

  Attributes:
    num_convs: 2 or 3.
    width: channels of the first convolution; each further one has twice as
      many.
    dtype: compute type; parameters are float32.
  """

  num_convs: int = 2
  width: int = 32
  dtype: Any = jnp.float32
  title = "a plain CNN"

  @property
  def stride(self) -> int:
    """Of the coarsest features."""
    return 16 if self.num_convs == 2 else 32

  @nn.compact
  def __call__(
    self, x: Float[Array, "B H W 3"], train: bool = False
  ) -> tuple[Float[Array, "B _ _ _"], ...]:
    """Returns what each pool gives, at strides 4, 16 and 32 of the input.

    Args:
      x: images.
      train: without effect.
    """
    pyramid = []
    for index, (size, stride) in enumerate(_LAYERS[: self.num_convs]):
      x = Conv(
        self.width * 2**index,
        size,
        stride=stride,
        use_bias=True,
        dtype=self.dtype,
        kernel_init=_INIT,
        name=f"conv{index + 1}",
      )(x)
      x = max_pool(nn.relu(x))
      pyramid.append(x)
    return tuple(pyramid)


def make_pose_plain_cnn(
  num_keypoints: int,
  *,
  num_convs: int = 3,
  width: int = 32,
  deconv_filters: Sequence[int] = (256, 256, 256),
  deconv_strides: Sequence[int] = (2, 2, 2),
  deconv_kernels: Sequence[int] = (4, 4, 4),
  attention: Mapping[str, Any] | None = None,
  dtype: str = "float32",
  sync_batch_norm: bool = False,
  batch_norm_momentum: float = 0.9,
) -> DeconvPose:
  """Returns a plain CNN with SimpleBaseline's head, each value checked.

  Args:
    num_convs: 2, whose features are at stride 16, or 3, at 32.
    width: channels of the first convolution.
    deconv_filters, deconv_strides, deconv_kernels: channels of each transposed
      convolution; 2 doubles the map, with a kernel of 4, 1 keeps it, with 3.
    attention: options of `make_attention`.
    sync_batch_norm: batch statistics (of the head) over all devices.
  Raises:
    ValueError: naming the value that cannot be built and those that can.
  """
  if num_convs not in (2, 3):
    raise ValueError(f"num_convs must be 2 or 3, got {num_convs!r}")
  return make_deconv_pose(
    num_keypoints,
    partial(_make_trunk, num_convs=num_convs),
    width=width,
    deconv_filters=deconv_filters,
    deconv_strides=deconv_strides,
    deconv_kernels=deconv_kernels,
    attention=attention,
    dtype=dtype,
    sync_batch_norm=sync_batch_norm,
    batch_norm_momentum=batch_norm_momentum,
  )


def _make_trunk(*, num_convs, width, dtype, **batch_norm):
  """The trunk; it has no batch norm."""
  del batch_norm
  return PlainCnn(num_convs, width, dtype)
