"""What papers 002 and 003 change in the recipes of the networks they extend."""

from configs.recipes.parts import adam, augmentation, drops
from configs.recipes.top_down import UPPER_COIN, simple_baseline_mpii


def xiang(recipe: dict) -> dict:
  """Paper 002's augmentation with any recipe: its IV-B.

  "An Efficient Method for Boosting Human Pose Estimation" (Xiang, Chen, Zhou);
  no arXiv number. It names turns of 30 degrees, scales of 0.75 to 1.25, flips,
  shifts and HRNet's half bodies, and says that it follows Newell et al. 2017
  (princeton-vl/pose-ae-train). So here, as in that code, all are uniform, every
  sample is warped, and a shift is up to a fifth of the crop each way. HRNet's
  own augmentation, which the paper's schedule suggests, is a recipe too.
  """
  warps = augmentation(
    scale_factor=0.25,
    rotation_deg=30.0,
    rotation_probability=1.0,
    translation_fraction=0.2,
    translation_probability=1.0,
    half_body_probability=0.3,
    half_body_upper_probability=UPPER_COIN,
  )
  return recipe | {"data": recipe["data"] | {"augmentation": warps}}


def xiang_hourglass() -> dict:
  """Paper 002's stacked hourglass on MPII, before DARK and augmentation.

  Adam at 2.5e-4, a tenth of it after 90 and 120 epochs, as the paper says. Not
  in it: targets, length and warps of SimpleBaseline, the batch of 8 and blue
  read first, which DARK's code (ilovepose/DarkPose) gives hourglasses.
  """
  return simple_baseline_mpii() | {
    "optimizer": adam(2.5e-4),
    "schedule": drops(8, 140, (90, 120)),
  }


def jun(recipe: dict, *, weighted: bool = True) -> dict:
  """Paper 003's training and decoding with HRNet's recipe: its II and III-C.

  "Human Pose Estimation Using Skeletal Heatmaps" (Jun, Lee, Kim); no arXiv
  number. Maps of links count 0.2, their targets have deviation 1; keypoints are
  means of the 20 highest pixels, weighted by rank. The weight decay of 1e-4 in
  the text is that of HRNet's yaml, which does not reach its Adam.

  Args:
    recipe: HRNet's.
    weighted: decode so; else as the recipe does.
  """
  decoding = {"decoder": "weighted", "weighted_n": 20, "weighted_window": 0}
  return recipe | {
    "loss": recipe["loss"] | {"link_weight": 0.2, "link_sigma_hm": 1.0},
    "eval": recipe["eval"] | (decoding if weighted else {}),
  }
