"""DARK, UDP, papers 002 and 003: which values of a recipe they change."""

import math

import pytest

from configs import base, recipes
from configs.recipes import CHANGES, RECIPES

# Which values each writes, by their place in a config.
CHANGED = {
  "dark": {
    "data.alignment": "unit",
    "loss.unbiased": True,
    "eval.decoder": "dark",
    "eval.blur_kernel": 11,
  },
  "udp": {
    "data.alignment": "udp",
    "loss.unbiased": True,
    "eval.decoder": "dark",
    "eval.blur_kernel": 11,
  },
  "mmpose_dark": {
    "data.alignment": "corner",
    "loss.unbiased": True,
    "eval.decoder": "dark",
    "eval.blur_kernel": 11,
  },
  "xiang": {
    "data.augmentation.scale_factor": 0.25,  # 0.75 to 1.25
    "data.augmentation.scale_distribution": "uniform",
    "data.augmentation.rotation_deg": 30.0,
    "data.augmentation.rotation_distribution": "uniform",
    "data.augmentation.rotation_probability": 1.0,
    "data.augmentation.translation_fraction": 40 / 200,
    "data.augmentation.translation_distribution": "uniform",
    "data.augmentation.translation_probability": 1.0,
    "data.augmentation.flip_probability": 0.5,
    "data.augmentation.flip_per_batch": False,
    "data.augmentation.half_body_probability": 0.3,
    "data.augmentation.half_body_min_keypoints": 9,
    "data.augmentation.half_body_upper_probability": pytest.approx(
      0.5 * (1 + math.erf(0.5 / math.sqrt(2)))
    ),
    "data.augmentation.half_body_padding": 1.5,
  },
  "jun": {
    "loss.link_weight": 0.2,
    "loss.link_sigma_hm": 1.0,
    "eval.decoder": "weighted",
    "eval.weighted_n": 20,
    "eval.weighted_window": 0,
  },
}
TARGETS = ("hrnet_coco", "simple_baseline_mpii", "mmpose_coco")


def flat(tree, path=""):
  if not isinstance(tree, dict):
    return {path[1:]: tree}
  items = [flat(value, f"{path}.{key}") for key, value in tree.items()]
  return {key: value for item in items for key, value in item.items()}


def test_every_change_is_in_the_table():
  assert set(CHANGED) == set(CHANGES)


@pytest.mark.parametrize("recipe", TARGETS)
@pytest.mark.parametrize("name", sorted(CHANGED))
def test_a_change_writes_its_values_and_no_others(name, recipe):
  before = flat(RECIPES[recipe]())
  assert flat(CHANGES[name](RECIPES[recipe]())) == before | CHANGED[name]
  assert flat(RECIPES[recipe]()) == before


@pytest.mark.parametrize("name", sorted(CHANGED))
def test_a_changed_recipe_has_keys_that_configs_have(name):
  config = base.get_config().lock()
  config.update(CHANGES[name](recipes.hrnet_coco()))


def test_blur_kernels_are_those_of_the_authors_configs():
  kernels = {
    (width, height): recipes.dark_coco((height, height * 3 // 4), width=width)[
      "eval"
    ]["blur_kernel"]
    for width in (32, 48)
    for height in (128, 256, 384)
  }
  assert kernels.pop((32, 128)) == 3
  assert set(kernels.values()) == {11}
  small = recipes.dark(recipes.simple_baseline_coco((128, 96)), blur_kernel=3)
  assert small["eval"]["blur_kernel"] == 3


def test_batches_of_darks_hrnets_are_those_of_the_authors_configs():
  per_gpu = {
    (32, 128): (2, 64),
    (32, 256): (4, 32),
    (32, 384): (4, 28),
    (48, 128): (2, 64),
    (48, 256): (4, 30),
    (48, 384): (4, 18),
  }
  for (width, height), (gpus, people) in per_gpu.items():
    recipe = recipes.dark_coco((height, height * 3 // 4), width=width)
    assert recipe["schedule"]["batch_size"] == gpus * people


def test_targets_widen_with_the_crop():
  for recipe in (recipes.hrnet_coco, recipes.simple_baseline_coco):
    sigmas = [
      recipe((height, height * 3 // 4))["loss"]["sigma_hm"]
      for height in (128, 256, 384)
    ]
    assert sigmas == [1, 2, 3]
  eight = recipes.hourglass_coco(num_stacks=8)
  assert eight["loss"]["sigma_hm"] == 2
  eight["loss"]["sigma_hm"] = 1.0
  assert eight == recipes.hourglass_coco()


def test_jun_may_keep_the_decoder():
  kept = recipes.jun(recipes.hrnet_coco(), weighted=False)
  assert kept["eval"] == recipes.hrnet_coco()["eval"]
  assert kept["loss"]["link_weight"] == 0.2
