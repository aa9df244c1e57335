"""PoseReNet: three branches behind the heatmaps of any network.

Source: Xiang, Chen, Zhou, "An Efficient Method for Boosting Human Pose
Estimation", Eq. 4 to 7; no code of it is public. What the paper leaves open and
is decided here is marked D. From the heatmaps f [B, h, w, K] of a base network:

    channel   sigmoid(conv1x1(conv1x1(mean over pixels of f))) f          Eq. 4
    lifting   sigmoid(conv3x3(conv1x1(transposed conv f))), twice as large     5
    identity  conv3x3(conv3x3(f))                                              6
    aggregate of the three                                                     7

As in the equations there is no norm and no ReLU between the convolutions; all
have K channels and, D, start as torch's do. D: heatmaps pass the channel and
the identity branch in float32, as they leave a network's head; `dtype` is what
the lifting branch, which has most of the multiply-adds, computes in.

D: the transposed convolution and the 2x2 mean put pixel x of the base at
2x + 1/2 of the lifted map. There the lifted map's targets lie where the
aggregate is decoded (`geometry.LIFTED_FROM_HM`). Where the lifted map is
decoded they lie as in any heatmap of its size: by the alignment "corner" at 2x,
by "unit" and "udp" a scale apart, so that its mean is off by a quarter of
the base's pixels, at opposite borders to opposite sides. The other branches can
make up for the former.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.attention_options import NONE, AttentionOptions
from pose_jax.models.layers import Conv, Deconv
from pose_jax.models.output import PoseOutput
from pose_jax.models.poserenet_options import PoseReNetOptions
from pose_jax.models.resample import mean_pool

# Torch's start of a convolution: uniform within 1 / sqrt(fan in).
INIT = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
# D: what the lifted map starts at, about the share of a target's pixels that
# are not empty; from 1/2 its loss would first of all be that of the rest.
_LIFTED_START = 0.01
_LIFTED_BIAS = -math.log(1 / _LIFTED_START - 1)


class PoseReNet(nn.Module):
  """Any network with heatmaps, and behind it the plug-in.

  Parameters lie below "base" (as the base alone has them) and "poserenet".

  Attributes:
    base: module that returns a PoseOutput with `stages`.
    options: see PoseReNetOptions; the aggregation is not none.
    dtype: compute type of the lifting branch.
  """

  base: nn.Module
  options: PoseReNetOptions
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, images: Float[Array | np.ndarray, "B H W 3"], train: bool = False
  ) -> PoseOutput:
    """Returns what the base does, with the refined maps put in.

    `stages` are the base's and then the aggregates, `lifted` the lifted map
    (of several refined stages a tuple), `heatmaps` the last aggregate or, with
    decode "lifted", the last lifted map.

    Raises:
      ValueError: as the base, or if it returns no heatmaps.
    """
    output = self.base(images, train=train)
    if not output.stages:
      raise ValueError(
        f"{type(self.base).__name__} returns no heatmaps, which is what "
        "PoseReNet refines: set poserenet.aggregation to 'none'"
      )
    aggregates, lifted = Plugin(self.options, self.dtype, name="poserenet")(
      output.stages
    )
    is_lifted = self.options.decode == "lifted"
    return output.replace(
      heatmaps=lifted[-1] if is_lifted else aggregates[-1],
      stages=(*output.stages, *aggregates),
      lifted=lifted if len(lifted) > 1 else lifted[0],
    )

  @property
  def crop_step(self) -> int:
    """The base's."""
    return self.base.crop_step

  @property
  def attention(self) -> AttentionOptions:
    """The base's."""
    return getattr(self.base, "attention", NONE)

  @nn.nowrap
  def stage_hw(self, crop_hw: Sequence[int]) -> tuple[int, int]:
    """Returns the (height, width) of `stages` for crops of `crop_hw`."""
    return self.base.map_hw(crop_hw)

  @nn.nowrap
  def map_hw(self, crop_hw: Sequence[int]) -> tuple[int, int]:
    """Returns the (height, width) of `heatmaps` for crops of `crop_hw`."""
    height, width = self.base.map_hw(crop_hw)
    factor = 2 if self.options.decode == "lifted" else 1
    return factor * height, factor * width


