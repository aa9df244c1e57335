"""HRNet-W48 at 384x288 on COCO.

Variants: dark, udp, mmpose, mmpose_dark, mmpose_udp; see configs/baselines.py.

Source: Sun et al. 2019 (arXiv 1902.09212); the authors' published config.
Command: as configs/coco_hrnet_w32_256x192.py, with this file.
Published: AP / AR on val2017, a detector's boxes (person AP 56.4), flip test:
  authors      76.3 / 81.2; 78.1 with ground-truth boxes; 75.5 on test-dev
               (detector 60.9)
  dark         76.8 / 81.7; 76.2 on test-dev
  udp          77.8 / 82.5; without 77.1 / 81.8; detector 65.1
  mmpose       76.7 / 81.7
  mmpose_dark  77.2 / 82.1
  mmpose_udp   77.3 / 82.1
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
Published size: 63.6 M parameters, 32.9 multiply-adds / 1024^3.
"""

from ml_collections import ConfigDict

from configs.baselines import hrnet_on_coco

VARIANTS = ("dark", "udp", "mmpose", "mmpose_dark", "mmpose_udp")


def get_config(variant: str = "") -> ConfigDict:
  return hrnet_on_coco(variant, VARIANTS, width=48, crop_hw=(384, 288))
