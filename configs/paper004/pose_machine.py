"""Convolutional pose machine of six stages at 368x368 on Leeds.

Source: Wei et al. 2016 (arXiv 1602.00134), Figure 4 of "Human Pose Estimation"
(Chen et al., UC San Diego); their released recipe, on LSP and LSP-extended.
Targets of 7 crop pixels, as their code draws them, and Caffe's sum of squared
errors, which their rate is for. Ours (D): the whole person in a box, not at one
height; the person's position is the box's middle; DARK.
Command:
  python -m launch.train --config=configs/paper004/pose_machine.py \
    --config.data.train.root=LEEDS --config.data.eval.root=LEEDS --workdir=W
where LEEDS holds lsp/ and lspet/, each with images/ and joints.mat. What a
stage by itself finds: launch.evaluate with --config.eval.stage=1.
Published: PCK@0.2 84.3 on LSP trained on these two sets, person-centric, seven
scales (90.5 with MPII). Not yet measured here.
"""

from ml_collections import ConfigDict

from configs import base, recipes
from configs.baselines import pose_machine
from configs.paper004.recipe import on_leeds


def get_config(variant: str = "") -> ConfigDict:
  config = base.get_config()
  config.name = "paper004/pose_machine"
  config.update(recipes.cpm())
  on_leeds(config)
  config.model = pose_machine(config, form="paper")
  config.loss.update(name="caffe_sse", sigma_hm=7 / 8, unbiased=True)
  config.eval.update(decoder="dark", blur_kernel=5, every_steps=20_000)
  config.eval.metrics = ("pck", "pcp")
  return base.finish(config, variant)
