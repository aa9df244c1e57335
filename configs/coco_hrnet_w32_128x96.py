"""HRNet-W32 at 128x96 on COCO.

Variant: dark; see configs/baselines.py.

Source: Sun et al. 2019 (arXiv 1902.09212); at this size only in the table of
Zhang et al. 2020 (arXiv 1910.06278).
Command: as configs/coco_hrnet_w32_256x192.py, with this file.
Published: AP / AR on val2017, a detector's boxes (person AP 56.4), flip test:
  authors  66.9 / 73.7, in DARK's table
  dark     70.7 / 76.7
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
Published size: 28.5 M parameters, 1.8 multiply-adds / 1024^3.
"""

from ml_collections import ConfigDict

from configs.baselines import hrnet_on_coco

VARIANTS = ("dark",)


def get_config(variant: str = "") -> ConfigDict:
  return hrnet_on_coco(variant, VARIANTS, width=32, crop_hw=(128, 96))
