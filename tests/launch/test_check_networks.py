"""Model sections of networks that the base config does not describe."""

import dataclasses
import importlib

import pytest
from commands import ROOT
from flax import linen as nn
from ml_collections import ConfigDict

from configs import base
from configs.paper001 import hierarchical
from launch.check import check_config
from launch.mistakes import ConfigError
from pose_jax.models import MODELS
from pose_jax.models.attention_options import AttentionOptions
from pose_jax.models.poserenet_options import PoseReNetOptions


def drawn():
  return importlib.import_module("configs.quickstart").get_config()


class Tiny(nn.Module):
  channels: int

  def map_hw(self, crop_hw):
    return crop_hw[0] // 4, crop_hw[1] // 4


def test_another_network_brings_its_own_keys(monkeypatch):
  def make_tiny(num_keypoints, *, channels=4):
    if channels < 1:
      raise ValueError("channels must be at least 1")
    return Tiny(channels)

  monkeypatch.setitem(MODELS, "tiny", make_tiny)
  config = drawn()
  with config.unlocked():
    config.model = ConfigDict(dict(name="tiny", channels=8))
  check_config(config)
  with config.unlocked():
    config.model.attention = base.get_config().model.attention
    config.model.attention.crf_stepz = 3
  with pytest.raises(
    ConfigError, match="no key model.attention.crf_stepz: did you mean crf_st"
  ):
    check_config(config)
  with config.unlocked():
    config.model = ConfigDict(dict(name="tiny", attention=3))
  with pytest.raises(ConfigError, match="model.attention is 3: it must be a s"):
    check_config(config)
  with config.unlocked():
    config.model = ConfigDict(dict(name="tiny", chanels=8))
  with pytest.raises(ConfigError, match="no option 'chanels'.*'channels'"):
    check_config(config)


def hourglass(**changes):
  config = hierarchical.get_config("debug")
  with config.unlocked(), config.ignore_type():
    for path, value in changes.items():
      section, *below = path.split("__")
      part = config.model
      if below:
        part, section = part[section], below[0]
      part[section] = value
  return config


@pytest.mark.parametrize(
  "changes, sentence",
  [
    (dict(num_stacks="2"), "model.num_stacks is '2': it must be like 8, the"),
    (dict(num_features="x"), "model.num_features is 'x': it must be like 256"),
    (dict(depth=2.0), "model.depth is 2.0: it must be like 4, the default"),
    (dict(stem=7), "model.stem is 7: it must be like 'standard'"),
    (dict(with_background=1), "model.with_background is 1: it must be like F"),
    (dict(batch_norm_momentum="a"), "model.batch_norm_momentum is 'a': it mus"),
    (dict(attention="crf"), "model.attention is 'crf': it must be a section"),
    (
      dict(attention__crf_steps="3"),
      "model.attention.crf_steps is '3': it must be like 3, the default",
    ),
    (dict(num_stacks=0), "num_stacks must be at least 1, got 0"),
    (dict(num_stack=2), "no option 'num_stack', did you mean 'num_stacks'"),
    (dict(num_keypoints=17), "no option 'num_keypoints'"),
  ],
)
def test_values_are_like_the_defaults_of_the_factory(changes, sentence):
  with pytest.raises(ConfigError, match=sentence):
    check_config(hourglass(**changes))


def test_what_is_left_out_keeps_the_factorys_default():
  config = hourglass()
  with config.unlocked():
    del config.model.rematerialise, config.model.num_blocks
  check_config(config)


def test_what_the_factory_refuses_starts_with_the_section_of_its_flags():
  config = hourglass(attention__holistic="crfs")
  with pytest.raises(ConfigError, match="^config.model: attention.holistic m"):
    check_config(config)
  config = hourglass()
  config.data.crop_hw = (250, 250)
  with pytest.raises(ConfigError) as caught:
    check_config(config)
  assert str(caught.value).startswith("config.model, config.data: crop_hw must")
  assert str(caught.value).count("crop_hw must") == 1


def test_a_wrong_key_is_told_where_right_ones_are_explained():
  sentence = "its options: num_stacks, .*; pose_jax.models.hourglass.make_hourg"
  with pytest.raises(ConfigError, match=sentence):
    check_config(hourglass(zzz=2))


def test_sections_have_the_same_defaults_in_configs_and_in_the_network():
  model = base.get_config().model.to_dict()
  assert model["attention"] == dataclasses.asdict(AttentionOptions())
  assert model["poserenet"] == dataclasses.asdict(PoseReNetOptions())


@pytest.mark.parametrize(
  ("changes", "sentence"),
  [
    (
      dict(poserenet__aggregation="max"),
      "^config.model: poserenet.aggregation must be one of none, mean, sum, l",
    ),
    (
      dict(poserenet__identity_init=1),
      "^model.poserenet.identity_init is 1: it must be like False, the default",
    ),
    (
      dict(poserenet__decod="lifted"),
      "no key model.poserenet.decod: did you mean decode",
    ),
    (dict(poserenet="mean"), "model.poserenet is 'mean': it must be a section"),
    (dict(presence=1), "^model.presence is 1: it must be like False, the def"),
    (dict(soft_argmax="yes"), "^model.soft_argmax is 'yes': it must be like F"),
  ],
)
def test_the_plug_in_of_every_network_is_checked(changes, sentence):
  for config in (hourglass(), drawn()):
    with config.unlocked(), config.ignore_type():
      for path, value in changes.items():
        section, *below = path.split("__")
        part = config.model[section] if below else config.model
        part[below[0] if below else section] = value
    with pytest.raises(ConfigError, match=sentence):
      check_config(config)


def test_a_network_may_be_refined_and_decoded_at_twice_the_size():
  config = hourglass(poserenet__aggregation="mean", poserenet__stages="all")
  check_config(config)
  config.model.poserenet.decode = "lifted"
  check_config(config)
  with config.unlocked():
    del config.model.poserenet  # of an earlier revision
  check_config(config)


def test_a_soft_argmax_is_refused_where_heatmaps_are_needed():
  for changes in (
    dict(with_background=True),
    dict(poserenet__aggregation="mean"),
  ):
    check_config(hourglass(presence=True, **changes))
    config = hourglass(soft_argmax=True, **changes)
    with pytest.raises(ConfigError, match="^config.model: soft_argmax is True"):
      check_config(config)


def test_skeletal_heatmaps_need_a_skeleton_with_links():
  config = drawn()
  with config.unlocked():
    config.model = ConfigDict(dict(name="hrnet", width=8, skeletal=True))
  check_config(config)
  config.data.skeleton = str(ROOT / "configs" / "skeletons" / "hand21.toml")
  with pytest.raises(
    ConfigError, match="config.model: skeletal is True, but hand21 has no links"
  ):
    check_config(config)
