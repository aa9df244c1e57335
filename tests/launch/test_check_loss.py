"""What a loss section says together with the network, in a sentence."""

import importlib

import pytest

from launch.check import check_config
from launch.check_loss import num_stages
from launch.mistakes import ConfigError
from pose_jax.skeleton import COCO17


def config_of(name="quickstart"):
  return importlib.import_module(f"configs.{name}").get_config("debug")


def refined(config, **options):
  with config.unlocked():
    config.model.poserenet.update({"aggregation": "mean"} | options)
  return config


@pytest.mark.parametrize(
  "make, number",
  [
    (config_of, 1),
    (lambda: config_of("paper001.hierarchical"), 2),
    (lambda: refined(config_of()), 2),
    (lambda: refined(config_of("paper001.hierarchical")), 3),
    (lambda: refined(config_of("paper001.hierarchical"), stages="all"), 4),
  ],
)
def test_there_is_a_weight_for_each_supervised_stage(make, number):
  config = make()
  assert num_stages(config, COCO17) == number
  config.loss.stage_weights = (1.0,) * number
  check_config(config)
  config.loss.stage_weights = (1.0,) * (number + 1)
  with pytest.raises(
    ConfigError, match=rf"loss.stage_weights must be {number} numbers, one for"
  ):
    check_config(config)


@pytest.mark.parametrize(
  "path, value, sentence",
  [
    ("stage_weights", (-1.0,), "it must hold numbers from 0"),
    ("stage_weights", ("a",), "it must hold numbers from 0"),
    ("stage_weights", 2.0, "must be like"),
    ("lifted_weight", -1.0, "at least 0"),
    ("link_weight", -0.2, "at least 0"),
    ("link_sigma_hm", 0.0, "above 0"),
  ],
)
def test_weights_that_make_no_sense_are_refused(path, value, sentence):
  config = config_of()
  with config.unlocked(), config.ignore_type():
    config.loss[path] = value
  with pytest.raises(ConfigError, match=rf"loss.{path} .*{sentence}"):
    check_config(config)


def test_a_network_that_cannot_be_built_is_told_once():
  config = refined(config_of(), aggregation="meen")
  config.loss.stage_weights = (1.0,)
  with pytest.raises(ConfigError, match="aggregation must be one of") as caught:
    check_config(config)
  assert "stage_weights" not in str(caught.value)


def test_lifted_maps_have_targets_of_height_one():
  config = refined(config_of())
  check_config(config)
  config.loss.target_scale = 255.0
  with pytest.raises(ConfigError, match="target_scale is 255.0: a lifted map"):
    check_config(config)
  check_config(refined(config, aggregation="none"))


def test_hardest_links_are_as_many_as_there_are(tmp_path):
  config = config_of()
  config.loss.update(name="ohkm", ohkm_top_k=17)
  check_config(config)
  with config.unlocked():
    config.model = {"name": "hrnet", "width": 8, "skeletal": True}
  with pytest.raises(ConfigError, match="ohkm_top_k is 17: coco17 has 16 link"):
    check_config(config)
  config.loss.ohkm_top_k = 16
  check_config(config)
