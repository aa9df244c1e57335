"""Skeletal heatmaps between HRNet's third and fourth stage.

Source: Jun, Lee, Kim, "Human Pose Estimation Using Skeletal Heatmaps", II.A to
II.C, Eq. 2 and 3. The paper gives the module's cost but not its layers. D: a
layout that meets all its published costs, w the finest branch's channels:

    third branch  3x3 stride 2 (4w to 8w), 3x3 (8w to 4w), enlarge, 3x3 (4w)
    all three, enlarged to the finest and side by side (7w)  1x1 (w), 3x3 (L)

with norm and ReLU behind each convolution but the last.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.layers import Conv
from pose_jax.models.resample import mean_pool, upsample_nearest

Module = Callable[..., Any]  # a linen Module class with some fields bound
HALVES = ("upper", "lower")


class Skeletal(nn.Module):
  """Predicts a heatmap per link and adds them to the features.

  Attributes:
    link_halves: of each of the L links, in the heatmaps' order, "upper" or
      "lower".
    conv, norm, act: what the layers are made of.
  """

  link_halves: Sequence[str]
  conv: Module
  norm: Module
  act: Callable[[Array], Array] = nn.relu

  @nn.compact
  def __call__(
    self, branches: Sequence[Float[Array, "B _ _ _"]]
  ) -> tuple[Float[Array, "B h w L"], tuple[Float[Array, "B _ _ _"], ...]]:
    """Returns link heatmaps, float32, and the branches with them added.

    Args:
      branches: [B, h, w, C], [B, h/2, w/2, 2C], [B, h/4, w/4, 4C], the last
        with even sides.
    Raises:
      ValueError: if there are not three branches of such sizes, no link, or a
        half that does not exist.
    """
    _check(self.link_halves, branches)
    fine, middle, coarse = branches
    width = fine.shape[-1]
    y = self._layer(coarse, "coarse0", 2 * coarse.shape[-1], stride=2)
    y = self._layer(y, "coarse1", coarse.shape[-1])
    y = self._layer(upsample_nearest(y), "coarse2", coarse.shape[-1])
    levels = (fine, upsample_nearest(middle), upsample_nearest(y, 4))
    y = self._layer(jnp.concatenate(levels, -1), "fused", width, kernel_size=1)
    # D: like a network's head: float32, and close to 0 at the start.
    links = Conv(
      len(self.link_halves),
      3,
      use_bias=True,
      kernel_init=nn.initializers.normal(0.001),
      name="links",
    )(y)
    attention = attention_maps(links, self.link_halves)
    return links, tuple(
      branch + replicate(maps, branch.shape[-1]).astype(branch.dtype)
      for branch, maps in zip(branches, attention, strict=True)
    )

  def _layer(self, x, name, features, kernel_size=3, **options):
    x = self.conv(features, kernel_size, **options, name=name)(x)
    return self.act(self.norm(name=f"{name}_norm")(x))


def attention_maps(
  links: Float[Array, "B h w L"], link_halves: Sequence[str]
) -> tuple[
  Float[Array, "B h w L"], Float[Array, "B _ _ 2"], Float[Array, "B _ _ 1"]
]:
  """Returns what is added to the three branches, before it is replicated.

  The link heatmaps; at half the size their sums over the upper and over the
  lower links (Eq. 2), of no links 0; at a quarter of it the sum of both (Eq.
  3). D: a map is made smaller by the mean of its cells.
  """
  upper, lower = (
    sum(
      (
        links[..., i : i + 1]
        for i, its in enumerate(link_halves)
        if its == half
      ),
      start=jnp.zeros_like(links[..., :1]),
    )
    for half in HALVES
  )
  halves = mean_pool(jnp.concatenate([upper, lower], -1), 2)
  return links, halves, mean_pool(halves.sum(-1, keepdims=True), 2)


def replicate(
  maps: Float[Array, "B h w M"], num_channels: int
) -> Float[Array, "B h w T"]:
  """Returns T channels, of which channel c is map c M // T.

  Of T = 32 and 16 maps these are each map twice, side by side; where T is no
  multiple of M, some have a copy more, and with fewer channels than maps some
  have none.
  """
  num_maps = maps.shape[-1]
  copies = np.bincount(
    np.arange(num_channels) * num_maps // num_channels, minlength=num_maps
  )
  # Broadcast and not jnp.repeat, whose gradient is a scatter.
  return jnp.concatenate(
    [
      jnp.broadcast_to(maps[..., i : i + 1], (*maps.shape[:-1], number))
      for i, number in enumerate(copies)
    ],
    axis=-1,
  )


def _check(link_halves, branches):
  if not link_halves or not set(link_halves) <= set(HALVES):
    raise ValueError(
      "link_halves must be 'upper' or 'lower' for each of one or more links, "
      f"got {tuple(link_halves)}"
    )
  sizes = [tuple(branch.shape[1:3]) for branch in branches]
  height, width = sizes[-1]
  factors = (4, 2, 1)
  wanted = [(f * height, f * width) for f in factors]
  if sizes != wanted or height % 2 or width % 2:
    raise ValueError(
      "wanted three branches, each twice the size of the next, the last with "
      f"even sides, got {sizes}"
    )
