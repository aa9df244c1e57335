"""HRNet-W48 at 256x256 on MPII.

Variants: dark, mmpose, mmpose_dark; see configs/baselines.py.

Source: Sun et al. 2019 (arXiv 1902.09212); the authors' published config.
Command: as configs/mpii_resnet50_256x256.py, with this file.
Published: PCKh@0.5 / PCKh@0.11 (which the authors call @0.1) of validation
people, ground-truth centre and scale, flip test:
  authors      90.5 / 39.8, which only paper 003 says
  dark         no number, a config of DARK's authors
  mmpose       90.1, and 33.7 at the true 0.1, as mmpose counts
  mmpose_dark  90.5, and 36.0 at the true 0.1
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.baselines import hrnet_on_mpii

VARIANTS = ("dark", "mmpose", "mmpose_dark")


def get_config(variant: str = "") -> ConfigDict:
  return hrnet_on_mpii(variant, VARIANTS, width=48)
