"""Rows of published tables: a network, a size, and the column's recipe.

A file has a row's published numbers, and as variants those columns in which
there is a number or the authors' own config:

  (none)       the network's authors
  dark         DARK's authors: unit alignment, hence no flip shift
  udp          UDP's alignment and DARK's decoding; no flip shift
  mmpose       mmpose's training of the same network: longer, larger batches
  mmpose_dark  and DARK as mmpose has it, in HRNet's geometry
  mmpose_udp   and UDP as mmpose has it
"""

from ml_collections import ConfigDict

from configs import base, recipes

Size = tuple[int, int]


def resnet_on_coco(
  variant: str, variants: tuple[str, ...], *, depth: int, crop_hw: Size
) -> ConfigDict:
  """SimpleBaseline, a row of COCO's tables."""
  kernel = 3 if crop_hw[0] == 128 else 11
  theirs_kernel = 17 if (depth, crop_hw[0]) == (152, 384) else 11
  authors = recipes.simple_baseline_coco(crop_hw)
  is_halved = depth > 101 or (
    (depth, crop_hw[0], variant) == (101, 384, "mmpose")
  )
  mmpose = recipes.mmpose_coco(crop_hw, batch_size=256 if is_halved else 512)
  recipe = {
    "dark": recipes.dark(authors, blur_kernel=kernel),
    "udp": recipes.udp(authors),
    "mmpose": mmpose,
    "mmpose_dark": recipes.mmpose_dark(mmpose, blur_kernel=theirs_kernel),
  }.get(variant, authors)
  config = named("coco", f"resnet{depth}", crop_hw, variant, variants, recipe)
  config.model.depth = depth
  return base.finish(on_coco(config), variant, variants)


def hrnet_on_coco(
  variant: str, variants: tuple[str, ...], *, width: int, crop_hw: Size
) -> ConfigDict:
  """HRNet, a row of COCO's tables."""
  batch_size = 96 if (width, crop_hw[0]) == (48, 384) else 128
  authors = recipes.hrnet_coco(crop_hw, batch_size=batch_size)
  mmpose = recipes.mmpose_coco(crop_hw, batch_size=256 if width > 32 else 512)
  recipe = {
    "dark": recipes.dark_coco(crop_hw, width=width),
    "udp": recipes.udp(authors),
    "mmpose": mmpose,
    "mmpose_dark": recipes.mmpose_dark(mmpose),
    "mmpose_udp": recipes.udp(mmpose),
  }.get(variant, authors)
  config = named("coco", f"hrnet_w{width}", crop_hw, variant, variants, recipe)
  config.model = hrnet(config, width)
  return base.finish(on_coco(config), variant, variants)


def older_on_coco(variant: str, network: str, **options) -> ConfigDict:
  """AlexNet or a VGG with SimpleBaseline's head, a row of mmpose's tables."""
  suffix = "_bn" if options.get("use_batch_norm") else ""
  config = named(
    *("coco", f"{network}{options.get('depth', '')}{suffix}", (256, 192)),
    *(variant, (), recipes.mmpose_coco()),
  )
  deconvolutions = ("deconv_filters", "deconv_strides", "deconv_kernels")
  config.model = ConfigDict(
    {"name": network, "width": 64}
    | options
    | {key: config.model[key] for key in deconvolutions}
    | _of_every_network(config)
  )
  return base.finish(on_coco(config), variant)


def pose_machine_on_coco(variant: str, *, crop_hw: Size) -> ConfigDict:
  """Convolutional pose machine in mmpose's form, a row of its tables."""
  recipe = recipes.mmpose_coco(
    crop_hw, batch_size=256 if crop_hw[0] == 384 else 512
  )
  config = named("coco", "cpm", crop_hw, variant, (), recipe)
  config.model = pose_machine(config)
  return base.finish(on_coco(config), variant)


def pose_machine_on_mpii(variant: str) -> ConfigDict:
  """The same on MPII, whose people are warped less than mmpose's others."""
  config = named("mpii", "cpm", (368, 368), variant, (), recipes.mmpose_mpii())
  config.data.crop_hw = (368, 368)
  config.data.augmentation.update(scale_factor=0.25, rotation_deg=60.0)
  config.model = pose_machine(config)
  return base.finish(on_mpii(config, "mmpose"), variant)


def hourglass_on_coco(
  variant: str, variants: tuple[str, ...], *, num_stacks: int
) -> ConfigDict:
  """Stacked hourglass at 128x96, a row of DARK's table."""
  authors = recipes.hourglass_coco(num_stacks=num_stacks)
  recipe = recipes.dark(authors) if variant == "dark" else authors
  config = named(
    "coco", f"hourglass{num_stacks}", (128, 96), variant, variants, recipe
  )
  config.model = hourglass(config, num_stacks)
  return base.finish(on_coco(config), variant, variants)


