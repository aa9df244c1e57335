"""ResNet-50 with Gaussian attention on COCO.

Variants: holistic, part, three.

Source: "Pose Estimation using Attention Based Mechanisms" (Subramanian et al.,
WPI), 3 and 4, and their code; see configs/paper000/recipe.py.
One map is the product of a column and a row, each a sum of as many Gaussians as
it has pixels; the paper gives formulas only, their code has none.
Command: as configs/paper000/with_attention.py, with this file.
Published: no number; "not a good candidate" for holistic attention, and as part
attention it does not add much. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper000.recipe import resnet_attention

VARIANTS = ("holistic", "part", "three")


def get_config(variant: str = "") -> ConfigDict:
  return resnet_attention("gaussian", variant, "gaussian", VARIANTS)
