"""Recipes of top-down networks on COCO and MPII: HRNet and what followed it.

Not repeated here: HRNet's and SimpleBaseline's learning rate drops one epoch
early, because it is stepped before the epoch.
"""

from configs.recipes.parts import adam, augmentation, drops, hrnet_augmentation

UPPER_COIN = 0.6914624612740131  # HRNet: a normal draw below 0.5


def _hrnet_data(
  crop_hw: tuple[int, int], augmentation: dict, *, channel_order: str = "rgb"
) -> dict:
  return {
    "crop_hw": crop_hw,
    "alignment": "corner",
    "padding": 1.25,
    "channel_order": channel_order,
    "reduced_decoding": False,
    "augmentation": augmentation,
  }


def _truncated(crop_hw: tuple[int, int]) -> dict:
  """HRNet's targets on the grid, wider in larger crops.

  HRNet and SimpleBaseline have no 128x96; DARK's baselines there take 1.
  """
  return {
    "name": "mse",
    "sigma_hm": {128: 1.0, 384: 3.0}.get(crop_hw[0], 2.0),
    "unbiased": False,
  }


def hrnet_coco(
  crop_hw: tuple[int, int] = (256, 192), *, batch_size: int = 128
) -> dict:
  """HRNet on COCO: Sun et al. 2019 (arXiv 1902.09212), the authors' yaml.

  Four GPUs of 32 people; W48 at 384x288 takes 24 each, so batch_size=96. The
  yaml's weight decay of 1e-4 does not reach Adam. Half bodies by the authors'
  coin, which shows the upper half in 69 % of them.
  """
  return {
    "data": _hrnet_data(
      crop_hw,
      hrnet_augmentation(
        0.35,
        45.0,
        half_body_probability=0.3,
        half_body_upper_probability=UPPER_COIN,
      ),
    ),
    "loss": _truncated(crop_hw),
    "optimizer": adam(1e-3),
    "schedule": drops(batch_size, 210, (170, 200)),
    "eval": {"decoder": "quarter", "flip_test": True},
  }


def hrnet_mpii() -> dict:
  """HRNet on MPII: as on COCO, with milder warps and no half bodies."""
  return hrnet_coco() | {
    "data": _hrnet_data((256, 256), hrnet_augmentation(0.25, 30.0)),
    "loss": _truncated((256, 256)),
  }


def simple_baseline_coco(crop_hw: tuple[int, int] = (256, 192)) -> dict:
  """SimpleBaseline on COCO: Xiao et al. 2018 (arXiv 1804.06208), their yaml.

  Blue is read first, in their code and for the ResNets of HRNet's and DARK's,
  although the ImageNet weights that they start from have red first.
  """
  return {
    "data": _hrnet_data(
      crop_hw, hrnet_augmentation(0.3, 40.0), channel_order="bgr"
    ),
    "loss": _truncated(crop_hw),
    "optimizer": adam(1e-3),
    "schedule": drops(128, 140, (90, 120)),
    "eval": {"decoder": "quarter", "flip_test": True},
  }


def simple_baseline_mpii(crop_hw: tuple[int, int] = (256, 256)) -> dict:
  """SimpleBaseline on MPII: as on COCO, with milder warps."""
  return simple_baseline_coco(crop_hw) | {
    "data": _hrnet_data(
      crop_hw, hrnet_augmentation(0.25, 30.0), channel_order="bgr"
    ),
  }


def subramanian(*, release: bool = False) -> dict:
  """Attention on ResNet: "Pose Estimation using Attention Based Mechanisms".

  By Subramanian and others; no arXiv number. The paper names scales of 30 %,
  turns of 40 degrees, Adam, batch, rate and epochs; that warps are uniform and
  always on, and that nobody is flipped, is ours. What the network was decoded
  with is their code's (ShyamSubramanian/DeepLearning-PoseEstimation).

  Args:
    release: their code as it lies there: SimpleBaseline's warps, flips and
      steps of the learning rate, targets of height 255. Left out: that a
      target is not cut at three deviations, that a colour's mean is subtracted
      in the order of ImageNet's released weights, a weight decay of 1e-5.
  """
  warps = augmentation(
    scale_factor=0.3,
    rotation_deg=40.0,
    rotation_probability=1.0,
    flip_probability=0.0,
  )
  schedule = drops(32, 30, ()) | {"name": "constant"}
  return {
    "data": _hrnet_data(
      (256, 192), hrnet_augmentation(0.3, 40.0) if release else warps
    ),
    "loss": _truncated((256, 192))
    | {"target_scale": 255.0 if release else 1.0},
    "optimizer": adam(5e-4),
    "schedule": drops(32, 140, (90, 120)) if release else schedule,
    "eval": {"decoder": "quarter", "flip_test": False},
  }


