"""Rows of published tables: what each trains with and is decoded by."""

import importlib

import pytest

# (file, variant): alignment, sigma, unbiased, decoder, blur kernel, optimiser's
# rate, people per step, epochs, degrees of rotation.
HRNET, SIMPLE = (1e-3, 128, 210, 45), (1e-3, 128, 140, 40)
MMPOSE, MMPOSE_HALF = (5e-4, 512, 210, 80), (5e-4, 256, 210, 80)
GRID = ("corner", 2, False, "quarter", None)
GRID_384 = ("corner", 3, False, "quarter", None)
DARK = ("unit", 2, True, "dark", 11)
DARK_384 = ("unit", 3, True, "dark", 11)
UDP = ("udp", 2, True, "dark", 11)
UDP_384 = ("udp", 3, True, "dark", 11)
CORNER_DARK = ("corner", 2, True, "dark", 11)
CORNER_DARK_384 = ("corner", 3, True, "dark", 11)
ROWS = {
  "coco_resnet50_128x96": {
    "": ("corner", 1, False, "quarter", None) + SIMPLE,
    "dark": ("unit", 1, True, "dark", 3) + SIMPLE,
  },
  "coco_resnet50_256x192": {
    "": GRID + SIMPLE,
    "dark": DARK + SIMPLE,
    "udp": UDP + SIMPLE,
    "mmpose": GRID + MMPOSE,
    "mmpose_dark": CORNER_DARK + MMPOSE,
  },
  "coco_resnet101_384x288": {
    "": GRID_384 + SIMPLE,
    "dark": DARK_384 + SIMPLE,
    "mmpose": GRID_384 + MMPOSE_HALF,
    "mmpose_dark": CORNER_DARK_384 + MMPOSE,
  },
  "coco_resnet152_384x288": {
    "": GRID_384 + SIMPLE,
    "dark": DARK_384 + SIMPLE,
    "udp": UDP_384 + SIMPLE,
    "mmpose": GRID_384 + MMPOSE_HALF,
    "mmpose_dark": ("corner", 3, True, "dark", 17) + MMPOSE_HALF,
  },
  "coco_hrnet_w32_128x96": {
    "": ("corner", 1, False, "quarter", None) + HRNET,
    "dark": ("unit", 1, True, "dark", 3) + HRNET,
  },
  "coco_hrnet_w48_128x96": {
    "": ("corner", 1, False, "quarter", None) + HRNET,
    "dark": ("unit", 1, True, "dark", 11) + HRNET,
  },
  "coco_hrnet_w32_256x192": {
    "": GRID + HRNET,
    "dark": DARK + HRNET,
    "udp": UDP + HRNET,
    "mmpose": GRID + MMPOSE,
    "mmpose_dark": CORNER_DARK + MMPOSE,
    "mmpose_udp": UDP + MMPOSE,
  },
  "coco_hrnet_w48_384x288": {
    "": GRID_384 + (1e-3, 96, 210, 45),
    "dark": DARK_384 + (1e-3, 72, 210, 45),
    "udp": UDP_384 + (1e-3, 96, 210, 45),
    "mmpose": GRID_384 + MMPOSE_HALF,
    "mmpose_dark": CORNER_DARK_384 + MMPOSE_HALF,
    "mmpose_udp": UDP_384 + MMPOSE_HALF,
  },
  "coco_hourglass4_128x96": {
    "": ("corner", 1, False, "quarter", None, 2.5e-4, 8, 140, 40),
    "dark": ("unit", 1, True, "dark", 11, 2.5e-4, 8, 140, 40),
  },
  "coco_hourglass8_128x96": {
    "": ("corner", 2, False, "quarter", None, 2.5e-4, 8, 140, 40),
    "dark": ("unit", 2, True, "dark", 11, 2.5e-4, 8, 140, 40),
  },
  "coco_alexnet_256x192": {"": GRID + MMPOSE},
  "coco_cpm_256x192": {"": GRID + MMPOSE},
  "coco_cpm_384x288": {"": GRID_384 + MMPOSE_HALF},
  "mpii_cpm_368x368": {"": GRID + (5e-4, 512, 210, 60)},
  "mpii_resnet152_256x256": {
    "": GRID + (1e-3, 128, 140, 30),
    "dark": DARK + (1e-3, 128, 140, 30),
    "mmpose": GRID + MMPOSE_HALF,
  },
  "mpii_resnet50_384x384": {"": GRID_384 + (1e-3, 128, 140, 30)},
  "mpii_hrnet_w32_256x256": {
    "": GRID + (1e-3, 128, 210, 30),
    "dark": DARK + (1e-3, 128, 210, 30),
    "udp": UDP + (1e-3, 128, 210, 30),
    "mmpose": GRID + MMPOSE,
    "mmpose_dark": CORNER_DARK + MMPOSE,
  },
  "mpii_hourglass8_256x256": {
    "": ("corner", 1, False, "quarter", None, 2.5e-4, 6, 100, 30),
  },
  "paper002/resnet50_128x96": {
    "": ("unit", 1, True, "dark", 3, 1e-3, 128, 140, 30),
    "without": ("unit", 1, True, "dark", 3, 1e-3, 128, 140, 30),
    "hrnet": ("unit", 1, True, "dark", 3, 1e-3, 128, 140, 45),
    "hrnet_without": ("unit", 1, True, "dark", 3, 1e-3, 128, 140, 45),
  },
  "paper002/hrnet_w48_384x288": {
    "": DARK_384 + (1e-3, 72, 210, 30),
    "without": DARK_384 + (1e-3, 72, 210, 30),
    "hrnet": DARK_384 + (1e-3, 72, 210, 45),
    "hrnet_without": DARK_384 + (1e-3, 72, 210, 45),
  },
  "paper002/mpii_hourglass": {
    variant: DARK + (2.5e-4, 8, 140, 30)
    for variant in ("", "without", "hrnet", "hrnet_without")
  },
  "paper003/hrnet_w48_384x288": {
    "": ("corner", 3, False, "weighted", None, 1e-3, 96, 210, 45),
    "weighted": ("corner", 3, False, "weighted", None, 1e-3, 96, 210, 45),
    "module": GRID_384 + (1e-3, 96, 210, 45),
    "baseline": GRID_384 + (1e-3, 96, 210, 45),
  },
  "paper003/mpii_hrnet_w32": {
    "": ("corner", 2, False, "weighted", None, 1e-3, 128, 210, 30),
    "weighted": ("corner", 2, False, "weighted", None, 1e-3, 128, 210, 30),
    "module": GRID + (1e-3, 128, 210, 30),
    "baseline": GRID + (1e-3, 128, 210, 30),
  },
}


