"""HRNet's torch names: every tensor of the reference, and only those."""

import gzip
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.models import make_model
from pose_jax.skeleton import COCO17
from pose_jax.weights import load_torch
from pose_jax.weights.hrnet_names import (
  HRNET_CLASSIFIER,
  hrnet_backbone_rows,
  hrnet_rows,
  hrnet_surplus_rows,
)
from pose_jax.weights.names import KINDS


def _names(rows):
  return [f"{row.torch}.{part}" for row in rows for part in KINDS[row.kind]]


@pytest.fixture(scope="module")
def reference(goldens):
  """Names and shapes of the reference's W32, without step counts."""
  with gzip.open(goldens / "net_state_dicts.json.gz") as file:
    rows = json.load(file)["hrnet_w32"]
  return {
    name: tuple(shape)
    for name, shape, _ in rows
    if not name.endswith("num_batches_tracked")
  }


def test_every_tensor_of_the_reference_has_its_place(reference):
  ours = _names(hrnet_rows())
  assert len(ours) == len(set(ours))
  assert set(ours) == set(reference)
  paths = [row.ours for row in hrnet_rows()]
  assert len(paths) == len(set(paths))


def test_shapes_of_the_reference_load_into_the_model(reference):
  rng = np.random.default_rng(0)
  tensors = {
    name: rng.random(shape, np.float32) for name, shape in reference.items()
  }
  variables = load_torch(tensors, {"name": "hrnet"})
  model = make_model({"name": "hrnet"}, COCO17)
  images = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
  expected = jax.eval_shape(model.init, jax.random.key(0), images)
  shapes = jax.tree.map(lambda leaf: leaf.shape, variables)
  assert shapes == jax.tree.map(lambda leaf: leaf.shape, expected)
  # Names of equal shapes may be confused: one tensor of each kind by value.
  backbone = variables["params"]["backbone"]
  for torch, ours in (
    ("conv2", backbone["stem_conv2"]),
    ("layer1.0.downsample.0", backbone["stage1_block0"]["shortcut_conv"]),
    ("transition1.1.0.0", backbone["transition1_branch1"]["conv"]),
    ("transition1.0.0", backbone["transition1_branch0"]["conv"]),
    ("transition3.3.0.0", backbone["transition3_branch3"]["conv"]),
    (
      "stage3.2.branches.1.3.conv2",
      backbone["stage3_module2"]["branch1_block3"]["conv2"],
    ),
    (
      "stage4.1.fuse_layers.0.3.0",
      backbone["stage4_module1"]["fuse0_from3"]["conv"],
    ),
    (
      "stage4.1.fuse_layers.3.0.1.0",
      backbone["stage4_module1"]["fuse3_from0_step1"]["conv"],
    ),
  ):
    theirs = tensors[f"{torch}.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(ours["kernel"], theirs)


def test_a_classification_network_has_the_backbone_and_known_parts_beside():
  backbone = set(_names(hrnet_backbone_rows()))
  surplus = set(_names(hrnet_surplus_rows()))
  assert not backbone & surplus
  assert all(name.startswith("stage4.2.fuse_layers.") for name in surplus)
  assert {name.split(".")[3] for name in surplus} == {"1", "2", "3"}
  # With them the last module of stage 4 fuses as the one before it.
  last, before = (
    {
      name.removeprefix(f"stage4.{module}.")
      for name in backbone | surplus
      if name.startswith(f"stage4.{module}.")
    }
    for module in (2, 1)
  )
  assert last == before
  assert not [n for n in backbone if n.split(".")[0] in HRNET_CLASSIFIER]


def test_rows_follow_the_options_of_the_network():
  config = {
    "name": "hrnet",
    "width": 4,
    "stem_width": 6,
    "num_modules": (2, 1, 2),
    "num_blocks": 3,
  }
  images = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
  model = make_model(config, COCO17)
  expected = jax.eval_shape(model.init, jax.random.key(0), images)
  paths = {
    (tensor.collection, *row.ours, tensor.name)
    for row in hrnet_rows(num_modules=(2, 1, 2), num_blocks=3)
    for tensor in KINDS[row.kind].values()
  }
  leaves = jax.tree_util.tree_leaves_with_path(expected)
  assert paths == {tuple(key.key for key in path) for path, _ in leaves}


def test_the_skeletal_module_has_no_torch_names():
  with pytest.raises(ValueError, match="model.skeletal is False, got True"):
    hrnet_rows(skeletal=True)
