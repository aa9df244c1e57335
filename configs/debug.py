"""How small everything is in a `:debug` run."""

from ml_collections import ConfigDict

_SHALLOWEST = {  # by trunk; an hourglass counts poolings
  "pose_resnet": 18,
  "resnet": 18,
  "vgg": 16,
  "hourglass": 2,
}


def shrink(config: ConfigDict, dataset) -> None:
  """Changes a config as `base.shrink` says.

  Args:
    config: an experiment's.
    dataset: makes the section of a data set of a name. Copies would not do:
      flags cannot set what was a placeholder.
  """
  config.name += "_debug"
  aspect = config.data.crop_hw[0] / config.data.crop_hw[1]
  # A pose machine's maps no smaller than its kernels, which compile long there.
  side = 96 if config.model.name == "pose_machine" else 64
  config.data.crop_hw = (side, side) if aspect == 1 else (128, 96)
  config.data.skeleton = "coco17"
  for part, seed in (("train", 1), ("eval", 2)):
    config.data[part] = dataset("drawn")
    config.data[part].update(num_images=8, seed=seed)
  config.data.num_workers = 0
  _shrink_model(config.model)
  config.schedule.batch_size = 4
  _shrink_schedule(config.schedule)
  second = config.second_phase.schedule
  if second.num_epochs or second.num_steps:
    _shrink_schedule(second)
  config.checkpoint.every_steps = 1
  config.eval.update(every_steps=0, batch_size=4)
  if "pckh" in config.eval.metrics:  # drawn people have no head boxes
    config.eval.metrics = ("coco",)
    config.checkpoint.best_metric = "AP"
  config.log.every_steps = 1


def _shrink_schedule(schedule: ConfigDict) -> None:
  schedule.update(num_steps=2, warmup_steps=0)
  if schedule.name == "step":
    schedule.boundaries_steps = (1,)


def _shrink_model(model: ConfigDict) -> None:
  """Few channels, layers and blocks; deep networks compile long."""
  trunk = model.get("backbone", model.name)
  dense = ("shared_layers", "presence_layers", "coordinate_layers")
  small = {  # of the options that a network has
    "width": lambda width: 8,
    "depth": lambda depth: min(depth, _SHALLOWEST.get(trunk, depth)),
    "deconv_filters": lambda filters: (16,) * len(filters),
    "num_stacks": lambda stacks: min(stacks, 2),
    "num_stages": lambda stages: min(stages, 2),
    "sub_crop_hw": lambda hw: (32, 32),
    "num_features": lambda features: 16,
    "num_blocks": lambda blocks: 1,
    "part_from_stack": lambda stack: min(stack, 2),
    "stem_width": lambda width: 8,
    "num_modules": lambda modules: (1,) * len(modules),
    **dict.fromkeys(dense, lambda layers: layers and (16,) * len(layers)),
  }
  for option, shrunk in small.items():
    if option in model:
      model[option] = shrunk(model[option])