def module(name):
  return importlib.import_module(f"configs.{name.replace('/', '.')}")


@pytest.mark.parametrize("name", ROWS)
def test_rows_have_the_published_values(name):
  file = module(name)
  assert {"", *getattr(file, "VARIANTS", ())} == set(ROWS[name])
  for variant, wanted in ROWS[name].items():
    config = file.get_config(variant)
    is_dark = config.eval.decoder == "dark"
    found = (
      config.data.alignment,
      config.loss.sigma_hm,
      config.loss.unbiased,
      config.eval.decoder,
      config.eval.blur_kernel if is_dark else None,
      config.optimizer.learning_rate,
      config.schedule.batch_size,
      config.schedule.num_epochs,
      config.data.augmentation.rotation_deg,
    )
    assert found == wanted, variant
    assert config.optimizer.weight_decay == 0
    size = "x".join(map(str, config.data.crop_hw))
    assert size in name or name.startswith(("paper002/mpii", "paper003/mpii"))


@pytest.mark.parametrize("name", ROWS)
def test_blue_is_first_where_it_is_in_the_columns_own_code(name):
  for variant in ROWS[name]:
    is_mmpose = variant.startswith("mmpose") or "alexnet" in name
    is_first = "resnet" in name or "coco_hourglass" in name
    is_first |= name == "paper002/mpii_hourglass"
    wanted = "bgr" if is_first and not is_mmpose else "rgb"
    found = module(name).get_config(variant).data.channel_order
    assert found == wanted, variant
  for own in ("quickstart", "lsp_resnet50", "paper000/with_attention"):
    assert module(own).get_config().data.channel_order == "rgb"


