"""PoseReNet behind HRNet-W32 at 256x192 on COCO, with DARK.

Variants: without, hrnet, hrnet_without.

Source: "An Efficient Method for Boosting Human Pose Estimation" (Xiang, Chen,
Zhou), III and IV; see configs/paper002/recipe.py.
Command: as configs/paper002/resnet50_128x96.py, with this file.
Published, on val2017, a detector's boxes (person AP 56.4), flip test:
                AP  AP50  AP75   APM   APL    AR
  without     75.6  90.5  82.1  71.8  82.8  80.8
  with        76.2  90.6  82.7  73.2  82.0  80.9
The row without is that of DARK's own table.
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs import recipes
from configs.paper002.recipe import ROWS, refined

VARIANTS = ROWS


def get_config(variant: str = "") -> ConfigDict:
  recipe = recipes.dark_coco((256, 192), width=32)
  return refined("hrnet_w32_256x192", variant, recipe, width=32)
