"""ResNet-101 that regresses coordinates at 256x192 on COCO; `:rle`, by RLE.

Source: mmpose's configs of it; the name is Toshev and Szegedy's (2014, arXiv
1312.4659), whose cascade is configs/paper004/cascade.py. `:rle`: Li et al. 2021
(arXiv 2107.11291).
Command: as configs/coco_resnet50_256x192.py, with this file.
Published: AP 56.2 on val2017,
`:rle` 72.2, a detector's boxes (person AP 56.4), flip test; backbone from
ImageNet: --config.init.weights=FILE. mmpose scores people of `:rle` by box,
mean and highest keypoint together, ours by box times mean. Not yet measured
here.
"""

from ml_collections import ConfigDict

from configs.regressors import deeppose_on_coco


def get_config(variant: str = "") -> ConfigDict:
  return deeppose_on_coco(variant, ("rle",), depth=101)
