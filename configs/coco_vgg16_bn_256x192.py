"""VGG-16 with batch norm and transposed convolutions at 256x192 on COCO.

Source: mmpose's config of it, with the trunk of Simonyan and Zisserman 2015
(arXiv 1409.1556).
Command: as configs/coco_resnet50_256x192.py, with this file.
Published: AP / AR 69.9 / 75.4 on val2017, a detector's boxes (person AP 56.4),
flip test with shift; backbone from ImageNet: --config.init.weights=FILE,
torchvision's vgg16_bn, whose trunk is the same. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.baselines import older_on_coco


def get_config(variant: str = "") -> ConfigDict:
  return older_on_coco(variant, "vgg", depth=16, use_batch_norm=True)
