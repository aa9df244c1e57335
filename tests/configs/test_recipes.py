"""Recipes, field by field, against published values written out here."""

import math

import pytest

from configs import base, recipes
from launch.check import check_config
from pose_jax.data.augment import Augmentation
from pose_jax.train.optimizer import make_schedule

# Half of the samples are flipped in all but one. What a row does not name has
# the value of OFF.
OFF = {
  "scale_factor": 0,
  "rotation_deg": 0,
  "rotation_probability": 0,
  "translation_fraction": 0,
  "translation_probability": 0,
  "flip_probability": 0.5,
  "flip_per_batch": False,
  "half_body_probability": 0,
}
HRNET = dict(
  scale_distribution="clipped_normal",
  rotation_distribution="clipped_normal",
  rotation_probability=0.6,
)
MMPOSE = dict(
  scale_factor=0.5,
  scale_distribution="truncated_normal",
  rotation_deg=80,
  rotation_distribution="truncated_normal",
  rotation_probability=0.6,
  translation_fraction=0.16,
  translation_distribution="truncated_normal",
  translation_probability=0.3,
  half_body_probability=0.3,
  half_body_min_keypoints=9,
  half_body_upper_probability=0.7,
  half_body_padding=1.5,
)
AUGMENTATION = {
  "hrnet_coco": HRNET
  | dict(
    scale_factor=0.35,
    rotation_deg=45,
    half_body_probability=0.3,
    half_body_min_keypoints=9,  # "more than 8"
    half_body_upper_probability=0.5 * (1 + math.erf(0.5 / math.sqrt(2))),
    half_body_padding=1.5,
  ),
  "hrnet_mpii": HRNET | dict(scale_factor=0.25, rotation_deg=30),
  "simple_baseline_coco": HRNET | dict(scale_factor=0.3, rotation_deg=40),
  "simple_baseline_mpii": HRNET | dict(scale_factor=0.25, rotation_deg=30),
  "mmpose_coco": MMPOSE,
  "vitpose_b": MMPOSE,
  "rtmpose_m": MMPOSE | dict(scale_factor=0.4),
  "newell": dict(
    scale_factor=0.25,
    scale_distribution="power_of_two",
    rotation_deg=30,
    rotation_distribution="clipped_normal",
    rotation_probability=0.4,
  ),
  "pytorch_pose": HRNET | dict(scale_factor=0.25, rotation_deg=30),
  "chu": HRNET
  | dict(
    scale_factor=0.25,
    rotation_deg=30,
    rotation_probability=0.4,
    flip_per_batch=True,
  ),
  "cpm": dict(
    scale_factor=0.3,
    scale_distribution="uniform",
    rotation_deg=40,
    rotation_distribution="uniform",
    rotation_probability=1,
  ),
  "deeppose": dict(
    scale_factor=0.2,
    scale_distribution="uniform",
    rotation_deg=10,
    rotation_distribution="one_sided",
    rotation_probability=1,
    translation_fraction=5 / 220,
    translation_distribution="uniform",
    translation_probability=1,
  ),
}
AUGMENTATION["subramanian"] = dict(
  scale_factor=0.3,
  rotation_deg=40,
  rotation_probability=1,
  flip_probability=0,
)
AUGMENTATION["dark_coco"] = AUGMENTATION["hrnet_coco"]
AUGMENTATION["hourglass_coco"] = AUGMENTATION["simple_baseline_coco"]
AUGMENTATION["mmpose_mpii"] = dict(
  scale_factor=0.5,
  scale_distribution="truncated_normal",
  rotation_deg=80,
  rotation_distribution="truncated_normal",
  rotation_probability=0.6,
)
AUGMENTATION["xiang_hourglass"] = AUGMENTATION["simple_baseline_mpii"]

# Network input, deviation of targets, unbiased, decoder, alignment.
CODEC = {
  "hrnet_coco": ((256, 192), 2, False, "quarter", "corner"),
  "hrnet_mpii": ((256, 256), 2, False, "quarter", "corner"),
  "simple_baseline_coco": ((256, 192), 2, False, "quarter", "corner"),
  "simple_baseline_mpii": ((256, 256), 2, False, "quarter", "corner"),
  "dark_coco": ((128, 96), 1, True, "dark", "unit"),
  "hourglass_coco": ((128, 96), 1, False, "quarter", "corner"),
  "mmpose_coco": ((256, 192), 2, False, "quarter", "corner"),
  "mmpose_mpii": ((256, 256), 2, False, "quarter", "corner"),
  "xiang_hourglass": ((256, 256), 2, False, "quarter", "corner"),
  "vitpose_b": ((256, 192), 2, True, "dark", "udp"),
  "newell": ((256, 256), 1.75, False, "quarter", "corner"),
  "pytorch_pose": ((256, 256), 1, False, "quarter", "corner"),
  "chu": ((256, 256), 1.75, False, "argmax", "corner"),
}

