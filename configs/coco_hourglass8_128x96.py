"""Stacked hourglass, 8 stacks, at 128x96 on COCO.

Variant: dark; see configs/baselines.py.

Source: the table of Zhang et al. 2020 (arXiv 1910.06278) and their config.
Command: as configs/coco_resnet50_256x192.py, with this file.
Published: AP / AR on val2017, a detector's boxes (person AP 56.4), flip test:
  authors  67.6 / 74.0, in DARK's table
  dark     70.8 / 76.6
From random weights. Not yet measured here.
Their config of this network has targets of deviation 2, that of four stacks 1.
Published size: 25.1 M parameters (built: 25.6), 4.9 multiply-adds / 1024^3.
The smallest maps are 2x1, pooled from 4x3 and enlarged to 4x3 again, as in
their code's last version; the one before cannot run at this size.
"""

from ml_collections import ConfigDict

from configs.baselines import hourglass_on_coco

VARIANTS = ("dark",)


def get_config(variant: str = "") -> ConfigDict:
  return hourglass_on_coco(variant, VARIANTS, num_stacks=8)
