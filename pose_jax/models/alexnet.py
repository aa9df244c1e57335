"""AlexNet's convolutions as a trunk, and as a pose network.

Krizhevsky 2014 (arXiv 1404.5997) in torchvision's form, whose `features` these
are: one column, no local response normalisation.

torchvision pads none of its pools, so that 256x192 pixels end as 7x5 features,
whose aspect is not the crop's: heatmaps made of them do not lie on the crop as
a decoder takes them to. (mmpose enlarges them to 56x40 and stretches its
targets over these.) By default rows and columns are therefore added: three of
zeros behind the crop, one behind the maps of the first two pools, one before
that of the third. Sizes are then exactly 1/4 to 1/32, and feature i of the last
map is centred at crop pixel 32 i + 15, half a pixel from the middle of its
32x32 cell; behind three transposed convolutions of stride 2, heatmap pixel j at
4 j + 1. (A ResNet's, padded alike on both sides, are at 32 i and 4 j - 14.) Up
to the third pool the grid is torchvision's, and so are all values that do not
depend on the right and lower border.

`extra_pool` is paper 004's network: "we add a pooling layer at the output of
the fourth convolutional layer" ("Human Pose Estimation", Chen, Huang, Tseng,
section 3.3.3), so that fewer features reach its dense layers. The map ends at
1/64 of the crop, rounded up where that is no whole number: 224 pixels end as 4.
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

SMALLEST = 63  # side of a crop in pixels, without padding
SMALLEST_WITH_EXTRA_POOL = 127
_INIT = nn.initializers.variance_scaling(2.0, "fan_in", "normal")


class AlexNet(nn.Module):
  """Five convolutions, three max-pools or four; features fine to coarse.

  Kernels start as He and others 2015 have it (arXiv 1502.01852), by what goes
  in; torchvision leaves them smaller, at its layers' default.

  Attributes:
    width: channels of the first convolution; 64 is the published network.
    is_padded: maps are exactly 1/4 to 1/32 of the crop; False: torchvision's
      sizes, for its classifier.
    extra_pool: a max-pool behind the fourth convolution too.
    dtype: compute type; parameters are float32.
  """

  width: int = 64
  is_padded: bool = True
  extra_pool: bool = False
  dtype: Any = jnp.float32
  title = "an AlexNet"

  @property
  def stride(self) -> int:
    """Of the coarsest features."""
    return 64 if self.extra_pool else 32

  @nn.compact
  def __call__(
    self, x: Float[Array, "B H W 3"], train: bool = False
  ) -> tuple[Float[Array, "B _ _ _"], ...]:
    """Returns features at strides 4, 8, 16 and 32 of the input; 64 if pooled.

    Args:
      x: images, sides multiples of 32; where not padded at least 63, or 127.
      train: without effect.
    Raises:
      ValueError: for other sides.
    """
    self._check(x.shape[1:3])
    behind = 3 if self.is_padded else 0
    pads = (0, 1) if self.is_padded else (0, 0)
    # Of the pools behind conv4 and conv5; half an odd map is rounded up.
    last_pads = (1, int(self.extra_pool)) if self.is_padded else (0, 0)
    conv = partial(Conv, use_bias=True, dtype=self.dtype, kernel_init=_INIT)
    width, pyramid = self.width, []
    x = conv(width, 11, stride=4, pads=(2, 2 + behind), name="conv1")(x)
    pyramid.append(nn.relu(x))
    x = conv(3 * width, 5, name="conv2")(max_pool(pyramid[-1], pads=pads))
    pyramid.append(nn.relu(x))
    x = max_pool(pyramid[-1], pads=pads)
    for number, factor in ((3, 6), (4, 4), (5, 4)):
      x = nn.relu(conv(factor * width, name=f"conv{number}")(x))
      if number == 4 and self.extra_pool:
        pyramid.append(x)
        x = max_pool(x, pads=last_pads)
    return (*pyramid, x, max_pool(x, pads=last_pads))

  def _check(self, crop_hw):
    if self.is_padded and (crop_hw[0] % 32 or crop_hw[1] % 32):
      raise ValueError(
        "crops of a padded AlexNet must have sides that are multiples of 32, "
        f"got {tuple(crop_hw)}"
      )
    least = SMALLEST_WITH_EXTRA_POOL if self.extra_pool else SMALLEST
    if not self.is_padded and min(crop_hw) < least:
      raise ValueError(
        f"images of an AlexNet without padding must be at least {least} "
        f"pixels high and wide, got {tuple(crop_hw)}"
      )


def make_pose_alexnet(
  num_keypoints: int,
  *,
  width: int = 64,
  extra_pool: bool = False,
  deconv_filters: Sequence[int] = (256, 256, 256),
  deconv_strides: Sequence[int] = (2, 2, 2),
  deconv_kernels: Sequence[int] = (4, 4, 4),
  attention: Mapping[str, Any] | None = None,
  dtype: str = "float32",
  sync_batch_norm: bool = False,
  batch_norm_momentum: float = 0.9,
) -> DeconvPose:
  """Returns AlexNet with SimpleBaseline's head, each value checked.

  Args:
    width: channels of the first convolution.
    extra_pool: paper 004's network, whose coarsest features are at stride 64:
      three doublings end at 1/8, so deconv_filters wants a fourth for 1/4.
    deconv_filters, deconv_strides, deconv_kernels: channels of each transposed
      convolution; 2 doubles the map, with a kernel of 4, 1 keeps it, with 3.
    attention: options of `make_attention`.
    sync_batch_norm: batch statistics (of the head) over all devices.
  Raises:
    ValueError: naming the value that cannot be built and those that can.
  """
  return make_deconv_pose(
    num_keypoints,
    partial(_make_trunk, extra_pool=extra_pool),
    width=width,
    deconv_filters=deconv_filters,
    deconv_strides=deconv_strides,
    deconv_kernels=deconv_kernels,
    attention=attention,
    dtype=dtype,
    sync_batch_norm=sync_batch_norm,
    batch_norm_momentum=batch_norm_momentum,
  )


def _make_trunk(*, extra_pool, width, dtype, **batch_norm):
  """The trunk; it has no batch norm."""
  del batch_norm
  return AlexNet(width=width, extra_pool=extra_pool, dtype=dtype)
