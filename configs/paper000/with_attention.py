"""ResNet-50 with holistic and part attention (random fields) on COCO.

Variants: holistic, part (one of the two alone), three (transposed convolutions,
not four), release (the authors' code: three, 1x1 fields without bias, target
height 255, flips, 140 epochs, COCO's own split, ground-truth boxes).

Source: "Pose Estimation using Attention Based Mechanisms" (Subramanian et al.,
WPI), 3 and 4, and their code; see configs/paper000/recipe.py.
The split is the paper's 80,000, 5,000 and 28,000 images of train2017, drawn by
seed 0, as theirs is not published. Images without people count: train2017 has
64,115 with people, fewer than 113,000. The log says how many have some.
Command:
  python -m launch.train --config=configs/paper000/with_attention.py \
    --config.data.train.root=COCO --config.data.eval.root=COCO --workdir=W
  python -m launch.evaluate --workdir=W --config.data.eval.root=COCO \
    --config.data.eval.portion="(85000,113000)" [--config.eval.boxes=FILE]
where COCO holds annotations/ and train2017/ as released, and FILE a detector's
boxes in those images.
Published: AP 0.567, AP50 0.839, AP75 0.617, APM 0.538, APL 0.608, AR 0.606,
AR50 0.852, AR75 0.659, ARM 0.571, ARL 0.655 on the 28,000 images with YOLOv2's
boxes, at most 20 each as COCO counts (the text says 65.77), after 30 hours on a
V100; without attention AP 0.468.
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
What a config cannot say: the authors' code has no bias in the unary convolution
either. It multiplies 256 features by 17 maps, which fails: here a keypoint's
heatmap is read through its own map.
"""

from ml_collections import ConfigDict

from configs.paper000.recipe import resnet_attention

VARIANTS = ("holistic", "part", "three", "release")


def get_config(variant: str = "") -> ConfigDict:
  return resnet_attention("with_attention", variant, "crf", VARIANTS)
