"""Regression, a cascade and a pose machine on drawn people: small ones.

Without a variant a ResNet-18 of a quarter of the width regresses coordinates
from 128x96 pixels, as DeepPose's first stage. Variant cascade has a second
stage of the same kind behind it, which looks at 32x32 pixels round each
keypoint: squares of the pose's diameter, the paper's size for FLIC, about as
sharp as the crop. Variant pose_machine: three stages of heatmaps, an eighth
of mmpose's width.

Source: none; the questions are those of paper 004 ("Human Pose Estimation",
Chen, Huang, Tseng), sections 2.3 and 2.4, which asks them of LSP: does a stage
that looks closer help, and do heatmaps help more?
Command:
  python -m benchmarks.compare_training --config=configs/paper004/drawn.py \
    --variants=none,cascade,pose_machine --seeds=1,2 --workdir=W
Expected: PCK@0.2 of the pose machine's three stages 72.0, 76.0 and 76.4 %; of
the cascade after 600 steps (schedule.num_steps=600) 36.0 % at its first stage
and 45.7 % at its second, one seed each; the whole comparison is not made.
"""

from ml_collections import ConfigDict

from configs import base, quickstart
from configs.baselines import pose_machine
from configs.regressors import deeppose, regressor

VARIANTS = ("cascade", "pose_machine")
_STAGE = dict(
  backbone="resnet",
  depth=18,
  width=16,
  pooling="flatten",  # the mean does not say where
  coordinate_layers=(256,),
)


def get_config(variant: str = "") -> ConfigDict:
  config = quickstart.small_on_drawn("paper004/drawn", "runs/regression/drawn")
  if variant in VARIANTS:
    config.name += f"_{variant}"
  if variant == "pose_machine":
    config.model = pose_machine(config, num_stages=3, width=16)
  else:
    config.eval.decoder = "coordinates"
    config.loss = base.get_config().loss  # nothing of heatmaps
    config.loss.coordinates = "l1"
    config.model = regressor(config, **_STAGE)
  if variant == "cascade":
    config.model = deeppose(
      config, **_STAGE, num_stages=2, sub_crop_hw=(32, 32), sub_crop_size=1.0
    )
  config.optimizer.update(learning_rate=3e-3, clip_norm=1.0)
  config.schedule.update(num_steps=2000, warmup_steps=100)
  config.checkpoint.every_steps = 500
  config.eval.metrics = ("coco", "pck")
  config.log.every_steps = 200
  return base.finish(config, variant, VARIANTS)
