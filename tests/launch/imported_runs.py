"""Configs and runs for the tests of imported weights."""

import importlib.util

import jax
import numpy as np
from commands import ROOT

from configs import coco_resnet50_256x192, mpii_hourglass2_256x256, quickstart
from launch.experiment import make_experiment
from launch.run_config import read_config
from pose_jax.train.checkpoint import Checkpoints
from pose_jax.train.state import abstract_variables
from pose_jax.weights import export

FILES = ROOT / "tests" / "weights" / "files"


def load_module(path):
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def unlocked(config, **model):
  with config.unlocked():
    config.model.update(model)
  return config


def hourglass_config(**model):
  tiny = {"num_stacks": 1, "num_features": 8, "depth": 1}
  return unlocked(mpii_hourglass2_256x256.get_config(), **tiny | model)


def resnet_config(**model):
  return unlocked(coco_resnet50_256x192.get_config(), **model)


def restored(workdir):
  """(experiment, variables, meta) of a run's newest checkpoint."""
  config = read_config(workdir)
  experiment = make_experiment(config)
  checkpoints = Checkpoints(
    workdir / "checkpoints", best_metric="AP", read_only=True
  )
  like = abstract_variables(experiment.model, tuple(config.data.crop_hw))
  variables, meta = checkpoints.restore(checkpoints.resolve("latest"), like)
  checkpoints.close()
  return experiment, variables, meta


def zeros(model, num_keypoints):
  config = quickstart.get_config()
  with config.unlocked():
    config.model.update(depth=50, width=64, deconv_filters=(256,) * 3)
    config.model.update({k: v for k, v in model.items() if k != "name"})
  like = abstract_variables(
    make_experiment(config).model.clone(num_keypoints=num_keypoints), (64, 64)
  )
  arrays = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), like)
  return export(arrays, config.model)
