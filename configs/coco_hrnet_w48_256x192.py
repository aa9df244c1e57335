"""HRNet-W48 at 256x192 on COCO.

Variants: dark, udp, mmpose, mmpose_dark, mmpose_udp; see configs/baselines.py.

Source: Sun et al. 2019 (arXiv 1902.09212); the authors' published config.
Command: as configs/coco_hrnet_w32_256x192.py, with this file.
Published: AP / AR on val2017, a detector's boxes (person AP 56.4), flip test:
  authors      75.1 / 80.4; 77.1 with ground-truth boxes
  dark         no number, a config of DARK's authors
  udp          77.2 / 82.0; without 75.9 / 80.9; detector 65.1
  mmpose       75.6 / 80.9
  mmpose_dark  76.4 / 81.4
  mmpose_udp   76.8 / 81.7
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
Published size: 63.6 M parameters, 14.6 multiply-adds / 1024^3.
"""

from ml_collections import ConfigDict

from configs.baselines import hrnet_on_coco

VARIANTS = ("dark", "udp", "mmpose", "mmpose_dark", "mmpose_udp")


def get_config(variant: str = "") -> ConfigDict:
  return hrnet_on_coco(variant, VARIANTS, width=48, crop_hw=(256, 192))
