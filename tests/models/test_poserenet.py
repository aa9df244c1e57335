"""PoseReNet: its equations, its start as identity, and its wrapping."""

from functools import partial

import jax
import jax.numpy as jnp
import literal_poserenet as literal
import numpy as np
import pytest
from flax import linen as nn
from made_hourglass import drawn, shapes

from pose_jax import models
from pose_jax.codec import decode, targets
from pose_jax.models.attention_steps import apply_with_steps
from pose_jax.models.cost import count_multiply_adds, count_parameters
from pose_jax.models.output import PoseOutput
from pose_jax.models.poserenet import PoseReNet, Refinement
from pose_jax.models.poserenet_options import PoseReNetOptions
from pose_jax.models.resample import mean_pool
from pose_jax.skeleton import COCO17, LSP14, MPII16

TINY = {"name": "hourglass", "num_stacks": 2, "num_features": 16, "depth": 1}
RESNET = {"name": "pose_resnet", "depth": 18, "width": 8}
RESNET |= {"deconv_filters": (16, 16, 16)}
HRNET = {"name": "hrnet", "width": 8, "stem_width": 8}
HRNET |= {"num_modules": (1, 1, 1), "num_blocks": 1}
CRF = {"attention": {"holistic": "crf", "part": "crf"}, "part_from_stack": 2}
# Compiling takes most of a test's time here.
fast = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def refinement(shape=(2, 3, 4, 3), *, init=fast, **options):
  """The module, variables, and maps."""
  module = Refinement(PoseReNetOptions(**{"aggregation": "mean", **options}))
  maps = jnp.float32(np.random.default_rng(0).standard_normal(shape))
  return module, init(module.init)(jax.random.key(0), maps), maps


def abstract(init):
  """Instead of jit: shapes alone."""
  return lambda *arguments: jax.eval_shape(init, *arguments)


def all_drawn(variables):
  """The same, every entry drawn."""
  rng = np.random.default_rng(1)
  return jax.tree.map(
    lambda leaf: jnp.float32(rng.uniform(-0.5, 0.5, leaf.shape)), variables
  )


@pytest.mark.parametrize(
  ("aggregation", "attention", "fusion"),
  [
    ("mean", "se", "pool"),
    ("sum", "eca", "pool"),
    ("learned", "se", "pool"),
    ("learned", "eca", "enlarge"),
    ("mean", "se", "enlarge"),
  ],
)
def test_the_branches_and_their_aggregate_are_the_equations(
  aggregation, attention, fusion
):
  module, variables, maps = refinement(
    aggregation=aggregation, channel_attention=attention, fusion=fusion
  )
  variables = all_drawn(variables)
  aggregate, lifted = fast(module.apply)(variables, maps)
  for person in range(2):
    wanted, wanted_lifted = literal.refinement(
      maps[person], variables["params"], module.options
    )
    np.testing.assert_allclose(aggregate[person], wanted, atol=3e-6)
    np.testing.assert_allclose(lifted[person], wanted_lifted, atol=1e-6)


def test_parameters_and_multiply_adds_are_those_counted_by_hand():
  k, pixels = 17, 16 * 12
  lifting = 16 * k**2 + (k**2 + k) + (9 * k**2 + k)
  identity = 2 * (9 * k**2 + k)
  for attention, channel in (("se", 2 * (k**2 + k)), ("eca", 3)):
    for aggregation, read in (("sum", 0), ("learned", 3 * k**2 + k)):
      module, variables, maps = refinement(
        shape=(1, 16, 12, k),
        init=abstract,
        aggregation=aggregation,
        channel_attention=attention,
      )
      number = count_parameters(variables["params"])
      assert number == channel + lifting + identity + read
      work = count_multiply_adds(module.apply, variables, maps)
      gate = 2 * k**2 * (attention == "se")
      mixing = 3 * k**2 * pixels * (aggregation == "learned")
      assert work == (gate + k**2 * pixels * (4 * (16 + 1 + 9) + 18) + mixing)


def peaks(rng, map_hw, num=6, num_keypoints=5):
  """Gaussians between pixels on a little noise: heatmaps as networks give."""
  size_xy = np.array(map_hw[::-1])
  at = rng.uniform(3, size_xy - 4, (num, num_keypoints, 2))
  maps, _ = targets.gaussian(
    jnp.float32(at),
    jnp.ones((num, num_keypoints)),
    map_hw=map_hw,
    sigma=2.0,
    unbiased=True,
  )
  return maps * 0.8 + jnp.float32(0.02 * rng.standard_normal(maps.shape))


STARTS = pytest.mark.parametrize(
  ("aggregation", "attention"),
  [("mean", "se"), ("sum", "eca"), ("learned", "se")],
)


