"""Convolutional pose machine: its layers written out, and what it promises."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from classic_parts import abstract_variables, conv, count_of, randomised

from pose_jax.models import make_model, map_hw
from pose_jax.models.cost import count_multiply_adds
from pose_jax.models.pose_machine import FORMS
from pose_jax.models.pose_machine_parts import centre_map
from pose_jax.skeleton import COCO17, LSP14

TINY = {"name": "pose_machine", "width": 4, "num_stages": 3}
STAGES = {"paper": 3, "mmpose": 2}
# Compiling takes most of a test's time here.
fast = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def made(form, hw=(88, 96), num=2, **options):
  """Module, variables all of whose entries are drawn, images.

  Maps are no smaller than kernels, which compile faster so. Biases are above 0:
  with few channels a layer might have no ReLU alive.
  """
  options = {"form": form, "num_stages": STAGES[form]} | options
  model = make_model(TINY | options, LSP14)
  variables = jax.tree_util.tree_map_with_path(
    lambda path, leaf: abs(leaf) if path[-1].key == "bias" else leaf,
    randomised(abstract_variables(model, *hw)),
  )
  images = np.random.default_rng(1).standard_normal((num, *hw, 3))
  return model, variables, jnp.float32(images)


@pytest.fixture(scope="module", params=FORMS)
def tiny(request):
  """A tiny network of each form, and what it says, compiled once."""
  model, variables, images = made(request.param)
  return model, variables, images, fast(model.apply)


def pool(x, before, behind):
  """3x3 with stride 2, by rows that are added on either side."""
  pads = (before, behind)
  x = np.pad(x, ((0, 0), pads, pads, (0, 0)), constant_values=-np.inf)
  height, width = ((n - 3) // 2 + 1 for n in x.shape[1:3])
  windows = [
    x[:, i : i + 2 * height - 1 : 2, j : j + 2 * width - 1 : 2]
    for i in range(3)
    for j in range(3)
  ]
  return np.max(windows, axis=0)


def written_out(form, variables, images):
  """Every stage's maps, layer by layer, in float64."""
  params, stats = variables["params"], variables.get("batch_stats", {})

  def chain(x, *path, num, pooled=0):
    tree, its = params, stats
    for name in path:
      tree, its = tree[name], its.get(name, {})
    assert len([name for name in tree if name.startswith("conv")]) == num
    for i in range(num):
      layer = tree[f"conv{i}"]
      assert ("bias" in layer) == (form == "paper")
      layer = {"bias": np.zeros(layer["kernel"].shape[-1])} | layer
      x = np.asarray(conv(x, layer, 1, layer["kernel"].shape[0] // 2))
      if form == "mmpose":
        moments, norm = its[f"norm{i}"], tree[f"norm{i}"]
        x = (x - moments["mean"]) / np.sqrt(np.float64(moments["var"]) + 1e-5)
        x = x * norm["scale"] + norm["bias"]
      x = np.maximum(x, 0)
      if i < pooled:
        x = pool(x, *((0, 1) if form == "paper" else (1, 1)))
    return x

  def maps_of(stage, x, num, pooled=0):
    x = chain(x, stage, "convs", num=num, pooled=pooled)
    return np.asarray(conv(x, params[stage]["head"], 1, 0))

  x = np.float64(images)
  stages = [maps_of("stack0", x, 6, 3)]
  picture = chain(x, "picture", num=3, pooled=3)
  for index in range(1, STAGES[form]):
    seen = [chain(picture, f"picture{index}", num=1), stages[-1]]
    if form == "paper":
      middle = np.float64(centre_map(picture.shape[1:3]))[None]
      seen.append(np.repeat(middle, len(x), axis=0))
    stages.append(maps_of(f"stack{index}", np.concatenate(seen, -1), 4))
  return stages


def test_stages_are_the_layers_written_out(tiny):
  model, variables, images, apply = tiny
  with jax.enable_x64(True), jax.numpy_rank_promotion("allow"):
    wanted = written_out(model.form, variables, images)
  output = apply(variables, images)
  assert len(output.stages) == len(wanted) == STAGES[model.form]
  for index, (maps, both) in enumerate(zip(output.stages, wanted, strict=True)):
    if model.form == "paper":
      assert both.shape == (2, 11, 12, 15)
      maps = np.concatenate([maps, output.backgrounds[index]], -1)
    np.testing.assert_allclose(maps, both, atol=2e-4)
  np.testing.assert_array_equal(output.heatmaps, output.stages[-1])
  assert (output.backgrounds == ()) == (model.form == "mmpose")
  head = variables["params"][f"stack{len(wanted) - 1}"]["head"]
  read = np.asarray(output.features) @ np.asarray(head["kernel"][0, 0, :, :14])
  read += np.asarray(head["bias"][:14])
  np.testing.assert_allclose(read, output.heatmaps, atol=1e-4)


def test_people_of_a_batch_do_not_see_each_other(tiny):
  _, variables, images, apply = tiny
  both = apply(variables, images)
  changed = apply(variables, images.at[1].set(0.0))
  np.testing.assert_array_equal(changed.heatmaps[0], both.heatmaps[0])
  assert np.abs(changed.heatmaps[1] - both.heatmaps[1]).max() > 1e-3


def test_each_stage_learns_from_the_stages_behind_it():
  model, variables, images = made("paper", num_stages=2)

  @fast
  @jax.grad
  def gradient(params, weights):
    output = model.apply({"params": params}, images, train=True)
    losses = [jnp.square(maps - 1.0).mean() for maps in output.stages]
    for index, maps in enumerate(output.backgrounds):
      losses[index] += jnp.square(maps - 1.0).mean()
    return weights @ jnp.stack(losses)

  def reached(weights):
    found = gradient(variables["params"], jnp.array(weights))
    leaves = jax.tree_util.tree_leaves_with_path(found)
    assert all(np.isfinite(leaf).all() for _, leaf in leaves)
    return {
      tuple(key.key for key in path)
      for path, leaf in leaves
      if np.abs(leaf).max() > 0
    }

  assert len(reached([0.0, 1.0])) == len(jax.tree.leaves(variables["params"]))
  assert {path[0] for path in reached([1.0, 0.0])} == {"stack0"}


def count(height, inputs, outputs, has_norm=False):
  """Numbers of a convolution with its bias, or with a norm's two instead."""
  return (height**2 * inputs + (2 if has_norm else 1)) * outputs


def by_hand(maps, later, norm):
  """(stage 1, the picture, each later stage) with 128 channels."""
  inner = partial(count, has_norm=norm)
  three = inner(9, 3, 128) + 2 * inner(9, 128, 128)
  first = three + inner(5, 128, 32) + inner(9, 32, 512) + inner(1, 512, 512)
  others = inner(5, 128, 32) + inner(11, later, 128)
  others += 2 * inner(11, 128, 128) + inner(1, 128, 128)
  return first + count(1, 512, maps), three, others + count(1, 128, maps)


@pytest.mark.parametrize(
  ("form", "skeleton", "total"),
  [("paper", LSP14, 31_219_866), ("mmpose", COCO17, 31_304_166)],
)
def test_parameters_are_those_counted_by_hand(form, skeleton, total):
  model = make_model({"name": "pose_machine", "form": form}, skeleton)
  maps = skeleton.num_keypoints + (form == "paper")
  later = 32 + maps + (form == "paper")
  first, picture, others = by_hand(maps, later, form == "mmpose")
  tree = abstract_variables(model, 88, 88)["params"]
  assert count_of(tree["stack0"]) == first
  assert count_of(tree["picture"]) == picture
  for index in range(1, 6):
    its = (tree[f"stack{index}"], tree[f"picture{index}"])
    assert count_of(its) == others
  assert count_of(tree) == first + picture + 5 * others == total


def test_mmposes_form_costs_what_its_table_says():
  """63.81 G at 256x192; there norms, ReLUs and pools count too."""
  model = make_model({"name": "pose_machine", "form": "mmpose"}, COCO17)
  images = jax.ShapeDtypeStruct((1, 256, 192, 3), jnp.float32)
  variables = abstract_variables(model, 88, 88)
  cost = count_multiply_adds(model.apply, variables, images) / 1e9
  assert 0.998 < cost / 63.81 < 1


@pytest.mark.parametrize("form", FORMS)
def test_maps_are_an_eighth_of_the_crop(form):
  config = TINY | {"form": form, "attention": {"holistic": "crf"}}
  model = make_model(config, LSP14)
  for crop_hw, size_hw in (
    ((368, 368), (46, 46)),
    ((88, 96), (11, 12)),
  ):
    assert map_hw(config, crop_hw) == model.map_hw(crop_hw) == size_hw
    images = jax.ShapeDtypeStruct((1, *crop_hw, 3), jnp.float32)
    output, _ = jax.eval_shape(
      model.init_with_output, jax.random.key(0), images
    )
    assert [maps.shape for maps in output.stages] == [(1, *size_hw, 14)] * 3
    grounds = [(1, *size_hw, 1)] * (3 if form == "paper" else 0)
    assert [maps.shape for maps in output.backgrounds] == grounds
    assert set(output.attention) == {f"stack{i}/holistic" for i in range(3)}
  assert model.crop_step == 8


def test_the_middle_is_a_gaussian_of_21_pixels_in_a_crop_of_368():
  found = np.asarray(centre_map((46, 46)))[..., 0]
  for i, j in ((0, 0), (22, 23), (10, 40)):
    y, x = 8 * i + 3.5, 8 * j + 3.5  # a map pixel's middle, in crop pixels
    square = (y - 183.5) ** 2 + (x - 183.5) ** 2
    np.testing.assert_allclose(
      found[i, j], np.exp(-square / (2 * 21**2)), rtol=1e-4
    )
  wide = np.asarray(centre_map((6, 9)))
  np.testing.assert_array_equal(wide, wide[::-1, ::-1])
  assert wide.argmax() % 9 == 4 and wide.max() < 1


def test_half_precision_ends_in_full_maps():
  model, variables, images = made("mmpose", dtype="bfloat16")
  output = jax.eval_shape(model.apply, variables, images)
  assert {maps.dtype for maps in output.stages} == {jnp.dtype("float32")}
  assert output.features.dtype == jnp.bfloat16


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"form": "papers"}, "form must be one of paper, mmpose, got 'papers'"),
    ({"width": 6}, "width must be a positive multiple of 4 .*, got 6"),
    ({"num_stages": 0}, "num_stages and num_keypoints .* got 0 and 14"),
    ({"dtype": "float16"}, "must be one of float32, bfloat16, got 'float16'"),
    ({"attention": {"part": "transformer"}}, "set form to 'mmpose', or attent"),
    ({"soft_argmax": True}, "predicts where no keypoint is, .* its form witho"),
    ({"stages": 6}, "has no option 'stages', did you mean 'num_stages'?"),
  ],
)
def test_what_cannot_be_built_is_named(change, message):
  with pytest.raises(ValueError, match=message):
    make_model(TINY | change, LSP14)


def test_crops_that_do_not_fit_are_refused():
  model = make_model(TINY, LSP14)
  with pytest.raises(ValueError, match=r"multiples of 8 .*\(100, 64\): choose"):
    abstract_variables(model, 100, 64)
