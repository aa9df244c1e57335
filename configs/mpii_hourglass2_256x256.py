"""Stacked hourglass, 2 stacks, at 256x256 on MPII.

Source: bearpaw/pytorch-pose, of Newell et al. 2016 (arXiv 1603.06937).
Command: as configs/mpii_resnet50_256x256.py, with this file.
Published: PCKh@0.5 86.95 of validation people as that code counts (errors below
the threshold, unweighted mean of keypoints), ground-truth centre and scale;
from random weights. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.baselines import hourglass_on_mpii


def get_config(variant: str = "") -> ConfigDict:
  return hourglass_on_mpii(variant, num_stacks=2)
