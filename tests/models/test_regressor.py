"""Regressors by hand: their sizes, their heads, what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from classic_parts import (
  DENSE,
  abstract_variables,
  count_of,
  quick_jit,
)

from configs import base
from pose_jax.models import MODELS, build, make_model, map_hw
from pose_jax.models.flow import RealNVP
from pose_jax.models.regressor import DenseLayers, make_regressor
from pose_jax.models.trunks import TRUNKS
from pose_jax.skeleton import COCO17

TINY = {
  "name": "regressor",
  "backbone": "baseline2",
  "width": 2,
  "pooling": "flatten",
  "shared_layers": (8,),
  "presence_layers": (7, 6),
  "coordinate_layers": (5,),
}
RESNETS = {18: 11_176_512, 50: 23_508_032}  # torchvision's


def params_of(model, *hw):
  return abstract_variables(model, *hw)["params"]


@pytest.mark.parametrize("depth", RESNETS)
def test_deeppose_on_a_resnet_is_one_dense_layer(depth):
  model = make_regressor(17, depth=depth, coordinate_layers=())
  params = params_of(model, 64, 64)
  assert set(params) == {"backbone", "coordinate_head"}
  assert count_of(params["backbone"]) == RESNETS[depth]
  features = 2048 if depth == 50 else 512
  assert count_of(params) - RESNETS[depth] == (features + 1) * 34


def test_rle_has_as_many_numbers_again_and_a_flow():
  model = make_regressor(17, depth=18, coordinate_layers=(), with_sigmas=True)
  params = params_of(model, 64, 64)
  assert count_of(params["coordinate_head"]) == 2 * (512 + 1) * 34
  points = jax.ShapeDtypeStruct((1, 2), jnp.float32)
  flow = jax.eval_shape(RealNVP().init, jax.random.key(0), points)["params"]
  assert params["flow"] == flow


def test_vgg_19_with_a_thousand_keypoints_is_the_published_classifier():
  model = make_regressor(
    1000,
    backbone="vgg",
    depth=19,
    pooling="flatten",
    shared_layers=(4096,),
    presence_layers=(4096,),
  )
  params = params_of(model, 224, 224)
  assert count_of(params) == 143_667_240
  heads = count_of(params["presence_head"]) + count_of(params["shared"])
  assert heads == (7 * 7 * 512 + 1) * 4096 + DENSE


@pytest.mark.parametrize(
  ("backbone", "features"),
  [
    ("baseline1", 14 * 14 * 64),
    ("baseline2", 7 * 7 * 128),
    ("alexnet", 7 * 7 * 128),
    ("alexnet_paper", 4 * 4 * 128),
    ("resnet", 7 * 7 * 32 * 32),
  ],
)
def test_paper_004s_heads_part_behind_the_first_dense_layer(backbone, features):
  """Both have three dense layers, the shared one counted with presence."""
  model = make_regressor(
    14,
    backbone=backbone,
    width=32,
    pooling="flatten",
    shared_layers=(512,),
    presence_layers=(256,),
    coordinate_layers=(256, 128),
  )
  params = params_of(model, 224, 224)
  assert count_of(params["shared"]) == (features + 1) * 512
  presence = (512 + 1) * 256 + (256 + 1) * 14
  assert count_of(params["presence_head"]) == presence
  coordinates = (512 + 1) * 256 + (256 + 1) * 128 + (128 + 1) * 28
  assert count_of(params["coordinate_head"]) == coordinates


@pytest.fixture(scope="module")
def tiny():
  model = make_model({**TINY, "with_sigmas": True}, COCO17)
  variables = abstract_variables(model, 32, 64)
  rng = np.random.default_rng(0)
  params = jax.tree.map(
    lambda s: jnp.float32(0.3 * rng.standard_normal(s.shape)),
    variables["params"],
  )
  images = jnp.float32(rng.standard_normal((3, 32, 64, 3)))
  return model, params, images


def _dense(x, params, names):
  for name in names:
    layer = {key: np.float64(value) for key, value in params[name].items()}
    x = x @ layer["kernel"] + layer["bias"]
    if name.startswith("dense"):
      x = np.maximum(x, 0)
  return x


@pytest.mark.parametrize("pooling", ["average", "flatten"])
def test_heads_are_dense_layers(tiny, pooling):
  model, params, images = tiny
  if pooling == "average":
    model = model.clone(pooling=pooling)
    kernel = params["shared"]["dense0"]["kernel"][:8]
    shared = {"dense0": {**params["shared"]["dense0"], "kernel": kernel}}
    params = {**params, "shared": shared}
  backbone = {"params": params["backbone"]}
  features, output = quick_jit(
    lambda x: (
      model.backbone.apply(backbone, x)[-1],
      model.apply({"params": params}, x),
    )
  )(images)
  with jax.numpy_rank_promotion("allow"):
    x = np.float64(features)
    x = x.mean((1, 2)) if pooling == "average" else x.reshape(3, -1)
    x = _dense(x, params["shared"], ["dense0"])
    head = params["presence_head"]
    logits = _dense(x, head, ["dense0", "dense1", "logits"])
    head = params["coordinate_head"]
    coordinates = _dense(x, head, ["dense0", "coordinates"])
    sigmas = 1 / (1 + np.exp(-_dense(x, head, ["dense0", "sigmas"])))
  np.testing.assert_allclose(output.presence_logits, logits, atol=1e-5)
  for index in range(17):
    pair = slice(2 * index, 2 * index + 2)
    for ours, theirs in (
      (output.coordinates, coordinates),
      (output.coordinate_sigmas, sigmas),
    ):
      np.testing.assert_allclose(ours[:, index], theirs[:, pair], atol=1e-5)
  (last,) = output.coordinate_stages
  np.testing.assert_array_equal(last, output.coordinates)
  assert output.heatmaps is None and output.stages == ()


def test_density_is_the_flows_for_each_keypoint(tiny):
  model, params, _ = tiny
  errors = jnp.float32(np.random.default_rng(1).standard_normal((2, 17, 2)))
  found, flow = quick_jit(
    lambda e: (
      model.apply({"params": params}, e, method="log_density"),
      RealNVP().apply({"params": params["flow"]}, e.reshape(-1, 2)),
    )
  )(errors)
  np.testing.assert_allclose(found, flow.reshape(2, 17), rtol=1e-5)
  with pytest.raises(ValueError, match="set with_sigmas to True"):
    plain = make_model(TINY, COCO17)
    plain.apply({"params": params}, errors, method="log_density")


def test_gradient_reaches_every_parameter(tiny):
  model, params, images = tiny

  def loss(params):
    output = model.apply({"params": params}, images, train=True)
    errors = (output.coordinates - 0.1) / output.coordinate_sigmas
    density = model.apply({"params": params}, errors, method="log_density")
    return jnp.square(output.presence_logits).mean() - density.mean()

  gradients = quick_jit(jax.grad(loss))(params)
  for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
    norm = np.linalg.norm(leaf)
    assert np.isfinite(norm) and norm > 0, jax.tree_util.keystr(path)


def test_a_fresh_head_points_at_the_middle():
  head = DenseLayers((64,), ("coordinates",), 34)
  x = jnp.abs(jax.random.normal(jax.random.key(0), (50, 2048)))
  key = jax.random.key(1, impl="rbg")
  (hidden, found), _ = quick_jit(head.init_with_output)(key, x)
  assert 0.5 < np.sqrt(np.square(hidden).mean()) < 2.0
  assert 0.005 < np.std(found["coordinates"]) < 0.05


@pytest.mark.parametrize(
  ("presence", "coordinates", "names"),
  [
    ((), None, {"presence_head"}),
    (None, (), {"coordinate_head"}),
    ((4,), (4,), {"presence_head", "coordinate_head"}),
  ],
)
def test_a_head_can_be_off(presence, coordinates, names):
  model = make_regressor(
    3,
    backbone="baseline1",
    width=2,
    presence_layers=presence,
    coordinate_layers=coordinates,
  )
  variables = abstract_variables(model, 32, 32)
  assert set(variables["params"]) == {"backbone"} | names
  images = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
  output = jax.eval_shape(model.apply, variables, images)
  assert (output.presence_logits is None) == (presence is None)
  assert (output.coordinates is None) == (coordinates is None)
  assert len(output.coordinate_stages) == (coordinates is not None)
  assert output.coordinate_sigmas is None


@pytest.mark.parametrize("backbone", ["vgg", "alexnet_paper", "baseline1"])
def test_computing_in_bfloat16_says_float32(backbone):
  depth = {"depth": 16} if backbone == "vgg" else {}
  options = {"backbone": backbone, **depth, "dtype": "bfloat16"}
  model = build({**TINY, **options, "with_sigmas": True}, 3)
  variables = abstract_variables(model, 64, 64)
  assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {
    jnp.dtype(jnp.float32)
  }
  images = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
  output = jax.eval_shape(model.apply, variables, images)
  assert {leaf.dtype for leaf in jax.tree.leaves(output)} == {
    jnp.dtype(jnp.float32)
  }


def test_batch_statistics_are_the_backbones_and_can_be_of_all_devices():
  options = {"backbone": "vgg", "depth": 16, "use_batch_norm": True}
  model = build({**TINY, **options, "sync_batch_norm": True}, 3)
  assert model.backbone.axis_name == "devices"
  model = build({**TINY, **options}, 3)
  variables = abstract_variables(model, 32, 32)
  images = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
  _, updates = jax.eval_shape(
    lambda v, x: model.apply(v, x, True, mutable=["batch_stats"]),
    variables,
    images,
  )
  assert set(updates["batch_stats"]) == {"backbone"}
  assert updates["batch_stats"] == variables["batch_stats"]


def test_the_frame_of_its_keypoints_is_the_crop():
  assert MODELS["regressor"] is make_regressor
  assert map_hw(TINY, (96, 64)) == (96, 64)
  with pytest.raises(
    ValueError, match=r"multiples of 32 for a plain CNN, got \(100, 64\)"
  ):
    map_hw(TINY, (100, 64))
  assert map_hw({**TINY, "backbone": "baseline1"}, (48, 16)) == (48, 16)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"backbone": "resnet50"}, "backbone must be one of resnet, .*'resnet50'"),
    ({"backbone": "resnet", "depth": 20}, "one of 18, 34.* 'resnet', got 20"),
    ({"backbone": "vgg"}, "depth must be one of 16, 19 .* 'vgg', got 50"),
    ({"depth": 18}, "'baseline2' has one depth: leave depth out, got 18"),
    ({"use_batch_norm": True}, "'baseline2' leave it out, which has .* never"),
    ({"width": 0}, "width must be at least 1, got 0"),
    ({"pooling": "max"}, "one of average, flatten, got 'max'"),
    (
      {"shared_layers": (8, 0)},
      r"^shared_layers must be .* \(\), got \(8, 0\)",
    ),
    ({"presence_layers": [True]}, "presence_layers .* no such head, got "),
    (
      {"presence_layers": None, "coordinate_layers": None},
      "says nothing: give one or both",
    ),
    ({"coordinate_layers": None, "with_sigmas": True}, "deviations are of"),
    ({"dtype": "float16"}, "dtype must be one of"),
  ],
)
def test_mistakes_are_told(changes, message):
  with pytest.raises(ValueError, match=message):
    build({**TINY, **changes}, 3)
  with pytest.raises(ValueError, match="num_keypoints must be at least 1"):
    build(TINY, 0)


@pytest.mark.parametrize("backbone", TRUNKS)
def test_debug_sizes_of_each_backbone(backbone):
  config = base.get_config()
  config.data.crop_hw = (224, 224)
  depth = {"resnet": {"depth": 152}, "vgg": {"depth": 19}}.get(backbone, {})
  config.model = {**TINY, "backbone": backbone, "width": 64, **depth}
  config.model.shared_layers = (4096, 4096)
  config.model.presence_layers = None
  base.shrink(config)
  model = build(config.model, 17)
  params = params_of(model, *config.data.crop_hw)
  assert set(params) == {"backbone", "shared", "coordinate_head"}
  assert count_of(params) < 300_000
  assert params["coordinate_head"]["dense0"]["kernel"].shape == (16, 16)
