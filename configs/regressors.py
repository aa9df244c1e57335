"""Rows of published tables whose networks regress coordinates.

mmpose's: a ResNet, the mean of its features, one linear layer. Variant `rle`
learns by residual log-likelihood (Li et al. 2021, arXiv 2107.11291) in place of
a smooth L1, in units of the crop. Flipped coordinates need no shift.
"""

from ml_collections import ConfigDict

from configs import base, recipes
from configs.baselines import NUMERICS, Size, named, on_coco, on_mpii


def deeppose_on_coco(
  variant: str, variants: tuple[str, ...], *, depth: int
) -> ConfigDict:
  """A row of COCO's table, 256x192."""
  config = named(
    *("coco", f"deeppose_resnet{depth}", (256, 192)),
    *(variant, variants, recipes.mmpose_coco()),
  )
  _regression(config, depth, variant)
  if (depth, variant) == (50, "rle"):
    config.optimizer.learning_rate = 1e-3  # of mmpose's three, this one alone
  return base.finish(on_coco(config), variant, variants)


def deeppose_on_mpii(
  variant: str, variants: tuple[str, ...], *, depth: int
) -> ConfigDict:
  """A row of MPII's table, 256x256."""
  config = named(
    *("mpii", f"deeppose_resnet{depth}", (256, 256)),
    *(variant, variants, recipes.mmpose_mpii()),
  )
  _regression(config, depth, variant)
  return base.finish(on_mpii(config, "mmpose"), variant, variants)


def integral_on_coco(variant: str, *, crop_hw: Size) -> ConfigDict:
  """A ResNet-50 whose heatmaps are read by a soft-argmax."""
  config = named(
    *("coco", "integral_resnet50", crop_hw),
    *(variant, (), recipes.mmpose_coco(crop_hw)),
  )
  config.model.soft_argmax = True
  config.loss.coordinates = "smooth_l1"
  config.eval.decoder = "coordinates"
  return base.finish(on_coco(config), variant)


def _regression(config: ConfigDict, depth: int, variant: str) -> None:
  """Network, loss and decoding."""
  is_rle = variant == "rle"
  config.model = regressor(
    config, backbone="resnet", depth=depth, with_sigmas=is_rle
  )
  config.loss.coordinates = "rle" if is_rle else "smooth_l1"
  config.eval.decoder = "coordinates"


def regressor(config: ConfigDict, **options) -> ConfigDict:
  """A regressor's model section; without options ResNet-50 and one layer."""
  return ConfigDict(
    dict(
      name="regressor",
      backbone="resnet",
      depth=50,
      width=64,
      use_batch_norm=False,
      pooling="average",
      shared_layers=(),
      presence_layers=None,
      coordinate_layers=(),
      with_sigmas=False,
    )
    | {key: config.model[key] for key in NUMERICS}
    | options
  )


def deeppose(config: ConfigDict, **options) -> ConfigDict:
  """A cascade's model section: three AlexNets unless told otherwise."""
  return ConfigDict(
    dict(
      name="deeppose",
      num_stages=3,
      backbone="alexnet",
      depth=50,
      width=64,
      use_batch_norm=False,
      pooling="flatten",
      presence_layers=None,
      coordinate_layers=(4096, 4096),
      sub_crop_hw=(224, 224),
      sub_crop_size=2.0,
      simulated_std=0.2,
    )
    | {key: config.model[key] for key in NUMERICS}
    | options
  )
