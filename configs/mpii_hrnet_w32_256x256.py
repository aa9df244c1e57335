"""HRNet-W32 at 256x256 on MPII.

Variants: dark, udp, mmpose, mmpose_dark; see configs/baselines.py.

Source: Sun et al. 2019 (arXiv 1902.09212); the authors' published config.
Command: as configs/mpii_resnet50_256x256.py, with this file.
Published: PCKh@0.5 / PCKh@0.11 (which the authors call @0.1) of validation
people, ground-truth centre and scale, flip test:
  authors      90.3 / 37.7; users land at 90.0 to 90.1
  dark         90.6 / 42.0
  udp          90.4 / 42.1
  mmpose       90.0, and 33.4 at the true 0.1, as mmpose counts
  mmpose_dark  90.4, and 35.4 at the true 0.1
Backbone from ImageNet: --config.init.weights=FILE. Not yet measured here.
Head to ankle at 0.5: 97.1 95.9 90.3 86.5 89.1 87.1 83.3; dark 97.2 95.9 91.2
86.7 89.7 86.7 84.0; udp 97.4 96.0 91.0 86.5 89.1 86.6 83.3.
"""

from ml_collections import ConfigDict

from configs.baselines import hrnet_on_mpii

VARIANTS = ("dark", "udp", "mmpose", "mmpose_dark")


def get_config(variant: str = "") -> ConfigDict:
  return hrnet_on_mpii(variant, VARIANTS, width=32)