def test_pckh_is_counted_as_the_column_counts_it():
  for name, variant, counted in (
    ("mpii_hrnet_w32_256x256", "", "hrnet"),
    ("mpii_hrnet_w32_256x256", "mmpose_dark", "mmpose"),
    ("mpii_hourglass2_256x256", "", "pytorch_pose"),
    ("mpii_cpm_368x368", "", "mmpose"),
  ):
    config = module(name).get_config(variant)
    assert config.eval.pckh_variant == counted
    end = "" if counted == "hrnet" else f"_{counted}"
    assert config.checkpoint.best_metric == f"PCKh@0.5{end}"


def test_networks_are_those_of_the_rows():
  for name, width, modules in (
    ("coco_hrnet_w32_256x192", 32, (1, 4, 3)),
    ("mpii_hrnet_w48_256x256", 48, (1, 4, 3)),
    ("paper002/hrnet_w48_128x96", 48, (1, 4, 3)),
  ):
    model = module(name).get_config().model
    assert (model.name, model.width, model.num_modules) == (
      ("hrnet", width, modules)
    )
    assert (model.stem_width, model.num_blocks) == (64, 4)
  for name, depth in (
    ("coco_resnet152_128x96", 152),
    ("mpii_resnet101_384x384", 101),
    ("paper002/resnet101_128x96", 101),
  ):
    assert module(name).get_config().model.depth == depth
  for name, stacks in (
    ("coco_hourglass4_128x96", 4),
    ("mpii_hourglass2_256x256", 2),
    ("paper002/mpii_hourglass", 8),
  ):
    model = module(name).get_config().model
    assert (model.num_stacks, model.depth) == (stacks, 4)


def test_plug_ins_are_where_variants_say():
  """PoseReNet (002) or link maps (003), decoding aside."""
  for name, variant, refined, skeletal in (
    ("paper002/hrnet_w32_256x192", "", "mean", False),
    ("paper002/hrnet_w32_256x192", "hrnet", "mean", False),
    ("paper002/hrnet_w32_256x192", "without", "none", False),
    ("paper002/hrnet_w32_256x192", "hrnet_without", "none", False),
    ("paper003/mpii_hrnet_w48", "", "none", True),
    ("paper003/mpii_hrnet_w48", "module", "none", True),
    ("paper003/mpii_hrnet_w48", "weighted", "none", False),
    ("paper003/mpii_hrnet_w48", "baseline", "none", False),
    ("paper003/drawn", "", "none", False),
    ("paper003/drawn", "poserenet", "mean", False),
    ("paper003/drawn", "skeletal", "none", True),
    ("paper003/drawn", "both", "mean", True),
  ):
    config = module(name).get_config(variant)
    assert config.model.poserenet.aggregation == refined
    assert config.model.skeletal == skeletal
    assert config.loss.link_weight == 0.2 and config.loss.link_sigma_hm == 1
    assert (config.eval.weighted_n, config.eval.weighted_window) == (20, 0)
    assert config.eval.boxes == "ground_truth"


def test_drawn_variants_differ_in_the_plug_ins_alone():
  plain = module("paper003/drawn").get_config().to_dict()
  for variant in module("paper003/drawn").VARIANTS:
    config = module("paper003/drawn").get_config(variant).to_dict()
    assert config.pop("name") == f"paper003/drawn_{variant}"
    config["model"]["skeletal"] = False
    config["model"]["poserenet"]["aggregation"] = "none"
    assert config | {"name": plain["name"]} == plain
