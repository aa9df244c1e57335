"""Attention in front of the heatmaps: holistic, refined, part-wise.

`PoseHead` reads heatmaps from the finest of a pyramid's features, and any of
the three can stand before it, with any kind of attention:

    x = features           holistic: one map from every level, summed
    x = holistic(x)        refined: a second map, from the attended features
    x = refined(x)         part: one map per heatmap
    heatmaps = part(w x) + b

The read-out is 1x1, so it commutes with a gate on pixels and with sampling:
w_p (f o Phi_p) = Phi_p o (w_p f). No attended copy of the features is made.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float

from pose_jax.models.attention_maps import (
  CrfMap,
  GaussianMap,
  SoftmaxMap,
  Transformer,
)
from pose_jax.models.attention_options import (
  KINDS,
  NONE,
  AttentionOptions,
  check_attention,
)
from pose_jax.models.attention_options import make_attention as make_attention
from pose_jax.models.layers import convolve
from pose_jax.models.resample import upsample_nearest
from pose_jax.ops.sampling import invert_affine, sample_affine


@struct.dataclass
class Gate:
  """What attention does to features, and undoes on heatmaps.

  Attributes:
    map: [B, h, w, P] what features are multiplied by; of a transformer, how
      much of each pixel of the crop it sees.
    theta: [B, P, 2, 3] of a transformer; else None.
    levels: maps that `map` is the sum of, coarse to fine, each in its size.
  """

  map: Any
  theta: Any = None
  levels: tuple[Any, ...] = ()

  def attend(self, x: Float[Array, "B h w C"]) -> Float[Array, "B h w C"]:
    """Features (P = 1) or one channel per map (P = C), attended."""
    if self.theta is not None:
      return sample_affine(x, self.theta)
    return x * self.map.astype(x.dtype)

  def restore(self, x: Float[Array, "B h w K"]) -> Float[Array, "B h w K"]:
    """What was read from attended features, in the frame of the crop.

    Of a transformer: sampled by the inverse matrix, zero where it did not
    look.
    """
    if self.theta is None:
      return x
    return sample_affine(x, invert_affine(self.theta))


class Attention(nn.Module):
  """One place of attention: a pyramid in, a gate for its finest level out.

  Maps of coarser levels are enlarged (nearest) and summed. Source: Chu et al.
  2017 (arXiv 1702.07432), Eq. 9.

  Attributes:
    is_behind_transformer: the features are not in the frame of the crop, so
      that a mean field's steps could not be laid on it and are not stored.
  """

  kind: str
  num_maps: int
  options: AttentionOptions
  is_behind_transformer: bool = False

  @nn.compact
  def __call__(self, levels: Sequence[Float[Array, "B _ _ _"]]) -> Gate:
    _check_pyramid(levels)
    if self.kind == "transformer":
      theta = Transformer(
        self.num_maps, self.options.transformer_grid, name="transformer"
      )(levels)
      return Gate(map=_seen(theta, levels[-1]), theta=theta)
    maps = tuple(
      self._map(f"level{i}")(level) for i, level in enumerate(levels)
    )
    size_hw = levels[-1].shape[1:3]
    return Gate(
      map=sum(_enlarged(m, size_hw) for m in maps),
      levels=maps if len(maps) > 1 else (),
    )

  def _map(self, name: str) -> nn.Module:
    o, num = self.options, self.num_maps
    if self.kind == "softmax":
      return SoftmaxMap(num, o.summary_size, name=name)
    if self.kind == "gaussian":
      return GaussianMap(num, o.gaussian_count, o.gaussian_grid, name=name)
    if self.kind != "crf":
      raise ValueError(
        f"attention is one of {', '.join(KINDS[1:])}, got {self.kind!r}"
      )
    return CrfMap(
      num,
      o.summary_size,
      kernel_size=o.crf_kernel_size,
      steps=o.crf_steps,
      start=o.crf_start,
      keep_unary=o.crf_keep_unary,
      use_bias=o.crf_bias,
      damping=o.crf_damping,
      shared=o.crf_shared,
      separable=o.crf_separable,
      constant_memory=o.crf_constant_memory,
      stores_steps=not self.is_behind_transformer,
      name=name,
    )


def _seen(theta, features):
  """1 where a transformer's sample covers the crop, 0 where it does not."""
  ones = jnp.ones((*features.shape[:3], theta.shape[1]), jnp.float32)
  gate = Gate(map=None, theta=theta)
  return gate.restore(gate.attend(ones))


