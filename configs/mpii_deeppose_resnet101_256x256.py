"""ResNet-101 that regresses coordinates at 256x256 on MPII.

Source: mmpose's configs of it; see configs/coco_deeppose_resnet101_256x192.py.
Command: as configs/mpii_resnet50_256x256.py, with this file.
Published: PCKh@0.5 (/ @0.1) as mmpose counts 84.1,
validation, ground-truth centre and scale, flip test; backbone from ImageNet:
--config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.regressors import deeppose_on_mpii


def get_config(variant: str = "") -> ConfigDict:
  return deeppose_on_mpii(variant, (), depth=101)
