"""A trunk and dense layers that say where keypoints are, and whether.

"Human Pose Estimation" (Chen, Huang, Tseng, UC San Diego): K probabilities of
being in the picture and 2K coordinates from one network, whose two heads part
behind a first dense layer. Without its presence head and hidden layers it is
DeepPose's first stage (Toshev and Szegedy 2014, arXiv 1312.4659) as mmpose has
it on a ResNet; with `with_sigmas` it can be trained by residual log-likelihood
estimation (RLE, Li and others 2021, arXiv 2107.11291).

A network without heatmaps: its keypoints' frame is the crop's own.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.flow import RealNVP
from pose_jax.models.layers import DTYPES, check_numerics
from pose_jax.models.output import PoseOutput
from pose_jax.models.trunks import DEPTH, TRUNKS, make_trunk

POOLINGS = ("average", "flatten")
_INIT = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
_NEAR_ZERO = nn.initializers.variance_scaling(1e-4, "fan_in", "normal")


class DenseLayers(nn.Module):
  """Dense layers, each with a ReLU, then the outputs side by side, if any.

  Attributes:
    widths: units of each layer.
    outputs: names of dense layers without ReLU, all of which read the last of
      the others; they start near 0 and compute in full float32.
    num_out: units of each of these.
    dtype: compute type of the others; parameters are float32.
  """

  widths: Sequence[int]
  outputs: Sequence[str] = ()
  num_out: int = 0
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, x: Float[Array, "B I"]
  ) -> tuple[Float[Array, "B O"], dict[str, Float[Array, "B _"]]]:
    """Returns the last layer's values, and the outputs by name."""
    for index, width in enumerate(self.widths):
      dense = nn.Dense(
        width, dtype=self.dtype, kernel_init=_INIT, name=f"dense{index}"
      )
      x = nn.relu(dense(x))
    found = {}
    for name in self.outputs:
      dense = nn.Dense(
        self.num_out, kernel_init=_NEAR_ZERO, precision="highest", name=name
      )
      found[name] = dense(x.astype(jnp.float32))
    return x, found


class Regressor(nn.Module):
  """Presence and coordinates of K keypoints; no heatmaps.

  The modules below it are `backbone`, `shared` (if there are such layers),
  `presence_head`, `coordinate_head` and `flow`. The fields are the checked
  arguments of `make_regressor`, which describes them.

  Attributes:
    backbone: called as backbone(images, train); returns features, fine to
      coarse, and names itself in `title`.
    crop_step: sides of a crop are multiples of it.
    flow: of errors, for RLE; None: no deviations either.
  """

  num_keypoints: int
  backbone: nn.Module
  crop_step: int
  pooling: str = "average"
  shared_layers: Sequence[int] = ()
  presence_layers: Sequence[int] | None = None
  coordinate_layers: Sequence[int] | None = None
  flow: RealNVP | None = None
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, images: Float[Array | np.ndarray, "B H W 3"], train: bool = False
  ) -> PoseOutput:
    """Returns `presence_logits`, `coordinates` (units of the crop) and sigmas.

    Args:
      images: [B, H, W, 3] float32, normalised, sides multiples of `crop_step`;
        where features are flattened always of the same size.
      train: use and update batch statistics (mutable=["batch_stats"]).
    Raises:
      ValueError: for sides that are no such multiples.
    """
    self.map_hw(images.shape[1:3])
    x = self.backbone(jnp.asarray(images), train)[-1]
    if self.pooling == "average":
      x = x.astype(jnp.float32).mean((1, 2)).astype(self.dtype)
    x = x.reshape(x.shape[0], -1)
    if self.shared_layers:
      shared = DenseLayers(self.shared_layers, dtype=self.dtype, name="shared")
      x, _ = shared(x)
    if self.flow is not None and self.is_initializing():
      self.flow(jnp.zeros((1, 2), jnp.float32))  # its parameters
    return PoseOutput(**self._presence(x), **self._coordinates(x))

  def _presence(self, x: Float[Array, "B C"]) -> dict[str, Any]:
    if self.presence_layers is None:
      return {}
    _, found = DenseLayers(
      self.presence_layers,
      ("logits",),
      self.num_keypoints,
      self.dtype,
      name="presence_head",
    )(x)
    return {"presence_logits": found["logits"]}

  def _coordinates(self, x: Float[Array, "B C"]) -> dict[str, Any]:
    if self.coordinate_layers is None:
      return {}
    _, found = DenseLayers(
      self.coordinate_layers,
      ("coordinates",) if self.flow is None else ("coordinates", "sigmas"),
      2 * self.num_keypoints,
      self.dtype,
      name="coordinate_head",
    )(x)
    found = {
      name: values.reshape(-1, self.num_keypoints, 2)
      for name, values in found.items()
    }
    coordinates, sigmas = found["coordinates"], found.get("sigmas")
    return {
      "coordinates": coordinates,
      "coordinate_stages": (coordinates,),
      "coordinate_sigmas": None if sigmas is None else nn.sigmoid(sigmas),
    }

  def log_density(self, errors: Float[Array, "B K 2"]) -> Float[Array, "B K"]:
    """Returns the log-density of errors in units of their deviations, for RLE.

    Called as apply(variables, errors, method="log_density").

    Raises:
      ValueError: if the network has no flow.
    """
    if self.flow is None:
      raise ValueError(
        "this network has no density of errors, which RLE learns: set "
        "with_sigmas to True"
      )
    return self.flow.log_density(errors)

  @nn.nowrap
  def map_hw(self, crop_hw: Sequence[int]) -> tuple[int, int]:
    """Returns `crop_hw`: the keypoints' frame is the crop's own.

    Raises:
      ValueError: if a side is no multiple of `crop_step`.
    """
    height, width = crop_hw
    step = self.crop_step
    if height < 1 or width < 1 or height % step or width % step:
      raise ValueError(
        f"crop_hw must be positive multiples of {step} for "
        f"{self.backbone.title}, got ({height}, {width}): choose for example "
        "(224, 224)"
      )
    return height, width


