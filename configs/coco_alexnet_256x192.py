"""AlexNet with transposed convolutions at 256x192 on COCO.

Source: mmpose's config of it, with the trunk of Krizhevsky 2014 (arXiv
1404.5997).
Command: as configs/coco_resnet50_256x192.py, with this file.
Published: AP / AR 44.8 / 52.1 on val2017, a detector's boxes (person AP 56.4),
flip test with shift; from random weights. Theirs has heatmaps of 56x40, over
which targets are stretched; ours is padded to 64x48. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.baselines import older_on_coco


def get_config(variant: str = "") -> ConfigDict:
  return older_on_coco(variant, "alexnet", extra_pool=False)
