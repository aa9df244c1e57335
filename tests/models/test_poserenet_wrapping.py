"""PoseReNet behind networks of one stage and of several."""

from functools import partial

import jax
import jax.numpy as jnp
import literal_poserenet as literal
import numpy as np
import pytest
from flax import linen as nn
from made_hourglass import drawn, shapes

from pose_jax import models
from pose_jax.models.attention_steps import apply_with_steps
from pose_jax.models.output import PoseOutput
from pose_jax.models.poserenet import PoseReNet, Refinement
from pose_jax.models.poserenet_options import PoseReNetOptions
from pose_jax.skeleton import COCO17, LSP14, MPII16

TINY = {"name": "hourglass", "num_stacks": 2, "num_features": 16, "depth": 1}
RESNET = {"name": "pose_resnet", "depth": 18, "width": 8}
RESNET |= {"deconv_filters": (16, 16, 16)}
HRNET = {"name": "hrnet", "width": 8, "stem_width": 8}
HRNET |= {"num_modules": (1, 1, 1), "num_blocks": 1}
CRF = {"attention": {"holistic": "crf", "part": "crf"}, "part_from_stack": 2}
# Compiling takes most of a test's time here.
fast = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def wrapped(base, hw=(32, 64), skeleton=LSP14, **options):
  """Module with the plug-in, drawn variables, images, output."""
  section = {"aggregation": "mean", **options}
  config = {**base, "poserenet": section}
  model, variables, _ = shapes(config, skeleton, hw)
  rng = np.random.default_rng(0)
  variables = drawn(variables, rng)
  images = jnp.float32(rng.standard_normal((2, *hw, 3)))
  return model, variables, images


def plain(base, variables, images, skeleton=LSP14):
  """What the base alone says, with the same parameters."""
  model = models.make_model(base, skeleton)
  own = {name: tree["base"] for name, tree in variables.items()}
  return fast(model.apply)(own, images)


def assert_same(found, wanted):
  for ours, theirs in zip(found, wanted, strict=True):
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.ptp(theirs))


@pytest.mark.parametrize("base", [RESNET, HRNET], ids=["resnet", "hrnet"])
def test_a_network_of_one_stage_gets_an_aggregate_and_a_lifted_map(base):
  base = base | {"attention": {"holistic": "softmax", "part": "crf"}}
  model, variables, images = wrapped(base)
  assert set(variables["params"]) == {"base", "poserenet"}
  assert set(variables["params"]["poserenet"]) == {"stage0"}
  assert isinstance(model, PoseReNet) and model.crop_step == 32
  assert models.attention_of(model).holistic == "softmax"
  output = fast(model.apply)(variables, images)
  alone = plain(base, variables, images)
  assert_same(output.stages[:1], alone.stages)
  assert output.attention.keys() == alone.attention.keys() != set()
  assert [maps.shape for maps in output.stages] == [(2, 8, 16, 14)] * 2
  np.testing.assert_array_equal(output.heatmaps, output.stages[-1])
  assert output.lifted.shape == (2, 16, 32, 14)
  params = variables["params"]["poserenet"]["stage0"]
  aggregate, lifted = literal.refinement(
    output.stages[0][1], params, model.options
  )
  np.testing.assert_allclose(output.heatmaps[1], aggregate, atol=1e-5)
  np.testing.assert_allclose(output.lifted[1], lifted, atol=1e-5)


def test_the_last_stage_or_every_one_is_refined():
  base = TINY | CRF | {"with_background": True}
  for stages, names in (("last", [1]), ("all", [0, 1])):
    model, variables, images = wrapped(base, stages=stages)
    params = variables["params"]["poserenet"]
    assert sorted(params) == [f"stage{index}" for index in names]
    output = fast(model.apply)(variables, images)
    alone = plain(base, variables, images)
    assert_same(output.stages[:2], alone.stages)
    assert_same(output.backgrounds, alone.backgrounds)
    lifted = output.lifted if stages == "all" else (output.lifted,)
    for place, index in enumerate(names):
      refine = partial(
        Refinement(model.options).apply, {"params": params[f"stage{index}"]}
      )
      wanted = fast(refine)(output.stages[index])
      assert_same((output.stages[2 + place], lifted[place]), wanted)
    assert len(output.stages) == 2 + len(names)
    np.testing.assert_array_equal(output.heatmaps, output.stages[-1])


