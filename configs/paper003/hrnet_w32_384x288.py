"""Skeletal heatmaps and weighted inference on HRNet-W32 at 384x288, COCO.

Variants: baseline (neither), module, weighted (one of the two).

Source: "Human Pose Estimation Using Skeletal Heatmaps" (Jun, Lee, Kim), II and
III; see configs/paper003/recipe.py.
Command: as configs/paper003/hrnet_w32_256x192.py, with this file.
Published, on val2017 with ground-truth boxes, flip test with shift:
                AP  AP50  AP75   APM   APL    AR
  baseline    77.7  93.6  84.7  74.8  82.5  80.4
  both        78.2  93.5  84.7  75.0  82.9  80.7
28.5 M parameters and 16.0 multiply-adds / 1024^3 become 29.3 M and 16.2.
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper003.recipe import ROWS, skeletal

VARIANTS = ROWS


def get_config(variant: str = "") -> ConfigDict:
  return skeletal("hrnet_w32_384x288", variant, width=32, crop_hw=(384, 288))
