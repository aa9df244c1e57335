"""Quick start: a small network on drawn people, minutes on two CPU cores.

Source: none; made so that the whole way can be seen at once. ResNet-18 of a
quarter of the published width (0.9 M parameters) at 128x96, pictures drawn on
the spot, unit alignment, unbiased targets, DARK decoding.
Command:
  make quickstart
Expected: AP 0.528 on 400 drawn pictures it has not seen, after 6 minutes of
training on two cores (2026-11; untrained 0.000).
"""

from ml_collections import ConfigDict

from configs import base


def small_on_drawn(name: str, root: str) -> ConfigDict:
  """Network, pictures, targets and decoding; how long it trains is base's.

  Args:
    name: of the config.
    root: folder that the pictures are drawn to.
  """
  config = base.get_config()
  config.name = name
  for section, split, seed, count in (
    (config.data.train, "train", 1, 3600),
    (config.data.eval, "val", 2, 400),
  ):
    section.update(
      name="drawn",
      root=root,
      split=split,
      seed=seed,
      num_images=count,
    )
  config.data.crop_hw = (128, 96)
  config.data.alignment = "unit"
  config.data.augmentation.flip_probability = 0.5
  config.model.update(depth=18, width=16, deconv_filters=(64, 64, 32))
  config.loss.update(sigma_hm=1.0, unbiased=True)
  config.schedule.update(name="cosine", batch_size=16)
  config.eval.blur_kernel = 3
  return config


def get_config(variant: str = "") -> ConfigDict:
  config = small_on_drawn("quickstart", "runs/quickstart/drawn")
  config.optimizer.update(learning_rate=1e-2, clip_norm=1.0)
  config.schedule.update(num_steps=6200, warmup_steps=200)
  config.checkpoint.every_steps = 1000
  config.log.every_steps = 310
  return base.finish(config, variant)
