"""ResNet-50 with spatial transformers as attention on COCO.

Variants: holistic, part, three.

Source: "Pose Estimation using Attention Based Mechanisms" (Subramanian et al.,
WPI), 3 and 4, and their code; see configs/paper000/recipe.py.
Heatmaps are read from the sampled features and sampled back into the crop, so
that targets and decoding stay; that is ours, their code has no transformer.
Command: as configs/paper000/with_attention.py, with this file.
Published: no number; "not great candidates" for holistic attention, and as part
attention it does not add much. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper000.recipe import resnet_attention

VARIANTS = ("holistic", "part", "three")


def get_config(variant: str = "") -> ConfigDict:
  return resnet_attention("transformer", variant, "transformer", VARIANTS)
