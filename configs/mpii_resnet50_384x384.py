"""SimpleBaseline, ResNet-50 at 384x384 on MPII.

Source: Xiao et al. 2018 (arXiv 1804.06208); the authors' published config.
Command: as configs/mpii_resnet50_256x256.py, with this file.
Published: PCKh@0.5 / PCKh@0.11 (which the authors call @0.1) of validation
people, ground-truth centre and scale, flip test:
  authors  89.1 / 38.0
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.baselines import resnet_on_mpii


def get_config(variant: str = "") -> ConfigDict:
  return resnet_on_mpii(variant, (), depth=50, crop_hw=(384, 384))
