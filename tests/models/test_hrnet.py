"""HRNet: its published cost, torch's outputs, its stages, its own promises.

(Outputs and gradients of a reference W32 were compared where torch is at hand;
`test_hrnet_parts.py` has the fusion written out. `files/make_hrnet.py` wrote
the tiny reference.)
"""

import itertools
import pathlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_hourglass import drawn

from pose_jax.models import MODELS, make_model, map_hw
from pose_jax.models.attention_options import KINDS
from pose_jax.models.cost import count_multiply_adds, count_parameters
from pose_jax.models.hrnet import HRNet
from pose_jax.models.layers import BatchNorm, Conv
from pose_jax.skeleton import COCO17
from pose_jax.weights import load

TINY = {
  "name": "hrnet",
  "width": 4,
  "stem_width": 4,
  "num_modules": (1, 1, 1),
  "num_blocks": 1,
}
# Compiling takes most of a test's time here.
fast = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def _images(height, width, num=1):
  return jax.ShapeDtypeStruct((num, height, width, 3), jnp.float32)


def _shapes(model, images):
  return jax.eval_shape(model.init, jax.random.key(0), images)


@pytest.fixture(scope="module")
def tiny():
  """A tiny network, variables all of whose entries are drawn, images."""
  model = make_model(TINY, COCO17)
  rng = np.random.default_rng(0)
  images = jnp.float32(rng.standard_normal((3, 64, 32, 3)))
  return model, drawn(_shapes(model, images), rng), images


@pytest.fixture(scope="module")
def tiny_apply(tiny):
  """What the tiny network says of images, compiled once."""
  model, variables, _ = tiny
  return fast(lambda x: model.apply(variables, x, train=False).heatmaps)


def test_outputs_are_those_of_the_structure_written_in_torch():
  path = pathlib.Path(__file__).parent / "files" / "hrnet.npz"
  with np.load(path) as file:
    arrays = dict(file)
  tensors, start = {}, 0
  for name, step, shape in zip(
    *(arrays[key] for key in ("names", "steps", "shapes")), strict=True
  ):
    shape = tuple(map(int, shape.split()))
    end = start + int(np.prod(shape))
    tensors[str(name)] = arrays["levels"][start:end].reshape(shape) * step
    start = end
  assert start == len(arrays["levels"])
  variables = load(tensors, TINY)
  model = MODELS["hrnet"](3, **{k: v for k, v in TINY.items() if k != "name"})
  found = fast(model.apply)(variables, arrays["images"])
  wanted = arrays["heatmaps"]
  assert np.std(wanted) > 0.1
  np.testing.assert_allclose(found.heatmaps, wanted, rtol=1e-4, atol=1e-5)
  head = variables["params"]["head"]
  read = np.asarray(found.features) @ head["kernel"][0, 0] + head["bias"]
  np.testing.assert_allclose(read, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
  ("width", "parameters", "multiply_adds"),
  [(32, 28.54e6, (7.12, 16.02)), (48, 63.60e6, (14.61, 32.88))],
)
def test_parameters_and_multiply_adds_are_the_published(
  width, parameters, multiply_adds
):
  model = make_model({"name": "hrnet", "width": width}, COCO17)
  variables = _shapes(model, _images(64, 64))
  count = count_parameters(variables["params"])
  assert abs(count / parameters - 1) < 5e-4
  for (height, side), wanted in zip(
    ((256, 192), (384, 288)), multiply_adds, strict=True
  ):
    cost = count_multiply_adds(
      lambda v, x: model.apply(v, x).heatmaps, variables, _images(height, side)
    )
    assert abs(cost / 1024**3 / wanted - 1) < 0.001


def test_shapes_and_types(tiny):
  model, variables, images = tiny
  output = jax.eval_shape(model.apply, variables, images)
  assert output.heatmaps.shape == (3, 16, 8, 17)
  assert output.heatmaps.dtype == jnp.float32
  assert output.stages[-1].shape == output.heatmaps.shape
  assert output.links is None and not output.attention
  assert model.map_hw((64, 32)) == map_hw(TINY, (64, 32)) == (16, 8)
  assert model.crop_step == 32 and "hrnet" in MODELS


