"""What paper 002's experiments share: PoseReNet behind a network, and DARK.

"An Efficient Method for Boosting Human Pose Estimation" (Xiang, Chen, Zhou,
Shanghai Jiao Tong University); no code was found.
"""

from ml_collections import ConfigDict

from configs import base, recipes
from configs.baselines import hourglass, hrnet, on_coco, on_mpii

ROWS = ("without", "hrnet", "hrnet_without")


def refined(
  name: str,
  variant: str,
  recipe: dict,
  *,
  depth: int = 0,
  width: int = 0,
  num_stacks: int = 0,
) -> ConfigDict:
  """One row: the network of a recipe with PoseReNet.

  Variants: "without" is the network alone. The text's augmentation (turns of 30
  degrees, scales of 0.75 to 1.25, shifts, half bodies) is not HRNet's, although
  networks are trained as by their authors: "hrnet" and "hrnet_without" have
  HRNet's. The paper leaves open how branches are aggregated and what each loss
  counts: here their mean, and 1 for the network's heatmaps, the lifted map and
  the mean alike. Pictures are read in the order of the network's recipe, as
  HRNet's and DARK's code does: blue first for ResNets and hourglasses, red
  first for HRNets.

  Args:
    name: of the file.
    variant: what stood behind the colon.
    recipe: of the network with DARK.
    depth: of a ResNet with transposed convolutions; or
    width: of an HRNet; or
    num_stacks: hourglasses.
  """
  is_on_mpii = name.startswith("mpii")
  hrnets = recipes.hrnet_mpii() if is_on_mpii else recipes.hrnet_coco()
  config = base.get_config()
  config.name = f"paper002/{name}"
  if variant in ROWS:
    config.name += f"_{variant}"
  config.update(recipes.xiang(recipe))
  if variant.startswith("hrnet"):
    config.data.augmentation.update(hrnets["data"]["augmentation"])
  if depth:
    config.model.depth = depth
  else:
    config.model = (
      hrnet(config, width) if width else hourglass(config, num_stacks)
    )
  config.model.sync_batch_norm = False
  if not variant.endswith("without"):
    config.model.poserenet.aggregation = "mean"
  (on_mpii if is_on_mpii else on_coco)(config)
  return base.finish(config, variant, ROWS)
