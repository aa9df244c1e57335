"""Regressors start from trunks of others, and from runs of their own."""

import numpy as np
import pytest
from networks import TINY, random_variables
from test_start import fill

from pose_jax.weights import WeightsError, export, load
from pose_jax.weights.assemble import flatten
from pose_jax.weights.start import source_from_torch, source_from_variables

RESNET = {"name": "pose_resnet", **TINY["pose_resnet"]}
HEAD = {"deconv_filters": (4, 3, 2)}
TRUNKS = [  # a network with heatmaps, and what of a regressor is like it
  (RESNET, {"backbone": "resnet", "depth": 18, "width": 4}),
  (
    {"name": "vgg", "width": 2, **HEAD},
    {"backbone": "vgg", "depth": 16, "use_batch_norm": True},
  ),
  (
    {"name": "alexnet", "width": 2, **HEAD},
    {"backbone": "alexnet", "pooling": "flatten"},
  ),
  ({"name": "alexnet", "width": 2, **HEAD}, {"backbone": "alexnet_paper"}),
]


def regressor(**options):
  return {
    "name": "regressor",
    "width": 2,
    "shared_layers": (4,),
    "presence_layers": (),
    "coordinate_layers": (3,),
    **options,
  }


SMALL = regressor(backbone="baseline1", with_sigmas=True)


@pytest.mark.parametrize(("model", "trunk"), TRUNKS)
def test_a_network_with_the_same_trunk_gives_it(model, trunk):
  variables = random_variables(model, 7, seed=1)
  ours = regressor(**trunk)
  for source in (
    source_from_torch(export(variables, model), "FILE"),
    source_from_variables(variables, model, "RUN"),
  ):
    now, found = fill(ours, source, "backbone")
    assert {path[1] for path in found.used} == {"backbone"}
    assert all(path[1] != "backbone" for path in found.random)
    theirs = flatten(variables)
    for path in found.used:
      np.testing.assert_array_equal(now[path], theirs[path])


def test_a_classifier_gives_its_backbone():
  tensors = {
    name: value
    for name, value in export(random_variables(RESNET, 5, 1), RESNET).items()
    if not name.startswith(("deconv_layers.", "final_layer."))
  }
  tensors |= {"fc.weight": np.zeros((9, 2)), "fc.bias": np.zeros(9)}
  source = source_from_torch(tensors, "FILE")
  _, found = fill(regressor(**TRUNKS[0][1]), source, "backbone")
  said = found.describe()
  assert "left out of it: fc (2); random here: " in said
  assert "presence_head (2)" in said and "coordinate_head (4)" in said


def test_a_regressor_gives_its_trunk_back():
  model = regressor(**TRUNKS[0][1])
  source = source_from_variables(random_variables(model, 7, 1), model, "RUN")
  _, found = fill(RESNET, source, "backbone")
  assert {path[1] for path in found.used} == {"backbone"}
  assert {name.split(".")[0] for name in found.left_out} == {
    *("shared", "presence_head", "coordinate_head")
  }


def test_body_is_all_but_what_counts_keypoints():
  source = source_from_variables(random_variables(SMALL, 7, 1), SMALL, "RUN")
  assert source.network == (
    "regressor (backbone baseline1, width 2, shared_layers 4, presence_layers "
    "(), coordinate_layers 3, with_sigmas True), 7 keypoints"
  )
  _, found = fill(SMALL, source, "body")
  assert {path[-2] for path in found.random} == {
    *("logits", "coordinates", "sigmas")
  }
  assert {path[1] for path in found.used} == {
    *("backbone", "shared", "coordinate_head", "flow")
  }


def test_all_is_all_of_as_many_keypoints():
  source = source_from_variables(random_variables(SMALL, 5, 1), SMALL, "RUN")
  _, found = fill(SMALL, source, "all")
  assert not found.random and not found.left_out
  with pytest.raises(
    WeightsError,
    match=r"RUN holds .* 5 keypoints, which .* 6 keypoints: .*bias",
  ):
    fill(SMALL, source, "all", 6)


@pytest.mark.parametrize(
  ("source", "ours", "part", "why"),
  [
    (
      RESNET,
      regressor(depth=34, width=4),
      "backbone",
      "their depth is 18, the",
    ),
    (
      RESNET,
      regressor(backbone="vgg", depth=16),
      "backbone",
      r": their backbone is resnet, the config's vgg, their depth",
    ),
    (RESNET, regressor(**TRUNKS[0][1]), "body", "pose_resnet is not regressor"),
    (
      {"name": "hourglass", **TINY["hourglass"]},
      regressor(backbone="baseline1"),
      "backbone",
      "hourglass is not regressor",
    ),
    (
      regressor(backbone="baseline1"),
      SMALL,
      "all",
      "their with_sigmas is False, the config's True; .*part to backbone$",
    ),
  ],
)
def test_what_does_not_fit_is_told(source, ours, part, why):
  variables = random_variables(source, 5, 1)
  with pytest.raises(WeightsError, match=why):
    fill(ours, source_from_variables(variables, source, "RUN"), part)


def test_torch_has_no_regressors():
  message = "one of pose_resnet, .*, vgg, got 'regressor': "
  with pytest.raises(WeightsError, match=message + "there is nothing to"):
    export(random_variables(SMALL), SMALL)
  with pytest.raises(WeightsError, match=message + "set it so"):
    load({"a": np.zeros(3)}, SMALL)
