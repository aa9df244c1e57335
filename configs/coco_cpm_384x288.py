"""Convolutional pose machine, six stages, at 384x288 on COCO.

Source: Wei et al. 2016 (arXiv 1602.00134) in mmpose's form, with its config.
Command: as configs/coco_resnet50_256x192.py, with this file.
Published: AP / AR 65.2 / 71.0 on val2017, a detector's boxes (person AP 56.4),
flip test with shift; from random weights. Not yet measured here.
Heatmaps are an eighth of the crop, 48x36.
"""

from ml_collections import ConfigDict

from configs.baselines import pose_machine_on_coco


def get_config(variant: str = "") -> ConfigDict:
  return pose_machine_on_coco(variant, crop_hw=(384, 288))
