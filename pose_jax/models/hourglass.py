"""Stacked hourglass: maps halved and doubled again, several times over.

Newell, Yang, Deng 2016 (arXiv 1603.06937) in the form of pytorch-pose, whose
weights load; and the form of Chu et al. 2017 (arXiv 1702.07432): attention in
front of every stack's heatmaps, hourglass residual units, their code's stem
and neck.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.attention_options import (
  NONE,
  AttentionOptions,
  make_attention,
)
from pose_jax.models.hourglass_parts import (
  INIT,
  NECKS,
  SKIPS,
  STEMS,
  Stack,
  Stem,
)
from pose_jax.models.layers import (
  DTYPES,
  BatchNorm,
  Conv,
  check_numerics,
)
from pose_jax.models.output import PoseOutput

STRIDE = 4  # of the stem


class StackedHourglass(nn.Module):
  """Stem and stacks; every stack's heatmaps are supervised.

  The fields are the checked arguments of `make_hourglass`, which describes
  them.
  """

  num_keypoints: int
  num_stacks: int = 8
  num_features: int = 256
  num_blocks: int = 1
  depth: int = 4
  stem: str = "standard"
  skip: str = "residual"
  neck: str = "residual"
  one_unit_up: bool = False
  part_from_stack: int = 5
  with_background: bool = False
  attention: AttentionOptions = NONE
  dtype: Any = jnp.float32
  axis_name: str | None = None
  batch_norm_momentum: float = 0.9
  rematerialise: bool = False

  @nn.compact
  def __call__(
    self, images: Float[Array | np.ndarray, "B H W 3"], train: bool = False
  ) -> PoseOutput:
    """Returns stages, heatmaps, backgrounds and attention of all stacks.

    Maps are [B, H/4, W/4, K]; names of attention start with "stack0/" etc.

    Args:
      images: [B, H, W, 3] float32, normalised, sides as `map_hw` wants them.
      train: use and update batch statistics (mutable=["batch_stats"]).
    Raises:
      ValueError: if H or W is none that `map_hw` takes.
    """
    self.map_hw(images.shape[1:3])
    parts = {
      "conv": partial(Conv, use_bias=True, kernel_init=INIT, dtype=self.dtype),
      "norm": partial(
        BatchNorm,
        use_running_average=not train,
        momentum=self.batch_norm_momentum,
        dtype=self.dtype,
        axis_name=self.axis_name,
      ),
    }
    stem = Stem(self.num_features, self.stem, **parts, name="stem")
    x = stem(jnp.asarray(images))
    stack = nn.remat(Stack) if self.rematerialise else Stack
    num_keypoints = self.num_keypoints
    stages, backgrounds, attention = [], [], {}
    for index in range(self.num_stacks):
      maps, gates, x = stack(
        self.num_features,
        num_keypoints + self.with_background,
        self.num_blocks,
        self.depth,
        self.skip,
        self.neck,
        index == self.num_stacks - 1,
        self.attention_of_stack(index),
        **parts,
        one_unit_up=self.one_unit_up,
        name=f"stack{index}",
      )(x)
      stages.append(maps[..., :num_keypoints])
      if self.with_background:
        backgrounds.append(maps[..., num_keypoints:])
      attention |= {f"stack{index}/{key}": m for key, m in gates.items()}
    return PoseOutput(
      heatmaps=stages[-1],
      stages=tuple(stages),
      backgrounds=tuple(backgrounds),
      features=x,
      attention=attention,
    )

  @nn.nowrap
  def attention_of_stack(self, index: int) -> AttentionOptions:
    """Returns what stack `index` (0 the first) has of `attention`.

    Where part attention is asked for it replaces the refined map, from stack
    `part_from_stack` (counted from 1) on. (The authors' code has it in the last
    stack however few there are: set part_from_stack for that.)
    """
    if self.attention.part == "none":
      return self.attention
    is_early = index + 1 < self.part_from_stack
    left_out = "part" if is_early else "refined"
    return dataclasses.replace(self.attention, **{left_out: "none"})

  @property
  def crop_step(self) -> int:
    """All its multiples fit as sides of a crop; see `map_hw` for others."""
    return STRIDE * 2**self.depth

  @nn.nowrap
  def map_hw(self, crop_hw: Sequence[int]) -> tuple[int, int]:
    """Returns the heatmaps' (height, width) for crops of `crop_hw` pixels.

    Maps are even but for the last max-pool's, so that the outputs of all levels
    make a pyramid for attention; that one takes any of two pixels or more.

    Raises:
      ValueError: for other crops.
    """
    height, width = crop_hw
    least = self.crop_step
    step = least // 2
    if min(height, width) < least or height % step or width % step:
      raise ValueError(
        f"crop_hw must be multiples of {step}, {least} or more, for an "
        f"hourglass of depth {self.depth}, got ({height}, {width}): choose for "
        f"example {(max(round(256 / least), 1) * least,) * 2}"
      )
    return height // STRIDE, width // STRIDE


def make_hourglass(
  num_keypoints: int,
  *,
  num_stacks: int = 8,
  num_features: int = 256,
  num_blocks: int = 1,
  depth: int = 4,
  stem: str = "standard",
  skip: str = "residual",
  neck: str = "residual",
  one_unit_up: bool = False,
  part_from_stack: int = 5,
  with_background: bool = False,
  attention: Mapping[str, Any] | None = None,
  dtype: str = "float32",
  sync_batch_norm: bool = False,
  batch_norm_momentum: float = 0.9,
  rematerialise: bool = False,
) -> StackedHourglass:
  """Returns the network for plain config values, each of them checked.

  Args:
    num_features: channels of the hourglasses; a multiple of 8.
    num_blocks: residual units at every place of an hourglass. The published
      networks have 8 / num_stacks.
    depth: max-pools in an hourglass.
    stem: of STEMS, see `Stem`; skip: of SKIPS, see `Hourglass`; neck: of
      NECKS, see `Stack`.
    one_unit_up: see `Hourglass`; without effect where num_blocks is 1.
    part_from_stack: see `StackedHourglass.attention_of_stack`.
    with_background: each stack has a map more, `PoseOutput.backgrounds`.
    attention: options of `make_attention`.
    rematerialise: the backward pass computes each stack once more instead of
      keeping its activations. On CPUs XLA undoes it: compiling takes longer
      and no memory is saved.
  Raises:
    ValueError: naming the value that cannot be built and those that can.
  """
  _check_choices(stem=stem, skip=skip, neck=neck)
  check_numerics(dtype=dtype, batch_norm_momentum=batch_norm_momentum)
  _check_counts(
    num_keypoints=num_keypoints,
    num_stacks=num_stacks,
    num_blocks=num_blocks,
    depth=depth,
    part_from_stack=part_from_stack,
  )
  if num_features < 8 or num_features % 8:
    raise ValueError(
      "num_features must be a positive multiple of 8 (the stem starts with a "
      f"quarter, bottlenecks halve), got {num_features}"
    )
  options = make_attention(attention, num_levels=depth)
  _check_part(options, part_from_stack, num_stacks)
  _check_background(options, with_background)
  return StackedHourglass(
    num_keypoints=num_keypoints,
    num_stacks=num_stacks,
    num_features=num_features,
    num_blocks=num_blocks,
    depth=depth,
    stem=stem,
    skip=skip,
    neck=neck,
    one_unit_up=one_unit_up,
    part_from_stack=part_from_stack,
    with_background=with_background,
    attention=options,
    dtype=DTYPES[dtype],
    axis_name="devices" if sync_batch_norm else None,
    batch_norm_momentum=batch_norm_momentum,
    rematerialise=rematerialise,
  )


def _check_choices(**values: str) -> None:
  choices = {"stem": STEMS, "skip": SKIPS, "neck": NECKS}
  for name, value in values.items():
    if value not in choices[name]:
      raise ValueError(
        f"{name} must be one of {', '.join(choices[name])}, got {value!r}"
      )


def _check_part(
  attention: AttentionOptions, part_from_stack: int, num_stacks: int
) -> None:
  """Refuses attention that no stack would have."""
  if attention.part == "none":
    return
  if part_from_stack > num_stacks:
    raise ValueError(
      f"attention.part is {attention.part!r} from stack {part_from_stack} on, "
      f"but there are {num_stacks}: no stack would have it; set "
      f"part_from_stack to 1..{num_stacks}, or part to 'none'"
    )
  if attention.refined != "none" and part_from_stack == 1:
    raise ValueError(
      f"attention.refined is {attention.refined!r}, but part maps take its "
      "place from part_from_stack=1, the first stack, on: no stack would have "
      "it; set refined to 'none', or part_from_stack to 2 or more"
    )


def _check_background(
  attention: AttentionOptions, with_background: bool
) -> None:
  """Where a transformer does not look, maps are 0: right for keypoints only."""
  for place in ("holistic", "refined", "part"):
    if with_background and getattr(attention, place) == "transformer":
      raise ValueError(
        f"attention.{place} is 'transformer', which with_background makes no "
        "sense with: where the transformer does not look there is no "
        "background to predict; set with_background to False, or "
        f"attention.{place} to another kind"
      )


def _check_counts(**values: int) -> None:
  for name, value in values.items():
    if value < 1:
      raise ValueError(f"{name} must be at least 1, got {value}")
