"""What several recipes share: sections of a config as plain data."""


def augmentation(**changed) -> dict:
  """The augmentation section: all off, then what a recipe changes."""
  return {
    "scale_factor": 0.0,
    "scale_distribution": "uniform",
    "rotation_deg": 0.0,
    "rotation_distribution": "uniform",
    "rotation_probability": 0.0,
    "translation_fraction": 0.0,
    "translation_distribution": "uniform",
    "translation_probability": 0.0,
    "flip_probability": 0.5,
    "flip_per_batch": False,
    "half_body_probability": 0.0,
    "half_body_min_keypoints": 9,
    "half_body_upper_probability": 0.5,
    "half_body_padding": 1.5,
  } | changed


def hrnet_augmentation(scale_factor: float, rotation_deg: float, **changed):
  return augmentation(
    scale_factor=scale_factor,
    scale_distribution="clipped_normal",
    rotation_deg=rotation_deg,
    rotation_distribution="clipped_normal",
    rotation_probability=0.6,
    **changed,
  )


def adam(learning_rate: float) -> dict:
  return {
    "name": "adam",
    "learning_rate": learning_rate,
    "weight_decay": 0.0,
    "b1": 0.9,
    "b2": 0.999,
    "eps": 1e-8,
    "clip_norm": 0.0,
  }


def rmsprop(learning_rate: float) -> dict:
  return {
    "name": "rmsprop",
    "learning_rate": learning_rate,
    "weight_decay": 0.0,
    "momentum": 0.0,
    "b2": 0.99,
    "eps": 1e-8,
    "clip_norm": 0.0,
  }


def drops(batch_size: int, num_epochs: int, at: tuple[int, ...]) -> dict:
  """A tenth of the learning rate after each of the epochs."""
  return {
    "name": "step",
    "batch_size": batch_size,
    "num_epochs": num_epochs,
    "num_steps": 0,
    "boundaries_epochs": at,
    "boundaries_steps": (),
    "factor": 0.1,
    "warmup_steps": 0,
  }
