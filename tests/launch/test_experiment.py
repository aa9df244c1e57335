"""What an experiment's parts are, and what is told of its data."""

import dataclasses
import importlib

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from configs import base
from launch.experiment import (
  colours,
  describe,
  describe_network,
  make_experiment,
  make_forward,
  make_prepare,
  make_target,
  open_part,
)
from pose_jax.models.output import PoseOutput
from pose_jax.ops.color import normalize


class Flat(nn.Module):
  """Heatmaps of one height everywhere."""

  @nn.compact
  def __call__(self, images, *, train):
    assert train is False
    maps = images[:, ::4, ::4, :1] * 0 + 51.0
    return PoseOutput(heatmaps=maps, stages=(maps,))

  @nn.nowrap
  def map_hw(self, crop_hw):
    return crop_hw[0] // 4, crop_hw[1] // 4


def experiment(**loss):
  config = importlib.import_module("configs.quickstart").get_config("debug")
  config.loss.update(loss)
  return dataclasses.replace(make_experiment(config), model=Flat())


def test_what_is_decoded_is_in_units_of_a_targets_peak():
  images = np.zeros((1, 8, 8, 3), np.float32)
  for scale, height in ((1.0, 51.0), (255.0, 0.2)):
    scaled = experiment(target_scale=scale)
    output = make_forward(scaled)({}, images)
    np.testing.assert_allclose(output.heatmaps, height, rtol=1e-6)
    assert make_target(scaled).scale == scale


def test_a_portion_is_told_with_its_pictures_of_people(tmp_path):
  drawn = experiment()
  drawn.config.data.eval.update(num_images=4, portion=(1, 3), seed=5)
  dataset = open_part(drawn, "eval", tmp_path)
  assert dataset.split == "(4 of seed 5)[1:3 of seed 5]"
  assert "people in 2 pictures, boxes" in describe(dataset)
  nobody = dataset.people.image_index != 0
  fewer = dataclasses.replace(dataset, people=dataset.people.select(nobody))
  assert "people in 1 of 2 pictures, boxes" in describe(fewer)


def test_links_and_lifted_maps_are_looked_at_with_the_mean_fields():
  config = importlib.import_module("configs.quickstart").get_config("debug")
  with config.unlocked():
    plug_in = config.model.poserenet
    plug_in.aggregation = "mean"
    config.model = ConfigDict(
      dict(name="hrnet", width=8, skeletal=True, poserenet=plug_in)
    )
  made = make_experiment(config)
  images = jax.ShapeDtypeStruct((1, *config.data.crop_hw, 3), "float32")
  variables = jax.eval_shape(made.model.init, jax.random.key(0), images)
  for with_steps, names in ((False, set()), (True, {"links", "lifted"})):
    forward = make_forward(made, with_steps=with_steps)
    output = jax.eval_shape(forward, variables, images)
    assert set(output.attention) == names


def test_a_network_is_told_with_its_attention_and_its_plug_in():
  plain = importlib.import_module("configs.quickstart").get_config("debug")
  line = describe_network(make_experiment(plain), 201_000)
  assert line == "pose_resnet: 0.20 M parameters"
  plain.model.attention.update(part="crf", crf_kernel_size=7)
  line = describe_network(make_experiment(plain), 201_000)
  assert line.endswith("parameters, attention: part crf (kernel 7, 3 steps)")
  plain.model.poserenet.aggregation = "sum"
  line = describe_network(make_experiment(plain), 201_000)
  assert line.endswith("part crf (kernel 7, 3 steps), PoseReNet (sum, se)")
  with plain.unlocked():
    plug_in = plain.model.poserenet
    plain.model = ConfigDict(
      dict(name="hrnet", width=8, skeletal=True, poserenet=plug_in)
    )
  line = describe_network(make_experiment(plain), 201_000)
  assert line == (
    "hrnet: 0.20 M parameters, skeletal heatmaps (16 links), PoseReNet (sum, "
    "se)"
  )
  # A module without attention of its own.
  assert describe_network(experiment(), 0) == "pose_resnet: 0.00 M parameters"


def test_training_and_prediction_see_the_same_channels_first():
  plain = base.get_config().data
  config = importlib.import_module("configs.quickstart").get_config("debug")
  with config.unlocked():
    config.data.channel_order = "bgr"
    config.data.update(jitter=plain.jitter, occlusion=plain.occlusion)
  blue = np.zeros((1, 4, 4, 3), np.uint8)
  blue[..., 2] = 255
  batch = {"image": jnp.asarray(blue), "sample_seed": jnp.zeros(1, jnp.uint32)}
  inputs = make_prepare(config)(batch)
  assert inputs[0, 0, 0, 0] > inputs[0, 0, 0, 2]
  np.testing.assert_array_equal(inputs, normalize(blue, **colours(config)))
