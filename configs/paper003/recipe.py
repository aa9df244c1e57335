"""What paper 003's experiments share: HRNet with skeletal heatmaps.

"Human Pose Estimation Using Skeletal Heatmaps" (Jun, Lee, Kim, Korea
University); no code was found.
"""

from ml_collections import ConfigDict

from configs import base, recipes
from configs.baselines import hrnet, on_coco, on_mpii

ROWS = ("baseline", "module", "weighted")


def skeletal(
  name: str, variant: str, *, width: int, crop_hw: tuple[int, int]
) -> ConfigDict:
  """One row: the module between stages 3 and 4, and weighted inference.

  Variants: "baseline" is HRNet with the quarter offset, "module" and "weighted"
  have one of the two. Links are those of the skeleton. The paper's error of
  links counts 0.2; ours is, like HRNet's of keypoints, a mean and not a sum.

  Args:
    name: of the file.
    variant: what stood behind the colon.
    width: of HRNet.
    crop_hw: network input.
  """
  is_on_mpii = name.startswith("mpii")
  batch_size = 96 if (width, crop_hw[0]) == (48, 384) else 128
  hrnets = (
    recipes.hrnet_mpii()
    if is_on_mpii
    else recipes.hrnet_coco(crop_hw, batch_size=batch_size)
  )
  config = base.get_config()
  config.name = f"paper003/{name}"
  if variant in ROWS:
    config.name += f"_{variant}"
  is_weighted = variant not in ("baseline", "module")
  config.update(recipes.jun(hrnets, weighted=is_weighted))
  config.model = hrnet(
    config, width, skeletal=variant not in ("baseline", "weighted")
  )
  config.model.sync_batch_norm = False
  (on_mpii if is_on_mpii else on_coco)(config)
  return base.finish(config, variant, ROWS)
