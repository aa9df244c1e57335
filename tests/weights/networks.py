"""Networks for the tests of this folder: tiny ones, and the goldens'."""

import gzip
import importlib.util
import json

import jax
import numpy as np

from pose_jax.models import build

TINY = {
  "pose_resnet": {"depth": 18, "width": 4, "deconv_filters": (8, 6, 5)},
  "hourglass": {"num_stacks": 2, "num_features": 8, "depth": 2},
  "hrnet": {
    "width": 4,
    "stem_width": 8,
    "num_modules": (1, 2, 1),
    "num_blocks": 1,
  },
}


def golden_state(folder, name):
  """Tensors as the goldens' own rule makes them, float32 like a file's."""
  path = folder / "weights.py"
  spec = importlib.util.spec_from_file_location("golden_weights", path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  with gzip.open(folder / "net_state_dicts.json.gz") as file:
    rows = json.load(file)[name]
  weights = module.state_dict(7, [row[:2] for row in rows])
  return {
    key: value.astype(np.float32 if value.dtype == np.float64 else np.int64)
    for key, value in weights.items()
  }


def random_variables(model, num_keypoints=5, seed=0):
  """Normal numbers; variances are not negative."""
  network = build(model, num_keypoints)
  side = network.crop_step
  images = jax.ShapeDtypeStruct((1, side, side, 3), "float32")
  shapes = jax.eval_shape(network.init, jax.random.key(0), images)
  rng = np.random.default_rng(seed)

  def drawn(path, shape):
    numbers = rng.standard_normal(shape.shape).astype(np.float32)
    return abs(numbers) if path[-1].key == "var" else numbers

  return jax.tree_util.tree_map_with_path(drawn, shapes)
