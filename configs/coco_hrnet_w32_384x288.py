"""HRNet-W32 at 384x288 on COCO.

Variants: dark, udp, mmpose, mmpose_dark, mmpose_udp; see configs/baselines.py.

Source: Sun et al. 2019 (arXiv 1902.09212); the authors' published config.
Command: as configs/coco_hrnet_w32_256x192.py, with this file.
Published: AP / AR on val2017, a detector's boxes (person AP 56.4), flip test:
  authors      75.8 / 80.9; 77.7 with ground-truth boxes
  dark         76.6 / 81.5
  udp          77.8 / 82.4; without 76.7 / 81.6; detector 65.1
  mmpose       76.1 / 81.1
  mmpose_dark  76.6 / 81.5
  mmpose_udp   76.8 / 81.5
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
Published size: 28.5 M parameters, 16.0 multiply-adds / 1024^3.
"""

from ml_collections import ConfigDict

from configs.baselines import hrnet_on_coco

VARIANTS = ("dark", "udp", "mmpose", "mmpose_dark", "mmpose_udp")


def get_config(variant: str = "") -> ConfigDict:
  return hrnet_on_coco(variant, VARIANTS, width=32, crop_hw=(384, 288))
