"""Every experiment's network at a published size, as shapes alone."""

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
from launch.worth_a_word import training_notes
from pose_jax.models import regresses, says_presence
from pose_jax.train.state import init_state, init_variables

FOLDER = pathlib.Path(__file__).parents[2] / "configs"


def load(name, variant=""):
  module = importlib.import_module(f"configs.{name.replace('/', '.')}")
  return module.get_config(variant)


def all_configs():
  """(file, variant, config) of every file and each of its variants."""
  for path in config_files(FOLDER):
    name = path.relative_to(FOLDER).with_suffix("").as_posix()
    with pytest.raises(ValueError, match="it has ") as caught:
      load(name, "?")
    listed = str(caught.value).split("it has ")[1].split(", ")
    for variant in ("", *listed):
      if variant != "debug":
        yield name, variant, load(name, variant)


def test_no_experiment_of_ours_starts_with_a_note():
  """What has no effect is told at the start: here it would be our mistake."""
  told = {
    (name, variant): notes
    for name, variant, config in all_configs()
    if (notes := list(training_notes(make_experiment(config))))
  }
  assert not told


def different_networks():
  """(file, variant) of one config for each network, that of most pixels."""
  found = {}
  for name, variant, config in all_configs():
    network = json.dumps(config.model.to_dict())
    height, width = config.data.crop_hw
    if height * width > found.get(network, (0, None))[0]:
      found[network] = height * width, (name, variant)
  return [one for _, one in found.values()]


@pytest.mark.parametrize("name, variant", different_networks())
def test_networks_build_at_full_size(name, variant):
  config = load(name, variant)
  experiment = make_experiment(config)
  images = jax.ShapeDtypeStruct((1, *experiment.frames.crop_hw, 3), "float32")
  output = jax.eval_shape(
    lambda x: experiment.model.init_with_output(jax.random.key(0), x)[0], images
  )
  num = experiment.skeleton.num_keypoints
  if regresses(experiment.model):
    check_regression(output, config, num)
    return
  height, width = experiment.frames.map_hw
  assert output.heatmaps.shape == (1, height, width, num)
  stacks = config.model.get("num_stacks", config.model.get("num_stages", 1))
  is_refined = config.model.poserenet.aggregation != "none"
  maps = [(1, height, width, num)] * (stacks + is_refined)
  assert [stage.shape for stage in output.stages] == maps
  has_ground = config.model.get("with_background") or (
    config.model.get("form") == "paper"
  )
  grounds = stacks if has_ground else 0
  assert [b.shape[1:] for b in output.backgrounds] == (
    [(height, width, 1)] * grounds
  )
  # The maps that the config asks for are there, and no others.
  lifted = (1, 2 * height, 2 * width, num) if is_refined else None
  assert (output.lifted.shape if is_refined else output.lifted) == lifted
  links = len(experiment.skeleton.links)
  if config.model.get("skeletal"):
    assert output.links.shape == (1, height, width, links) and links
  else:
    assert output.links is None
  wanted = config.model.attention
  for place in ("holistic", "refined", "part"):
    found = [k for k in output.attention if k.split("/")[-1] == place]
    assert bool(found) == (wanted[place] != "none"), place


def check_regression(output, config, num):
  """No heatmaps; presence and deviations are there where they are asked for."""
  assert output.heatmaps is None and output.stages == ()
  stages = config.model.get("num_stages", 1)
  shapes = [stage.shape for stage in output.coordinate_stages]
  assert shapes == [(1, num, 2)] * stages
  assert output.coordinates.shape == (1, num, 2)
  says = config.model.get("presence_layers") is not None
  assert (output.presence_logits is not None) == says
  sigmas = config.model.get("with_sigmas", False)
  assert (output.coordinate_sigmas is not None) == sigmas
  assert ("soft_argmax" in output.attention) == (
    config.model.get("soft_argmax", False)
  )


def check_step(experiment):
  """Traces a step: the state keeps its shapes, and what is told is known."""
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
  assert set(told) == {"loss", "grad_norm"} | told_of(experiment)


def told_of(experiment):
  """What a step tells of what the network has."""
  model, known = experiment.config.model, set()
  if says_presence(experiment.model):
    known |= {"loss_presence", "presence_accuracy"}
  if regresses(experiment.model):
    return known | {"loss_coordinates", "located"}
  known |= {"loss_links"} if model.get("skeletal") else set()
  if model.poserenet.aggregation != "none":
    known |= {"loss_lifted"}
  return known | {"peak", "heatmap_accuracy"}


@pytest.mark.parametrize(
  "name, variant",
  [
    ("paper000/crf", ""),
    ("paper001/hierarchical", "release"),
    ("paper002/hrnet_w32_128x96", ""),
    ("paper003/hrnet_w48_384x288", ""),
    ("paper004/vgg", ""),
    ("coco_deeppose_resnet50_256x192", "rle"),
  ],
)
def test_a_training_step_at_full_size_keeps_the_states_shapes(name, variant):
  check_step(make_experiment(load(name, variant)))
