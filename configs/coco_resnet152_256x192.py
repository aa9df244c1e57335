"""SimpleBaseline, ResNet-152 at 256x192 on COCO.

Variants: dark, udp, mmpose, mmpose_dark; see configs/baselines.py.

Source: Xiao et al. 2018 (arXiv 1804.06208); the authors' published config.
Command: as configs/coco_resnet50_256x192.py, with this file.
Published: AP / AR on val2017, a detector's boxes (person AP 56.4), flip test:
  authors      72.0 / 77.8
  dark         no number, a config of DARK's authors
  udp          74.3 / 79.6; without 72.9 / 78.3; detector 65.1
  mmpose       73.6 / 79.1
  mmpose_dark  74.3
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.baselines import resnet_on_coco

VARIANTS = ("dark", "udp", "mmpose", "mmpose_dark")


def get_config(variant: str = "") -> ConfigDict:
  return resnet_on_coco(variant, VARIANTS, depth=152, crop_hw=(256, 192))
