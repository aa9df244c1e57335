"""SimpleBaseline, ResNet-101 at 256x256 on MPII.

Variants: dark, mmpose; see configs/baselines.py.

Source: Xiao et al. 2018 (arXiv 1804.06208); the authors' published config.
Command: as configs/mpii_resnet50_256x256.py, with this file.
Published: PCKh@0.5 / PCKh@0.11 (which the authors call @0.1) of validation
people, ground-truth centre and scale, flip test:
  authors  89.1 / 34.0
  dark     no number, a config of DARK's authors
  mmpose   88.8, and 29.0 at the true 0.1, as mmpose counts
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.baselines import resnet_on_mpii

VARIANTS = ("dark", "mmpose")


def get_config(variant: str = "") -> ConfigDict:
  return resnet_on_mpii(variant, VARIANTS, depth=101)
