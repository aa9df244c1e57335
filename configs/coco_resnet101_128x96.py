"""SimpleBaseline, ResNet-101 at 128x96 on COCO.

Variant: dark; see configs/baselines.py.

Source: Xiao et al. 2018 (arXiv 1804.06208); at this size only in the table of
Zhang et al. 2020 (arXiv 1910.06278).
Command: as configs/coco_resnet50_256x192.py, with this file.
Published: AP / AR on val2017, a detector's boxes (person AP 56.4), flip test:
  authors  58.8 / 66.1, in DARK's table
  dark     63.2 / 70.0
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.baselines import resnet_on_coco

VARIANTS = ("dark",)


def get_config(variant: str = "") -> ConfigDict:
  return resnet_on_coco(variant, VARIANTS, depth=101, crop_hw=(128, 96))
