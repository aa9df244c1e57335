"""SimpleBaseline, ResNet-50 at 256x192 on COCO.

Source: Xiao et al. 2018 (arXiv 1804.06208); the authors' published config.
Command:
  python -m launch.train --config=configs/coco_resnet50_256x192.py \
    --config.data.train.root=COCO --config.data.eval.root=COCO --workdir=W
where COCO holds annotations/, train2017/ and val2017/ as released.
Published: AP 72.4 with ground-truth boxes (70.4 with the detector of person
AP 56.4), val2017, flip test with shift, quarter offset, OKS-NMS at 0.9;
backbone initialised from ImageNet. Not yet measured here; without ImageNet
weights expect less.
"""

from ml_collections import ConfigDict

from configs import base, recipes


def get_config(variant: str = "") -> ConfigDict:
  return simple_baseline(variant, depth=50)


def simple_baseline(
  variant: str, *, depth: int, crop_hw: tuple[int, int] = (256, 192)
) -> ConfigDict:
  """The authors' recipe for any depth and size."""
  config = base.get_config()
  config.name = f"coco_resnet{depth}_{crop_hw[0]}x{crop_hw[1]}"
  config.update(recipes.simple_baseline_coco(crop_hw))
  for section, split in (
    (config.data.train, "train2017"),
    (config.data.eval, "val2017"),
  ):
    section.name = "coco"
    section.annotations = f"annotations/person_keypoints_{split}.json"
    section.images = split
    section.split = split
  config.model.depth = depth
  config.model.sync_batch_norm = False  # each of the authors' GPUs by itself
  config.checkpoint.every_steps = 1000
  config.eval.every_steps = 12_000
  config.eval.nms = "oks"
  config.eval.nms_padded_area = True  # as the authors' evaluation
  return base.finish(config, variant)
