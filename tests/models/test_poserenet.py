"""PoseReNet: its equations, its cost, and its start as identity."""

from functools import partial

import jax
import jax.numpy as jnp
import literal_poserenet as literal
import numpy as np
import pytest

from pose_jax.codec import decode, targets
from pose_jax.geometry import (
  LIFTED_FROM_HM,
  Frames,
  compose,
  invert,
  transform,
)
from pose_jax.models.cost import count_multiply_adds, count_parameters
from pose_jax.models.poserenet import Refinement
from pose_jax.models.poserenet_options import PoseReNetOptions
from pose_jax.models.resample import mean_pool

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


def _off_at(lifted_from_hm, at):
  """Where a target's 2x2 mean is found, less where the point is."""
  at = jnp.float32([[at]])
  lifted, _ = targets.gaussian(
    jnp.float32(transform(at, lifted_from_hm[None])),
    jnp.ones((1, 1)),
    map_hw=(96, 72),
    sigma=4.0,
    unbiased=True,
  )
  found, _ = decode.dark(mean_pool(lifted, 2), blur_kernel=1)
  return np.asarray(found - at)[0, 0]


@pytest.mark.parametrize("at", [(8.0, 8.0), (27.0, 39.0), (17.5, 23.5)])
def test_a_lifted_map_averaged_lies_where_its_module_says(at):
  """On the base's pixels; by frames of its own size it would not."""
  np.testing.assert_allclose(_off_at(LIFTED_FROM_HM, at), 0.0, atol=0.01)
  from_centre = np.array(at) - (17.5, 23.5)
  for alignment, off in (
    ("corner", np.full(2, -0.25)),
    ("unit", from_centre / (2 * 35)),  # borders are 17.5 away: -1/4 and 1/4
    ("udp", from_centre / (2 * np.array([35, 47]))),
  ):
    small, large = (
      Frames((192, 144), map_hw, alignment).hm_from_crop
      for map_hw in ((48, 36), (96, 72))
    )
    found = _off_at(compose(large, invert(small)), at)
    np.testing.assert_allclose(found, off, atol=0.01)
