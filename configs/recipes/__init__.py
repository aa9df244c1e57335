"""Published training recipes as plain data: augmentation, loss, schedule.

    config = base.get_config()
    config.update(recipes.hrnet_coco())

Each function gives the sections of a config that its source fixes, down to
values that happen to be our defaults, and names what a config cannot say.
"""

from configs.recipes.earlier import chu, cpm, deeppose, newell, pytorch_pose
from configs.recipes.top_down import (
  dark_coco,
  hrnet_coco,
  hrnet_mpii,
  mmpose_coco,
  rtmpose_m,
  simple_baseline_coco,
  simple_baseline_mpii,
  subramanian,
  vitpose_b,
)

RECIPES = {
  recipe.__name__: recipe
  for recipe in (
    *(hrnet_coco, hrnet_mpii, simple_baseline_coco, simple_baseline_mpii),
    *(dark_coco, mmpose_coco, vitpose_b, rtmpose_m, subramanian),
    *(newell, pytorch_pose, chu, cpm, deeppose),
  )
}
