"""Trunks by name, for networks that can stand on any of them.

Called as trunk(images, train) each returns features, fine to coarse.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from flax import linen as nn

from pose_jax.models.alexnet import AlexNet
from pose_jax.models.plain_cnn import PlainCnn
from pose_jax.models.resnet import STAGES as RESNET_STAGES
from pose_jax.models.resnet import ResNet
from pose_jax.models.vgg import STAGES as VGG_STAGES
from pose_jax.models.vgg import Vgg

DEPTH = 50  # which trunks that have no choice of depths are given


class Trunk(NamedTuple):
  """A trunk and what can be said of it.

  Attributes:
    make: makes its module of keyword arguments.
    crop_step: sides of a crop are multiples of it.
    depths: to choose from; empty: there is one form.
    batch_norm: "always", "optional" or "never".
  """

  make: Callable[..., nn.Module]
  crop_step: int
  depths: tuple[int, ...] = ()
  batch_norm: str = "never"


TRUNKS = {
  "resnet": Trunk(ResNet, 32, tuple(RESNET_STAGES), "always"),
  "vgg": Trunk(Vgg, 32, tuple(VGG_STAGES), "optional"),
  "alexnet": Trunk(AlexNet, 32),
  # With a pool more; of odd features that takes what is left.
  "alexnet_paper": Trunk(
    lambda **options: AlexNet(extra_pool=True, **options), 32
  ),
  "baseline1": Trunk(lambda **options: PlainCnn(2, **options), 16),
  "baseline2": Trunk(lambda **options: PlainCnn(3, **options), 32),
}


def make_trunk(
  name: str,
  *,
  depth: int,
  width: int,
  use_batch_norm: bool,
  dtype: Any,
  axis_name: str | None,
  batch_norm_momentum: float,
) -> nn.Module:
  """Returns the trunk of a name, each value checked.

  Args:
    name: of TRUNKS.
    depth: of a ResNet or a VGG; DEPTH for the others.
    width: channels of the first convolution.
    use_batch_norm: of a VGG; ResNets have it always, the others never.
    dtype, axis_name, batch_norm_momentum: as the trunks' own.
  Raises:
    ValueError: naming the value that cannot be built and those that can.
  """
  if name not in TRUNKS:
    raise ValueError(
      f"backbone must be one of {', '.join(TRUNKS)}, got {name!r}"
    )
  trunk = TRUNKS[name]
  if width < 1:
    raise ValueError(f"width must be at least 1, got {width}")
  if trunk.depths and depth not in trunk.depths:
    raise ValueError(
      f"depth must be one of {', '.join(map(str, trunk.depths))} for backbone "
      f"{name!r}, got {depth!r}"
    )
  if not trunk.depths and depth != DEPTH:
    raise ValueError(
      f"backbone {name!r} has one depth: leave depth out, got {depth!r}"
    )
  if use_batch_norm and trunk.batch_norm != "optional":
    raise ValueError(
      "use_batch_norm is a choice of backbone 'vgg'; of "
      f"{name!r} leave it out, which has batch norm {trunk.batch_norm}"
    )
  options = {"width": width, "dtype": dtype}
  if trunk.depths:
    options["depth"] = depth
  if trunk.batch_norm == "optional":
    options["use_batch_norm"] = use_batch_norm
  if trunk.batch_norm != "never":
    options["axis_name"] = axis_name
    options["batch_norm_momentum"] = batch_norm_momentum
  return trunk.make(**options)
