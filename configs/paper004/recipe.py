"""What paper 004's experiments share: presence and coordinates on Leeds.

"Human Pose Estimation" (Chen, Huang and Tseng, UC San Diego). It states the
networks' layers in figures that carry no sizes, and neither input size,
optimiser, rate, epochs nor split; so these are ours (D): 224 pixels, Adam, 100
epochs a phase, nine tenths of LSP-extended in an order that seed 1701 draws
(mitmul/deeppose's) to train on and the rest to test on, mirror images and
nothing else as augmentation.
"""

from ml_collections import ConfigDict

from configs import base
from configs.regressors import regressor

VARIANTS = ("lsp", "small")
_SMALL_STEPS = 1400  # of each phase; 10 epochs of 64 people


def presence_then_coordinates(
  name: str,
  variant: str,
  *,
  learning_rate: float,
  small: dict,
  variants: tuple[str, ...] = VARIANTS,
  **model,
) -> ConfigDict:
  """One of the four models: presence first, then coordinates, trunk frozen.

  Variants: "" LSP-extended; "lsp" trained on LSP's first thousand, tested on
  its second; "small" a size for two CPU cores.

  Args:
    name: of the file.
    variant: what stood behind the colon.
    learning_rate: of both phases.
    small: what of the model another has in `small`.
    variants: that the file has.
    model: options of the regressor.
  """
  config = base.get_config()
  config.name = f"paper004/{name}"
  if variant in variants:
    config.name += f"_{variant}"
  _data(config, "lsp" if variant == "lsp" else "lspet")
  layers = {"presence_layers": (4096,), "coordinate_layers": (4096, 4096)}
  shape = {"pooling": "flatten", "shared_layers": (4096,)} | layers
  config.model = regressor(config, **shape | model)
  config.loss.update(
    presence_weight=1.0, coordinates_weight=0.0, weight_penalty=1e-5
  )
  config.optimizer.learning_rate = learning_rate
  # Nothing but the penalty would move it, down to 0: Adam takes a gradient of
  # any size for a whole step.
  config.optimizer.frozen = ("coordinate_head",)
  config.schedule.update(name="constant", batch_size=128, num_epochs=100)
  second = config.second_phase
  second.loss.update(presence_weight=0.0, coordinates_weight=1.0)
  second.optimizer.learning_rate = learning_rate
  second.optimizer.frozen = ("backbone", "shared", "presence_head")
  second.schedule.update(name="constant", num_epochs=100)
  config.eval.update(
    metrics=("presence", "located", "pck", "pcp"),
    decoder="coordinates",
    every_steps=2000,
  )
  config.checkpoint.update(best_metric="located@1/12", every_steps=1000)
  if variant == "small":
    _small(config, small)
  return base.finish(config, variant, variants)


def whole_images(config: ConfigDict) -> None:
  """Pictures are stretched to a square, as the paper does; no box is cut."""
  config.data.update(padding=1.0, keep_aspect=False)
  config.data.train.boxes = config.data.eval.boxes = "image"


def on_leeds(config: ConfigDict) -> None:
  """Trained on LSP-extended and LSP's first thousand, tested on its second."""
  config.data.skeleton = "lsp14"
  config.data.train.update(name="lsp+lspet", split="train+all")
  config.data.eval.update(name="lsp", split="test")
  config.checkpoint.update(best_metric="PCK@0.2", every_steps=1000)


def _data(config: ConfigDict, name: str) -> None:
  config.data.skeleton = "lsp14"
  config.data.crop_hw = (224, 224)
  config.data.augmentation.flip_probability = 0.5
  whole_images(config)
  if name == "lsp":
    config.data.train.update(name="lsp", split="train")
    config.data.eval.update(name="lsp", split="test")
    return
  for part, portion in (
    (config.data.train, (0, 9000)),
    (config.data.eval, (9000, 10_000)),
  ):
    part.update(name="lspet", split="all", portion=portion, seed=1701)


def _small(config: ConfigDict, model: dict) -> None:
  """Two CPU cores, a few minutes: 64x64 pixels, narrow layers."""
  config.data.crop_hw = (64, 64)
  config.model.update(
    shared_layers=(256,),
    presence_layers=(256,),
    coordinate_layers=(256, 256),
    **model,
  )
  for optimizer in (config.optimizer, config.second_phase.optimizer):
    optimizer.learning_rate = 1e-3
  config.schedule.update(batch_size=64, num_steps=_SMALL_STEPS)
  config.second_phase.schedule.num_steps = _SMALL_STEPS
  for schedule in (config.schedule, config.second_phase.schedule):
    schedule.update(name="cosine", warmup_steps=100)
  config.eval.every_steps = 0
  config.log.every_steps = 50
