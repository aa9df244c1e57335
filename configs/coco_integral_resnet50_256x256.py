"""ResNet-50 with a soft-argmax (integral regression) at 256x256 on COCO.

Source: Sun et al. 2018 (arXiv 1711.08229), mmpose's recipe: SimpleBaseline's
network, coordinates are means over the softmax of its heatmaps. Left out:
theirs starts from a trained heatmap network and has a loss on heatmaps too.
Command: as configs/coco_resnet50_256x192.py, with this file.
Published: AP / AR 63.3 / 73.0 on val2017 (mmpose), a detector's boxes (person
AP 56.4), flip test. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.regressors import integral_on_coco


def get_config(variant: str = "") -> ConfigDict:
  return integral_on_coco(variant, crop_hw=(256, 256))
