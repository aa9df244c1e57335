"""PoseReNet behind HRNet-W32 at 256x256 on MPII, with DARK.

Variants: without, hrnet, hrnet_without.

Source: "An Efficient Method for Boosting Human Pose Estimation" (Xiang, Chen,
Zhou), III and IV; see configs/paper002/recipe.py.
Command:
  python -m launch.train --config=configs/paper002/mpii_hrnet_w32.py \
    --config.data.train.root=MPII --config.data.eval.root=MPII --workdir=W
where MPII is as for configs/mpii_resnet50_256x256.py.
Published: PCKh@0.5 90.4 (head to ankle 97.1 96.1 90.8 86.2 89.4 86.7 83.4), and
without 90.3 (97.1 95.9 90.3 86.5 89.1 87.1 83.3), validation people,
ground-truth centre and scale, flip test. The 90.3 is HRNet's own, without DARK;
with DARK its authors have 90.6. Whether the 90.4 has it the paper does not say:
here both have.
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs import recipes
from configs.paper002.recipe import ROWS, refined

VARIANTS = ROWS


def get_config(variant: str = "") -> ConfigDict:
  recipe = recipes.dark(recipes.hrnet_mpii())
  return refined("mpii_hrnet_w32", variant, recipe, width=32)
