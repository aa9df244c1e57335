"""VGG-19: which keypoints are there, then where.

Source: "Human Pose Estimation" (Chen et al., UC San Diego), 3.3.4;
sizes, optimiser and split are ours, see configs/paper004/recipe.py.
Command:
  python -m launch.train --config=configs/paper004/vgg.py \
    --config.data.train.root=LEEDS --config.data.eval.root=LEEDS --workdir=W
where LEEDS holds lspet/ (for `:lsp` lsp/) with images/ and joints.mat.
`:small` is for two CPU cores.
Published: presence accuracy 84.44 %; split and sizes are not stated.
Measured: `:small` with 500 steps a phase, see benchmarks/README.md; at full
size not yet.
"""

from ml_collections import ConfigDict

from configs.paper004 import recipe


def get_config(variant: str = "") -> ConfigDict:
  return recipe.presence_then_coordinates(
    "vgg",
    variant,
    learning_rate=1e-4,
    small={"width": 8},
    backbone="vgg",
    depth=19,
  )