def test_gradient_reaches_every_parameter(tiny):
  model, variables, images = tiny

  def loss(params):
    output, _ = model.apply(
      {**variables, "params": params},
      images,
      train=True,
      mutable=["batch_stats"],
    )
    return jnp.square(output.heatmaps - 1.0).mean()

  gradient = fast(jax.grad(loss))
  leaves = jax.tree_util.tree_leaves_with_path(gradient(variables["params"]))
  for path, leaf in leaves:
    norm = np.linalg.norm(leaf)
    assert np.isfinite(norm) and norm > 0, jax.tree_util.keystr(path)


def test_people_of_a_batch_do_not_see_each_other_in_evaluation(
  tiny, tiny_apply
):
  images = tiny[2]
  together = tiny_apply(images)
  changed = tiny_apply(images.at[1:].multiply(-2.0))
  np.testing.assert_allclose(changed[0], together[0], rtol=1e-6, atol=1e-6)
  assert np.abs(changed[1] - together[1]).max() > 1e-3


def test_statistics_move_in_training_alone(tiny):
  model, variables, images = tiny

  @fast
  def updated(x):
    return [
      model.apply(variables, x, train=train, mutable=["batch_stats"])[1]
      for train in (False, True)
    ]

  kept, moved = updated(images)
  before = jax.tree.leaves(variables["batch_stats"])
  pairs = zip(before, jax.tree.leaves(kept["batch_stats"]), strict=True)
  assert all((old == new).all() for old, new in pairs)
  pairs = zip(before, jax.tree.leaves(moved["batch_stats"]), strict=True)
  assert all((old != new).any() for old, new in pairs)


def test_bfloat16_is_close_to_float32(tiny, tiny_apply):
  _, variables, images = tiny
  half = make_model({**TINY, "dtype": "bfloat16"}, COCO17)
  full = tiny_apply(images)
  rough = fast(half.apply)(variables, images).heatmaps
  assert rough.dtype == jnp.float32
  # bfloat16 keeps 8 bits: a few per cent of the scale behind 30 layers.
  assert 0 < np.std(rough - full) < 0.1 * np.std(full)


def test_holistic_attention_sees_all_four_levels():
  attention = {"holistic": "softmax", "levels": 4, "part": "softmax"}
  model = make_model({**TINY, "attention": attention}, COCO17)
  images = _images(64, 32)
  output = jax.eval_shape(model.apply, _shapes(model, images), images)
  sizes = [output.attention[f"holistic/level{i}"].shape[1:3] for i in range(4)]
  assert sizes == [(2, 1), (4, 2), (8, 4), (16, 8)]
  assert output.attention["part"].shape == (1, 16, 8, 17)


@pytest.mark.parametrize(
  ("kind", "place"),
  list(itertools.product(KINDS[1:], ("holistic", "refined", "part"))),
)
def test_every_attention_attaches_everywhere(kind, place):
  # A refined map stands behind a holistic one.
  attention = {"holistic": "softmax"} | {place: kind}
  model = make_model({**TINY, "attention": attention}, COCO17)
  images = _images(64, 32)
  variables = _shapes(model, images)
  output = jax.eval_shape(model.apply, variables, images)
  assert output.heatmaps.shape == (1, 16, 8, 17)
  num_maps = 17 if place == "part" else 1
  assert output.attention[place].shape == (1, 16, 8, num_maps)
  assert variables["params"]["head"][place]


def _backbone():
  norm = jax.tree_util.Partial(BatchNorm, use_running_average=True)
  return HRNet(4, 4, (1, 1, 1), 1, Conv, norm)


