"""Fresh variables that start from weights of others, or of our own runs."""

import jax
import numpy as np
import pytest
from networks import TINY, random_variables

from pose_jax.models import build
from pose_jax.weights import WeightsError, export
from pose_jax.weights.assemble import flatten
from pose_jax.weights.outline import PARTS
from pose_jax.weights.start import (
  source_from_torch,
  source_from_variables,
  start,
)

HEADS = ("deconv_layers.", "final_layer.")
WRAPPED = {"poserenet": {"aggregation": "learned"}}
ATTENDED = {"attention": {"holistic": "crf"}}


def model_of(name, **changes):
  return {"name": name, **TINY[name], **changes}


def torch_of(name, num_keypoints=5, seed=1, **changes):
  model = model_of(name, **changes)
  return export(random_variables(model, num_keypoints, seed), model)


def classifier_of(name):
  tensors = torch_of(name)
  tensors = {k: v for k, v in tensors.items() if not k.startswith(HEADS)}
  return tensors | {"fc.weight": np.zeros((9, 2)), "fc.bias": np.zeros(9)}


def fill(model, source, part, num_keypoints=5):
  """(fresh, what came of it), flat, and the record."""
  fresh = random_variables(model, num_keypoints, seed=0)
  found = start(fresh, source, model, part=part)
  assert jax.tree.structure(found.variables) == jax.tree.structure(fresh)
  used, random = set(found.used), set(found.random)
  before, now = flatten(fresh), flatten(found.variables)
  assert used | random == set(now) and not used & random
  for path in random:
    np.testing.assert_array_equal(now[path], before[path])
  for path in used:
    assert not np.array_equal(now[path], before[path]), path
  return now, found


@pytest.mark.parametrize("name", ["pose_resnet", "hrnet"])
def test_a_classifier_gives_its_backbone(name):
  tensors = classifier_of(name)
  source = source_from_torch(tensors, "FILE")
  now, found = fill(model_of(name), source, "backbone")
  assert {path[1] for path in found.used} == {"backbone"}
  assert all(path[1] != "backbone" for path in found.random)
  np.testing.assert_array_equal(
    now["params", "backbone", "stem_conv" + "1" * (name == "hrnet"), "kernel"],
    tensors["conv1.weight"].transpose(2, 3, 1, 0),
  )
  said = found.describe()
  assert "left out of it: fc (2); random here: " in said
  assert "head (2)" in said


def test_a_pose_checkpoint_gives_its_backbone_to_other_keypoints():
  source = source_from_torch(torch_of("pose_resnet", 16), "FILE")
  _, found = fill(model_of("pose_resnet"), source, "backbone")
  assert {path[1] for path in found.used} == {"backbone"}
  assert {n.split(".")[0] for n in found.left_out} == {
    *("deconv0", "deconv1", "deconv2", "head"),
    *("deconv0_norm", "deconv1_norm", "deconv2_norm"),
  }


@pytest.mark.parametrize("name", TINY)
def test_body_is_all_but_what_counts_keypoints(name):
  source = source_from_torch(torch_of(name, 16), "FILE")
  _, found = fill(model_of(name), source, "body")
  assert {path[-2] for path in found.random} == (
    {"head", "heatmaps_back"} if name == "hourglass" else {"head"}
  )


@pytest.mark.parametrize("name", TINY)
def test_all_is_all_and_other_keypoints_are_refused(name):
  source = source_from_torch(torch_of(name), "FILE")
  _, found = fill(model_of(name), source, "all")
  assert not found.random
  assert found.describe().endswith(
    "left out of it: nothing; random here: nothing"
  )
  fitting = "body" if name == "hourglass" else "backbone or body"
  with pytest.raises(
    WeightsError,
    match=r"FILE holds .* 5 keypoints, which .* 6 keypoints: .*he.*, or "
    f"init.part to {fitting}$",
  ):
    start(
      random_variables(model_of(name), 6), source, model_of(name), part="all"
    )


