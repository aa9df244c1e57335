"""pytorch-pose's hourglasses: names, shapes, and forms that have no weights."""

import gzip
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hourglass_state import hourglass_state

from pose_jax.models import make_model
from pose_jax.skeleton import MPII16
from pose_jax.weights import load_torch
from pose_jax.weights.names import KINDS, hourglass_rows

TINY = {"name": "hourglass", "num_stacks": 2, "num_features": 8, "depth": 2}


def _shapes(tree):
  return jax.tree.map(lambda leaf: leaf.shape, tree)


@pytest.mark.parametrize(
  "changes",
  [
    {},
    {"num_stacks": 1},
    {"num_blocks": 2, "depth": 3},
    {"num_blocks": 1, "one_unit_up": True},  # which changes nothing then
    {"num_stacks": 1, "depth": 7},  # crops are multiples of 512
  ],
)
def test_networks_load_and_use_every_tensor_once(changes):
  config = {**TINY, **changes}
  tensors = hourglass_state(config)
  variables = load_torch(tensors, config)
  images = jax.ShapeDtypeStruct((1, 512, 512, 3), jnp.float32)
  model = make_model(config, MPII16)
  expected = jax.eval_shape(model.init, jax.random.key(0), images)
  assert _shapes(variables) == _shapes(expected)
  wanted = [v for k, v in tensors.items() if not k.endswith("tracked")]
  np.testing.assert_array_equal(
    np.sort(
      np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(variables)])
    ),
    np.sort(np.concatenate([leaf.ravel() for leaf in wanted])),
  )


def test_table_has_the_reference_names_and_shapes(goldens):
  with gzip.open(goldens / "net_state_dicts.json.gz") as file:
    rows = json.load(file)["hourglass_s2_b1"]
  tensors = hourglass_state({"num_stacks": 2, "num_features": 256, "depth": 4})
  ours = {key: value.shape for key, value in tensors.items()}
  assert ours == {key: tuple(shape) for key, shape, _ in rows}
  from_table = {
    f"{row.torch}.{suffix}"
    for row in hourglass_rows(num_stacks=2)
    for suffix in KINDS[row.kind]
  }
  assert from_table == {key for key in ours if not key.endswith("tracked")}


def test_the_background_is_not_counted_as_a_keypoint():
  config = {**TINY, "with_background": True}
  variables = load_torch(hourglass_state(config, num_maps=17), config)
  images = jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)
  output = jax.eval_shape(make_model(config, MPII16).apply, variables, images)
  assert output.heatmaps.shape[-1] == 16
  assert output.backgrounds[0].shape[-1] == 1


def test_wrong_number_of_stacks_names_the_options_to_look_at():
  config = {**TINY, "num_stacks": 3}
  with pytest.raises(
    ValueError,
    match=r"missing fc\.2.* more.*\(check model\.num_stacks, "
    r"model\.num_blocks and model\.depth\)",
  ):
    load_torch(hourglass_state(TINY), config)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"stem": "attention"}, "model.stem is 'standard', got 'attention'"),
    ({"skip": "hru"}, "model.skip is 'residual', got 'hru'"),
    ({"neck": "linear"}, "model.neck is 'residual', got 'linear'"),
    (
      {"num_blocks": 2, "one_unit_up": True},
      "model.one_unit_up is False, got True",
    ),
    (
      {"attention": {"holistic": "crf", "part": "none"}},
      "model.attention.holistic is 'none', got 'crf'",
    ),
  ],
)
def test_forms_without_torch_weights_are_told(change, message):
  with pytest.raises(ValueError, match="^[^\n]*$") as error:
    load_torch(hourglass_state(TINY), {**TINY, **change})
  assert message in str(error.value)