# Optimiser, learning rate, weight decay, clipping, people per step.
OPTIMIZER = {
  "hrnet_coco": ("adam", 1e-3, 0, 0, 32 * 4),
  "hrnet_mpii": ("adam", 1e-3, 0, 0, 32 * 4),
  "simple_baseline_coco": ("adam", 1e-3, 0, 0, 32 * 4),
  "simple_baseline_mpii": ("adam", 1e-3, 0, 0, 32 * 4),
  "dark_coco": ("adam", 1e-3, 0, 0, 64 * 2),
  "hourglass_coco": ("adam", 2.5e-4, 0, 0, 8),
  "mmpose_coco": ("adam", 5e-4, 0, 0, 512),
  "mmpose_mpii": ("adam", 5e-4, 0, 0, 512),
  "xiang_hourglass": ("adam", 2.5e-4, 0, 0, 8),
  "vitpose_b": ("adamw", 5e-4, 0.1, 1, 512),
  "rtmpose_m": ("adamw", 4e-3, 0.05, 0, 256 * 8),
  "newell": ("rmsprop", 2.5e-4, 0, 0, 6),
  "pytorch_pose": ("rmsprop", 2.5e-4, 0, 0, 6),
  "chu": ("rmsprop", 2.5e-4, 0, 0, 8),
  "cpm": ("sgd", 8e-5, 5e-4, 0, 16),
  "deeppose": ("adam", 1e-3, 0, 0, 128),
  "subramanian": ("adam", 5e-4, 0, 0, 32),
}

# Name, factor, epochs and their boundaries, warm-up in steps.
EPOCHS = {
  "hrnet_coco": ("step", 0.1, 210, (170, 200), 0),
  "hrnet_mpii": ("step", 0.1, 210, (170, 200), 0),
  "simple_baseline_coco": ("step", 0.1, 140, (90, 120), 0),
  "simple_baseline_mpii": ("step", 0.1, 140, (90, 120), 0),
  "dark_coco": ("step", 0.1, 210, (170, 200), 0),
  "hourglass_coco": ("step", 0.1, 140, (90, 120), 0),
  "mmpose_coco": ("step", 0.1, 210, (170, 200), 500),
  "mmpose_mpii": ("step", 0.1, 210, (170, 200), 500),
  "xiang_hourglass": ("step", 0.1, 140, (90, 120), 0),
  "vitpose_b": ("step", 0.1, 210, (170, 200), 500),
  "rtmpose_m": ("flat_cosine", 0.05, 420, (), 1000),
  "pytorch_pose": ("step", 0.1, 100, (60, 90), 0),
  "subramanian": ("constant", 0.1, 30, (), 0),
}

# Name, factor, steps and their boundaries.
STEPS = {
  "newell": ("constant", 100 * 8000, ()),
  "chu": ("step", 130 * 3000, (100 * 3000, 125 * 3000)),
  "cpm": ("step", 600_000, tuple(136_106 * n for n in (1, 2, 3, 4))),
}

COLOURS = {
  "newell": dict(channel_gain=0.4),  # 0.6 to 1.4
  "pytorch_pose": dict(channel_gain=0.2),  # 0.8 to 1.2
  "chu": dict(channel_gain=0.2),
  "rtmpose_m": dict(
    hue_shift=5,
    saturation_shift=30,
    value_shift=30,
    hsv_probability=0.5,
    blur_probability=0.1,
    blur_max_size=7,
    median_probability=0.1,
    median_max_size=7,
  ),
}
NAMES = sorted(recipes.RECIPES)


def config_of(name, **options):
  config = base.get_config().lock()  # a key that base lacks would fail
  config.update(recipes.RECIPES[name](**options))
  return config


def test_every_recipe_is_in_the_tables():
  assert set(NAMES) == set(AUGMENTATION) == set(OPTIMIZER)


@pytest.mark.parametrize("name", NAMES)
def test_augmentation_is_the_published_one(name):
  found = config_of(name).data.augmentation
  for key, value in (OFF | AUGMENTATION[name]).items():
    assert found[key] == pytest.approx(value), key
  Augmentation(**found.to_dict())
  # and nothing beyond what the tables name
  named = OFF.keys() | AUGMENTATION[name].keys()
  default = Augmentation()
  for key in set(found) - named:
    assert found[key] == getattr(default, key), key


