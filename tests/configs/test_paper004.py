"""Paper 004's models at full size: parameters counted by hand, two phases."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from launch.experiment import make_experiment, make_target
from pose_jax.models.cost import count_parameters
from pose_jax.models.output import PoseOutput
from pose_jax.train.losses import LOSSES
from pose_jax.train.supervision import supervised_loss


def dense(*units):
  """Weights and biases of dense layers in a row."""
  pairs = zip(units[:-1], units[1:], strict=True)
  return sum(a * b + b for a, b in pairs)


def conv(size, num_in, num_out):
  return size * size * num_in * num_out + num_out


PLAIN = conv(7, 3, 32) + conv(5, 32, 64)
TRUNKS = {  # parameters, features of 224x224 pixels, units of dense layers
  "baseline1": (PLAIN, 14 * 14 * 64, 1024),
  "baseline2": (PLAIN + conv(3, 64, 128), 7 * 7 * 128, 1024),
  # torchvision's features; a pool more leaves 4x4 of 256.
  "alexnet": (2_469_696, 4 * 4 * 256, 4096),
  "vgg": (20_024_384, 7 * 7 * 512, 4096),
}


def test_the_pose_machines_loss_is_caffes_which_its_rate_is_for():
  config = config_of("pose_machine")
  experiment = make_experiment(config)
  rng = np.random.default_rng(0)
  maps, wanted = rng.normal(size=(2, 3, 46, 46, 14)).astype(np.float32)
  ground = rng.normal(size=(3, 46, 46, 1)).astype(np.float32)
  output = PoseOutput(stages=(maps,) * 6, backgrounds=(ground,) * 6)
  found = supervised_loss(
    output,
    jnp.asarray(wanted),
    jnp.ones((3, 14)),
    LOSSES[config.loss.name],
  )
  assert make_target(experiment).map_hw == (46, 46)
  errors = np.concatenate(
    [maps - wanted, ground - (1 - wanted.max(-1, keepdims=True))], -1
  )
  # EuclideanLoss: half the squared distance of all numbers, over the batch.
  assert found == pytest.approx(6 * np.square(errors).sum() / (2 * 3), rel=1e-5)


def config_of(name, variant=""):
  module = importlib.import_module(f"configs.paper004.{name}")
  return module.get_config(variant)


@pytest.mark.parametrize("name", TRUNKS)
def test_parameters_are_those_counted_by_hand(name):
  experiment = make_experiment(config_of(name))
  images = jax.ShapeDtypeStruct((1, 224, 224, 3), "float32")
  variables = jax.eval_shape(experiment.model.init, jax.random.key(0), images)
  trunk, features, units = TRUNKS[name]
  found = {k: count_parameters(v) for k, v in variables["params"].items()}
  assert found == {
    "backbone": trunk,
    "shared": dense(features, units),
    "presence_head": dense(units, units, 14),
    "coordinate_head": dense(units, units, units, 28),
  }


@pytest.mark.parametrize("name", TRUNKS)
@pytest.mark.parametrize("variant", ["", "small"])
def test_presence_comes_first_and_then_coordinates_alone(name, variant):
  config = config_of(name, variant)
  second = config.second_phase
  weights = (
    (part.loss.presence_weight, part.loss.coordinates_weight)
    for part in (config, second)
  )
  assert list(weights) == [(1, 0), (0, 1)]
  assert config.optimizer.frozen == ("coordinate_head",)
  assert set(second.optimizer.frozen) == {
    *("backbone", "shared", "presence_head"),
  }
  train, held_out = config.data.train, config.data.eval
  assert (train.portion, held_out.portion) == ((0, 9000), (9000, 10_000))
  assert train.seed == held_out.seed
  assert not config.data.keep_aspect and train.boxes == "image"