def make_regressor(
  num_keypoints: int,
  *,
  backbone: str = "resnet",
  depth: int = DEPTH,
  width: int = 64,
  use_batch_norm: bool = False,
  pooling: str = "average",
  shared_layers: Sequence[int] = (),
  presence_layers: Sequence[int] | None = None,
  coordinate_layers: Sequence[int] | None = None,
  with_sigmas: bool = False,
  dtype: str = "float32",
  sync_batch_norm: bool = False,
  batch_norm_momentum: float = 0.9,
) -> Regressor:
  """Returns the network for plain config values, each of them checked.

  Args:
    backbone: of `trunks.TRUNKS`: resnet, vgg, alexnet, alexnet_paper (with
      paper 004's pool more), baseline1, baseline2.
    depth: 18 to 152 of resnet, 16 or 19 of vgg; others leave it out.
    width: channels of the backbone's first convolution.
    use_batch_norm: of vgg.
    pooling: of the coarsest features: average, over the whole map; or flatten,
      whose parameters are for one size of crops.
    shared_layers: units of dense layers that both heads read.
    presence_layers: units of the presence head's hidden layers; (): none;
      None: no such head.
    coordinate_layers: likewise.
    with_sigmas: a deviation of each coordinate, and a flow, for RLE.
    sync_batch_norm: batch statistics over all devices.
  Raises:
    ValueError: naming the value that cannot be built and those that can.
  """
  check_numerics(dtype=dtype, batch_norm_momentum=batch_norm_momentum)
  if num_keypoints < 1:
    raise ValueError(f"num_keypoints must be at least 1, got {num_keypoints}")
  if pooling not in POOLINGS:
    raise ValueError(
      f"pooling must be one of {', '.join(POOLINGS)}, got {pooling!r}"
    )
  layers = {
    "shared_layers": shared_layers,
    "presence_layers": presence_layers,
    "coordinate_layers": coordinate_layers,
  }
  layers = {name: _units(name, given) for name, given in layers.items()}
  _check_heads(presence_layers, coordinate_layers, with_sigmas)
  numerics = {
    "dtype": DTYPES[dtype],
    "axis_name": "devices" if sync_batch_norm else None,
    "batch_norm_momentum": batch_norm_momentum,
  }
  trunk = make_trunk(
    backbone,
    depth=depth,
    width=width,
    use_batch_norm=use_batch_norm,
    **numerics,
  )
  return Regressor(
    num_keypoints=num_keypoints,
    backbone=trunk,
    crop_step=TRUNKS[backbone].crop_step,
    pooling=pooling,
    **layers,
    flow=RealNVP() if with_sigmas else None,
    dtype=DTYPES[dtype],
  )


def _units(name: str, given: Any) -> tuple[int, ...] | None:
  """Units of dense layers as a tuple; None where there is no such head.

  Raises:
    ValueError: if they are none.
  """
  can_be_none = name != "shared_layers"
  if given is None and can_be_none:
    return None
  is_sequence = isinstance(given, tuple | list)
  if not is_sequence or not all(type(n) is int and n > 0 for n in given):
    raise ValueError(
      f"{name} must be positive whole numbers of units, one for each dense "
      "layer, like (1024,) or ()"
      + (", or None for no such head" if can_be_none else "")
      + f", got {given!r}"
    )
  return tuple(given)


def _check_heads(presence: Any, coordinates: Any, with_sigmas: bool) -> None:
  if presence is None and coordinates is None:
    raise ValueError(
      "presence_layers and coordinate_layers are both None, a network that "
      "says nothing: give one or both of the heads its hidden layers; () is a "
      "head without any"
    )
  if with_sigmas and coordinates is None:
    raise ValueError(
      "with_sigmas is True, but there are no coordinates (coordinate_layers is "
      "None): deviations are of these; give coordinate_layers, () is a head "
      "without hidden layers"
    )
