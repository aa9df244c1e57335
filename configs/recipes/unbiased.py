"""DARK's and UDP's ways with any recipe, and the rows of DARK's own table.

Three ways without the half pixel of HRNet's targets, which differ in geometry:
`dark` (its authors') measures between pixel centres and needs no flip shift,
`udp` does so in UDP's form, `mmpose_dark` keeps HRNet's geometry and its shift.
Mixing them costs what they gain.
"""

from configs.recipes.parts import adam, drops, hrnet_augmentation
from configs.recipes.top_down import hrnet_coco


def dark(recipe: dict, *, blur_kernel: int = 11) -> dict:
  """DARK as its authors have it: Zhang et al. 2020 (arXiv 1910.06278).

  Unit alignment, targets of sub-pixel centres over the whole map, Taylor
  decoding after a blur.

  Args:
    recipe: of the network without DARK.
    blur_kernel: 11, but 3 for ResNets and HRNet-W32 at 128x96.
  """
  return _decoded(recipe, "unit", blur_kernel)


def udp(recipe: dict) -> dict:
  """UDP: Huang et al. 2020 (arXiv 1911.07524), as mmpose 1 has it.

  UDP's alignment, targets of sub-pixel centres, DARK's decoding, kernel 11; no
  shift of flipped maps. The authors' published rows predict two offset maps
  beside each heatmap (0.2 M more parameters), which we do not have. Left out:
  targets end at three deviations there; mmpose's decoder cuts maps to 0.001..50
  and takes differences of neighbours.
  """
  return _decoded(recipe, "udp", 11)


def mmpose_dark(recipe: dict, *, blur_kernel: int = 11) -> dict:
  """DARK as mmpose has it: targets and decoding, but HRNet's geometry.

  Args:
    recipe: mmpose's without DARK.
    blur_kernel: 11, but 17 for ResNet-152 at 384x288.
  """
  return _decoded(recipe, "corner", blur_kernel)


def _decoded(recipe: dict, alignment: str, blur_kernel: int) -> dict:
  return recipe | {
    "data": recipe["data"] | {"alignment": alignment},
    "loss": recipe["loss"] | {"unbiased": True},
    "eval": recipe["eval"] | {"decoder": "dark", "blur_kernel": blur_kernel},
  }


def dark_coco(crop_hw: tuple[int, int] = (128, 96), *, width: int = 32) -> dict:
  """DARK on HRNet, COCO: Zhang et al. 2020 (arXiv 1910.06278), their yamls.

  HRNet's recipe with targets of deviation 1 at 128x96. Two GPUs of 64 people
  there, four of 32 at 256x192; where memory ends, fewer.

  Args:
    crop_hw: network input.
    width: 32 or 48, channels of HRNet's finest branch.
  """
  batch_size = {
    (32, 384): 4 * 28,
    (48, 256): 4 * 30,
    (48, 384): 4 * 18,
  }.get((width, crop_hw[0]), 128)
  is_smallest = (width, crop_hw[0]) == (32, 128)
  return dark(
    hrnet_coco(crop_hw, batch_size=batch_size),
    blur_kernel=3 if is_smallest else 11,
  )


def hourglass_coco(*, num_stacks: int = 4) -> dict:
  """Stacked hourglass at 128x96 on COCO, the baseline in DARK's table.

  ilovepose/DarkPose's yamls, with targets on the grid and HRNet's geometry; one
  GPU of 8 people; blue is read first. Their weight decay does not reach Adam.

  Args:
    num_stacks: 4, or 8, whose yaml says a deviation of 2.
  """
  return {
    "data": {
      "crop_hw": (128, 96),
      "alignment": "corner",
      "padding": 1.25,
      "channel_order": "bgr",
      "reduced_decoding": False,
      "augmentation": hrnet_augmentation(0.3, 40.0),
    },
    "loss": {
      "name": "mse",
      "sigma_hm": 2.0 if num_stacks == 8 else 1.0,
      "unbiased": False,
    },
    "optimizer": adam(2.5e-4),
    "schedule": drops(8, 140, (90, 120)),
    "eval": {"decoder": "quarter", "flip_test": True},
  }
