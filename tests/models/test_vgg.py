"""VGG against torchvision's layers written out, and its own promises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from classic_parts import (
  DENSE,
  abstract_variables,
  conv,
  count_of,
  quick_jit,
  randomised,
  seen_rows,
  window_maximum,
)

from pose_jax.models import make_model
from pose_jax.models.vgg import Vgg
from pose_jax.skeleton import COCO17

TINY = {"name": "vgg", "width": 2, "deconv_filters": (4, 4, 4)}
CONVS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def _torchvision(variables, x, depth, is_training=False):
  """Its `features`, layer by layer, in float64."""
  params, stats = variables["params"], variables.get("batch_stats", {})
  x, levels = np.float64(x), []
  for block, num in enumerate(CONVS[depth], start=1):
    for index in range(1, num + 1):
      x = np.asarray(conv(x, params[f"block{block}_conv{index}"], 1, 1))
      norm = f"block{block}_norm{index}"
      if norm in params:
        mean, var = stats[norm]["mean"], stats[norm]["var"]
        if is_training:
          mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        x = (x - mean) / np.sqrt(var + 1e-5)
        x = x * params[norm]["scale"] + params[norm]["bias"]
      x = np.maximum(x, 0)
    x = window_maximum(x, 2)
    levels.append(x)
  return levels


@pytest.mark.parametrize("depth", CONVS)
@pytest.mark.parametrize("use_batch_norm", [False, True])
def test_it_is_torchvisions(depth, use_batch_norm):
  trunk = Vgg(depth=depth, width=2, use_batch_norm=use_batch_norm)
  variables = randomised(abstract_variables(trunk, 32, 32))
  x = np.random.default_rng(1).standard_normal((2, 64, 96, 3))
  x = x.astype(np.float32)
  with jax.enable_x64(True), jax.numpy_rank_promotion("allow"):
    expected = _torchvision(variables, x, depth)
    in_training = _torchvision(variables, x, depth, is_training=True)
  levels = quick_jit(trunk.apply)(variables, x)
  for ours, theirs in zip(levels, expected, strict=True):
    np.testing.assert_allclose(ours, theirs, atol=2e-5)
  train = quick_jit(
    lambda v, x: trunk.apply(v, x, True, mutable=["batch_stats"])
  )
  levels, updates = train(variables, x)
  np.testing.assert_allclose(levels[-1], in_training[-1], atol=5e-4)
  assert bool(updates.get("batch_stats")) == use_batch_norm


def test_levels_are_halved_five_times():
  images = jax.ShapeDtypeStruct((1, 256, 192, 3), jnp.float32)
  levels, _ = jax.eval_shape(Vgg().init_with_output, jax.random.key(0), images)
  assert [level.shape[1:] for level in levels] == [
    (128, 96, 64),
    (64, 48, 128),
    (32, 24, 256),
    (16, 12, 512),
    (8, 6, 512),
  ]


@pytest.mark.parametrize(
  ("depth", "use_batch_norm", "features", "published"),
  [
    (16, False, 14_714_688, 138_357_544),
    (16, True, 14_723_136, 138_365_992),
    (19, False, 20_024_384, 143_667_240),
    (19, True, 20_035_392, 143_678_248),
  ],
)
def test_parameters_are_the_published(
  depth, use_batch_norm, features, published
):
  trunk = Vgg(depth=depth, use_batch_norm=use_batch_norm)
  by_hand, num_in = 0, 3
  for num, num_out in zip(CONVS[depth], (64, 128, 256, 512, 512), strict=True):
    for _ in range(num):
      by_hand += (9 * num_in + 1 + 2 * use_batch_norm) * num_out
      num_in = num_out
  ours = count_of(abstract_variables(trunk, 32, 32)["params"])
  assert ours == by_hand == features
  assert ours + (7 * 7 * 512 + 1) * 4096 + DENSE == published


def test_parameters_of_the_pose_network_are_the_published_18_92_million():
  pose = make_model({"name": "vgg"}, COCO17)
  total = count_of(abstract_variables(pose, 32, 32)["params"])
  deconvs = 16 * 256 * (512 + 256 + 256) + 3 * 2 * 256
  assert total == 14_723_136 + deconvs + 257 * 17
  assert round(total / 1e6, 2) == 18.92  # mmpose's table


def test_features_are_centred_on_their_cells():
  seen = seen_rows(Vgg(width=1, use_batch_norm=False), 352)
  inside = [i for i in range(11) if not seen[i, 0] and not seen[i, -1]]
  assert len(inside) > 3
  for i in inside:
    (rows,) = np.nonzero(seen[i])
    assert (rows[0] + rows[-1]) / 2 == 32 * i + 15.5


@pytest.mark.parametrize("use_batch_norm", [False, True])
def test_gradient_reaches_what_has_an_effect(use_batch_norm):
  model = make_model({**TINY, "use_batch_norm": use_batch_norm}, COCO17)
  variables = randomised(abstract_variables(model, 64, 32))
  images = jax.random.normal(jax.random.key(1), (3, 64, 32, 3))

  def loss(params):
    output, _ = model.apply(
      {**variables, "params": params},
      images,
      train=True,
      mutable=["batch_stats"],
    )
    return jnp.square(output.heatmaps - 1.0).mean()

  gradients = quick_jit(jax.grad(loss))(variables["params"])
  for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
    names = [key.key for key in path]
    norm = np.linalg.norm(leaf)
    if use_batch_norm and "_conv" in names[-2] and names[-1] == "bias":
      assert norm < 1e-5, names  # the norm behind it takes it away again
    else:
      assert np.isfinite(norm) and norm > 1e-4, names


def test_people_of_a_batch_do_not_see_each_other_in_evaluation():
  model = make_model(TINY, COCO17)
  variables = randomised(abstract_variables(model, 32, 32))
  images = jax.random.normal(jax.random.key(1), (2, 32, 64, 3))
  apply = quick_jit(lambda x: model.apply(variables, x).heatmaps)
  together, changed = apply(images), apply(images.at[1].multiply(-2.0))
  np.testing.assert_allclose(changed[0], together[0], rtol=1e-5, atol=1e-6)
  assert np.abs(changed[1] - together[1]).max() > 1e-3


def test_statistics_are_those_of_all_devices():
  alone = make_model(TINY, COCO17).backbone
  shared = make_model({**TINY, "sync_batch_norm": True}, COCO17).backbone
  variables = randomised(abstract_variables(alone, 32, 32))
  images = jax.random.normal(jax.random.key(1), (2, 2, 32, 32, 3))

  def updated(trunk):
    return lambda x: trunk.apply(variables, x, True, mutable=["batch_stats"])[1]

  whole = quick_jit(updated(alone))(images.reshape(4, 32, 32, 3))
  halves = quick_jit(jax.vmap(updated(shared), axis_name="devices"))(images)
  for one, two in zip(
    jax.tree.leaves(whole), jax.tree.leaves(halves), strict=True
  ):
    np.testing.assert_allclose(two[0], one, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(two[0], two[1])


@pytest.mark.parametrize("use_batch_norm", [False, True])
def test_bfloat16_keeps_float32_parameters_and_statistics(use_batch_norm):
  options = {"dtype": "bfloat16", "use_batch_norm": use_batch_norm}
  model = make_model({**TINY, **options}, COCO17)
  variables = abstract_variables(model, 32, 32)
  assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {
    jnp.dtype(jnp.float32)
  }
  images = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
  output = jax.eval_shape(model.apply, variables, images)
  assert output.heatmaps.dtype == jnp.float32
  features = jax.eval_shape(
    model.backbone.apply,
    {key: tree.get("backbone", {}) for key, tree in variables.items()},
    images,
  )
  assert features[-1].dtype == jnp.bfloat16


def test_other_depths_are_refused():
  with pytest.raises(ValueError, match="depth must be one of 16, 19, got 11"):
    make_model({**TINY, "depth": 11}, COCO17)
