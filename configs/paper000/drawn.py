"""Kinds of attention on drawn people with occluders: a small comparison.

Without a variant there is no attention; with softmax, gaussian, transformer or
crf and _holistic, _part or _both behind it there is: crf_part and so on. The
quick start's network (ResNet-18 of a quarter of the width, 128x96) and a third
of its steps. Of the drawn pictures one in five has an occluder before people,
others have people before people; none is added, since training and validation
pictures are of one kind.

Source: none; the question is that of "Pose Estimation using Attention Based
Mechanisms" (Subramanian et al., WPI), which asks it of COCO.
Command:
  python -m benchmarks.compare_training --config=configs/paper000/drawn.py \
    --variants=none,softmax_holistic,softmax_part --seeds=1,2,3 --workdir=W
Expected: AP 0.400 without attention (seed 1), two minutes of training on two
cores (2026-11); attention not yet measured.
"""

from ml_collections import ConfigDict

from configs import base

_KINDS = ("softmax", "gaussian", "transformer", "crf")
_PLACES = {
  "holistic": ("holistic",),
  "part": ("part",),
  "both": ("holistic", "part"),
}
_ATTENTION = {
  f"{kind}_{name}": {place: kind for place in places}
  for kind in _KINDS
  for name, places in _PLACES.items()
}


def get_config(variant: str = "") -> ConfigDict:
  config = base.get_config()
  config.name = "paper000/drawn"
  for section, split, seed, count in (
    (config.data.train, "train", 1, 3600),
    (config.data.eval, "val", 2, 400),
  ):
    section.update(
      name="drawn",
      root="runs/attention/drawn",
      split=split,
      seed=seed,
      num_images=count,
    )
  config.data.crop_hw = (128, 96)
  config.data.alignment = "unit"
  config.data.augmentation.flip_probability = 0.5
  config.model.update(depth=18, width=16, deconv_filters=(64, 64, 32))
  if variant in _ATTENTION:
    config.name += f"_{variant}"
    config.model.attention.update(_ATTENTION[variant])
  config.model.attention.update(crf_kernel_size=7, crf_start="sigmoid_unary")
  config.loss.update(sigma_hm=1.0, unbiased=True)
  config.optimizer.update(learning_rate=3e-3, clip_norm=1.0)
  config.schedule.update(
    name="cosine", batch_size=16, num_steps=2000, warmup_steps=100
  )
  config.checkpoint.every_steps = 500
  config.eval.update(blur_kernel=3, metrics=("coco", "pck"))
  config.log.every_steps = 200
  return base.finish(config, variant, tuple(_ATTENTION))
