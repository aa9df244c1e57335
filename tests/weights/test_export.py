"""Goldens in, goldens out: every tensor used, every bit given back."""

import jax
import numpy as np
import pytest
from networks import TINY, golden_state, random_variables

from pose_jax.models.cost import count_parameters
from pose_jax.weights import WeightsError, export, load

GOLDENS = {
  "hrnet_w32": {"name": "hrnet", "width": 32},
  "pose_resnet50": {"name": "pose_resnet", "depth": 50},
}


def assert_same_bits(given, wanted):
  assert set(given) == set(wanted)
  for name, value in wanted.items():
    assert given[name].dtype == value.dtype, name
    assert given[name].shape == value.shape, name
    assert given[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize("name", GOLDENS)
def test_goldens_come_back_bit_for_bit(goldens, name):
  state = golden_state(goldens, name)
  variables = load(state, GOLDENS[name])
  assert_same_bits(export(variables, GOLDENS[name]), state)
  learnt = [
    value.size
    for key, value in state.items()
    if key.rsplit(".", 1)[-1] in ("weight", "bias")
  ]
  assert count_parameters(variables["params"]) == sum(learnt)


@pytest.mark.parametrize("name", TINY)
def test_a_network_of_ours_goes_there_and_back(name):
  model = {"name": name, **TINY[name]}
  variables = random_variables(model)
  tensors = export(variables, model)
  jax.tree.map(np.testing.assert_array_equal, load(tensors, model), variables)
  numbers = sum(leaf.size for leaf in jax.tree.leaves(variables))
  counts = [v for k, v in tensors.items() if k.endswith("tracked")]
  assert sum(v.size for v in tensors.values()) == numbers + len(counts)
  assert counts and all(v.shape == () and v == 0 for v in counts)


def test_a_kernel_stands_where_torch_has_it():
  model = {"name": "pose_resnet", **TINY["pose_resnet"]}
  variables = random_variables(model)
  tensors = export(variables, model)
  stem = variables["params"]["backbone"]["stem_conv"]["kernel"]
  assert tensors["conv1.weight"][3, 1, 2, 5] == stem[2, 5, 1, 3]
  deconv = variables["params"]["deconv1"]["kernel"]
  assert tensors["deconv_layers.3.weight"][7, 2, 0, 3] == deconv[0, 3, 7, 2]
  assert tensors["conv1.weight"].flags.c_contiguous


def test_heads_that_torch_does_not_have_are_refused():
  model = {"name": "pose_resnet", **TINY["pose_resnet"], "presence": True}
  with pytest.raises(ValueError, match="model.presence is False, got True"):
    export(random_variables(model), model)
  model["presence"] = False
  assert export(random_variables(model), model)


def test_variables_of_another_network_are_refused():
  model = {"name": "pose_resnet", **TINY["pose_resnet"]}
  variables = random_variables(model)
  with pytest.raises(WeightsError, match="stage1_block2.* give the config"):
    export(variables, model | {"depth": 34})


@pytest.mark.parametrize(
  "change",
  [
    {"attention": {"holistic": "crf"}},
    {"poserenet": {"aggregation": "mean"}},
  ],
)
def test_a_network_that_torch_does_not_have_is_refused(change):
  model = {"name": "pose_resnet", **TINY["pose_resnet"]}
  variables = random_variables(model)
  ((section, options),) = change.items()
  ((key, value),) = options.items()
  with pytest.raises(
    ValueError, match=rf"model\.{section}\.{key} is 'none', got '{value}'"
  ):
    export(variables, model | change)
