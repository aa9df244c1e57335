"""Every experiment's network at its published size, as shapes alone."""

import importlib
import json
import pathlib

import jax
import jax.numpy as jnp
import pytest

from launch.config_file import config_files
from launch.experiment import (
  Plan,
  make_experiment,
  make_run_optimizer,
  make_step,
)
from pose_jax.train.state import init_state, init_variables

FOLDER = pathlib.Path(__file__).parents[2] / "configs"


def load(name, variant=""):
  module = importlib.import_module(f"configs.{name.replace('/', '.')}")
  return module.get_config(variant)


def different_networks():
  """(file, variant) of one config for each network and size of crop."""
  found = {}
  for path in config_files(FOLDER):
    name = path.relative_to(FOLDER).with_suffix("").as_posix()
    with pytest.raises(ValueError, match="it has ") as caught:
      load(name, "?")
    listed = str(caught.value).split("it has ")[1].split(", ")
    for variant in ("", *listed):
      if variant != "debug":
        config = load(name, variant)
        network = json.dumps([config.model.to_dict(), config.data.crop_hw])
        found.setdefault(network, (name, variant))
  return list(found.values())


@pytest.mark.parametrize("name, variant", different_networks())
def test_networks_build_at_full_size(name, variant):
  config = load(name, variant)
  experiment = make_experiment(config)
  images = jnp.zeros((1, *experiment.frames.crop_hw, 3))
  output, _ = jax.eval_shape(
    lambda: experiment.model.init_with_output(jax.random.key(0), images)
  )
  num = experiment.skeleton.num_keypoints
  size = (1, *experiment.frames.map_hw)
  assert output.heatmaps.shape == (*size, num)
  assert [s.shape for s in output.stages] == [(*size, num)] * config.model.get(
    "num_stacks", 1
  )
  grounds = len(output.stages) if config.model.get("with_background") else 0
  assert [b.shape for b in output.backgrounds] == [(*size, 1)] * grounds
  # The maps that the config asks for are there, and no others.
  wanted = config.model.attention
  for place in ("holistic", "refined", "part"):
    maps = [k for k in output.attention if k.split("/")[-1] == place]
    assert bool(maps) == (wanted[place] != "none"), place


@pytest.mark.parametrize(
  "name, variant",
  [("paper000/crf", ""), ("paper001/hierarchical", "release")],
)
def test_a_training_step_at_full_size_keeps_the_states_shapes(name, variant):
  experiment = make_experiment(load(name, variant))
  (height, width), rows = experiment.frames.crop_hw, 2
  num = experiment.skeleton.num_keypoints
  optimizer, _ = make_run_optimizer(experiment.config, Plan(400_000, 100, rows))
  state = jax.eval_shape(
    lambda: init_state(
      init_variables(experiment.model, (height, width), 0), optimizer
    )
  )
  batch = {
    "image": jax.ShapeDtypeStruct((rows, height, width, 3), jnp.uint8),
    "kpts_xy_crop": jax.ShapeDtypeStruct((rows, num, 2), jnp.float32),
    "vis": jax.ShapeDtypeStruct((rows, num), jnp.int8),
    "sample_seed": jax.ShapeDtypeStruct((rows,), jnp.uint32),
  }
  after, told = jax.eval_shape(make_step(experiment, optimizer), state, batch)
  before_tree, after_tree = (jax.tree.structure(s) for s in (state, after))
  assert before_tree == after_tree
  for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
  assert set(told) == {"loss", "peak", "grad_norm", "heatmap_accuracy"}
