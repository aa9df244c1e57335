"""Steps of mean fields get the names of the maps that they end in."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from pose_jax.models import build
from pose_jax.models.attention_maps import STEPS
from pose_jax.models.attention_steps import apply_with_steps, named_steps
from pose_jax.models.output import PoseOutput


class Plain(nn.Module):
  """A network without attention."""

  @nn.compact
  def __call__(self, images, train):
    return PoseOutput(heatmaps=nn.Conv(2, (1, 1))(images))


def test_names_are_those_of_the_maps_they_end_in():
  leaf = (jnp.arange(24.0).reshape(4, 2, 3, 1, 1),)
  stored = {
    "head": {
      "holistic": {"level0": {"steps": leaf}, "level1": {"steps": leaf}},
      "part": {"level0": {"steps": leaf}},
    },
    "stack3": {"head": {"refined": {"level0": {"steps": leaf}}}},
  }
  names = ("holistic", "holistic/level0", "holistic/level1", "part")
  attention = dict.fromkeys((*names, "stack3/refined"))
  found = named_steps(stored, attention)
  assert sorted(found) == [
    *("holistic/level0/steps", "holistic/level1/steps", "part/steps"),
    "stack3/refined/steps",
  ]
  for steps in found.values():  # the batch comes first
    np.testing.assert_array_equal(steps, np.swapaxes(leaf[0], 0, 1))


def test_a_network_without_attention_has_no_steps():
  images = jnp.ones((1, 4, 4, 3))
  variables = Plain().init(jax.random.key(0), images, train=False)
  output = apply_with_steps(Plain(), variables, images)
  assert output.attention == {}
  plain = Plain().apply(variables, images, train=False)
  np.testing.assert_array_equal(output.heatmaps, plain.heatmaps)


NETWORKS = {
  "pose_resnet": {
    "name": "pose_resnet",
    "depth": 18,
    "width": 8,
    "deconv_filters": (8, 8),
    "deconv_strides": (2, 2),
    "deconv_kernels": (4, 4),
    "attention": {"holistic": "crf", "refined": "crf", "part": "crf"},
  },
  "hourglass": {
    "name": "hourglass",
    "num_stacks": 2,
    "num_features": 8,
    "depth": 1,
    "part_from_stack": 2,
    "attention": {"holistic": "crf", "refined": "crf", "part": "crf"},
  },
}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_mean_fields_last_step_is_its_map(name):
  model = build(NETWORKS[name], 3)
  rng = np.random.default_rng(0)
  size = 32 if name == "pose_resnet" else 16
  images = rng.normal(size=(2, size, size, 3)).astype(np.float32)
  shapes = jax.eval_shape(
    lambda: model.init(jax.random.key(0), images, train=False)
  )
  # Drawn here, not by the network: compiling its own draws takes a minute.
  variables = jax.tree.map(
    lambda x: np.abs(rng.normal(0.05, 0.1, x.shape)).astype(x.dtype), shapes
  )
  output = jax.jit(lambda v, x: apply_with_steps(model, v, x))(
    variables, images
  )
  assert STEPS not in variables
  steps = {k for k in output.attention if k.endswith("/steps")}
  names = set(output.attention) - steps
  ends = {k.removesuffix("/steps") for k in steps}
  assert ends == {n for n in names if f"{n}/level0" not in names}
  for end in ends:
    np.testing.assert_allclose(
      output.attention[f"{end}/steps"][:, -1],
      output.attention[end],
      rtol=1e-5,
      atol=1e-6,
    )
