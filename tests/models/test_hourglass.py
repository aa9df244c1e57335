"""What the stacked hourglass promises, whatever its form."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_hourglass import drawn, shapes

from pose_jax.models import make_model, map_hw
from pose_jax.skeleton import LSP14, MPII16

TINY = {"name": "hourglass", "num_stacks": 2, "num_features": 16, "depth": 2}
RELEASE = {
  **TINY,
  **{"stem": "attention", "skip": "hru", "neck": "linear", "depth": 3},
  **{"with_background": True, "part_from_stack": 2},
  "attention": {"holistic": "crf", "levels": 1, "part": "crf"},
}
PAPER = {
  **TINY,
  **{"skip": "hru", "depth": 3, "part_from_stack": 2},
  "attention": {"holistic": "crf", "refined": "crf", "part": "crf"},
}
FRUGAL = {"rematerialise": True}
FORMS = pytest.mark.parametrize(
  "config", [TINY, PAPER, RELEASE], ids=["plain", "paper", "release"]
)


def _prepare(config):
  """The module, variables all of whose entries are drawn, images."""
  model, variables, _ = shapes(config, LSP14, (32, 64))
  rng = np.random.default_rng(0)
  variables = drawn(variables, rng)
  return model, variables, jnp.float32(rng.standard_normal((3, 32, 64, 3)))


def _fast(function):
  # Compiling takes most of a test's time here.
  options = {"xla_backend_optimization_level": 1}
  return jax.jit(function, compiler_options=options)


@FORMS
def test_every_stage_has_a_quarter_of_the_crop(config):
  model, _, output = shapes(config)
  assert model.map_hw((64, 96)) == map_hw(config, (64, 96)) == (16, 24)
  assert model.crop_step == {2: 16, 3: 32}[config["depth"]]
  assert [maps.shape for maps in output.stages] == [(1, 16, 24, 16)] * 2
  assert output.heatmaps.shape == (1, 16, 24, 16)
  num = 2 if config is RELEASE else 0
  assert [maps.shape for maps in output.backgrounds] == [(1, 16, 24, 1)] * num
  leaves = jax.tree.leaves((output.stages, output.backgrounds))
  assert all(leaf.dtype == jnp.float32 for leaf in leaves)


def test_attention_reads_the_way_up_and_part_replaces_refined():
  _, _, output = shapes(PAPER)
  assert {name: maps.shape[1:] for name, maps in output.attention.items()} == {
    **{
      f"stack{stack}/holistic{level}": shape
      for stack in (0, 1)
      for level, shape in {
        "": (16, 24, 1),
        "/level0": (4, 6, 1),
        "/level1": (8, 12, 1),
        "/level2": (16, 24, 1),
      }.items()
    },
    "stack0/refined": (16, 24, 1),
    "stack1/part": (16, 24, 16),
  }


@pytest.mark.parametrize(
  ("refined", "part", "part_from_stack", "expected"),
  [
    ("crf", "none", 1, ["refined"] * 4),  # no part maps: the refined one stays
    ("crf", "crf", 3, ["refined", "refined", "part", "part"]),
    ("crf", "crf", 4, ["refined", "refined", "refined", "part"]),
    ("none", "crf", 1, ["part"] * 4),
  ],
)
def test_part_maps_start_at_the_stack_that_is_named(
  refined, part, part_from_stack, expected
):
  attention = {"holistic": "softmax", "refined": refined, "part": part}
  config = {
    **{**TINY, "num_stacks": 4, "attention": attention},
    "part_from_stack": part_from_stack,
  }
  model = make_model(config, MPII16)
  for index, place in enumerate(expected):
    options = model.attention_of_stack(index)
    assert options.holistic == "softmax"
    found = [p for p in ("refined", "part") if getattr(options, p) != "none"]
    assert found == [place]


def test_the_background_is_the_last_map_of_a_head():
  model, variables, images = _prepare(RELEASE)
  apply = _fast(model.apply)
  output = apply(variables, images)
  assert np.ptp(output.backgrounds[1]) > 0.01
  head = variables["params"]["stack1"]["head"]
  assert head["kernel"].shape[-1] == 15
  head["kernel"] = head["kernel"].at[..., 14].set(0.0)
  changed = apply(variables, images)
  np.testing.assert_array_equal(changed.heatmaps, output.heatmaps)
  assert (changed.backgrounds[1] == head["bias"][14]).all()


@FORMS
def test_gradient_reaches_every_parameter(config):
  model, variables, images = _prepare(config)

  def loss(params):
    # Evaluation: in training a norm takes away what a bias before it adds.
    output = model.apply({**variables, "params": params}, images)
    maps = (*output.stages, *output.backgrounds)
    return sum(jnp.square(stage - 1.0).mean() for stage in maps)

  gradients = _fast(jax.grad(loss))(variables["params"])
  for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
    norm = np.linalg.norm(leaf)
    assert np.isfinite(norm) and norm > 0, jax.tree_util.keystr(path)


def test_people_of_a_batch_do_not_see_each_other_in_evaluation():
  model, variables, images = _prepare(RELEASE)
  apply = _fast(lambda x: model.apply(variables, x).stages)
  together, changed = apply(images), apply(images.at[1:].multiply(-2.0))
  for before, after in zip(together, changed, strict=True):
    np.testing.assert_allclose(after[0], before[0], rtol=1e-5, atol=1e-6)
    assert np.abs(after[1] - before[1]).max() > 1e-3


def test_bfloat16_is_close_to_float32():
  model, variables, images = _prepare(RELEASE)
  half = make_model({**RELEASE, "dtype": "bfloat16"}, LSP14)
  wanted = _fast(model.apply)(variables, images).heatmaps
  error = np.std(_fast(half.apply)(variables, images).heatmaps - wanted)
  assert 0 < error < 0.1 * np.std(wanted)
  train = partial(half.apply, train=True, mutable=["batch_stats"])
  output, updates = jax.eval_shape(train, variables, images)
  assert output.features.dtype == jnp.bfloat16
  leaves = jax.tree.leaves((output.replace(features=None), updates))
  assert all(leaf.dtype == jnp.float32 for leaf in leaves)


def _training(config):
  model, variables, images = _prepare(config)

  def loss(params):
    output, updates = model.apply(
      {**variables, "params": params},
      images,
      train=True,
      mutable=["batch_stats"],
    )
    loss = sum(jnp.square(stage - 1.0).mean() for stage in output.stages)
    return loss, updates

  return loss, variables["params"]


def _kept_bytes(config):
  """What the forward pass keeps for the backward one."""
  loss, params = _training(config)
  _, pullback, _ = jax.eval_shape(
    lambda p: jax.vjp(loss, p, has_aux=True), params
  )
  leaves = jax.tree.leaves(pullback)
  return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)


def test_rematerialised_stacks_are_equal_and_keep_less():
  assert _kept_bytes({**PAPER, **FRUGAL}) < 0.5 * _kept_bytes(PAPER)
  results = []
  for config in (TINY, {**TINY, **FRUGAL}):
    loss, params = _training({**config, "num_stacks": 1, "depth": 1})
    step = _fast(jax.value_and_grad(loss, has_aux=True))
    results.append(step(params))
  for ours, wanted in zip(*map(jax.tree.leaves, results), strict=True):
    scale = np.abs(wanted).max() + 1e-3
    np.testing.assert_allclose(ours / scale, wanted / scale, atol=1e-3)


def test_convolutions_start_as_torchs_do():
  model, _, _ = shapes({**TINY, "num_features": 64})
  images = jnp.zeros((1, 16, 16, 3))
  params = _fast(model.init)(jax.random.key(0), images)["params"]
  for path, fan_in in (
    (("hourglass", "down1_0", "conv2"), 9 * 32),
    (("head",), 64),
    (("heatmaps_back",), 16),
  ):
    leaf = params["stack0"]
    for key in path:
      leaf = leaf[key]
    bound = fan_in**-0.5
    assert 0.9 * bound < np.abs(leaf["kernel"]).max() <= bound
    np.testing.assert_allclose(leaf["kernel"].std(), bound / 3**0.5, rtol=0.1)
    assert (leaf["bias"] == 0).all()


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"stem": "newell"}, "stem must be one of standard, attention, got"),
    ({"skip": "HRU"}, "skip must be one of residual, hru, got 'HRU'"),
    ({"neck": "none"}, "neck must be one of residual, linear, got 'none'"),
    ({"dtype": "float16"}, "dtype must be one of float32, bfloat16, got"),
    ({"num_stacks": 0}, "num_stacks must be at least 1, got 0"),
    ({"part_from_stack": 0}, "part_from_stack must be at least 1, got 0"),
    *(
      (
        {"attention": {"holistic": "crf", place: "transformer"}}
        | {"part_from_stack": 2, "with_background": True},
        f"attention.{place} is 'transformer', which with_background makes no",
      )
      for place in ("holistic", "refined", "part")
    ),
    ({"num_features": 20}, "multiple of 8 (the stem starts with a quarter"),
    ({"batch_norm_momentum": 1.5}, "momentum must be between 0 and 1, got 1.5"),
    ({"attention": {"levels": 3}}, "the network's pyramid has 2"),
    (
      {"attention": {"part": "crf"}, "part_from_stack": 3},
      "attention.part is 'crf' from stack 3 on, but there are 2",
    ),
    (
      {
        "attention": {"holistic": "crf", "refined": "crf", "part": "crf"},
        "part_from_stack": 1,
      },
      "part maps take its place from part_from_stack=1",
    ),
    ({"num_stack": 2}, "no option 'num_stack', did you mean 'num_stacks'?"),
  ],
)
def test_wrong_config_values_are_named(change, message):
  with pytest.raises(ValueError, match="^[^\n]*$") as error:
    make_model({**TINY, **change}, MPII16)
  assert message in str(error.value)


@pytest.mark.parametrize("config", [TINY, RELEASE], ids=["plain", "release"])
def test_the_last_max_pool_takes_odd_maps(config):
  """Of 128x96 at depth 4 they are 4x3, here 3x5."""
  height, width = hw = (48, 80) if config["depth"] == 3 else (24, 40)
  model, _, output = shapes({**config, "num_blocks": 2}, LSP14, hw)
  assert model.map_hw(hw) == (height // 4, width // 4)
  assert output.heatmaps.shape == (1, height // 4, width // 4, 14)
  assert height % model.crop_step and width % model.crop_step


@pytest.mark.parametrize("crop_hw", [(256, 192 + 16), (0, 64), (32, 128)])
def test_crops_that_cannot_be_halved_are_refused(crop_hw):
  config = {**TINY, "depth": 4}
  with pytest.raises(
    ValueError, match=r"multiples of 32, 64 or more.* example \(256, 256"
  ):
    map_hw(config, crop_hw)
  with pytest.raises(ValueError, match="multiples of 32, 64 or more"):
    shapes(config, hw=crop_hw)