def _mmpose_augmentation(
  scale_factor: float = 0.5,
  rotation_deg: float = 80.0,
  translation_fraction: float = 0.16,
) -> dict:
  """mmpose's RandomHalfBody and RandomBBoxTransform."""
  return augmentation(
    scale_factor=scale_factor,
    scale_distribution="truncated_normal",
    rotation_deg=rotation_deg,
    rotation_distribution="truncated_normal",
    rotation_probability=0.6,
    translation_fraction=translation_fraction,
    translation_distribution="truncated_normal",
    translation_probability=0.3,
    half_body_probability=0.3,
    half_body_upper_probability=0.7,
  )


def mmpose_coco(
  crop_hw: tuple[int, int] = (256, 192), *, batch_size: int = 512
) -> dict:
  """HRNet and SimpleBaseline on COCO as mmpose 1 trains them (td-hm configs).

  Eight GPUs of 64 people; HRNet-W48 and ResNet-152 take 32 each at the same
  rate, so batch_size=256, and so does ResNet-101 at 384x288 but for DARK.
  Linear warm-up over 500 steps (theirs starts at a thousandth, ours at zero).
  """
  return {
    "data": _hrnet_data(crop_hw, _mmpose_augmentation()),
    "loss": _truncated(crop_hw),
    "optimizer": adam(5e-4),
    "schedule": drops(batch_size, 210, (170, 200)) | {"warmup_steps": 500},
    "eval": {"decoder": "quarter", "flip_test": True},
  }


def mmpose_mpii(*, batch_size: int = 512) -> dict:
  """HRNet and SimpleBaseline on MPII as mmpose 1 trains them.

  As on COCO, without shifts and half bodies. ResNet-152 takes 32 people on each
  of eight GPUs, so batch_size=256.
  """
  coco = mmpose_coco(batch_size=batch_size)
  warps = coco["data"]["augmentation"] | {
    "translation_fraction": 0.0,
    "translation_distribution": "uniform",
    "translation_probability": 0.0,
    "half_body_probability": 0.0,
    "half_body_upper_probability": 0.5,
  }
  return coco | {"data": _hrnet_data((256, 256), warps)}


def vitpose_b() -> dict:
  """ViTPose-B on COCO: Xu et al. 2022 (arXiv 2204.12484), mmpose 1's config.

  UDP's alignment and targets, hence no shift of flipped maps. Left out: layer
  decay 0.75, no weight decay on biases and norms, drop-path 0.3, the start
  from MAE weights.
  """
  base = mmpose_coco()
  return base | {
    "data": base["data"] | {"alignment": "udp"},
    "loss": {"name": "mse", "sigma_hm": 2.0, "unbiased": True},
    "optimizer": adam(5e-4)
    | {"name": "adamw", "weight_decay": 0.1, "clip_norm": 1.0},
    "eval": {"decoder": "dark", "blur_kernel": 11, "flip_test": True},
  }


def rtmpose_m(*, last_epochs: bool = False) -> dict:
  """RTMPose-m on COCO: Jiang et al. 2023 (arXiv 2303.07399), mmpose 1's config.

  Eight GPUs of 256; the learning rate is the one for 1,024 in all. Constant
  for half of the run, then a cosine down to a twentieth, after 1,000 steps of
  warm-up. Left out: SimCC's targets and loss, the average of weights, no
  weight decay on biases and norms; the last 30 epochs' milder augmentation is
  a recipe of its own, because a config does not change during a run.

  Args:
    last_epochs: the augmentation of epochs 391 to 420.
  """
  scale, rotation, shift, cover = (
    (0.25, 60.0, 0.0, 0.5) if last_epochs else (0.4, 80.0, 0.16, 1.0)
  )
  data = _hrnet_data((256, 192), _mmpose_augmentation(scale, rotation, shift))
  return {
    "data": data
    | {
      "jitter": {
        "hue_shift": 5.0,
        "saturation_shift": 30.0,
        "value_shift": 30.0,
        "hsv_probability": 0.5,
        "blur_probability": 0.1,
        "blur_max_size": 7,
        "median_probability": 0.1,
        "median_max_size": 7,
      },
      "occlusion": {
        "probability": cover,
        "min_holes": 1,
        "max_holes": 1,
        "min_size": 0.2,
        "max_size": 0.4,
        "fill": "constant",
        "fill_rgb": (0.0, 0.0, 0.0),
      },
    },
    "optimizer": adam(4e-3) | {"name": "adamw", "weight_decay": 0.05},
    "schedule": drops(2048, 420, ())
    | {"name": "flat_cosine", "factor": 0.05, "warmup_steps": 1000},
  }
