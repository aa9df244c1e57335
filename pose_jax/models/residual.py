"""Pre-activation residual units, plain and with an hourglass of their own.

He and others 2016 (arXiv 1603.05027), in the form of the stacked hourglass:
batch norm and ReLU stand in front of each convolution, every convolution has
a bias, and nothing follows the sum.
"""

from collections.abc import Callable
from typing import Any

from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.resample import max_pool_2x2, upsample_back

Module = Callable[..., Any]  # a linen Module class with some fields bound


class PreactResidual(nn.Module):
  """x + F(x), F = 1x1 to half the channels, 3x3, 1x1: a bottleneck.

  Where the number of channels changes, x passes a bare 1x1 convolution.

  Attributes:
    features: channels of the output; even.
    conv, norm, act: what the unit is made of.
  """

  features: int
  conv: Module
  norm: Module
  act: Callable[[Array], Array] = nn.relu

  @nn.compact
  def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B H W O"]:
    y = self.act(self.norm(name="norm1")(x))
    y = self.conv(self.features // 2, 1, name="conv1")(y)
    y = self.act(self.norm(name="norm2")(y))
    y = self.conv(self.features // 2, 3, name="conv2")(y)
    y = self.act(self.norm(name="norm3")(y))
    y = self.conv(self.features, 1, name="conv3")(y)
    if x.shape[-1] != self.features:
      x = self.conv(self.features, 1, name="shortcut_conv")(x)
    return x + y


class HourglassResidual(nn.Module):
  """The hourglass residual unit: x + F(x) + P(x), F as above.

  P = norm, ReLU, 2x2 max-pool, 3x3 convolution, norm, ReLU, 3x3 convolution,
  nearest upsampling, all at the full number of channels. An output pixel sees
  a 10x10 region of the input, that of a plain unit 3x3.

  Source: Chu et al. 2017, arXiv 1702.07432, Eq. 2 and section 4.2. The order
  inside P and the nearest upsampling are those of its authors' code; the text
  has a 2x2 deconvolution there, and the ReLUs behind the convolutions.

  Attributes:
    features: channels of the output, as `PreactResidual`.
    conv, norm, act: what the unit is made of.
  """

  features: int
  conv: Module
  norm: Module
  act: Callable[[Array], Array] = nn.relu

  @nn.compact
  def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B H W O"]:
    plain = PreactResidual(
      self.features, self.conv, self.norm, self.act, name="residual"
    )(x)
    y = self.act(self.norm(name="pooled_norm1")(x))
    y = max_pool_2x2(y, drops_odd=True)
    y = self.conv(self.features, 3, name="pooled_conv1")(y)
    y = self.act(self.norm(name="pooled_norm2")(y))
    y = self.conv(self.features, 3, name="pooled_conv2")(y)
    return plain + upsample_back(y, x.shape[1:3])