class Plugin(nn.Module):
  """A refinement for each stage that is refined, named after the stage."""

  options: PoseReNetOptions
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, stages: Sequence[Float[Array, "B h w K"]]
  ) -> tuple[
    tuple[Float[Array, "B h w K"], ...],
    tuple[Float[Array, "B 2*h 2*w K"], ...],
  ]:
    """Returns aggregates and lifted maps, float32, of the refined stages."""
    first = 0 if self.options.stages == "all" else len(stages) - 1
    refined = [
      Refinement(self.options, self.dtype, name=f"stage{index}")(stages[index])
      for index in range(first, len(stages))
    ]
    aggregates, lifted = zip(*refined, strict=True)
    return aggregates, lifted


class Refinement(nn.Module):
  """The three branches of one stage and their aggregate, Eq. 4 to 7."""

  options: PoseReNetOptions
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, maps: Float[Array, "B h w K"]
  ) -> tuple[Float[Array, "B h w K"], Float[Array, "B 2*h 2*w K"]]:
    """Returns the aggregate and the lifted map, float32."""
    options = self.options
    starts_as_identity = options.identity_init
    maps = maps.astype(jnp.float32)
    lifted = Lifting(starts_as_identity, self.dtype, name="lifting")(maps)
    # GPUs multiply float32 with 10 bits of precision unless told not to.
    with jax.default_matmul_precision("float32"):
      gate = ChannelGate(
        options.channel_attention, starts_as_identity, name="channel"
      )(maps)
      # The share of the maps that the gate's start, 1/2, leaves to identity.
      gain = 0.5 if options.aggregation == "sum" else 2.5
      identity = Identity(gain if starts_as_identity else None, name="identity")
      branches = (maps * gate[:, None, None], lifted, identity(maps))
      return self._aggregate(branches), lifted

  def _aggregate(self, branches):
    gated, lifted, kept = branches
    if self.options.fusion == "enlarge":
      gated, kept = (
        jax.image.resize(x, lifted.shape, "bilinear") for x in (gated, kept)
      )
    else:
      lifted = mean_pool(lifted, 2)
    if self.options.aggregation == "learned":
      num = gated.shape[-1]
      read = Conv(
        num, 1, use_bias=True, kernel_init=_mean_of_three, name="aggregate"
      )
      y = read(jnp.concatenate([gated, lifted, kept], axis=-1))
    else:
      y = gated + (lifted + kept)
      y = y / 3 if self.options.aggregation == "mean" else y
    return mean_pool(y, 2) if self.options.fusion == "enlarge" else y


class ChannelGate(nn.Module):
  """One factor in 0..1 per map, read from the maps' means (Eq. 4).

  se: two 1x1 convolutions. eca: a convolution of size 3 over the channels,
  zeros outside, no bias; its neighbours are those in the keypoints' order.
  """

  kind: str
  starts_as_identity: bool = False

  @nn.compact
  def __call__(self, maps: Float[Array, "B h w K"]) -> Float[Array, "B K"]:
    mean = maps.mean((1, 2))
    if self.kind == "eca":
      init = nn.initializers.zeros if self.starts_as_identity else _eca_init
      taps = self.param("kernel", init, (3,))
      padded = jnp.pad(mean, ((0, 0), (1, 1)))
      num = mean.shape[-1]
      return nn.sigmoid(sum(taps[i] * padded[:, i : i + num] for i in range(3)))
    first, second = {}, {}
    if self.starts_as_identity:  # 1/2, of whatever maps; see Lifting
      first = dict(
        kernel_init=nn.initializers.zeros, bias_init=nn.initializers.ones
      )
      second = dict(kernel_init=_centred)
    x = mean[:, None, None]
    x = _conv(mean.shape[-1], 1, **first, name="conv0")(x)
    x = _conv(mean.shape[-1], 1, **second, name="conv1")(x)
    return nn.sigmoid(x[:, 0, 0])


