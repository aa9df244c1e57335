"""Published training recipes as plain data: augmentation, loss, schedule.

    config = base.get_config()
    config.update(recipes.hrnet_coco())

Each function gives the sections of a config that its source fixes, down to
values that happen to be our defaults, and names what a config cannot say.
`dark`, `udp`, `mmpose_dark`, `xiang` and `jun` take a recipe and change it.
"""

from configs.recipes.earlier import chu, cpm, deeppose, newell, pytorch_pose
from configs.recipes.plug_ins import jun, xiang, xiang_hourglass
from configs.recipes.top_down import (
  hrnet_coco,
  hrnet_mpii,
  mmpose_coco,
  mmpose_mpii,
  rtmpose_m,
  simple_baseline_coco,
  simple_baseline_mpii,
  subramanian,
  vitpose_b,
)
from configs.recipes.unbiased import (
  dark,
  dark_coco,
  hourglass_coco,
  mmpose_dark,
  udp,
)

CHANGES = {change.__name__: change for change in (dark, udp, mmpose_dark)}
CHANGES |= {change.__name__: change for change in (xiang, jun)}

RECIPES = {
  recipe.__name__: recipe
  for recipe in (
    *(hrnet_coco, hrnet_mpii, simple_baseline_coco, simple_baseline_mpii),
    *(dark_coco, hourglass_coco, mmpose_coco, mmpose_mpii, vitpose_b),
    *(rtmpose_m, subramanian, xiang_hourglass),
    *(newell, pytorch_pose, chu, cpm, deeppose),
  )
}
