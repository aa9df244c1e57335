"""What paper 001's experiments share: stacked hourglasses on MPII and LSP.

Chu et al. 2017, "Multi-Context Attention for Human Pose Estimation" (arXiv
1702.07432), and its release, bearpaw/pose-attention.
"""

from ml_collections import ConfigDict

from configs import base, recipes

PAPER = ("lsp",)
BOTH = ("lsp", "release", "lsp_release")


def multi_context(
  name: str,
  variant: str,
  *,
  variants: tuple[str, ...] = BOTH,
  num_stacks: int = 8,
  skip: str = "residual",
  attention: dict[str, str | int] | None = None,
) -> ConfigDict:
  """One row of the paper, on MPII or LSP, as the paper or the release has it.

  Variants: "" is the paper's form, on MPII: Newell's stem and neck, fields that
  start at the unary map's sigmoid, targets of deviation 1, six scales in the
  test. "release" is the authors' code: their stem and neck, fields that start
  at the unary map, a map of the highest keypoint, one unit
  behind each level on the way up, errors without weights, deviation
  1.75, one scale; it has no refined map and reads one level. "lsp" trains on
  MPII, LSP-extended and LSP's first thousand and tests on LSP's second;
  "lsp_release" is both.

  Args:
    name: of the file.
    variant: what stood behind the colon.
    variants: that the file has.
    num_stacks: hourglasses; fewer of them have more units each, 8 in all.
    skip: units beside an hourglass's levels.
    attention: options that differ from the base's.
  """
  config = base.get_config()
  config.name = f"paper001/{name}"
  if variant in variants:
    config.name += f"_{variant}"
  is_release = "release" in variant
  config.update(recipes.chu(paper=not is_release))
  place = _on_lsp if variant.startswith("lsp") else _on_mpii
  place(config)
  options = config.model.attention
  options.update(attention or {})
  if "crf" in (options.holistic, options.refined, options.part):
    options.update(crf_kernel_size=11, crf_start="sigmoid_unary")
  config.model = ConfigDict(
    dict(
      name="hourglass",
      num_stacks=num_stacks,
      num_features=256,
      num_blocks=8 // num_stacks,
      depth=4,
      stem="standard",
      skip=skip,
      neck="residual",
      one_unit_up=False,
      part_from_stack=5,
      with_background=False,
      attention=options,
      poserenet=config.model.poserenet,
      dtype="float32",
      sync_batch_norm=False,
      batch_norm_momentum=0.9,
      rematerialise=False,
    )
  )
  if is_release:
    _as_released(config)
  config.checkpoint.every_steps = 1000
  config.eval.every_steps = 15_000  # five of the authors' epochs
  return base.finish(config, variant, variants)


def _as_released(config: ConfigDict) -> None:
  config.model.update(
    stem="attention",
    neck="linear",
    one_unit_up=True,
    with_background=True,
  )
  config.loss.background = "highest"
  attention = config.model.attention
  attention.update(refined="none", crf_start="unary_conv")
  if attention.holistic != "none":
    attention.levels = 1
  config.loss.name = "torch_mse"


def _on_mpii(config: ConfigDict) -> None:
  config.data.skeleton = "mpii16"
  config.data.train.update(name="mpii", split="train")
  config.data.eval.update(name="mpii", split="valid")
  config.eval.metrics = ("pckh",)
  config.checkpoint.best_metric = "PCKh@0.5"


def _on_lsp(config: ConfigDict) -> None:
  """60 epochs; the picture is the box of LSP's test people, as in the paper."""
  config.data.skeleton = "lsp14"
  config.data.train.update(name="mpii+lspet+lsp", split="train+all+train")
  config.data.eval.update(name="lsp", split="test", boxes="image")
  config.schedule.update(
    name="constant", num_steps=180_000, boundaries_steps=()
  )
  config.eval.metrics = ("pck",)
  config.checkpoint.best_metric = "PCK@0.2"
