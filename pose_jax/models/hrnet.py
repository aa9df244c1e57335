"""HRNet: branches of four resolutions side by side that exchange what they see.

Sun, Xiao, Liu, Wang 2019 (arXiv 1902.09212) in the form of its authors' pose
code (`pose_hrnet`), whose weights load.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

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
from pose_jax.models.hrnet_parts import (
  Branches,
  Exchange,
  Module,
  TracedBottleneck,
  TracedConvNorm,
)
from pose_jax.models.layers import (
  DTYPES,
  BatchNorm,
  Conv,
  check_numerics,
)
from pose_jax.models.output import PoseOutput
from pose_jax.models.skeletal import Skeletal

STRIDE = 4  # of the stem, and of the finest branch
NUM_STAGES = 4
STEM_BLOCKS = 4  # bottlenecks of stage 1

Between = Callable[[int, Branches], Branches]


class HRNetFeatures(NamedTuple):
  """What an HRNet sees.

  Attributes:
    stages: of stages 1 to 4 the branches, fine to coarse, as they go on to the
      next: 1, 2, 3 and 4 of them. The last fusion makes the finest alone; the
      other three of stage 4 are as they are before it.
  """

  stages: tuple[Branches, ...]

  @property
  def pyramid(self) -> Branches:
    """The four levels of stage 4, coarse to fine."""
    return self.stages[-1][::-1]


class HRNet(nn.Module):
  """Stem and four stages, of which the last three exchange.

  Attributes:
    width: channels of the finest branch; branch i has width * 2**i.
    stem_width: channels of the stem; stage 1 has four times as many.
    num_modules: exchange modules of stages 2, 3 and 4.
    num_blocks: basic blocks on each branch of a module.
    conv, norm: what blocks are made of, bound once.
  """

  width: int
  stem_width: int
  num_modules: Sequence[int]
  num_blocks: int
  conv: Module
  norm: Module

  @nn.compact
  def __call__(
    self, x: Float[Array, "B H W 3"], between: Between | None = None
  ) -> HRNetFeatures:
    """Returns the features; branch i is at stride 4 * 2**i of the input.

    Args:
      x: images, H and W divisible by 32.
      between: (n, branches of stage n, fine to coarse) -> the branches that go
        on to stage n + 1, of the same shapes; called behind stages 1, 2, 3.
    """
    branches = (self._first_stage(x),)
    stages = []
    for n in range(1, NUM_STAGES + 1):
      if n > 1:
        branches = self._stage(n, self._transition(n - 1, branches))
      if between is not None and n < NUM_STAGES:
        branches = between(n, branches)
      stages.append(branches)
    return HRNetFeatures(tuple(stages))

  def _first_stage(self, x: Array) -> Array:
    for index in (1, 2):
      x = self.conv(self.stem_width, 3, stride=2, name=f"stem_conv{index}")(x)
      x = nn.relu(self.norm(name=f"stem_norm{index}")(x))
    for index in range(STEM_BLOCKS):
      x = TracedBottleneck(
        self.stem_width,
        self.conv,
        self.norm,
        nn.relu,
        name=f"stage1_block{index}",
      )(x)
    return x

  def _transition(self, n: int, branches: Branches) -> Branches:
    """Behind stage n: one branch more, half as large as the coarsest.

    Behind stage 1 its only branch is brought to `width` channels; the new one
    starts from it as it was before.
    """
    convs = partial(
      TracedConvNorm, kernel_size=3, conv=self.conv, norm=self.norm
    )
    name = f"transition{n}_branch"
    new = convs(self.width * 2**n, stride=2, name=f"{name}{n}")(branches[-1])
    if n == 1:
      finest = convs(self.width, stride=1, name=f"{name}0")(branches[0])
      return finest, new
    return *branches, new

  def _stage(self, n: int, branches: Branches) -> Branches:
    num_modules = self.num_modules[n - 2]
    for index in range(num_modules):
      is_end = n == NUM_STAGES and index == num_modules - 1
      branches = Exchange(
        tuple(self.width * 2**i for i in range(n)),
        self.num_blocks,
        1 if is_end else n,
        self.conv,
        self.norm,
        name=f"stage{n}_module{index}",
      )(branches)
    return branches


class PoseHRNet(nn.Module):
  """HRNet features, and heatmaps from the finest of them.

  The fields are the checked arguments of `make_hrnet`, which describes them.
  """

  num_keypoints: int
  width: int = 32
  stem_width: int = 64
  num_modules: Sequence[int] = (1, 4, 3)
  num_blocks: int = 4
  skeletal: bool = False
  link_halves: Sequence[str] = ()
  attention: AttentionOptions = NONE
  dtype: Any = jnp.float32
  axis_name: str | None = None
  batch_norm_momentum: float = 0.9

  @nn.compact
  def __call__(
    self, images: Float[Array | np.ndarray, "B H W 3"], train: bool = False
  ) -> PoseOutput:
    """Returns `heatmaps` [B, H/4, W/4, K]; with `skeletal` also `links`.

    Args:
      images: [B, H, W, 3] float32, normalised, H and W divisible by 32.
      train: use and update batch statistics (mutable=["batch_stats"]).
    Raises:
      ValueError: if H or W is not divisible by 32.
    """
    self.map_hw(images.shape[1:3])
    bound = {
      "conv": partial(Conv, dtype=self.dtype),
      "norm": partial(
        BatchNorm,
        use_running_average=not train,
        momentum=self.batch_norm_momentum,
        dtype=self.dtype,
        axis_name=self.axis_name,
      ),
    }
    links, between = [], None
    if self.skeletal:
      skeletal = Skeletal(self.link_halves, **bound, name="skeletal")

      def between(n, branches):
        if n < NUM_STAGES - 1:
          return branches
        maps, branches = skeletal(branches)
        links.append(maps)
        return branches

    features = HRNet(
      self.width,
      self.stem_width,
      self.num_modules,
      self.num_blocks,
      **bound,
      name="backbone",
    )(jnp.asarray(images), between)
    head = PoseHead(self.num_keypoints, self.attention, name="head")
    heatmaps, attention = head(features.pyramid)
    return PoseOutput(
      heatmaps=heatmaps,
      stages=(heatmaps,),
      links=links[0] if links else None,
      features=features.pyramid[-1],
      attention=attention,
    )

  @property
  def crop_step(self) -> int:
    """Sides of a crop are multiples of it."""
    return STRIDE * 2 ** (NUM_STAGES - 1)

  @nn.nowrap
  def map_hw(self, crop_hw: Sequence[int]) -> tuple[int, int]:
    """Returns the heatmaps' (height, width) for crops of `crop_hw` pixels."""
    height, width = crop_hw
    step = self.crop_step
    if height < 1 or width < 1 or height % step or width % step:
      raise ValueError(
        f"crop_hw must be positive multiples of {step} for an HRNet, got "
        f"({height}, {width}): choose for example (256, 192)"
      )
    return height // STRIDE, width // STRIDE


