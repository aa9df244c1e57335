"""Skeletal heatmaps and weighted inference on HRNet-W32 at 256x192, COCO.

Variants: baseline (neither), module, weighted (one of the two).

Source: "Human Pose Estimation Using Skeletal Heatmaps" (Jun, Lee, Kim), II and
III; see configs/paper003/recipe.py.
Command:
  python -m launch.train --config=configs/paper003/hrnet_w32_256x192.py \
    --config.data.train.root=COCO --config.data.eval.root=COCO --workdir=W
where COCO is as for configs/coco_resnet50_256x192.py.
Published, on val2017 with ground-truth boxes, flip test with shift:
                AP  AP50  AP75   APM   APL    AR
  baseline    76.5  93.5  83.7  73.9  80.8  79.3
  both        76.8  92.5  83.8  73.9  81.0  79.4
28.5 M parameters and 7.1 multiply-adds / 1024^3 become 29.3 M and 7.2.
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper003.recipe import ROWS, skeletal

VARIANTS = ROWS


def get_config(variant: str = "") -> ConfigDict:
  return skeletal("hrnet_w32_256x192", variant, width=32, crop_hw=(256, 192))
