"""ResNet-50 with four transposed convolutions on COCO, no attention.

Variants: three, release; as in configs/paper000/with_attention.py.

Source: "Pose Estimation using Attention Based Mechanisms" (Subramanian et al.,
WPI), 3 and 4, and their code; see configs/paper000/recipe.py.
Command: as configs/paper000/with_attention.py, with this file.
Published: AP 0.468, AP50 0.773, AP75 0.489, APM 0.444, APL 0.508, AR 0.514,
AR50 0.796, AR75 0.546, ARM 0.480, ARL 0.563 on the 28,000 images with YOLOv2's
boxes, at most 20 each as COCO counts (the text says 56.9); with attention AP
0.567.
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper000.recipe import resnet_attention

VARIANTS = ("three", "release")


def get_config(variant: str = "") -> ConfigDict:
  return resnet_attention("without_attention", variant, "none", VARIANTS)