@pytest.mark.parametrize(
  ("changes", "plug_ins"),
  [
    (WRAPPED, {"poserenet"}),
    (ATTENDED, {"holistic"}),
    (WRAPPED | ATTENDED, {"poserenet", "holistic"}),
    (WRAPPED | {"presence": True}, {"poserenet", "presence"}),
  ],
)
def test_a_plain_network_fills_the_base_of_one_with_plug_ins(changes, plug_ins):
  source = source_from_torch(torch_of("pose_resnet"), "FILE")
  now, found = fill(model_of("pose_resnet", **changes), source, "all")
  plain = fill(model_of("pose_resnet"), source, "all")[0]
  assert len(found.used) == len(plain)
  base = ("base",) * len(plug_ins & {"poserenet", "presence"})
  for (collection, *path), value in plain.items():
    np.testing.assert_array_equal(now[collection, *base, *path], value)
  assert all(plug_ins & set(path) for path in found.random)
  assert "base" not in found.describe()
  assert plug_ins <= {step for path in found.random for step in path}


def test_our_own_variables_fill_what_both_networks_have():
  both = model_of("pose_resnet", **WRAPPED, **ATTENDED)
  attended = model_of("pose_resnet", **ATTENDED)
  variables = random_variables(both, seed=3)
  source = source_from_variables(variables, both, "W")
  _, found = fill(attended, source, "all")
  assert not found.random
  assert {name.split(".")[0] for name in found.left_out} == {"poserenet"}
  now, found = fill(both, source, "all")
  assert not found.random and not found.left_out
  for path, value in flatten(variables).items():
    np.testing.assert_array_equal(now[path], value)
  _, found = fill(model_of("pose_resnet", **WRAPPED), source, "backbone")
  assert {path[1:3] for path in found.used} == {("base", "backbone")}


def test_a_presence_head_starts_from_another_one_of_ours():
  heads = {"presence": True, "soft_argmax": True}
  wrapped = model_of("pose_resnet", presence=True, **WRAPPED)
  variables = random_variables(wrapped, seed=3)
  source = source_from_variables(variables, wrapped, "W")
  _, found = fill(model_of("pose_resnet", **heads), source, "all")
  assert not found.random
  assert {name.split(".")[0] for name in found.left_out} == {"poserenet"}


def test_skeletal_networks_start_from_plain_ones_and_give_to_them():
  skeletal = model_of("hrnet", skeletal=True)
  halves = ("upper", "lower", "lower")
  network = build(skeletal, 5, halves)
  images = jax.ShapeDtypeStruct((1, 64, 64, 3), "float32")
  shapes = jax.eval_shape(network.init, jax.random.key(0), images)
  fresh = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes)
  source = source_from_torch(torch_of("hrnet"), "FILE")
  found = start(fresh, source, skeletal, part="all")
  assert {path[1] for path in found.random} == {"skeletal"}
  back = source_from_variables(found.variables, skeletal, "W")
  _, again = fill(model_of("hrnet"), back, "all")
  assert not again.random
  assert {name.split(".")[0] for name in again.left_out} == {"skeletal"}


@pytest.mark.parametrize("part", PARTS)  # a lesser one would not fit either
def test_another_network_is_refused_with_both_names(part):
  for tensors, why in (
    (torch_of("pose_resnet", depth=34), "their depth is 34, the config's 18"),
    (torch_of("hrnet"), "hrnet is not pose_resnet"),
  ):
    with pytest.raises(
      WeightsError,
      match=r"FILE holds .*, which cannot fill this config's "
      rf"pose_resnet \(depth 18.*\), 5 keypoints: {why}; .* to theirs$",
    ):
      source = source_from_torch(tensors, "FILE")
      fill(model_of("pose_resnet"), source, part)


def test_an_hourglass_has_no_backbone():
  source = source_from_torch(torch_of("hourglass"), "FILE")
  with pytest.raises(
    WeightsError, match="no backbone by itself: set init.part"
  ):
    fill(model_of("hourglass"), source, "backbone")


def test_files_of_no_known_network_are_told():
  with pytest.raises(WeightsError, match=r"FILE holds .* \(a.weight\): wanted"):
    source_from_torch({"a.weight": np.zeros(3)}, "FILE")
  tensors = torch_of("hrnet")
  del tensors["bn1.bias"]
  with pytest.raises(
    WeightsError,
    match=r"nearest is hrnet \(.*, 5 keypoints, .*missing bn1.bias",
  ):
    source_from_torch(tensors, "FILE")


def test_a_hash_stands_for_arrays_and_places():
  model = model_of("pose_resnet")
  variables = random_variables(model)
  one = source_from_variables(variables, model, "A").sha256()
  assert one == source_from_variables(variables, model, "B").sha256()
  variables["params"]["head"]["bias"] += 1
  assert one != source_from_variables(variables, model, "A").sha256()
