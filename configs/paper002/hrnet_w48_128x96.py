"""PoseReNet behind HRNet-W48 at 128x96 on COCO, with DARK.

Variants: without, hrnet, hrnet_without.

Source: "An Efficient Method for Boosting Human Pose Estimation" (Xiang, Chen,
Zhou), III and IV; see configs/paper002/recipe.py.
Command: as configs/paper002/resnet50_128x96.py, with this file.
Published, on val2017, a detector's boxes (person AP 56.4), flip test:
                AP  AP50  AP75   APM   APL    AR
  without     71.9  89.1  79.6  69.2  78.0  77.9
  with        73.5  92.5  81.5  71.4  76.6  78.3
The row without is that of DARK's own table.
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs import recipes
from configs.paper002.recipe import ROWS, refined

VARIANTS = ROWS


def get_config(variant: str = "") -> ConfigDict:
  recipe = recipes.dark_coco((128, 96), width=48)
  return refined("hrnet_w48_128x96", variant, recipe, width=48)