@STARTS
def test_a_start_as_identity_leaves_every_decoded_point_where_it_was(
  aggregation, attention
):
  rng = np.random.default_rng(2)
  noise = jnp.float32(rng.standard_normal((6, 24, 18, 5)))
  module, variables, _ = refinement(
    shape=noise.shape,
    aggregation=aggregation,
    channel_attention=attention,
    identity_init=True,
  )
  refine = fast(module.apply)
  for maps, decoders in (
    (noise, ("argmax", "quarter", "weighted")),
    # Noise has flat places, where DARK's step is anything.
    (peaks(rng, (24, 18)), ("argmax", "quarter", "dark", "weighted")),
  ):
    aggregate, lifted = refine(variables, maps)
    np.testing.assert_allclose(aggregate, maps, atol=2e-6, rtol=1e-6)
    np.testing.assert_allclose(lifted, 0.01, rtol=1e-4)
    for name in decoders:
      found, _ = decode.DECODERS[name](aggregate)
      wanted, _ = decode.DECODERS[name](maps)
      tolerance = 1e-3 if name == "dark" else 0
      np.testing.assert_allclose(found, wanted, atol=tolerance, err_msg=name)


@STARTS
@pytest.mark.parametrize("identity_init", [False, True])
def test_gradients_reach_every_parameter_from_the_first_step(
  aggregation, attention, identity_init
):
  module, variables, maps = refinement(
    aggregation=aggregation,
    channel_attention=attention,
    identity_init=identity_init,
  )

  def loss(variables):
    aggregate, lifted = module.apply(variables, maps)
    wanted = 2 * jnp.roll(maps, 1, axis=1) + 1  # a mean that is not theirs
    return jnp.square(aggregate - wanted).mean() + jnp.square(lifted - 1).mean()

  gradients = fast(jax.grad(loss))(variables)
  for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
    assert np.isfinite(leaf).all()
    assert np.abs(leaf).max() > 1e-7, jax.tree_util.keystr(path)


@pytest.mark.parametrize("attention", ["se", "eca"])
def test_one_keypoint_can_be_refined_too(attention):
  options = dict(channel_attention=attention, identity_init=True)
  module, variables, maps = refinement(shape=(2, 4, 4, 1), **options)
  # se's gate is then not 1/2, whatever its weights' sum is.
  aggregate, _ = fast(module.apply)(variables, maps)
  np.testing.assert_allclose(aggregate, maps, atol=2e-6, rtol=1e-6)


def test_bfloat16_is_of_the_lifting_branch_alone():
  module, variables, maps = refinement(shape=(2, 8, 6, 5))
  half = module.clone(dtype=jnp.bfloat16)
  aggregate, lifted = fast(module.apply)(variables, maps)
  half_aggregate, half_lifted = fast(half.apply)(variables, maps)
  assert half_aggregate.dtype == half_lifted.dtype == jnp.float32
  error = np.abs(half_lifted - lifted).max()
  assert 0 < error < 0.03 * lifted.max()
  _, seen = half.apply(variables, maps, capture_intermediates=True)
  for branch, dtype in (("lifting", "bfloat16"), ("identity", "float32")):
    layers = dict(seen["intermediates"][branch])
    del layers["__call__"]  # the branch's own
    assert len(layers) == {"lifting": 3, "identity": 2}[branch]
    for layer in layers.values():
      assert layer["__call__"][0].dtype == dtype
  # What the aggregate gets of it, and nothing else.
  mixed = aggregate + (mean_pool(half_lifted - lifted, 2)) / 3
  np.testing.assert_allclose(half_aggregate, mixed, atol=1e-6)
  start = half.clone(options=PoseReNetOptions("mean", identity_init=True))
  aggregate, _ = fast(start.init_with_output)(jax.random.key(0), maps)[0]
  np.testing.assert_allclose(aggregate, maps, atol=1e-4)


@pytest.mark.parametrize(
  ("shift", "offset"), [(0.0, -0.25), (0.5, 0.0)], ids=["corner", "half"]
)
def test_a_lifted_map_averaged_lies_where_its_module_says(shift, offset):
  at = jnp.float32([[[9.0, 12.0]]])
  lifted, _ = targets.gaussian(
    2 * at + shift, jnp.ones((1, 1)), map_hw=(48, 36), sigma=4.0, unbiased=True
  )
  found, _ = decode.dark(mean_pool(lifted, 2), blur_kernel=1)
  np.testing.assert_allclose(found - at, offset, atol=0.01)


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
  with pytest.raises(ValueError, match="multiples of 8 for an hourglass"):
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
  leaves = jax.tree.leaves(output)
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
