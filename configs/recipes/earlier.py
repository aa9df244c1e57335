"""Recipes of hourglasses, pose machines and DeepPose."""

from configs.recipes.parts import (
  adam,
  augmentation,
  drops,
  hrnet_augmentation,
  rmsprop,
)


def newell() -> dict:
  """Stacked hourglass: Newell et al. 2016 (arXiv 1603.06937), pose-hg-train.

  100 epochs of 8,000 steps. sigma_hm is what the Lua code draws where it says
  1: seven pixels of relative deviation a quarter. Pixels go in as 0..1.
  """
  return {
    "data": {
      "crop_hw": (256, 256),
      "alignment": "corner",
      "mean_rgb": (0.0, 0.0, 0.0),
      "std_rgb": (1.0, 1.0, 1.0),
      "reduced_decoding": False,
      "augmentation": augmentation(
        scale_factor=0.25,
        scale_distribution="power_of_two",
        rotation_deg=30.0,
        rotation_distribution="clipped_normal",
        rotation_probability=0.4,
      ),
      "jitter": {"channel_gain": 0.4, "channel_gain_probability": 1.0},
    },
    "loss": {"name": "mse", "sigma_hm": 1.75, "unbiased": False},
    "optimizer": rmsprop(2.5e-4),
    "schedule": {"name": "constant", "batch_size": 6, "num_steps": 800_000},
    "eval": {"decoder": "quarter", "flip_test": True},
  }


def pytorch_pose() -> dict:
  """Stacked hourglass in PyTorch: bearpaw/pytorch-pose's defaults.

  Warps as HRNet's (which took them from there). MPII's mean colour is
  subtracted, its `mean.pth.tar`. An early revision rotates 90 % of the samples,
  the released one 60 %.
  """
  return {
    "data": {
      "crop_hw": (256, 256),
      "alignment": "corner",
      "mean_rgb": (0.4404, 0.4440, 0.4327),
      "std_rgb": (1.0, 1.0, 1.0),
      "reduced_decoding": False,
      "augmentation": hrnet_augmentation(0.25, 30.0),
      "jitter": {"channel_gain": 0.2, "channel_gain_probability": 1.0},
    },
    "loss": {"name": "mse", "sigma_hm": 1.0, "unbiased": False},
    "optimizer": rmsprop(2.5e-4),
    "schedule": drops(6, 100, (60, 90)),
    "eval": {"decoder": "quarter", "flip_test": True},
  }


def chu(*, paper: bool = False) -> dict:
  """Multi-context attention: Chu et al. 2017 (arXiv 1702.07432), their release.

  130 epochs of 3,000 steps, a tenth of the learning rate by hand after 100 and
  125; LSP stops after 60, schedule.num_steps=180_000. One draw flips a whole
  batch; 40 % of the samples are rotated, by N(0, 30) degrees up to 60. The
  released code crops at 256 first and warps that crop and its heatmaps again;
  here both are one warp of the photograph. sigma_hm as in `newell`. Left out:
  LSP's scale of 1.4375 times that of the authors' list and, in the test, the
  picture's centre as the person's; here people are cropped by their boxes.

  Args:
    paper: as the paper has it: turns of up to 30 degrees and scales of up to a
      quarter (D: both uniform, in every sample; each is flipped by itself),
      targets of deviation 1, and in the test the mean over six scales of maps
      without what is below 0.
  """
  release_warps = hrnet_augmentation(0.25, 30.0, flip_per_batch=True)
  paper_warps = augmentation(
    scale_factor=0.25, rotation_deg=30.0, rotation_probability=1.0
  )
  pyramid = {"scales": (0.7, 0.8, 0.9, 1.0, 1.1, 1.2), "clip_negative": True}
  return {
    "data": {
      "crop_hw": (256, 256),
      "alignment": "corner",
      "mean_rgb": (0.5, 0.5, 0.5),
      "std_rgb": (1.0, 1.0, 1.0),
      "reduced_decoding": False,
      "augmentation": paper_warps
      if paper
      else release_warps | {"rotation_probability": 0.4},
      "jitter": {"channel_gain": 0.2, "channel_gain_probability": 1.0},
    },
    "loss": {
      "name": "mse",
      "sigma_hm": 1.0 if paper else 1.75,
      "unbiased": False,
    },
    "optimizer": rmsprop(2.5e-4),
    "schedule": {
      "name": "step",
      "batch_size": 8,
      "num_steps": 390_000,
      "boundaries_steps": (300_000, 375_000),
      "factor": 0.1,
      "warmup_steps": 0,
    },
    "eval": {"decoder": "argmax", "flip_test": True}
    | (pyramid if paper else {}),
  }


def cpm() -> dict:
  """Convolutional pose machine: Wei et al. 2016 (arXiv 1602.00134), genProto.

  A third of the learning rate every 136,106 steps, 600,000 in all. Left out:
  the five times higher rate of the first stage, doubled for biases, which there
  do not decay. Half of the samples are flipped, its data layer's default. The
  rate is for squared errors that are summed over pixels and maps, of colours
  from -0.5 to 0.5, blue first. Tested at seven scales.
  """
  return {
    "data": {
      "crop_hw": (368, 368),
      "mean_rgb": (0.5, 0.5, 0.5),
      "std_rgb": (1.0, 1.0, 1.0),
      "channel_order": "bgr",
      "reduced_decoding": False,
      "augmentation": augmentation(
        scale_factor=0.3, rotation_deg=40.0, rotation_probability=1.0
      ),
    },
    "optimizer": {
      "name": "sgd",
      "learning_rate": 8e-5,
      "momentum": 0.9,
      "weight_decay": 5e-4,
      "clip_norm": 0.0,
    },
    "schedule": {
      "name": "step",
      "batch_size": 16,
      "num_steps": 600_000,
      "boundaries_steps": (136_106, 272_212, 408_318, 544_424),
      "factor": 0.333,
      "warmup_steps": 0,
    },
    "eval": {"scales": (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)},
  }


def deeppose() -> dict:
  """DeepPose on LSP-extended as mitmul/deeppose trains it, not the paper's.

  Turns go one way, as there. The shift is 5 of 220 crop pixels each way; that
  code shifts by 5 pixels of the photograph. Left out: contrast normalisation
  of each picture, dropout, the split of 90 to 10 of seed 1701.
  """
  return {
    "data": {
      "crop_hw": (220, 220),
      "padding": 1.5,
      "reduced_decoding": False,
      "augmentation": augmentation(
        scale_factor=0.2,
        rotation_deg=10.0,
        rotation_distribution="one_sided",
        rotation_probability=1.0,
        translation_fraction=5 / 220,
        translation_probability=1.0,
      ),
    },
    "optimizer": adam(1e-3),
    "schedule": {
      "name": "constant",
      "batch_size": 128,
      "num_epochs": 100,
      "num_steps": 0,
    },
  }
