"""PoseReNet behind HRNet-W48 at 384x288 on COCO, with DARK.

Variants: without, hrnet, hrnet_without.

Source: "An Efficient Method for Boosting Human Pose Estimation" (Xiang, Chen,
Zhou), III and IV; see configs/paper002/recipe.py.
Command: as configs/paper002/resnet50_128x96.py, with this file.
Published, with a detector's boxes and flip test:
                AP  AP50  AP75   APM   APL    AR
  without     76.2  92.5  83.6  72.5  82.4  81.1
  with        77.3  92.6  83.8  74.1  85.2  81.2
"Without" is DARK's score on test-dev; "with" stands in the same table, among
rows of val2017 and of test-dev, without a word on which it is. DARK on val2017
has 76.8 / 81.7 (AR): beside that the gain is 0.5. (The table gives HRNet-W48
68.6 M parameters and 75.5, its test-dev score: 63.6.)
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs import recipes
from configs.paper002.recipe import ROWS, refined

VARIANTS = ROWS


def get_config(variant: str = "") -> ConfigDict:
  recipe = recipes.dark_coco((384, 288), width=48)
  return refined("hrnet_w48_384x288", variant, recipe, width=48)