def _enlarged(x, size_hw):
  """A coarser level's map, nearest-upsampled to the finest level's size."""
  factor = size_hw[0] // x.shape[1]
  return upsample_nearest(x, factor) if factor > 1 else x


def _check_pyramid(levels):
  """Refuses what is no pyramid, whatever is then read of it."""
  if not isinstance(levels, list | tuple):
    raise ValueError(
      "wanted a list of levels [B, h, w, C], coarse to fine, got one "
      f"{type(levels).__name__}: put a single level into a list"
    )
  shapes = [tuple(jnp.shape(level)) for level in levels]
  if not shapes or any(len(shape) != 4 for shape in shapes):
    raise ValueError(
      "wanted one level [B, h, w, C] or more, coarse to fine, got "
      f"shapes {shapes}"
    )
  for (_, *coarse, _), (_, *fine, _) in itertools.pairwise(shapes):
    factor = fine[0] // coarse[0]
    if factor < 1 or fine != [factor * length for length in coarse]:
      raise ValueError(
        f"a level of {tuple(coarse)} cannot be enlarged to {tuple(fine)}, the "
        "next one: levels go from coarse to fine, and height and width of "
        "each are the same multiple of those of the one before"
      )


class PoseHead(nn.Module):
  """1x1 convolution to the heatmaps, behind the attention of the options.

  Source: Chu et al. 2017 (arXiv 1702.07432), Eq. 9 to 13; "Pose Estimation
  using Attention Based Mechanisms", 3.3 and 3.4.

  Attributes:
    num_maps: heatmaps.
    kernel_init: of the convolution.
  """

  num_maps: int
  attention: AttentionOptions = NONE
  kernel_init: Callable[..., Array] = nn.initializers.normal(0.001)

  @nn.compact
  def __call__(
    self, levels: Sequence[Float[Array, "B _ _ _"]]
  ) -> tuple[Float[Array, "B h w K"], dict[str, Float[Array, "B _ _ _"]]]:
    """Returns float32 heatmaps and every attention map by name.

    Args:
      levels: features [B, h_i, w_i, C_i], coarse to fine; heatmaps are read
        from the last. Each size is a multiple of the one before.
    Raises:
      ValueError: for levels that are no such pyramid, or options that
        `make_attention` would not have let pass.
    """
    _check_pyramid(levels)
    check_attention(self.attention, len(levels))
    options, x = self.attention, levels[-1]
    gates: dict[str, Gate] = {}
    for place, kind in (
      ("holistic", options.holistic),
      ("refined", options.refined),
    ):
      if kind != "none":
        read = levels[-options.levels :] if place == "holistic" else (x,)
        gates[place] = self._gate(place, kind, 1, read, gates)
        x = gates[place].attend(x)
    kernel = self.param(
      "kernel", self.kernel_init, (1, 1, x.shape[-1], self.num_maps)
    )
    bias = self.param("bias", nn.initializers.zeros, (self.num_maps,))
    y = convolve(x.astype(jnp.float32), kernel)
    if options.part != "none":
      gates["part"] = self._gate(
        "part", options.part, self.num_maps, (x,), gates
      )
      y = gates["part"].attend(y)
    y = y + bias[None, None, None]
    for gate in reversed(gates.values()):
      y = gate.restore(y)
    return y, _maps(gates)

  def _gate(self, place, kind, num_maps, levels, gates) -> Gate:
    """One place of attention, behind those that there are."""
    is_behind = any(gate.theta is not None for gate in gates.values())
    attention = Attention(kind, num_maps, self.attention, is_behind, name=place)
    return attention(levels)


def _maps(gates: Mapping[str, Gate]) -> dict[str, Any]:
  """The maps by name: the one that acts, then those it is the sum of.

  All lie in the frame of the crop, whatever transformers stand before them.
  """
  maps, before = {}, []
  for place, gate in gates.items():
    maps[place] = gate.map
    for earlier in reversed(before):
      maps[place] = earlier.restore(maps[place])
    for i, level in enumerate(gate.levels):
      maps[f"{place}/level{i}"] = level
    before.append(gate)
  return maps
