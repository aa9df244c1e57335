"""ResNet-50 at 256x256 on LSP and LSP-extended, from random weights.

Source: SimpleBaseline's network (Xiao et al. 2018) with DARK's alignment,
targets and decoding (Zhang et al. 2020), trained on LSP-extended and LSP's
first thousand, evaluated on LSP's second thousand: PCK@0.2 of the distance
from left shoulder to right hip, person-centric.
Command:
  python -m launch.train --config=configs/lsp_resnet50.py \
    --config.data.train.root=LEEDS --config.data.eval.root=LEEDS --workdir=W
where LEEDS holds lsp/ and lspet/, each with images/ and joints.mat.
Measured: `:small`, a network for two CPU cores: PCK@0.2 57.7 % after 11,000
steps, 15 minutes (2026-11; see README.md). The full config, made for one GPU,
is not yet measured.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(variant: str = "") -> ConfigDict:
  config = base.get_config()
  config.name = "lsp_resnet50"
  config.data.skeleton = "lsp14"
  config.data.train.update(name="lsp+lspet", split="train")
  config.data.eval.update(name="lsp", split="test")
  config.data.crop_hw = (256, 256)
  config.data.alignment = "unit"
  config.data.augmentation.update(
    scale_factor=0.25,
    rotation_deg=40.0,
    rotation_probability=0.6,
    translation_fraction=0.05,
    translation_probability=0.5,
    flip_probability=0.5,
  )
  config.data.jitter.channel_gain = 0.2
  config.model.update(dtype="bfloat16")
  config.loss.update(sigma_hm=2.0, unbiased=True)
  config.optimizer.update(learning_rate=1e-3, clip_norm=1.0)
  config.schedule.update(
    name="cosine", batch_size=64, num_epochs=60, warmup_steps=500
  )
  config.checkpoint.best_metric = "PCK@0.2"
  config.eval.update(metrics=("pck",), every_steps=1500)
  if variant == "small":
    _small(config)
  return base.finish(config, variant, ("small",))


def _small(config: ConfigDict) -> None:
  """Two CPU cores, a quarter of an hour."""
  config.name = "lsp_resnet50_small"
  config.data.crop_hw = (128, 128)
  config.model.update(
    depth=18, width=16, deconv_filters=(32, 32, 32), dtype="float32"
  )
  config.loss.sigma_hm = 1.25
  config.optimizer.learning_rate = 6e-3
  config.schedule.update(batch_size=16, num_steps=11_000, warmup_steps=300)
  config.checkpoint.every_steps = 1000
  config.eval.update(blur_kernel=5, every_steps=0)
