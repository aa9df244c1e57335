"""Presence and soft-argmax around networks of one stage and of several."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from classic_parts import count_of
from flax import linen as nn
from made_hourglass import drawn, shapes

from pose_jax import models
from pose_jax.models.attention_options import AttentionOptions
from pose_jax.models.heads import Heads, describe, with_heads
from pose_jax.models.output import PoseOutput
from pose_jax.ops.soft_argmax import soft_argmax
from pose_jax.skeleton import LSP14

RESNET = {"name": "pose_resnet", "depth": 18}
HOURGLASS = {"name": "hourglass", "num_features": 8, "depth": 1}
HOURGLASS |= {"num_stacks": 2}
HRNET = {"name": "hrnet", "width": 4, "stem_width": 8}
HRNET |= {"num_modules": (1, 1, 1), "num_blocks": 1}
REFINED = {"poserenet": {"aggregation": "mean"}}
BOTH = {"presence": True, "soft_argmax": True}
# Compiling takes most of a test's time here.
fast = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


class TwoStages(nn.Module):
  """A network that is quickly compiled, with all that a head may leave."""

  attention = AttentionOptions(holistic="softmax")

  @nn.compact
  def __call__(self, images, train=False):
    features = nn.relu(nn.Conv(6, (3, 3), (4, 4), name="stem")(images))
    stages = [nn.Conv(5, (1, 1), name=f"head{i}")(features) for i in (0, 1)]
    return PoseOutput(
      heatmaps=stages[-1],
      stages=tuple(stages),
      links=features[..., :2],
      features=features,
      attention={"holistic": features[..., :1]},
    )

  @nn.nowrap
  def map_hw(self, crop_hw):
    return crop_hw[0] // 4, crop_hw[1] // 4


def two_stages(**heads):
  """The network with heads, drawn parameters, images."""
  model = with_heads(
    TwoStages(), **{"presence": False, "soft_argmax": False} | heads
  )
  rng = np.random.default_rng(0)
  images = jnp.float32(rng.standard_normal((2, 16, 24, 3)))
  tree = jax.eval_shape(model.init, jax.random.key(0), images)
  draw = lambda leaf: jnp.float32(rng.standard_normal(leaf.shape))  # noqa: E731
  return model, jax.tree.map(draw, tree), images


def below_base(variables):
  return {name: tree["base"] for name, tree in variables.items()}


def test_all_else_is_bit_for_bit_the_bases():
  model, variables, images = two_stages(presence=True)
  assert set(variables["params"]) == {"base", "presence"}
  output = fast(model.apply)(variables, images)
  alone = fast(TwoStages().apply)(below_base(variables), images)
  assert output.presence_logits.shape == (2, 5)
  jax.tree.map(
    np.testing.assert_array_equal, output.replace(presence_logits=None), alone
  )
  assert model.map_hw((16, 24)) == models.stage_hw(model, (16, 24)) == (4, 6)
  assert models.attention_of(model).holistic == "softmax"


def test_coordinates_stand_in_place_of_heatmaps():
  model, variables, images = two_stages(soft_argmax=True)
  assert set(variables["params"]) == {"base"}
  output = fast(model.apply)(variables, images)
  alone = fast(TwoStages().apply)(below_base(variables), images)
  assert output.heatmaps is None and output.stages == ()
  for found, stage in zip(output.coordinate_stages, alone.stages, strict=True):
    np.testing.assert_allclose(found, soft_argmax(stage)[0], atol=1e-6)
  np.testing.assert_array_equal(
    output.coordinates, output.coordinate_stages[-1]
  )
  assert set(output.attention) == {"holistic", "soft_argmax"}
  seen = np.asarray(output.attention["soft_argmax"])
  np.testing.assert_array_equal(seen.max((1, 2)), 1)
  wanted = np.exp(alone.heatmaps - alone.heatmaps.max((1, 2), keepdims=True))
  np.testing.assert_allclose(seen, wanted, rtol=1e-5)
  np.testing.assert_array_equal(output.links, alone.links)


def test_a_gradient_of_coordinates_and_presence_reaches_every_parameter():
  model, variables, images = two_stages(**BOTH)

  def loss(params, of_coordinates, of_presence):
    output = model.apply({"params": params}, images, train=True)
    away = sum(jnp.square(xy - 0.3).sum() for xy in output.coordinate_stages)
    return of_coordinates * away + of_presence * output.presence_logits.sum()

  def reached(*weights):
    found = fast(jax.grad(loss))(variables["params"], *weights)
    norms = jax.tree_util.tree_map_with_path(
      lambda path, leaf: ("/".join(key.key for key in path), abs(leaf).max()),
      found,
    )
    pairs = jax.tree.leaves(norms, is_leaf=lambda x: isinstance(x, tuple))
    assert all(np.isfinite(norm) for _, norm in pairs)
    return {path for path, norm in pairs if norm > 1e-6}

  stem = {"base/stem/kernel", "base/stem/bias"}
  # A softmax does not see what is added to all of a map: heads' biases.
  heads = {"base/head0/kernel", "base/head1/kernel"}
  presence = {"presence/kernel", "presence/bias"}
  assert reached(1.0, 0.0) == stem | heads
  assert reached(0.0, 1.0) == stem | presence


def test_presence_is_read_from_what_the_last_stacks_head_reads():
  model, variables, _ = shapes(HOURGLASS | {"presence": True}, LSP14, (16, 16))
  rng = np.random.default_rng(0)
  variables = drawn(variables, rng)
  images = jnp.float32(rng.standard_normal((2, 16, 16, 3)))
  output = fast(model.apply)(variables, images)
  features = np.float64(output.features)
  params = jax.tree.map(np.float64, variables["params"])
  layer, head = params["presence"], params["base"]["stack1"]["head"]
  wanted = features.mean((1, 2)) @ layer["kernel"] + layer["bias"]
  np.testing.assert_allclose(output.presence_logits, wanted, atol=1e-5)
  read = features @ head["kernel"][0, 0] + head["bias"]
  np.testing.assert_allclose(read, output.heatmaps, atol=1e-5)


def test_parameters_are_the_bases_and_a_linear_layers():
  def count(**heads):
    model = models.make_model(RESNET | heads, LSP14)
    images = jax.ShapeDtypeStruct((1, 96, 96, 3), jnp.float32)
    return count_of(
      jax.eval_shape(model.init, jax.random.key(0), images)["params"]
    )

  alone = count()
  assert count(**BOTH) == alone + 256 * 14 + 14
  assert count(soft_argmax=True) == alone


def test_a_soft_argmax_has_the_crops_frame_and_its_links_the_stages():
  config = HRNET | {"skeletal": True, "soft_argmax": True}
  model, variables, output = shapes(config, LSP14, (64, 96))
  assert model.map_hw((64, 96)) == models.map_hw(config, (64, 96)) == (64, 96)
  assert models.stage_hw(model, (64, 96)) == (16, 24)
  assert output.links.shape == (1, 16, 24, len(LSP14.links))
  assert model.crop_step == 32
  with pytest.raises(ValueError, match="multiples of 32 for an HRNet, got"):
    model.map_hw((60, 96))


def test_presence_is_said_in_float32_from_features_of_half_precision():
  config = HOURGLASS | BOTH | {"dtype": "bfloat16"}
  _, variables, output = shapes(config, LSP14, (32, 32))
  assert len(output.coordinate_stages) == 2
  found = (output.presence_logits, *output.coordinate_stages)
  assert {leaf.dtype for leaf in found} == {jnp.dtype("float32")}
  assert output.features.dtype == jnp.bfloat16
  leaves = jax.tree.leaves(variables)
  assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}


def test_poserenet_is_found_behind_a_presence_head():
  config = HOURGLASS | REFINED | {"presence": True}
  model, variables, output = shapes(config, LSP14, (16, 32))
  assert set(variables["params"]) == {"base", "presence"}
  assert set(variables["params"]["base"]) == {"base", "poserenet"}
  assert models.plug_in_of(model).aggregation == "mean"
  assert len(output.stages) == 3 and output.lifted is not None
  config["poserenet"] = {"aggregation": "mean", "decode": "lifted"}
  model = models.make_model(config, LSP14)
  assert model.map_hw((16, 32)) == (8, 16)
  assert models.stage_hw(model, (16, 32)) == (4, 8)


def test_heads_are_named():
  for heads, words in (
    ({}, ""),
    ({"presence": True}, "presence head"),
    ({"soft_argmax": True}, "soft-argmax"),
    (BOTH, "presence head, soft-argmax"),
  ):
    model = models.make_model(HOURGLASS | heads, LSP14)
    assert describe(model) == words
    assert isinstance(model, Heads) == bool(words)
    assert models.read_config(HOURGLASS | heads)[1].keys() == (
      HOURGLASS.keys() - {"name"}
    )


class Pointless(nn.Module):
  """A network without heatmaps."""

  @nn.compact
  def __call__(self, images, train=False):
    return PoseOutput(coordinates=nn.Dense(2)(images))


def test_networks_with_nothing_to_read_from_are_refused():
  for heads in ((True, False), (False, True)):
    model = Heads(Pointless(), *heads)
    with pytest.raises(ValueError, match="^Pointless returns no heatmaps and"):
      jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, 8, 8, 3)))


@pytest.mark.parametrize(
  ("config", "sentence"),
  [
    (HOURGLASS | {"presence": 1}, "^presence must be True or False, got 1$"),
    (
      HOURGLASS | {"soft_argmax": True, "with_background": True},
      "predicts where no keypoint is, .* its form without background",
    ),
    (
      HOURGLASS | {"soft_argmax": True} | REFINED,
      "soft_argmax is True, but PoseReNet .* set poserenet.aggregation to 'no",
    ),
  ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(config, sentence):
  with pytest.raises(ValueError, match=sentence):
    models.make_model(config, LSP14)


@pytest.mark.parametrize("name", ["regressor", "deeppose"])
def test_networks_with_heads_of_their_own_take_no_others(monkeypatch, name):
  monkeypatch.setitem(models.MODELS, name, lambda num_keypoints: Pointless())
  for key in BOTH:
    with pytest.raises(ValueError, match=f"^{key} is set, but model '{name}'"):
      models.make_model({"name": name, key: True}, LSP14)
  with pytest.raises(ValueError, match="^poserenet.aggregation is set"):
    section = {"aggregation": "mean"}
    models.make_model({"name": name, "poserenet": section}, LSP14)
  without = dict.fromkeys(BOTH, False)
  model = models.make_model({"name": name} | without, LSP14)
  assert isinstance(model, Pointless)
