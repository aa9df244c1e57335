"""PoseReNet behind HRNet-W32 at 128x96 on COCO, with DARK.

Variants: without, hrnet, hrnet_without.

Source: "An Efficient Method for Boosting Human Pose Estimation" (Xiang, Chen,
Zhou), III and IV; see configs/paper002/recipe.py.
Command: as configs/paper002/resnet50_128x96.py, with this file.
Published, on val2017, a detector's boxes (person AP 56.4), flip test:
                AP  AP50  AP75   APM   APL    AR
  without     70.7  88.9  78.4  67.9  76.6  76.7
  with        71.8  89.7  79.3  69.8  75.3  75.0
The row without is that of DARK's own table. AP rises while AR falls. The
paper's second table says 23.5 M parameters for this network, which has 28.5,
and gives DARK's score on test-dev, 70.0.
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs import recipes
from configs.paper002.recipe import ROWS, refined

VARIANTS = ROWS


def get_config(variant: str = "") -> ConfigDict:
  recipe = recipes.dark_coco((128, 96), width=32)
  return refined("hrnet_w32_128x96", variant, recipe, width=32)
