"""SimpleBaseline, ResNet-101 at 384x288 on COCO.

Variants: dark, mmpose, mmpose_dark; see configs/baselines.py.

Source: Xiao et al. 2018 (arXiv 1804.06208); the authors' published config.
Command: as configs/coco_resnet50_256x192.py, with this file.
Published: AP / AR on val2017, a detector's boxes (person AP 56.4), flip test:
  authors      73.6 / 79.1
  dark         no number, a config of DARK's authors
  mmpose       74.9 / 79.9
  mmpose_dark  74.9
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.baselines import resnet_on_coco

VARIANTS = ("dark", "mmpose", "mmpose_dark")


def get_config(variant: str = "") -> ConfigDict:
  return resnet_on_coco(variant, VARIANTS, depth=101, crop_hw=(384, 288))
