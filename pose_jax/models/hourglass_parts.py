"""What a stacked hourglass is made of: stem, hourglass, stack.

Newell, Yang, Deng 2016 (arXiv 1603.06937) in the form of pytorch-pose, and in
that of Chu et al. 2017 (arXiv 1702.07432) and its authors' code. Decisions that
neither settles are marked D.
"""

from collections.abc import Callable, Sequence
from typing import Any

from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.attention import PoseHead
from pose_jax.models.attention_options import AttentionOptions
from pose_jax.models.resample import max_pool_2x2, upsample_back
from pose_jax.models.residual import HourglassResidual, PreactResidual

Module = Callable[..., Any]  # a linen Module class with some fields bound

STEMS = ("standard", "attention")
SKIPS = ("residual", "hru")
NECKS = ("residual", "linear")
# What torch's convolutions start from, uniform within 1/sqrt(fan in): all the
# hourglasses cited were trained from it. D: biases start at 0; theirs too are
# drawn.
INIT = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


class Stem(nn.Module):
  """Images to features of a quarter of their size, `num_features` channels.

  standard: 7x7 stride 2, a residual unit, 2x2 max-pool, two units. attention:
  7x7 stride 1, a unit, max-pool, two units, max-pool, three units; 1.4 times
  the multiply-adds. D: the widths 64 and 128 of the published stems follow
  `num_features`, as a quarter and a half of it. The standard one is
  pytorch-pose's; in Newell's code its second unit has 128 channels, not 256.
  """

  num_features: int
  kind: str
  conv: Module
  norm: Module

  @nn.compact
  def __call__(self, x: Float[Array, "B H W 3"]) -> Float[Array, "B h w C"]:
    full, half, quarter = (self.num_features // n for n in (1, 2, 4))
    groups = {  # channels of the units; a max-pool between two groups
      "standard": ((half,), (full, full)),
      "attention": ((quarter,), (quarter, half), (half, half, full)),
    }[self.kind]
    stride = 2 if self.kind == "standard" else 1
    x = self.conv(quarter, 7, stride=stride, name="conv")(x)
    x = nn.relu(self.norm(name="norm")(x))
    index = 0
    for group, widths in enumerate(groups):
      x = max_pool_2x2(x) if group else x
      for width in widths:
        x = PreactResidual(
          width, self.conv, self.norm, name=f"residual{index}"
        )(x)
        index += 1
    return x


class Hourglass(nn.Module):
  """One hourglass: `depth` max-pools down, as many nearest upsamplings up.

  A map of an odd size loses its last row or column on the way down; on the way
  up pixels are repeated to the size of the skip. Source: the hourglass of the
  code of Zhang et al. 2020 (arXiv 1910.06278), 4x3 to 2x1 and back.

  Level n is the map that is n max-pools above the smallest. With skip
  "hru" the skip branch of level n has max(n - 1, 1) units, the first a plain
  one, the others hourglass residual units: two of these at level 4, one at
  level 3. For each further block all this is repeated; at level 1 the
  repetition is an hourglass residual unit, as in the authors' code.

  Attributes:
    num_features: channels throughout.
    num_blocks: residual units at every place.
    one_unit_up: one unit, not `num_blocks`, on the smallest map and at each
      level on the way up. Source: the code of Chu et al. 2017.
  """

  num_features: int
  num_blocks: int
  depth: int
  skip: str
  conv: Module
  norm: Module
  one_unit_up: bool = False

  @nn.compact
  def __call__(
    self, x: Float[Array, "B H W C"]
  ) -> tuple[Float[Array, "B _ _ C"], ...]:
    """Returns what comes out of every level, coarse to fine: 1 to depth."""
    skips = []
    for level in range(self.depth, 0, -1):
      skips.append(self._chain(x, f"skip{level}", self._skip_units(level)))
      x = self._chain(max_pool_2x2(x, drops_odd=True), f"down{level}")
    on_the_way_up = (PreactResidual,) if self.one_unit_up else ()
    x = self._chain(x, "bottom", on_the_way_up)
    outputs = []
    for level, skip in enumerate(reversed(skips), start=1):
      x = self._chain(x, f"up{level}", on_the_way_up)
      x = skip + upsample_back(x, skip.shape[1:3])
      outputs.append(x)
    return tuple(outputs)

  def _chain(self, x: Array, name: str, units: Sequence[Module] = ()) -> Array:
    units = units or (PreactResidual,) * self.num_blocks
    for index, unit in enumerate(units):
      unit = unit(
        self.num_features, self.conv, self.norm, name=f"{name}_{index}"
      )
      x = unit(x)
    return x

  def _skip_units(self, level: int) -> list[Module]:
    if self.skip == "residual":
      return [PreactResidual] * self.num_blocks
    if level == 1:
      return [PreactResidual] + [HourglassResidual] * (self.num_blocks - 1)
    once = [PreactResidual] + [HourglassResidual] * (level - 2)
    return once * self.num_blocks


class Stack(nn.Module):
  """Hourglass, neck, head, and what the next stack starts from.

  neck residual: residual units, then one linear layer (1x1 convolution, norm,
  ReLU), which the head reads and the next stack gets through a 1x1
  convolution. neck linear: two linear layers, the head reads the second, the
  next stack gets the first through a third one; the last stack has twice the
  channels.
  """

  num_features: int
  num_maps: int
  num_blocks: int
  depth: int
  skip: str
  neck: str
  is_last: bool
  attention: AttentionOptions
  conv: Module
  norm: Module
  one_unit_up: bool = False

  @nn.compact
  def __call__(
    self, x: Float[Array, "B h w C"]
  ) -> tuple[
    Float[Array, "B h w K"],
    dict[str, Float[Array, "B _ _ _"]],
    Float[Array, "B h w D"],
  ]:
    """Returns heatmaps, attention maps, and what the next stack starts from.

    Of the last stack, in its place, the features that its head reads.
    """
    *coarse, y = Hourglass(
      self.num_features,
      self.num_blocks,
      self.depth,
      self.skip,
      self.conv,
      self.norm,
      self.one_unit_up,
      name="hourglass",
    )(x)
    features, kept = self._neck(y)
    heatmaps, attention = PoseHead(
      self.num_maps, self.attention, kernel_init=INIT, name="head"
    )((*coarse, features))
    if self.is_last:
      return heatmaps, attention, features
    if self.neck == "linear":
      back = self._linear(kept, self.num_features, "features_back")
    else:
      back = self.conv(self.num_features, 1, name="features_back")(kept)
    maps_back = self.conv(self.num_features, 1, name="heatmaps_back")(heatmaps)
    return heatmaps, attention, x + back + maps_back

  def _neck(self, x: Array) -> tuple[Array, Array]:
    """What the head reads, and what goes on to the next stack."""
    if self.neck == "linear":
      width = self.num_features * (2 if self.is_last else 1)
      first = self._linear(x, width, "linear0")
      return self._linear(first, width, "linear1"), first
    for index in range(self.num_blocks):
      x = PreactResidual(
        self.num_features, self.conv, self.norm, name=f"neck_{index}"
      )(x)
    x = self._linear(x, self.num_features, "linear0")
    return x, x

  def _linear(self, x: Array, width: int, name: str) -> Array:
    x = self.conv(width, 1, name=name)(x)
    return nn.relu(self.norm(name=f"{name}_norm")(x))
