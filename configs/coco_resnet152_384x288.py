"""SimpleBaseline, ResNet-152 at 384x288 on COCO.

Variants: dark, udp, mmpose, mmpose_dark; see configs/baselines.py.

Source: Xiao et al. 2018 (arXiv 1804.06208); the authors' published config.
Command: as configs/coco_resnet50_256x192.py, with this file.
Published: AP / AR on val2017, a detector's boxes (person AP 56.4), flip test:
  authors      74.3 / 79.7; 73.7 on test-dev (detector 60.9)
  dark         no number, a config of DARK's authors
  udp          76.2 / 81.2; without 75.3 / 80.4; detector 65.1
  mmpose       75.0 / 80.0
  mmpose_dark  75.5 (blur kernel 17, the only one)
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.baselines import resnet_on_coco

VARIANTS = ("dark", "udp", "mmpose", "mmpose_dark")


def get_config(variant: str = "") -> ConfigDict:
  return resnet_on_coco(variant, VARIANTS, depth=152, crop_hw=(384, 288))
