"""SimpleBaseline, ResNet-50 at 256x256 on MPII.

Source: Xiao et al. 2018 (arXiv 1804.06208); the authors' published config.
Command:
  python -m launch.train --config=configs/mpii_resnet50_256x256.py \
    --config.data.train.root=MPII --config.data.eval.root=MPII --workdir=W
where MPII holds images/ and annot/ with train.json, valid.json and
gt_valid.mat as HRNet's authors hand them out.
Published: PCKh@0.5 88.5, PCKh@0.11 33.9 (the authors' table calls it @0.1),
validation people, ground-truth centre and scale, flip test with shift, quarter
offset; backbone initialised from ImageNet. mmpose's own training: 88.2 at 0.5,
28.6 at 0.1. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs import base, recipes


def get_config(variant: str = "") -> ConfigDict:
  config = base.get_config()
  config.name = "mpii_resnet50_256x256"
  config.update(recipes.simple_baseline_mpii())
  config.data.skeleton = "mpii16"
  config.data.train.update(name="mpii", split="train")
  config.data.eval.update(name="mpii", split="valid")
  config.checkpoint.update(every_steps=1000, best_metric="PCKh@0.5")
  config.eval.update(metrics=("pckh",), every_steps=2000)
  return base.finish(config, variant)
