"""ResNet-50 with random-field attention on COCO: one of four kinds.

The default is configs/paper000/with_attention.py under the name of its kind, to
be compared with softmax.py, gaussian.py and transformer.py. Variants: holistic,
part, three, release.

Source: "Pose Estimation using Attention Based Mechanisms" (Subramanian et al.,
WPI), 3 and 4, and their code; see configs/paper000/recipe.py.
Command: as configs/paper000/with_attention.py, with this file.
Published: as configs/paper000/with_attention.py: AP 0.567, AR 0.606, best of
the kinds for holistic and for part attention; holistic or part attention alone
has no number. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper000.recipe import resnet_attention

VARIANTS = ("holistic", "part", "three", "release")


def get_config(variant: str = "") -> ConfigDict:
  return resnet_attention("crf", variant, "crf", VARIANTS)
