"""Convolutional pose machine, six stages, at 368x368 on MPII.

Source: Wei et al. 2016 (arXiv 1602.00134) in mmpose's form, with its config.
Command: as configs/mpii_resnet50_256x256.py, with this file.
Published: PCKh@0.5 / PCKh@0.1 87.6 / 28.5 of validation people as mmpose
counts, ground-truth centre and scale, flip test with shift; from random
weights. Not yet measured here.
Heatmaps are an eighth of the crop, 46x46.
"""

from ml_collections import ConfigDict

from configs.baselines import pose_machine_on_mpii


def get_config(variant: str = "") -> ConfigDict:
  return pose_machine_on_mpii(variant)