def test_stages_are_within_reach_and_what_is_between_them_goes_on():
  backbone, seen = _backbone(), {}
  rng = np.random.default_rng(2)
  x = jnp.float32(rng.standard_normal((1, 64, 32, 3)))
  variables = drawn(_shapes(backbone, x), rng)

  def doubled(n, branches):
    seen[n] = [branch.shape[1:] for branch in branches]
    return tuple(2 * branch if n == 3 else branch for branch in branches)

  plain, changed = fast(
    lambda x: tuple(backbone.apply(variables, x, b) for b in (None, doubled))
  )(x)
  finest = (16, 8, 4)
  assert seen == {
    1: [(16, 8, 16)],
    2: [finest, (8, 4, 8)],
    3: [finest, (8, 4, 8), (4, 2, 16)],
  }
  assert [len(stage) for stage in plain.stages] == [1, 2, 3, 4]
  assert [level.shape[1:] for level in plain.pyramid] == [
    (2, 1, 32),
    (4, 2, 16),
    (8, 4, 8),
    finest,
  ]
  for n, factor in ((0, 1), (1, 1), (2, 2)):
    for old, new in zip(plain.stages[n], changed.stages[n], strict=True):
      np.testing.assert_allclose(new, factor * old, rtol=1e-6)
  # Stage 4 got the doubled branches, and its transition the doubled coarsest.
  for old, new in zip(plain.pyramid, changed.pyramid, strict=True):
    assert np.abs(new - old).max() > 1e-3


def test_link_maps_come_with_the_skeletal_module():
  config = {**TINY, "skeletal": True}
  model = make_model(config, COCO17)
  images = _images(64, 32)
  variables = _shapes(model, images)
  output = jax.eval_shape(model.apply, variables, images)
  assert output.links.shape == (1, 16, 8, len(COCO17.links))
  assert output.links.dtype == jnp.float32
  # Beside the network, not within it: weights without the module still fit.
  plain = _shapes(make_model(TINY, COCO17), images)["params"]
  params = dict(variables["params"])
  assert params.pop("skeletal")
  assert jax.tree.map(lambda leaf: leaf.shape, params) == jax.tree.map(
    lambda leaf: leaf.shape, plain
  )
  # Sizes need no skeleton.
  assert map_hw(config, (64, 32)) == (16, 8)


def test_initialisation_is_that_of_the_classification_networks(tiny):
  model, _, images = tiny

  @fast
  def start(key):  # what is not returned is not computed
    params = model.init(key, images[:1])["params"]
    module = params["backbone"]["stage4_module0"]
    return module["branch3_block0"], params["head"]

  block, head = start(jax.random.key(0, impl="rbg"))
  kernel = block["conv2"]["kernel"]  # 9,216 values: known to 1 %
  np.testing.assert_allclose(kernel.std(), (2 / (9 * 32)) ** 0.5, rtol=0.03)
  assert (block["norm2"]["scale"] == 1).all()
  np.testing.assert_allclose(head["kernel"].std(), 0.001, rtol=0.3)  # of 68
  assert (head["bias"] == 0).all()


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"width": 0}, "width must be at least 1, got 0"),
    ({"stem_width": 0}, "stem_width must be at least 1, got 0"),
    ({"num_blocks": 0}, "num_blocks must be at least 1, got 0"),
    ({"num_modules": (1, 4)}, "num_modules must be three positive numbers"),
    ({"num_modules": (1, 0, 3)}, "got (1, 0, 3): (1, 4, 3) is the published"),
    ({"dtype": "float16"}, "must be one of float32, bfloat16, got 'float16'"),
    ({"widht": 16}, "no option 'widht', did you mean 'width'?"),
    ({"attention": {"part": "crv"}}, "attention.part must be one of none, "),
  ],
)
def test_wrong_config_values_are_named(change, message):
  with pytest.raises(ValueError, match="^[^\n]*$") as error:
    make_model({**TINY, **change}, COCO17)
  assert message in str(error.value)


@pytest.mark.parametrize("crop_hw", [(256, 190), (0, 192), (100, 192)])
def test_crops_that_do_not_divide_are_refused(tiny, crop_hw):
  model, variables, _ = tiny
  with pytest.raises(ValueError, match="multiples of 32 for an HRNet"):
    map_hw(TINY, crop_hw)
  with pytest.raises(ValueError, match="multiples of 32 for an HRNet"):
    jax.eval_shape(model.apply, variables, _images(*crop_hw))