def resnet_on_mpii(
  variant: str,
  variants: tuple[str, ...],
  *,
  depth: int,
  crop_hw: Size = (256, 256),
) -> ConfigDict:
  """SimpleBaseline, a row of MPII's tables."""
  authors = recipes.simple_baseline_mpii(crop_hw)
  recipe = {
    "dark": recipes.dark(authors),
    "mmpose": recipes.mmpose_mpii(batch_size=256 if depth > 101 else 512),
  }.get(variant, authors)
  config = named("mpii", f"resnet{depth}", crop_hw, variant, variants, recipe)
  config.model.depth = depth
  return base.finish(on_mpii(config, variant), variant, variants)


def hrnet_on_mpii(
  variant: str, variants: tuple[str, ...], *, width: int
) -> ConfigDict:
  """HRNet, a row of MPII's tables."""
  authors, mmpose = recipes.hrnet_mpii(), recipes.mmpose_mpii()
  recipe = {
    "dark": recipes.dark(authors),
    "udp": recipes.udp(authors),
    "mmpose": mmpose,
    "mmpose_dark": recipes.mmpose_dark(mmpose),
  }.get(variant, authors)
  config = named(
    "mpii", f"hrnet_w{width}", (256, 256), variant, variants, recipe
  )
  config.model = hrnet(config, width)
  return base.finish(on_mpii(config, variant), variant, variants)


def hourglass_on_mpii(variant: str, *, num_stacks: int) -> ConfigDict:
  """Stacked hourglass as pytorch-pose trains it, a row of its table."""
  config = named(
    *("mpii", f"hourglass{num_stacks}", (256, 256)),
    *(variant, (), recipes.pytorch_pose()),
  )
  config.model = hourglass(config, num_stacks)
  config = on_mpii(config, variant)
  config.eval.pckh_variant = "pytorch_pose"
  config.checkpoint.best_metric = "PCKh@0.5_pytorch_pose"
  return base.finish(config, variant)


def named(
  data: str,
  network: str,
  crop_hw: Size,
  variant: str,
  variants: tuple[str, ...],
  recipe: dict,
) -> ConfigDict:
  """The base config with a recipe and the name of its file and variant."""
  config = base.get_config()
  config.name = f"{data}_{network}_{crop_hw[0]}x{crop_hw[1]}"
  if variant in variants:
    config.name += f"_{variant}"
  config.update(recipe)
  config.model.sync_batch_norm = False  # each of the authors' GPUs by itself
  return config


def on_coco(config: ConfigDict) -> ConfigDict:
  """Trained on train2017, scored on val2017 as HRNet's authors do."""
  for section, split in (
    (config.data.train, "train2017"),
    (config.data.eval, "val2017"),
  ):
    section.name = "coco"
    section.annotations = f"annotations/person_keypoints_{split}.json"
    section.images = split
    section.split = split
  config.checkpoint.every_steps = 1000
  config.eval.every_steps = 12_000
  config.eval.nms = "oks"
  config.eval.nms_padded_area = True  # as the authors' evaluation
  return config


def on_mpii(config: ConfigDict, variant: str = "") -> ConfigDict:
  """HRNet's 22,246 and 2,958 people; PCKh as the column's authors count."""
  config.data.skeleton = "mpii16"
  config.data.train.update(name="mpii", split="train")
  config.data.eval.update(name="mpii", split="valid")
  config.checkpoint.update(every_steps=1000, best_metric="PCKh@0.5")
  config.eval.update(metrics=("pckh",), every_steps=2000)
  if variant.startswith("mmpose"):
    config.eval.pckh_variant = "mmpose"
    config.checkpoint.best_metric = "PCKh@0.5_mmpose"
  return config


def hrnet(config: ConfigDict, width: int, **options) -> ConfigDict:
  """HRNet's model section, with the sections that every network has."""
  return ConfigDict(
    dict(
      name="hrnet",
      width=width,
      stem_width=64,
      num_modules=(1, 4, 3),
      num_blocks=4,
      skeletal=False,
    )
    | _of_every_network(config)
    | options
  )


def hourglass(config: ConfigDict, num_stacks: int) -> ConfigDict:
  """pytorch-pose's hourglass, one residual unit at every place."""
  return ConfigDict(
    dict(
      name="hourglass",
      num_stacks=num_stacks,
      num_features=256,
      num_blocks=1,
      depth=4,
      stem="standard",
      skip="residual",
      neck="residual",
      part_from_stack=5,
      one_unit_up=False,
      with_background=False,
      rematerialise=False,
    )
    | _of_every_network(config)
  )


def pose_machine(config: ConfigDict, **options) -> ConfigDict:
  """A pose machine's model section, in mmpose's form unless told otherwise."""
  return ConfigDict(
    dict(name="pose_machine", form="mmpose", num_stages=6, width=128)
    | _of_every_network(config)
    | options
  )


NUMERICS = ("dtype", "sync_batch_norm", "batch_norm_momentum")


def _of_every_network(config: ConfigDict) -> dict:
  """What base's network has and no option of its own architecture."""
  shared = ("attention", "poserenet", "presence", "soft_argmax", *NUMERICS)
  return {key: config.model[key] for key in shared}
