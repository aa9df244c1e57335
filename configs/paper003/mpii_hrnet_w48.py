"""Skeletal heatmaps and weighted inference on HRNet-W48 at 256x256, MPII.

Variants: baseline (neither), module, weighted (one of the two).

Source: "Human Pose Estimation Using Skeletal Heatmaps" (Jun, Lee, Kim), II and
III; see configs/paper003/recipe.py.
Command: as configs/paper003/mpii_hrnet_w32.py, with this file.
Published: PCKh@0.5 / PCKh@0.11 (which the paper, like HRNet's code, calls @0.1)
of validation people, ground-truth centre and scale, flip test with shift:
  baseline  90.5 / 39.8
  both      90.6 / 39.9
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper003.recipe import ROWS, skeletal

VARIANTS = ROWS


def get_config(variant: str = "") -> ConfigDict:
  return skeletal("mpii_hrnet_w48", variant, width=48, crop_hw=(256, 256))
