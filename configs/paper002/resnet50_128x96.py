"""PoseReNet behind ResNet-50 at 128x96 on COCO, with DARK.

Variants: without, hrnet, hrnet_without.

Source: "An Efficient Method for Boosting Human Pose Estimation" (Xiang, Chen,
Zhou), III and IV; see configs/paper002/recipe.py.
Command:
  python -m launch.train --config=configs/paper002/resnet50_128x96.py \
    --config.data.train.root=COCO --config.data.eval.root=COCO --workdir=W
where COCO is as for configs/coco_resnet50_256x192.py.
Published, on val2017, a detector's boxes (person AP 56.4), flip test:
                AP  AP50  AP75   APM   APL    AR
  without     62.6  86.1  70.4  60.4  67.9  69.5
  with        63.1  88.3  70.6  61.6  65.8  70.1
The row without is that of DARK's own table. AP of large people falls with
PoseReNet, here and in three of the four other rows of its table.
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs import recipes
from configs.paper002.recipe import ROWS, refined

VARIANTS = ROWS


def get_config(variant: str = "") -> ConfigDict:
  recipe = recipes.dark(recipes.simple_baseline_coco((128, 96)), blur_kernel=3)
  return refined("resnet50_128x96", variant, recipe, depth=50)
