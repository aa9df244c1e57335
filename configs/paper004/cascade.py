"""DeepPose on Leeds: a cascade of three AlexNets that regress coordinates.

Source: Toshev and Szegedy 2014 (DeepPose, arXiv 1312.4659), Figure 3 of "Human
Pose Estimation" (Chen et al., UC San Diego). Whole pictures of LSP and
LSP-extended at 224x224, squares of twice the pose's diameter, the paper's size
for LSP; learning rate 5e-4, 128 people a step. Ours (D): Adam, 100 epochs, all
stages at once, turns and scales as mitmul/deeppose has them.
Command:
  python -m launch.train --config=configs/paper004/cascade.py \
    --config.data.train.root=LEEDS --config.data.eval.root=LEEDS --workdir=W
where LEEDS holds lsp/ and lspet/, each with images/ and joints.mat. What a
stage by itself finds: launch.evaluate with --config.eval.stage=1.
Published: PCP of LSP's test people in the paper, by other crops. Not yet
measured here; a small one on drawn people is configs/paper004/drawn.py:cascade.
"""

from ml_collections import ConfigDict

from configs import base, recipes
from configs.paper004.recipe import on_leeds, whole_images
from configs.regressors import deeppose


def get_config(variant: str = "") -> ConfigDict:
  config = base.get_config()
  config.name = "paper004/cascade"
  config.update(recipes.deeppose())
  on_leeds(config)
  config.data.crop_hw = (224, 224)
  whole_images(config)
  config.model = deeppose(config)
  config.optimizer.learning_rate = 5e-4
  config.eval.update(
    decoder="coordinates", metrics=("located", "pck", "pcp"), every_steps=2000
  )
  return base.finish(config, variant)