def test_lifted_maps_are_decoded_at_their_own_size():
  model, variables, images = wrapped(TINY, stages="all", decode="lifted")
  config = TINY | {"poserenet": {"aggregation": "sum", "decode": "lifted"}}
  assert models.map_hw(config, (32, 64)) == model.map_hw((32, 64)) == (16, 32)
  assert models.stage_hw(model, (32, 64)) == (8, 16)
  base = models.make_model(TINY, LSP14)
  assert models.stage_hw(base, (32, 64)) == base.map_hw((32, 64)) == (8, 16)
  output = jax.eval_shape(model.apply, variables, images)
  assert output.heatmaps.shape == (2, 16, 32, 14)
  assert {maps.shape for maps in output.stages} == {(2, 8, 16, 14)}
  output = fast(model.apply)(variables, images)
  np.testing.assert_array_equal(output.heatmaps, output.lifted[-1])
  with pytest.raises(ValueError, match="multiples of 4, 8 or more, for an"):
    model.map_hw((30, 64))


def test_a_base_goes_on_as_it_was_behind_a_start_as_identity():
  base = TINY | {"num_stacks": 1}
  section = {"aggregation": "learned", "identity_init": True}
  config = base | {"poserenet": section}
  model = models.make_model(config, LSP14)
  rng = np.random.default_rng(3)
  images = jnp.float32(rng.standard_normal((1, 32, 32, 3)))
  output, variables = fast(model.init_with_output)(jax.random.key(0), images)
  assert_same(output.stages[1:], plain(base, variables, images).stages)


def test_steps_of_a_mean_field_are_found_behind_the_plug_in():
  model, variables, images = wrapped(TINY | CRF)
  output = jax.eval_shape(partial(apply_with_steps, model), variables, images)
  steps = {name for name in output.attention if name.endswith("/steps")}
  assert steps == {
    "stack0/holistic/steps",
    "stack1/holistic/steps",
    "stack1/part/steps",
  }


def test_a_training_step_moves_the_bases_statistics():
  model, variables, images = wrapped(TINY | {"num_stacks": 1})
  train = partial(model.apply, train=True, mutable=["batch_stats"])
  updates = fast(lambda v, x: train(v, x)[1])(variables, images)
  assert set(updates["batch_stats"]) == {"base"}
  jax.tree.map(
    lambda now, before: np.testing.assert_array_less(0, np.abs(now - before)),
    updates["batch_stats"],
    variables["batch_stats"],
  )


def test_half_precision_of_a_network_reaches_its_plug_in():
  config = TINY | {"dtype": "bfloat16", "poserenet": {"aggregation": "sum"}}
  model, _, output = shapes(config, COCO17)
  assert model.dtype == jnp.bfloat16
  assert output.features.dtype == jnp.bfloat16
  leaves = jax.tree.leaves(output.replace(features=None))
  assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}


class Pointless(nn.Module):
  """A network without heatmaps."""

  @nn.compact
  def __call__(self, images, train=False):
    return PoseOutput(coordinates=nn.Dense(2)(images))


def test_a_network_without_heatmaps_is_refused():
  model = PoseReNet(Pointless(), PoseReNetOptions("mean"))
  with pytest.raises(ValueError, match="^Pointless returns no heatmaps, .*'no"):
    model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))


def test_where_there_is_no_plug_in_the_network_is_the_base():
  for section in ({}, {"aggregation": "none", "decode": "lifted"}):
    config = TINY | {"poserenet": section}
    model = models.make_model(config, MPII16)
    assert model == models.make_model(TINY, MPII16)
    assert models.plug_in_of(model).aggregation == "none"
  config["poserenet"]["aggregation"] = "sum"
  assert models.plug_in_of(models.make_model(config, MPII16)).decode == "lifted"
  name, options = models.read_config(config)
  assert name == "hourglass" and "poserenet" not in options
