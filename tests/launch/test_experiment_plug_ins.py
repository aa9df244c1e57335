"""Targets and losses of plug-ins, as configs ask for them."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

from launch.experiment import (
  describe_plug_ins,
  make_experiment,
  make_step,
  make_target,
  open_part,
)
from launch.measure import make_protocol
from pose_jax.geometry import ALIGNMENTS, Frames
from pose_jax.train.state import init_state, init_variables
from pose_jax.train.supervision import LossWeights

SMALL_HRNET = {
  "name": "hrnet",
  "width": 8,
  "stem_width": 16,
  "num_modules": (1, 1, 1),
  "num_blocks": 1,
  "skeletal": True,
}


def plugged(decode, alignment="corner", skeletal=True):
  config = importlib.import_module("configs.quickstart").get_config("debug")
  with config.unlocked():
    section = config.model.poserenet.to_dict()
    if skeletal:
      config.model = ConfigDict(SMALL_HRNET)
    config.model.poserenet = section | {
      "aggregation": "mean",
      "decode": decode,
    }
    config.data.alignment = alignment
  return make_experiment(config)


@pytest.mark.parametrize("alignment", ALIGNMENTS)
@pytest.mark.parametrize("decode", ["aggregate", "lifted"])
def test_targets_lie_on_the_stages_whatever_is_decoded(decode, alignment):
  """By the frames of what is decoded; the lifted map's cells on the stages'."""
  drawn = plugged(decode, alignment)
  target, (height, width) = make_target(drawn), (32, 24)  # of 128 x 96
  lift = 2 if decode == "lifted" else 1
  assert drawn.frames.map_hw == (lift * height, lift * width)
  assert target.map_hw == (height, width)
  small, large = (
    Frames((128, 96), (n * height, n * width), alignment).hm_from_crop
    for n in (1, 2)
  )
  np.testing.assert_array_equal(target.hm_from_crop, small)
  if decode == "aggregate":
    large = 2 * small + [[0, 0, 0.5], [0, 0, 0.5]]
  np.testing.assert_allclose(target.lifted_from_crop, large, rtol=1e-12)


@pytest.mark.parametrize("decode", ["aggregate", "lifted"])
@pytest.mark.parametrize("skeletal", [True, False])
def test_a_step_of_every_plug_in_has_targets_of_the_right_size(
  decode, skeletal
):
  """Shapes alone: sizes that differ would not subtract."""
  drawn = plugged(decode, skeletal=skeletal)
  optimizer = optax.sgd(0.1)
  batch = {
    "image": jnp.zeros((2, 128, 96, 3), jnp.uint8),
    "kpts_xy_crop": jnp.zeros((2, 17, 2)),
    "vis": jnp.ones((2, 17), jnp.int8),
    "sample_seed": jnp.zeros(2, jnp.uint32),
  }
  state = jax.eval_shape(
    lambda: init_state(init_variables(drawn.model, (128, 96), 0), optimizer)
  )
  _, metrics = jax.eval_shape(make_step(drawn, optimizer), state, batch)
  parts = {name for name in metrics if name.startswith("loss_")}
  assert parts == {"loss_lifted"} | ({"loss_links"} if skeletal else set())


def test_heads_are_named_behind_the_plug_ins():
  for changes, words in (
    ({}, "skeletal heatmaps (16 links), PoseReNet (mean, se), presence head"),
    (
      {"soft_argmax": True, "poserenet": {}},
      "skeletal heatmaps (16 links), presence head, soft-argmax",
    ),
  ):
    config = plugged("aggregate").config
    with config.unlocked():
      config.model.update(presence=True)
      for key, value in changes.items():
        config.model[key] = value
    assert describe_plug_ins(make_experiment(config)) == words


def test_weights_of_the_loss_are_the_configs():
  drawn = plugged("aggregate")
  drawn.config.loss.update(
    stage_weights=(0.5, 2.0), lifted_weight=3.0, link_weight=0.1
  )
  drawn.config.loss.link_sigma_hm = 1.5
  step = make_step(drawn, optax.sgd(0.1))
  assert step.keywords["weights"] == LossWeights((0.5, 2.0), 3.0, 0.1)
  assert make_target(drawn).link_sigma_hm == 1.5
  assert len(make_target(drawn).pairs) == 16


def test_the_protocol_tells_the_deviation_of_what_is_decoded(tmp_path):
  for decode, lift in (("aggregate", 1), ("lifted", 2)):
    drawn = plugged(decode)
    dataset = open_part(drawn, "eval", tmp_path)
    protocol = make_protocol(drawn, dataset, None)
    assert protocol.sigma_hm == lift * drawn.config.loss.sigma_hm
