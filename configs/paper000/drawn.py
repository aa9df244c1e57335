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
Expected: see the table in benchmarks/README.md.
"""

from ml_collections import ConfigDict

from configs import base, quickstart

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
  config = quickstart.small_on_drawn("paper000/drawn", "runs/attention/drawn")
  if variant in _ATTENTION:
    config.name += f"_{variant}"
    config.model.attention.update(_ATTENTION[variant])
  if variant.startswith("crf"):
    config.model.attention.update(crf_kernel_size=7, crf_start="sigmoid_unary")
  config.optimizer.update(learning_rate=3e-3, clip_norm=1.0)
  config.schedule.update(num_steps=2000, warmup_steps=100)
  config.checkpoint.every_steps = 500
  config.eval.metrics = ("coco", "pck")
  config.log.every_steps = 200
  return base.finish(config, variant, tuple(_ATTENTION))
