"""Trainings that start from weights: files, runs, and what is wrong there."""

import hashlib

import jax
import numpy as np
import pytest
from commands import TINY, run, sentence

from configs import quickstart
from launch.check import check_config
from launch.experiment import make_experiment
from launch.imported import import_weights
from launch.initial_weights import (
  check_initial_weights,
  describe_start,
  read_initial_weights,
)
from launch.mistakes import ConfigError
from launch.same_run import check_same_run
from pose_jax.train.checkpoint import CheckpointError
from pose_jax.train.state import abstract_variables
from pose_jax.weights import WeightsError, export
from pose_jax.weights.assemble import flatten


def config_of(weights="", part="backbone", **model):
  config = quickstart.get_config("debug")
  with config.unlocked():
    config.data.crop_hw = (64, 64)
    config.init.update(weights=str(weights), part=part)
    config.model.update(model)
  return config


def random_variables(config, seed):
  """As `init_variables` has them, but for their values, none negative."""
  experiment, rng = make_experiment(config), np.random.default_rng(seed)
  return jax.tree.map(
    lambda s: abs(rng.standard_normal(s.shape)).astype(s.dtype),
    abstract_variables(experiment.model, (64, 64)),
  )


@pytest.fixture
def pose(tmp_path):
  """A pose network's file, and its variables."""
  variables = random_variables(config_of(), seed=1)
  path = tmp_path / "pose.npz"
  np.savez(path, **export(variables, config_of().model))
  return path, variables


def begin(config, workdir):
  """What a training starts with, flat, its record and what is said."""
  found = read_initial_weights(make_experiment(config), workdir)
  start = found.begin(config, random_variables(config, seed=2))
  return flatten(start.variables), found.record, start.describe()


def test_a_backbone_comes_from_a_file_with_its_hash(tmp_path, pose):
  path, variables = pose
  now, record, said = begin(config_of(path), tmp_path)
  fresh = flatten(random_variables(config_of(), seed=2))
  for place, value in flatten(variables).items():
    is_taken = place[1] == "backbone"
    np.testing.assert_array_equal(
      now[place], value if is_taken else fresh[place]
    )
  assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
  assert record["part"] == "backbone" and record["format"] == "npz"
  assert said.startswith(
    "100 arrays of 0.18 M parameters; left out of it: deco"
  )
  assert describe_start(record).startswith(
    f"started from backbone of {path} (npz, sha256 {record['sha256'][:12]}: "
    "pose_resnet (depth 18, "
  )


@pytest.mark.parametrize("place", ["", "checkpoints/0"])
def test_a_run_fills_the_base_of_a_network_with_a_plug_in(
  tmp_path, pose, place
):
  path, variables = pose
  source = tmp_path / "run"
  import_weights(path, config_of(), source)
  plug_in = {"aggregation": "mean"}
  config = config_of(source / place, "all", poserenet=plug_in)
  now, record, said = begin(config, tmp_path)
  for (collection, *rest), value in flatten(variables).items():
    np.testing.assert_array_equal(now[collection, "base", *rest], value)
  assert record["format"] == "quickstart_debug, step 0"
  assert len(record["sha256"]) == 64
  assert "left out of it: nothing; random here: poserenet (" in said


def test_weights_of_other_keypoints_give_their_body_alone(tmp_path, pose):
  path, _ = pose
  others = {"data.skeleton": "mpii16"}
  config = config_of(path, "all")
  with config.unlocked():
    config.update_from_flattened_dict(others)
  with pytest.raises(WeightsError, match="17 keypoints, which .* 16 keypoints"):
    read_initial_weights(make_experiment(config), tmp_path)
  with config.unlocked():
    config.init.part = "body"
  assert begin(config, tmp_path)[2].endswith(
    "left out of it: head (2); random here: head (2), 0.00 M parameters"
  )


def test_what_is_not_there_is_told_before_anything_is_opened(tmp_path):
  gone = tmp_path / "gone.pth"
  check_initial_weights(config_of(), tmp_path / "w")
  with pytest.raises(ConfigError, match="no file or folder '.*gone.pth'; want"):
    check_initial_weights(config_of(gone), tmp_path / "w")
  with pytest.raises(ConfigError, match="holds no config.json: wanted that of"):
    check_initial_weights(config_of(tmp_path), tmp_path / "w")
  with pytest.raises(ConfigError, match="init.part is 'head'"):
    check_config(config_of(gone, "head"))
  check_config(config_of(gone, "body"))  # evaluation does not need it


def test_only_a_finished_checkpoint_makes_weights_superfluous(tmp_path):
  config = config_of(tmp_path / "gone.pth")
  saved = tmp_path / "w" / "checkpoints"
  (saved / "3.orbax-checkpoint-tmp-7").mkdir(parents=True)
  with pytest.raises(ConfigError, match="no file or folder"):
    check_initial_weights(config, tmp_path / "w")
  (saved / "3").mkdir()
  check_initial_weights(config, tmp_path / "w")
  experiment = make_experiment(config)
  assert read_initial_weights(experiment, tmp_path / "w") is None
  assert read_initial_weights(make_experiment(config_of()), tmp_path) is None


def test_a_damaged_checkpoint_is_told(tmp_path, pose):
  import_weights(pose[0], config_of(), tmp_path / "run")
  config = config_of(tmp_path / "run" / "checkpoints" / "7")
  (tmp_path / "run" / "checkpoints" / "7").mkdir()
  with pytest.raises(CheckpointError, match="checkpoint 7 .* cannot be read"):
    read_initial_weights(make_experiment(config), tmp_path)


def test_the_file_of_a_run_may_move_but_not_its_part():
  check_same_run(config_of("a.pth"), config_of("b.pth"), "W")
  with pytest.raises(ConfigError, match="W holds a run with init.part=backbon"):
    check_same_run(config_of("a.pth"), config_of("a.pth", "all"), "W")


@pytest.mark.slow
def test_a_training_starts_from_a_file_and_goes_on_without(
  tmp_path, pose, environment
):
  path, _ = pose
  workdir = tmp_path / "w"
  command = (*TINY, f"--workdir={workdir}", f"--config.init.weights={path}")
  text = tmp_path / "text.pth"
  text.write_text("hello")
  wrong = (*TINY, f"--workdir={workdir}", f"--config.init.weights={text}")
  assert "is no file of weights" in sentence(
    "train", *wrong, environment=environment
  )
  assert not workdir.exists(), "a run was claimed before its start was read"
  short = "--config.checkpoint.every_steps=3"
  out = run("train", *command, short, environment=environment)
  assert "started from backbone of" in out and "random here: " in out
  assert "steps 0 to 9" in out
  path.unlink()
  out = run("train", *command, short, environment=environment)
  assert "started from backbone of" in out and "random here: " not in out
  assert "steps 9 to 9" in out