class Lifting(nn.Module):
  """Heatmaps at twice the resolution, in 0..1 (Eq. 5).

  D: the transposed convolution is 4x4 without bias; the 1x1 one has it.

  As identity it starts as one constant, whatever the heatmaps are, and yet
  every parameter gets a gradient: the transposed convolution gives the same in
  all channels, and the next kernel, whose inputs' weights sum to 0, takes it
  away again; what is left is its bias 1, which the third kernel takes away
  likewise. (Of a single keypoint, such kernels are 0 and wake up later.)
  """

  starts_as_identity: bool = False
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, maps: Float[Array, "B h w K"]
  ) -> Float[Array, "B 2*h 2*w K"]:
    num = maps.shape[-1]
    inits, first_bias = (INIT, INIT, INIT), nn.initializers.zeros
    if self.starts_as_identity:
      inits = (_alike, _centred, _centred)
      first_bias = nn.initializers.ones
    x = Deconv(num, self.dtype, inits[0], name="deconv")(maps)
    x = _conv(
      num,
      1,
      dtype=self.dtype,
      kernel_init=inits[1],
      bias_init=first_bias,
      name="conv0",
    )(x)
    x = _conv(
      num,
      3,
      dtype=self.dtype,
      kernel_init=inits[2],
      bias_init=nn.initializers.constant(_LIFTED_BIAS),
      name="conv1",
    )(x)
    return nn.sigmoid(x.astype(jnp.float32))


class Identity(nn.Module):
  """Two 3x3 convolutions (Eq. 6).

  Attributes:
    gain: where given, start as the maps times it, less what the lifted map
      starts at.
  """

  gain: float | None = None

  @nn.compact
  def __call__(self, maps: Float[Array, "B h w K"]) -> Float[Array, "B h w K"]:
    num = maps.shape[-1]
    first, second = {}, {}
    if self.gain is not None:
      start = nn.sigmoid(jnp.float32(_LIFTED_BIAS))
      first = dict(kernel_init=_delta(1.0))
      second = dict(
        kernel_init=_delta(self.gain),
        bias_init=nn.initializers.constant(-start),
      )
    x = _conv(num, 3, **first, name="conv0")(maps)
    return _conv(num, 3, **second, name="conv1")(x)


def _conv(features, kernel_size, *, kernel_init=INIT, **options) -> Conv:
  return Conv(
    features, kernel_size, use_bias=True, kernel_init=kernel_init, **options
  )


def _eca_init(key, shape, dtype=jnp.float32):
  """Torch's start of a 1-D convolution with one channel."""
  bound = shape[0] ** -0.5
  return jax.random.uniform(key, shape, dtype, -bound, bound)


def _centred(key, shape, dtype=jnp.float32):
  """Kernel whose weights of all inputs sum to 0, at each tap."""
  kernel = INIT(key, shape, dtype)
  return kernel - kernel.mean(-2, keepdims=True)


def _alike(key, shape, dtype=jnp.float32):
  """Kernel that gives the same in all channels."""
  kernel = INIT(key, (*shape[:-1], 1), dtype)
  return jnp.broadcast_to(kernel, shape)


def _delta(gain):
  """Start of a convolution that multiplies its input by `gain`."""

  def init(key, shape, dtype=jnp.float32):
    del key
    middle = tuple(size // 2 for size in shape[:2])
    return jnp.zeros(shape, dtype).at[middle].set(gain * jnp.eye(shape[-1]))

  return init


def _mean_of_three(key, shape, dtype=jnp.float32):
  """1x1 kernel from three maps per keypoint to their mean."""
  del key
  eye = jnp.eye(shape[-1], dtype=dtype) / 3
  return jnp.concatenate([eye] * 3).reshape(shape)
