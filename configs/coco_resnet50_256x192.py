"""SimpleBaseline, ResNet-50 at 256x192 on COCO.

Variants: dark, udp, mmpose, mmpose_dark; see configs/baselines.py.

Source: Xiao et al. 2018 (arXiv 1804.06208); the authors' published config.
Command:
  python -m launch.train --config=configs/coco_resnet50_256x192.py \
    --config.data.train.root=COCO --config.data.eval.root=COCO --workdir=W
where COCO holds annotations/, train2017/ and val2017/ as released. A detector's
boxes: --config.eval.boxes=FILE, its results for val2017; without, ground truth.
Published: AP / AR on val2017, a detector's boxes (person AP 56.4), flip test:
  authors      70.4 / 76.3; 72.4 with ground-truth boxes
  dark         no number, a config of DARK's authors
  udp          72.9 / 78.2; without 71.3 / 76.9; detector 65.1
  mmpose       71.8 / 77.4
  mmpose_dark  72.4
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
The authors' columns (none, dark, udp) read pictures blue first, mmpose's red
first; so with every ResNet here.
"""

from ml_collections import ConfigDict

from configs.baselines import resnet_on_coco

VARIANTS = ("dark", "udp", "mmpose", "mmpose_dark")


def get_config(variant: str = "") -> ConfigDict:
  return resnet_on_coco(variant, VARIANTS, depth=50, crop_hw=(256, 192))
