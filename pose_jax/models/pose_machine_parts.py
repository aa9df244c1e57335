"""What a convolutional pose machine is made of: chains, stages, the middle.

Wei et al. 2016 (arXiv 1602.00134); `pose_machine.py` puts them together.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.attention import PoseHead
from pose_jax.models.attention_options import AttentionOptions
from pose_jax.models.resample import max_pool

Module = Callable[..., Any]  # a linen Module class with some fields bound

_CENTRE_SIGMA = 21 / 368  # of the Gaussian in the middle, in heights of a crop


class Chain(nn.Module):
  """Convolutions in a row, each with its ReLU.

  Attributes:
    widths, kernel_sizes: of each.
    num_pooled: how many of the first have a pool behind them.
    pads: of these pools.
    conv: with everything but its size bound.
    norm: in front of each ReLU, or None.
  """

  widths: Sequence[int]
  kernel_sizes: Sequence[int]
  num_pooled: int
  pads: tuple[int, int]
  conv: Module
  norm: Module | None = None

  @nn.compact
  def __call__(self, x: Float[Array, "B H W I"]) -> Float[Array, "B h w O"]:
    for index, size in enumerate(
      zip(self.widths, self.kernel_sizes, strict=True)
    ):
      x = self.conv(*size, name=f"conv{index}")(x)
      if self.norm is not None:
        x = self.norm(name=f"norm{index}")(x)
      x = nn.relu(x)
      if index < self.num_pooled:
        x = max_pool(x, pads=self.pads)
    return x


class Stage(nn.Module):
  """A chain, and belief maps read from what it gives.

  Attributes:
    num_maps: belief maps.
    attention: what stands in front of them.
    kernel_init: of the convolution to them.
    chain: a Chain with everything but its name bound.
  """

  num_maps: int
  attention: AttentionOptions
  kernel_init: Callable[..., Array]
  chain: Module

  @nn.compact
  def __call__(
    self, x: Float[Array, "B H W I"]
  ) -> tuple[
    Float[Array, "B h w K"],
    dict[str, Float[Array, "B _ _ _"]],
    Float[Array, "B h w C"],
  ]:
    """Returns belief maps, attention maps, and the features of both."""
    features = self.chain(name="convs")(x)
    head = PoseHead(
      self.num_maps, self.attention, self.kernel_init, name="head"
    )
    return *head([features]), features


def centre_map(map_hw: Sequence[int]) -> Float[np.ndarray, "h w 1"]:
  """Returns a Gaussian in the middle of the map, at most 1.

  21 pixels of a crop 368 high, as the release has it; D: in other crops as much
  of their height, which is the person's. Theirs is averaged over 9x9 pixels of
  the crop; here it is that of a map pixel's middle, so that its mirror image is
  itself.
  """
  away_y, away_x = (np.arange(n) - (n - 1) / 2 for n in map_hw)
  square = away_y[:, None] ** 2 + away_x[None, :] ** 2
  sigma_hm = _CENTRE_SIGMA * map_hw[0]
  return np.exp(-square / (2 * sigma_hm**2)).astype(np.float32)[..., None]
