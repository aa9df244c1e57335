"""PoseReNet and skeletal heatmaps on drawn people: a small comparison.

Variants: poserenet, skeletal, both; without one, a small HRNet alone (half of
W32's width, one module per stage, 128x96). Pictures, targets and decoding are
the quick start's, with a third of its steps. Decoders are compared on the same
weights, with --sweep=decoder: argmax, quarter, dark, weighted.

Source: none; the questions are those of papers 002 and 003, which ask them of
COCO and MPII; see configs/paper002/recipe.py and configs/paper003/recipe.py.
Command:
  python -m benchmarks.compare_training --config=configs/paper003/drawn.py \
    --variants=none,poserenet,skeletal,both --seeds=1,2 --workdir=W \
    --sweep=decoder
Expected: AP with DARK, mean of two seeds: 0.570, poserenet 0.616, skeletal
0.522, both 0.609; benchmarks/README.md has the other decoders, and why.
"""

from ml_collections import ConfigDict

from configs import base, quickstart
from configs.baselines import hrnet

VARIANTS = ("poserenet", "skeletal", "both")


def get_config(variant: str = "") -> ConfigDict:
  config = quickstart.small_on_drawn("paper003/drawn", "runs/skeletal/drawn")
  if variant in VARIANTS:
    config.name += f"_{variant}"
  config.model = hrnet(
    config,
    16,
    stem_width=32,
    num_modules=(1, 1, 1),
    num_blocks=2,
    skeletal=variant in ("skeletal", "both"),
  )
  if variant in ("poserenet", "both"):
    config.model.poserenet.aggregation = "mean"
  config.optimizer.update(learning_rate=5e-3, clip_norm=1.0)
  config.schedule.update(num_steps=2000, warmup_steps=100)
  config.checkpoint.every_steps = 500
  config.eval.metrics = ("coco", "pck")
  config.log.every_steps = 200
  return base.finish(config, variant, VARIANTS)
