"""HRNet-W32 at 256x192 on COCO.

Variants: dark, udp, mmpose, mmpose_dark, mmpose_udp; see configs/baselines.py.

Source: Sun et al. 2019 (arXiv 1902.09212); the authors' published config.
Command:
  python -m launch.train --config=configs/coco_hrnet_w32_256x192.py \
    --config.data.train.root=COCO --config.data.eval.root=COCO --workdir=W
where COCO holds annotations/, train2017/ and val2017/ as released. A detector's
boxes: --config.eval.boxes=FILE, its results for val2017; without, ground truth.
Published: AP / AR on val2017, a detector's boxes (person AP 56.4), flip test:
  authors      74.4 / 79.8; 76.5 with ground-truth boxes
  dark         75.6 / 80.8
  udp          76.8 / 81.6; without 75.6 / 80.5; detector 65.1
  mmpose       74.9 / 80.4
  mmpose_dark  75.7 / 80.8
  mmpose_udp   76.2 / 81.0
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
Published size: 28.5 M parameters, 7.1 multiply-adds / 1024^3.
HRNet-W18 (--config.model.width=18) has backbone weights but no published row.
"""

from ml_collections import ConfigDict

from configs.baselines import hrnet_on_coco

VARIANTS = ("dark", "udp", "mmpose", "mmpose_dark", "mmpose_udp")


def get_config(variant: str = "") -> ConfigDict:
  return hrnet_on_coco(variant, VARIANTS, width=32, crop_hw=(256, 192))
