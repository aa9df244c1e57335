"""Skeletal heatmaps and weighted inference on HRNet-W48 at 384x288, COCO.

Variants: baseline (neither), module, weighted (one of the two).

Source: "Human Pose Estimation Using Skeletal Heatmaps" (Jun, Lee, Kim), II and
III; see configs/paper003/recipe.py.
Command: as configs/paper003/hrnet_w32_256x192.py, with this file.
Published, on val2017 with ground-truth boxes, flip test with shift:
                AP  AP50  AP75   APM   APL    AR
  baseline    78.1  93.6  84.9  75.3  83.1  80.9
  both        78.4  93.6  84.6  75.1  83.3  81.0
63.6 M parameters and 32.9 multiply-adds / 1024^3 become 65.3 M and 33.3.
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper003.recipe import ROWS, skeletal

VARIANTS = ROWS


def get_config(variant: str = "") -> ConfigDict:
  return skeletal("hrnet_w48_384x288", variant, width=48, crop_hw=(384, 288))
