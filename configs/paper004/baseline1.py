"""Baseline-1, two convolutions: which keypoints are there, then where.

Source: "Human Pose Estimation" (Chen et al., UC San Diego), 3.3.1;
sizes, optimiser and split are ours, see configs/paper004/recipe.py.
Command:
  python -m launch.train --config=configs/paper004/baseline1.py \
    --config.data.train.root=LEEDS --config.data.eval.root=LEEDS --workdir=W
where LEEDS holds lspet/ (for `:lsp` lsp/) with images/ and joints.mat.
`:small` is for two CPU cores.
Published: presence accuracy 82.53 %; split and sizes are not stated.
Measured: `:small`, see benchmarks/README.md; at full size not yet.
"""

from ml_collections import ConfigDict

from configs.paper004 import recipe


def get_config(variant: str = "") -> ConfigDict:
  return recipe.presence_then_coordinates(
    "baseline1",
    variant,
    learning_rate=1e-3,
    small={"width": 16},
    backbone="baseline1",
    width=32,
    shared_layers=(1024,),
    presence_layers=(1024,),
    coordinate_layers=(1024, 1024),
  )
