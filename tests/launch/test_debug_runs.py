"""Configs of every kind take two steps, or their step is at least traced."""

import importlib

import jax
import jax.numpy as jnp
import pytest
from commands import run
from debug_runs import (
  all_variants,
  kind,
  names,
  parts,
  shrunk,
  to_run,
  to_trace,
)

from configs import base
from launch.experiment import (
  Plan,
  make_experiment,
  make_run_optimizer,
  make_step,
)
from pose_jax.train.state import init_state, init_variables

# A variant at the size of :debug, which files have for themselves alone.
FILE = """
from configs import base
from configs.{module} import get_config as whole


def get_config(variant=""):
  config = whole("{variant}")
  with config.unlocked():
    base.shrink(config)
  return config
"""


def test_no_kind_of_config_is_left_out():
  kinds = {kind(shrunk(*one)) for one in all_variants()}
  found = [kind(shrunk(*one)) for one in (*to_run(), *to_trace())]
  assert len(found) == len(kinds) and set(found) == kinds
  every = [parts(shrunk(*one)) for one in all_variants()]
  ran = [parts(shrunk(*one)) for one in to_run()]
  assert set().union(*ran) == set().union(*every)
  assert len(ran) <= 12  # half a minute each


@pytest.mark.parametrize("name", names())
def test_what_is_run_is_what_a_file_calls_debug(name):
  module = importlib.import_module(f"configs.{name.replace('/', '.')}")
  assert module.get_config("debug").to_dict() == shrunk(name).to_dict()


def test_kinds_differ_in_any_value_that_is_no_size():
  config = base.get_config()
  before = kind(config)
  for path, value in (
    ("data.alignment", "udp"),
    ("data.channel_order", "bgr"),
    ("loss.unbiased", True),
    ("loss.link_weight", 0.0),
    ("loss.stage_weights", (1.0, 0.5)),
    ("model.poserenet.decode", "lifted"),
    ("model.attention.part", "crf"),
  ):
    changed = base.get_config()
    changed.update_from_flattened_dict({path: value})
    assert kind(changed) != before, path
  config.loss.sigma_hm = 3.0
  config.optimizer.learning_rate = 1.0
  assert kind(config) == before


@pytest.mark.slow
@pytest.mark.parametrize("name, variant", to_run())
def test_configs_that_have_all_parts_take_two_steps(
  tmp_path, name, variant, environment
):
  file = f"configs/{name}.py:debug"
  if variant:
    file = tmp_path / "variant.py"
    module = name.replace("/", ".")
    file.write_text(FILE.format(module=module, variant=variant))
  out = run(
    "train",
    f"--config={file}",
    f"--workdir={tmp_path / 'workdir'}",
    environment=environment,
  )
  has_two_phases = shrunk(name, variant).second_phase.schedule.num_steps > 0
  last = 4 if has_two_phases else 2
  assert f"step {last}/{last}" in out and "report: " in out


@pytest.mark.parametrize("name, variant", to_trace())
def test_a_step_of_the_other_kinds_can_be_traced(name, variant):
  experiment = make_experiment(shrunk(name, variant))
  (height, width), rows = experiment.frames.crop_hw, 2
  num = experiment.skeleton.num_keypoints
  optimizer, _ = make_run_optimizer(experiment.config, Plan(2, 1, rows))
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
  assert jax.tree.structure(after) == jax.tree.structure(state)
  assert told["loss"].shape == ()