@pytest.mark.parametrize("name", NAMES)
def test_colours_and_rectangles_are_the_published_ones(name):
  config, default = config_of(name), base.get_config().data
  wanted = default.jitter.to_dict() | COLOURS.get(name, {})
  assert config.data.jitter.to_dict() == wanted
  covers = default.occlusion.to_dict()
  if name == "rtmpose_m":  # black rectangles, one in every picture
    covers |= dict(probability=1, min_holes=1, max_holes=1)
    covers |= dict(min_size=0.2, max_size=0.4, fill="constant")
    covers |= dict(fill_rgb=(0, 0, 0))
  assert config.data.occlusion.to_dict() == covers


@pytest.mark.parametrize("name", sorted(CODEC))
def test_codec_is_the_published_one(name):
  config = config_of(name)
  found = (
    tuple(config.data.crop_hw),
    config.loss.sigma_hm,
    config.loss.unbiased,
    config.eval.decoder,
    config.data.alignment,
  )
  assert found == CODEC[name]
  assert config.eval.flip_test and config.loss.name == "mse"


@pytest.mark.parametrize("name", NAMES)
def test_optimizer_is_the_published_one(name):
  config = config_of(name)
  o = config.optimizer
  found = (o.name, o.learning_rate, o.weight_decay, o.clip_norm)
  assert (*found, config.schedule.batch_size) == OPTIMIZER[name]
  if o.name.startswith("adam"):
    assert (o.b1, o.b2, o.eps) == (0.9, 0.999, 1e-8)
  elif o.name == "rmsprop":
    assert (o.b2, o.eps, o.momentum) == (0.99, 1e-8, 0)
  else:
    assert o.momentum == 0.9


@pytest.mark.parametrize("name", sorted(EPOCHS))
def test_schedule_in_epochs_is_the_published_one(name):
  s = config_of(name).schedule
  assert s.num_steps == 0 and not s.boundaries_steps
  found = s.name, s.factor, s.num_epochs, tuple(s.boundaries_epochs)
  assert (*found, s.warmup_steps) == EPOCHS[name]


@pytest.mark.parametrize("name", sorted(STEPS))
def test_schedule_in_steps_is_the_published_one(name):
  s = config_of(name).schedule
  assert (s.name, s.num_steps, tuple(s.boundaries_steps)) == STEPS[name]
  assert s.factor == {"cpm": 0.333}.get(name, 0.1)


def test_inputs_are_the_published_ones():
  for name, mean, std in (
    ("newell", (0, 0, 0), (1, 1, 1)),
    ("pytorch_pose", (0.4404, 0.4440, 0.4327), (1, 1, 1)),
    ("chu", (0.5, 0.5, 0.5), (1, 1, 1)),
    ("cpm", (0.5, 0.5, 0.5), (1, 1, 1)),
    ("hrnet_coco", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
  ):
    data = config_of(name).data
    assert (tuple(data.mean_rgb), tuple(data.std_rgb)) == (mean, std)
  assert config_of("deeppose").data.padding == 1.5
  assert config_of("hrnet_coco").data.padding == 1.25
  for name in NAMES:  # none of these codes decodes at reduced size
    assert config_of(name).data.reduced_decoding is False
  found = {n for n in NAMES if config_of(n).data.channel_order == "bgr"}
  blue = {"simple_baseline_coco", "simple_baseline_mpii", "hourglass_coco"}
  assert found == blue | {"xiang_hourglass", "cpm"}


@pytest.mark.parametrize("name", NAMES)
def test_recipes_make_configs_that_pass_the_check(name):
  config = config_of(name)
  config.data.train.num_images = config.data.eval.num_images = 8
  if config.data.crop_hw[0] % 32:  # of networks that we do not have yet
    config.data.crop_hw = (224, 224)
  config.schedule.num_steps = config.schedule.num_steps or 2000
  check_config(config)


@pytest.mark.parametrize("name", NAMES)
def test_recipes_say_where_they_come_from(name):
  text = recipes.RECIPES[name].__doc__
  assert any(w in text for w in ("arXiv", "as on COCO", "mmpose", "/"))


def test_calling_a_recipe_twice_gives_two_dicts():
  first = recipes.hrnet_coco()
  first["data"]["augmentation"]["rotation_deg"] = 7.0
  assert recipes.hrnet_coco()["data"]["augmentation"]["rotation_deg"] == 45


def test_boundaries_in_steps_are_where_chus_rate_drops():
  s = config_of("chu").schedule
  rate = make_schedule(
    s.name,
    learning_rate=2.5e-4,
    num_steps=s.num_steps,
    boundaries_steps=tuple(s.boundaries_steps),
    factor=s.factor,
  )
  for step, wanted in ((299_999, 2.5e-4), (300_001, 2.5e-5), (375_001, 2.5e-6)):
    assert float(rate(step)) == pytest.approx(wanted, rel=1e-5)
