"""torchvision's names of AlexNet and VGG; what can be a start, and what not."""

import jax
import numpy as np
import pytest

from pose_jax.models import build
from pose_jax.weights import export, load
from pose_jax.weights.classic_names import (
  alexnet_backbone_rows,
  alexnet_rows,
  vgg_backbone_rows,
  vgg_rows,
)
from pose_jax.weights.recognise import recognise
from pose_jax.weights.start import source_from_torch, start

HEAD = {"deconv_filters": (4, 3, 2)}
NETWORKS = {
  "alexnet": {"name": "alexnet", "width": 2, **HEAD},
  "vgg16": {"name": "vgg", "width": 2, "use_batch_norm": False, **HEAD},
  "vgg16_bn": {"name": "vgg", "width": 2, **HEAD},
  "vgg19_bn": {"name": "vgg", "depth": 19, "width": 2, **HEAD},
}


def _features(network):
  """Random tensors of torchvision's `features`, entry by entry."""
  tensors, rng = {}, np.random.default_rng(0)

  def add(name, *shape):
    tensors[name] = abs(rng.standard_normal(shape)).astype(np.float32)

  def conv(n, num_out, num_in, side=3):
    add(f"features.{n}.weight", num_out, num_in, side, side)
    add(f"features.{n}.bias", num_out)

  width = network["width"]
  if network["name"] == "alexnet":
    # conv ReLU pool, conv ReLU pool, three times conv ReLU, pool
    conv(0, width, 3, 11)
    conv(3, 3 * width, width, 5)
    conv(6, 6 * width, 3 * width)
    conv(8, 4 * width, 6 * width)
    conv(10, 4 * width, 4 * width)
    return tensors
  long = 4 if network.get("depth") == 19 else 3
  layers = []
  for factor, num in ((1, 2), (2, 2), (4, long), (8, long), (8, long)):
    for _ in range(num):
      layers += [("conv", factor * width)]
      if network.get("use_batch_norm", True):
        layers += [("norm", factor * width)]
      layers += [("relu", 0)]
    layers += [("pool", 0)]
  num_in = 3
  for n, (kind, size) in enumerate(layers):
    if kind == "conv":
      conv(n, size, num_in)
      num_in = size
    if kind == "norm":
      for part in ("weight", "bias", "running_mean", "running_var"):
        add(f"features.{n}.{part}", size)
      tensors[f"features.{n}.num_batches_tracked"] = np.zeros((), np.int64)
  return tensors


def _classifier(network):
  """Its dense layers beside them."""
  rows = {"classifier.1.weight": np.zeros((3, 5), np.float32)}
  return _features(network) | rows


def _fresh(network, num_keypoints=5):
  model = build(network, num_keypoints)
  images = jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32)
  shapes = jax.eval_shape(model.init, jax.random.key(0), images)
  return jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_classifier_fills_the_backbone(name):
  network = NETWORKS[name]
  tensors = _classifier(network)
  begun = start(
    _fresh(network),
    source_from_torch(tensors, "FILE"),
    network,
    part="backbone",
  )
  assert begun.left_out == ("classifier.1.weight",)
  assert all(path[1] != "backbone" for path in begun.random)
  values = np.concatenate(
    [
      leaf.ravel()
      for tree in begun.variables.values()
      for leaf in jax.tree.leaves(tree.get("backbone", {}))
    ]
  )
  wanted = np.concatenate(
    [v.ravel() for k, v in _features(network).items() if "tracked" not in k]
  )
  np.testing.assert_array_equal(np.sort(values), np.sort(wanted))
  first = begun.variables["params"]["backbone"]
  layer = first["conv1" if name == "alexnet" else "block1_conv1"]
  np.testing.assert_array_equal(
    layer["kernel"], tensors["features.0.weight"].transpose(2, 3, 1, 0)
  )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_pose_network_is_recognised_and_comes_back_bit_for_bit(name):
  network = NETWORKS[name]
  rng = np.random.default_rng(0)
  variables = jax.tree.map(
    lambda leaf: abs(rng.standard_normal(leaf.shape)).astype(np.float32),
    _fresh(network),
  )
  tensors = export(variables, network)
  assert set(_features(network)) < set(tensors)
  known = recognise(tensors)
  assert known.fits and known.num_keypoints == 5
  assert {key: known.model[key] for key in network} == network
  jax.tree.map(
    np.testing.assert_array_equal, load(tensors, known.model), variables
  )


def test_mmposes_alexnet_gives_its_trunk_and_not_its_head():
  """Its maps lie elsewhere: see the trunk's module."""
  network = NETWORKS["alexnet"]
  tensors = export(_fresh(network), network)
  theirs = {
    f"backbone.{k}"
    if k.startswith("features")
    else k.replace("whole_map_head.", "keypoint_head."): v
    for k, v in tensors.items()
  }
  known = recognise(theirs)
  assert known.fits and known.num_keypoints is None
  assert {name.split(".")[0] for name in known.left_out} == {
    "deconv_layers",
    "final_layer",
  }
  with pytest.raises(ValueError, match="missing whole_map_head"):
    load(theirs, network)


def test_torchvisions_numbering():
  assert [row.torch for row in alexnet_backbone_rows()] == [
    f"features.{n}" for n in (0, 3, 6, 8, 10)
  ]
  plain = vgg_backbone_rows(depth=16, use_batch_norm=False)
  assert plain[-1].torch == "features.28" and len(plain) == 13
  plain = vgg_backbone_rows(depth=19, use_batch_norm=False)
  assert plain[-1].torch == "features.34" and len(plain) == 16
  normed = vgg_backbone_rows(depth=19, use_batch_norm=True)
  assert [row.torch for row in normed[-2:]] == ["features.49", "features.50"]
  assert normed[-1].ours == ("backbone", "block5_norm4")


@pytest.mark.parametrize("rows", [alexnet_rows, vgg_rows])
def test_heads_that_have_no_names_are_told(rows):
  with pytest.raises(ValueError, match="SimpleBaseline's head.*deconv_strides"):
    rows(deconv_filters=(8, 8), deconv_strides=(1, 2))
  with pytest.raises(ValueError, match="attention.part is 'none', got 'crf'"):
    rows(attention={"part": "crf"})
