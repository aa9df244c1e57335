"""SimpleBaseline, ResNet-50 at 384x288 on COCO.

Source: Xiao et al. 2018 (arXiv 1804.06208); the authors' published config.
Command: as configs/coco_resnet50_256x192.py, with this file.
Published: AP 72.2 with the detector of person AP 56.4, val2017, flip test with
shift, quarter offset; backbone initialised from ImageNet. Not yet measured
here.
"""

from ml_collections import ConfigDict

from configs.coco_resnet50_256x192 import simple_baseline


def get_config(variant: str = "") -> ConfigDict:
  return simple_baseline(variant, depth=50, crop_hw=(384, 288))
