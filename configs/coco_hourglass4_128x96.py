"""Stacked hourglass, 4 stacks, at 128x96 on COCO.

Variant: dark; see configs/baselines.py.

Source: the table of Zhang et al. 2020 (arXiv 1910.06278) and their config.
Command: as configs/coco_resnet50_256x192.py, with this file.
Published: AP / AR on val2017, a detector's boxes (person AP 56.4), flip test:
  authors  66.2 / 72.8, in DARK's table
  dark     69.6 / 75.7
From random weights. Not yet measured here.
Published size: 13.0 M parameters, 2.7 multiply-adds / 1024^3.
The smallest maps are 2x1, pooled from 4x3 and enlarged to 4x3 again, as in
their code's last version; the one before cannot run at this size.
"""

from ml_collections import ConfigDict

from configs.baselines import hourglass_on_coco

VARIANTS = ("dark",)


def get_config(variant: str = "") -> ConfigDict:
  return hourglass_on_coco(variant, VARIANTS, num_stacks=4)
