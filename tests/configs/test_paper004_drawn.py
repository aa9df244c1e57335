"""The comparison on drawn people: variants differ in the network alone."""

import jax
import jax.numpy as jnp
import pytest

from configs.paper004 import drawn
from launch.experiment import make_experiment
from launch.worth_a_word import training_notes
from pose_jax.models import make_model, map_hw
from pose_jax.models.cost import count_parameters
from pose_jax.models.resnet import ResNet
from pose_jax.skeleton import COCO17


def without_network(config):
  plain = config.to_dict()
  model = plain.pop("model")
  plain.pop("name")
  plain["eval"].pop("decoder")
  return plain, model


def test_variants_differ_in_network_and_decoder_alone():
  plain, alone = without_network(drawn.get_config())
  found, cascade = without_network(drawn.get_config("cascade"))
  assert found == plain
  assert not list(training_notes(make_experiment(drawn.get_config("cascade"))))
  differences = {k: v for k, v in cascade.items() if alone.get(k) != v}
  assert differences == {
    "name": "deeppose",
    "num_stages": 2,
    "sub_crop_hw": (32, 32),
    "sub_crop_size": 1.0,
    "simulated_std": 0.2,
  }
  assert set(alone) - set(cascade) == {"shared_layers", "with_sigmas"}
  config = drawn.get_config("pose_machine")
  found, machine = without_network(config)
  assert machine["name"] == "pose_machine"
  assert found.pop("loss") != plain.pop("loss") and found == plain
  assert not list(training_notes(make_experiment(config)))
  assert (config.name, config.eval.decoder) == (
    "paper004/drawn_pose_machine",
    "dark",
  )


@pytest.mark.parametrize(("variant", "num_stages"), [("", 1), ("cascade", 2)])
def test_regressors_are_built_and_stay_small(variant, num_stages):
  config = drawn.get_config(variant)
  assert config.eval.decoder == "coordinates"
  model = make_model(config.model, COCO17)
  images = jax.ShapeDtypeStruct((2, *config.data.crop_hw, 3), jnp.float32)
  output, variables = jax.eval_shape(
    model.init_with_output, jax.random.key(0), images
  )
  assert len(output.coordinate_stages) == num_stages
  assert output.coordinates.shape == (2, 17, 2) and output.heatmaps is None
  assert map_hw(config.model, (128, 96)) == (128, 96)
  # Of each stage a trunk, and 128 features for every 32x32 pixels.
  trunk = jax.eval_shape(ResNet(18, 16).init, jax.random.key(0), images)
  cells = (4 * 3, 1)[:num_stages]
  dense = sum((128 * n + 1) * 256 + 257 * 34 for n in cells)
  total = num_stages * count_parameters(trunk["params"]) + dense
  assert count_parameters(variables["params"]) == total < 2_000_000
  tiny = make_model(drawn.get_config("debug").model, COCO17)
  assert tiny.coordinate_layers == (16,)
