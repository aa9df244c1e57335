"""PoseReNet behind ResNet-101 at 128x96 on COCO, with DARK.

Variants: without, hrnet, hrnet_without.

Source: "An Efficient Method for Boosting Human Pose Estimation" (Xiang, Chen,
Zhou), III and IV; see configs/paper002/recipe.py.
Command: as configs/paper002/resnet50_128x96.py, with this file.
Published, on val2017, a detector's boxes (person AP 56.4), flip test:
                AP  AP50  AP75   APM   APL    AR
  without     63.2  86.2  71.1  61.2  68.5  70.0
  with        63.9  89.3  71.5  62.4  68.7  70.2
The row without is that of DARK's own table.
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs import recipes
from configs.paper002.recipe import ROWS, refined

VARIANTS = ROWS


def get_config(variant: str = "") -> ConfigDict:
  recipe = recipes.dark(recipes.simple_baseline_coco((128, 96)), blur_kernel=3)
  return refined("resnet101_128x96", variant, recipe, depth=101)