def make_hrnet(
  num_keypoints: int,
  *,
  width: int = 32,
  stem_width: int = 64,
  num_modules: Sequence[int] = (1, 4, 3),
  num_blocks: int = 4,
  skeletal: bool = False,
  link_halves: Sequence[str] = (),
  attention: Mapping[str, Any] | None = None,
  dtype: str = "float32",
  sync_batch_norm: bool = False,
  batch_norm_momentum: float = 0.9,
) -> PoseHRNet:
  """Returns the network for plain config values, each of them checked.

  Convolutions start from He's normal distribution (fan out), as those of the
  authors' classification networks; their pose code, which always starts from
  such weights, has a deviation of 0.001 for what they leave out.

  Args:
    width: channels of the finest branch: 32 and 48 are published, and 18.
    stem_width: channels of the stem; 64 in all published networks.
    num_modules: exchange modules of stages 2, 3 and 4.
    num_blocks: basic blocks on each branch of a module.
    skeletal: link maps behind stage 3, see `skeletal.Skeletal`.
    link_halves: "upper" or "lower" of each link of the skeleton;
      `make_model` knows them.
    attention: options of `make_attention`; there are four levels.
  Raises:
    ValueError: naming the value that cannot be built and those that can.
  """
  check_numerics(dtype=dtype, batch_norm_momentum=batch_norm_momentum)
  for name, value in (
    ("num_keypoints", num_keypoints),
    ("width", width),
    ("stem_width", stem_width),
    ("num_blocks", num_blocks),
  ):
    if value < 1:
      raise ValueError(f"{name} must be at least 1, got {value}")
  modules = tuple(num_modules)
  if len(modules) != NUM_STAGES - 1 or min(modules) < 1:
    raise ValueError(
      "num_modules must be three positive numbers of exchange modules, for "
      f"stages 2, 3 and 4, got {modules}: (1, 4, 3) is the published network"
    )
  return PoseHRNet(
    num_keypoints=num_keypoints,
    width=width,
    stem_width=stem_width,
    num_modules=modules,
    num_blocks=num_blocks,
    skeletal=skeletal,
    link_halves=tuple(link_halves),
    attention=make_attention(attention, num_levels=NUM_STAGES),
    dtype=DTYPES[dtype],
    axis_name="devices" if sync_batch_norm else None,
    batch_norm_momentum=batch_norm_momentum,
  )
