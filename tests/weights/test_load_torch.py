"""torch names, layouts and shapes; what a user may get wrong."""

import gzip
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.models import make_model
from pose_jax.models.resnet import STAGES
from pose_jax.skeleton import COCO17, MPII16
from pose_jax.weights import load_torch
from pose_jax.weights.names import KINDS, pose_resnet_rows

TINY = {
  "name": "pose_resnet",
  "depth": 18,
  "width": 4,
  "deconv_filters": (8, 6, 5),
}


def _state_dict(config, num_keypoints=17):
  """Random tensors with torch's names and shapes, from the config alone."""
  depth, width = config["depth"], config.get("width", 64)
  filters = config.get("deconv_filters", (256, 256, 256))
  tensors = {}
  rng = np.random.default_rng(0)

  def add(name, *shape):
    tensors[name] = rng.standard_normal(shape).astype(np.float32)

  def add_norm(name, size):
    for part in ("weight", "bias", "running_mean", "running_var"):
      add(f"{name}.{part}", size)
    tensors[f"{name}.running_var"] **= 2
    tensors[f"{name}.num_batches_tracked"] = np.zeros((), np.int64)

  add("conv1.weight", width, 3, 7, 7)
  add_norm("bn1", width)
  expansion = 1 if depth < 50 else 4
  num_in = width
  for stage, size in enumerate(STAGES[depth][1]):
    features = width * 2**stage
    for index in range(size):
      prefix = f"layer{stage + 1}.{index}"
      inputs = [num_in, features, features]
      outputs = [features, features, features * expansion]
      sizes = [1, 3, 1] if expansion == 4 else [3, 3]
      for n, side in enumerate(sizes):
        add(f"{prefix}.conv{n + 1}.weight", outputs[n], inputs[n], side, side)
        add_norm(f"{prefix}.bn{n + 1}", outputs[n])
      if index == 0 and num_in != features * expansion:
        add(f"{prefix}.downsample.0.weight", features * expansion, num_in, 1, 1)
        add_norm(f"{prefix}.downsample.1", features * expansion)
      num_in = features * expansion
  for index, features in enumerate(filters):
    add(f"deconv_layers.{3 * index}.weight", num_in, features, 4, 4)
    add_norm(f"deconv_layers.{3 * index + 1}", features)
    num_in = features
  add("final_layer.weight", num_keypoints, num_in, 1, 1)
  add("final_layer.bias", num_keypoints)
  return tensors


def _shapes(tree):
  return jax.tree.map(lambda leaf: leaf.shape, tree)


@pytest.mark.parametrize("depth", STAGES)
def test_every_depth_loads_into_the_model(depth):
  config = {**TINY, "depth": depth}
  variables = load_torch(_state_dict(config), config)
  model = make_model(config, COCO17)
  images = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
  expected = jax.eval_shape(model.init, jax.random.key(0), images)
  assert _shapes(variables) == _shapes(expected)
  assert all(
    isinstance(leaf, np.ndarray) and leaf.dtype == np.float32
    for leaf in jax.tree.leaves(variables)
  )


def test_every_tensor_is_used_exactly_once():
  tensors = _state_dict(TINY)
  used = jax.tree.leaves(load_torch(tensors, TINY))
  wanted = [v for k, v in tensors.items() if not k.endswith("tracked")]
  assert len(used) == len(wanted)
  # Random values are as good as names: the sets of all numbers are equal.
  np.testing.assert_array_equal(
    np.sort(np.concatenate([leaf.ravel() for leaf in used])),
    np.sort(np.concatenate([leaf.ravel() for leaf in wanted])),
  )


def test_layouts_are_transposed_and_not_flipped():
  tensors = _state_dict(TINY)
  params = load_torch(tensors, TINY)["params"]
  conv = params["backbone"]["stem_conv"]["kernel"]
  assert conv[2, 5, 1, 3] == tensors["conv1.weight"][3, 1, 2, 5]
  deconv = params["deconv1"]["kernel"]
  assert deconv[0, 3, 7, 2] == tensors["deconv_layers.3.weight"][7, 2, 0, 3]
  stats = load_torch(tensors, TINY)["batch_stats"]
  np.testing.assert_array_equal(
    stats["backbone"]["stage2_block0"]["shortcut_norm"]["var"],
    tensors["layer2.0.downsample.1.running_var"],
  )


@pytest.mark.parametrize("name", ["pose_resnet50"])
def test_table_has_the_reference_names_and_shapes(goldens, name):
  with gzip.open(goldens / "net_state_dicts.json.gz") as file:
    rows = json.load(file)[name]
  config = {"name": "pose_resnet", "depth": 50}
  ours = {key: value.shape for key, value in _state_dict(config).items()}
  assert ours == {key: tuple(shape) for key, shape, _ in rows}
  from_table = {
    f"{row.torch}.{suffix}"
    for row in pose_resnet_rows(depth=50)
    for suffix in KINDS[row.kind]
  }
  assert from_table == {key for key in ours if not key.endswith("tracked")}


def test_npz_files_and_data_parallel_names_load_alike(tmp_path):
  tensors = _state_dict(TINY)
  path = tmp_path / "weights.npz"
  np.savez(path, **{f"module.{key}": value for key, value in tensors.items()})
  jax.tree.map(
    np.testing.assert_array_equal,
    load_torch(path, TINY),
    load_torch(tensors, TINY),
  )
  with pytest.raises(ValueError, match=r"cannot read .*weights\.pth: No such"):
    load_torch(tmp_path / "weights.pth", TINY)


def test_number_of_keypoints_is_that_of_the_file():
  variables = load_torch(_state_dict(TINY, num_keypoints=16), TINY)
  images = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
  model = make_model(TINY, MPII16)
  output = jax.eval_shape(model.apply, variables, images)
  assert output.heatmaps.shape[-1] == 16


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"bn1.bias": None}, "missing bn1.bias "),
    ({"final_layer.weight": None}, "missing final_layer.weight "),
    ({"fc.weight": np.zeros((2, 2))}, "unexpected fc.weight "),
    (
      {"conv1.weight": np.zeros((4, 3, 7, 5))},
      r"conv1.weight must have shape \(4, 3, 7, 7\) .* got \(4, 3, 7, 5\)",
    ),
    (
      {"deconv_layers.0.weight": np.zeros((8, 32, 4, 4))},
      r"deconv_layers.0.weight must have shape \(32, 8, 4, 4\)",
    ),
  ],
)
def test_tensors_that_do_not_fit_are_named(change, message):
  tensors = {**_state_dict(TINY), **change}
  tensors = {k: v for k, v in tensors.items() if v is not None}
  with pytest.raises(ValueError, match=message) as error:
    load_torch(tensors, TINY)
  assert "\n" not in str(error.value)


def test_wrong_depth_names_a_few_tensors_and_counts_the_rest():
  config = {**TINY, "depth": 34}
  with pytest.raises(ValueError, match=r"missing layer1\.2.* and \d+ more"):
    load_torch(_state_dict(TINY), config)


@pytest.mark.parametrize(
  ("change", "named"),
  [
    ({"attention": {"part": "crf"}}, "model.attention.part is 'none'"),
    (
      {"deconv_strides": (1, 2, 2), "deconv_kernels": (3, 4, 4)},
      "model.deconv_strides is (2, 2, 2), got (1, 2, 2)",
    ),
  ],
)
def test_forms_that_were_never_published_are_refused(change, named):
  with pytest.raises(ValueError, match="^[^\n]*set it so$") as error:
    load_torch(_state_dict(TINY), {**TINY, **change})
  assert named in str(error.value)
