"""ResNet-50 with softmax attention on COCO.

Variants: holistic, part, three.

Source: "Pose Estimation using Attention Based Mechanisms" (Subramanian et al.,
WPI), 3 and 4, and their code; see configs/paper000/recipe.py.
The map is multiplied by its number of pixels, or the features would vanish.
Command: as configs/paper000/with_attention.py, with this file.
Published: no number; holistic softmax "did not work as expected", part softmax
takes longer than random fields to get as far. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper000.recipe import resnet_attention

VARIANTS = ("holistic", "part", "three")


def get_config(variant: str = "") -> ConfigDict:
  return resnet_attention("softmax", variant, "softmax", VARIANTS)
