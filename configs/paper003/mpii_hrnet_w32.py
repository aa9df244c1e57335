"""Skeletal heatmaps and weighted inference on HRNet-W32 at 256x256, MPII.

Variants: baseline (neither), module, weighted (one of the two).

Source: "Human Pose Estimation Using Skeletal Heatmaps" (Jun, Lee, Kim), II and
III; see configs/paper003/recipe.py.
Command:
  python -m launch.train --config=configs/paper003/mpii_hrnet_w32.py \
    --config.data.train.root=MPII --config.data.eval.root=MPII --workdir=W
where MPII is as for configs/mpii_resnet50_256x256.py.
Published: PCKh@0.5 / PCKh@0.11 (which the paper, like HRNet's code, calls @0.1)
of validation people, ground-truth centre and scale, flip test with shift:
  baseline  90.3 / 37.7
  module    90.5 / 38.1
  both      90.6 / 39.6
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper003.recipe import ROWS, skeletal

VARIANTS = ROWS


def get_config(variant: str = "") -> ConfigDict:
  return skeletal("mpii_hrnet_w32", variant, width=32, crop_hw=(256, 256))
