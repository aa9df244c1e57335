"""PoseReNet behind eight stacked hourglasses at 256x256 on MPII, with DARK.

Variants: without, hrnet, hrnet_without. The last stack is refined
(--config.model.poserenet.stages=all: each); all stacks are supervised.

Source: "An Efficient Method for Boosting Human Pose Estimation" (Xiang, Chen,
Zhou), III and IV; see configs/paper002/recipe.py.
Command: as configs/paper002/mpii_hrnet_w32.py, with this file.
Published: no number; the paper names the hourglass's learning rate (2.5e-4, a
tenth after 90 and 120 epochs) but neither its stacks nor a score. pytorch-pose
has PCKh@0.5 88.78 with eight stacks, counted in its own way. Not yet measured
here.
"""

from ml_collections import ConfigDict

from configs import recipes
from configs.paper002.recipe import ROWS, refined

VARIANTS = ROWS


def get_config(variant: str = "") -> ConfigDict:
  recipe = recipes.dark(recipes.xiang_hourglass())
  return refined("mpii_hourglass", variant, recipe, num_stacks=8)
