"""AlexNet against torchvision's layers written out; where its maps lie."""

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

from pose_jax.geometry import Frames
from pose_jax.models import make_model, map_hw
from pose_jax.models.alexnet import AlexNet
from pose_jax.skeleton import COCO17

TINY = {"name": "alexnet", "width": 2, "deconv_filters": (4, 4, 4)}


def _torchvision(variables, x, extra_pool=False):
  """Its `features`, layer by layer, in float64."""
  params = variables["params"]
  x = np.maximum(conv(np.float64(x), params["conv1"], 4, 2), 0)
  levels = [x]
  x = np.maximum(conv(window_maximum(x, 3), params["conv2"], 1, 2), 0)
  levels.append(x)
  x = window_maximum(x, 3)
  for name in ("conv3", "conv4", "conv5"):
    x = np.maximum(conv(x, params[name], 1, 1), 0)
    if extra_pool and name == "conv4":
      levels.append(x)
      x = window_maximum(x, 3)
  return [*levels, x, window_maximum(x, 3)]


def _made(height, width, **options):
  trunk = AlexNet(width=2, **options)
  variables = randomised(abstract_variables(AlexNet(width=2), 64, 64))
  rng = np.random.default_rng(1)
  x = rng.standard_normal((2, height, width, 3)).astype(np.float32)
  with jax.enable_x64(True):
    extra_pool = options.get("extra_pool", False)
    expected = [np.asarray(y) for y in _torchvision(variables, x, extra_pool)]
  return quick_jit(trunk.apply)(variables, x), expected


@pytest.mark.parametrize("hw", [(63, 63), (80, 119), (96, 66)])
def test_without_padding_it_is_torchvisions(hw):
  levels, expected = _made(*hw, is_padded=False)
  for ours, theirs in zip(levels, expected, strict=True):
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_the_papers_has_a_pool_behind_the_fourth_convolution():
  levels, expected = _made(127, 160, is_padded=False, extra_pool=True)
  for ours, theirs in zip(levels, expected, strict=True):
    np.testing.assert_allclose(ours, theirs, atol=2e-5)
  assert len(levels) == 5 and levels[-1].shape[1:3] == (1, 1)


def test_the_extra_pool_and_that_behind_it_keep_an_odd_rest():
  levels, _ = _made(96, 64, extra_pool=True)
  fourth, fifth, last = (np.asarray(level) for level in levels[2:])
  variables = randomised(abstract_variables(AlexNet(width=2), 64, 64))
  with jax.enable_x64(True):
    pooled = _pooled(np.float64(fourth))
    fifth_again = conv(pooled, variables["params"]["conv5"], 1, 1)
  np.testing.assert_allclose(fifth, np.maximum(fifth_again, 0), atol=2e-5)
  assert fifth.shape[1:3] == (3, 2)
  np.testing.assert_array_equal(last, _pooled(fifth))


def _pooled(x):
  """3x3, stride 2; behind a ReLU zeros are as good a border as none."""
  return window_maximum(np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), 3)


def test_padding_changes_what_depends_on_the_far_border_alone():
  levels, theirs = _made(256, 192)
  # conv2 looks 2 pixels ahead, conv3 to conv5 one each, a pool from 2i to 2i+2.
  for level, seen_hw in ((0, (63, 47)), (1, (29, 21)), (2, (11, 7))):
    rows, columns = seen_hw
    np.testing.assert_allclose(
      levels[level][:, :rows, :columns],
      theirs[level][:, :rows, :columns],
      atol=2e-5,
    )
  third = np.asarray(levels[2])
  assert np.abs(third[:, :12, :8] - theirs[2][:, :12, :8]).max() > 0.01
  for i, j in ((0, 0), (3, 2), (7, 5)):  # windows of the last pool
    rows, columns = (
      slice(max(2 * i - 1, 0), 2 * i + 2),
      slice(max(2 * j - 1, 0), 2 * j + 2),
    )
    np.testing.assert_array_equal(
      levels[3][:, i, j], third[:, rows, columns].max((1, 2))
    )


@pytest.mark.parametrize(
  ("hw", "sizes"),
  [
    ((256, 192), [(64, 48), (32, 24), (16, 12), (8, 6), (4, 3)]),
    ((224, 96), [(56, 24), (28, 12), (14, 6), (7, 3), (4, 2)]),
    ((32, 64), [(8, 16), (4, 8), (2, 4), (1, 2), (1, 1)]),
  ],
)
def test_sizes_with_the_extra_pool_are_fractions_rounded_up(hw, sizes):
  trunk = AlexNet(extra_pool=True)
  images = jax.ShapeDtypeStruct((1, *hw, 3), jnp.float32)
  levels, found = jax.eval_shape(
    trunk.init_with_output, jax.random.key(0), images
  )
  assert [level.shape[1:3] for level in levels] == sizes
  assert found == abstract_variables(AlexNet(), 64, 64)


@pytest.mark.parametrize(
  ("hw", "is_padded", "sizes"),
  [
    ((256, 192), True, [(64, 48), (32, 24), (16, 12), (8, 6)]),
    ((32, 64), True, [(8, 16), (4, 8), (2, 4), (1, 2)]),
    ((256, 192), False, [(63, 47), (31, 23), (15, 11), (7, 5)]),
    ((224, 224), False, [(55, 55), (27, 27), (13, 13), (6, 6)]),
  ],
)
def test_sizes_of_the_pyramid(hw, is_padded, sizes):
  trunk = AlexNet(is_padded=is_padded)
  images = jax.ShapeDtypeStruct((1, *hw, 3), jnp.float32)
  levels, _ = jax.eval_shape(trunk.init_with_output, jax.random.key(0), images)
  assert [level.shape[1:3] for level in levels] == sizes
  assert [level.shape[3] for level in levels] == [64, 192, 256, 256]


def test_parameters_with_its_classifier_are_the_published_61_million():
  trunk = count_of(abstract_variables(AlexNet(is_padded=False), 224, 224))
  by_hand = (3 * 121 + 1) * 64 + (64 * 25 + 1) * 192
  by_hand += (192 * 9 + 1) * 384 + (384 * 9 + 1) * 256 + (256 * 9 + 1) * 256
  assert trunk == by_hand == 2_469_696
  assert trunk + (6 * 6 * 256 + 1) * 4096 + DENSE == 61_100_840


def test_parameters_of_the_pose_network_are_the_published_5_62_million():
  pose = make_model({"name": "alexnet"}, COCO17)
  total = count_of(abstract_variables(pose, 32, 32)["params"])
  deconvs = 3 * (16 * 256 * 256 + 2 * 256)
  assert total == 2_469_696 + deconvs + 257 * 17
  assert round(total / 1e6, 2) == 5.62  # mmpose's table


def test_features_are_centred_on_their_cells():
  seen = seen_rows(AlexNet(width=1), 352)
  inside = [i for i in range(11) if not seen[i, 0] and not seen[i, -1]]
  assert len(inside) > 3
  for i in inside:
    (rows,) = np.nonzero(seen[i])
    assert (rows[0] + rows[-1]) / 2 == 32 * i + 15


@pytest.mark.parametrize("alignment", ["corner", "unit"])
def test_heatmap_pixels_lie_where_the_alignment_says(alignment):
  frames = Frames((256, 192), map_hw(TINY, (256, 192)), alignment)
  assert frames.map_hw == (64, 48)
  for axis, number in ((0, 48), (1, 64)):
    pixel = np.arange(number)
    matrix = frames.hm_from_crop
    mapped = matrix[axis, axis] * (4 * pixel + 1) + matrix[axis, 2]
    assert np.abs(mapped - pixel).max() <= 0.7
    assert np.abs((mapped - pixel).mean()) <= 0.25


@pytest.fixture(scope="module")
def tiny():
  model = make_model(TINY, COCO17)
  images = jax.random.normal(jax.random.key(1), (2, 64, 96, 3))
  return model, randomised(abstract_variables(model, 64, 96)), images


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

  for path, leaf in jax.tree_util.tree_leaves_with_path(
    quick_jit(jax.grad(loss))(variables["params"])
  ):
    norm = np.linalg.norm(leaf)
    assert np.isfinite(norm) and norm > 0, jax.tree_util.keystr(path)


def test_bfloat16_is_close_to_float32(tiny):
  model, variables, images = tiny
  half = make_model({**TINY, "dtype": "bfloat16"}, COCO17)
  full, short = (
    quick_jit(m.apply)(variables, images).heatmaps for m in (model, half)
  )
  assert full.shape == (2, 16, 24, 17) and short.dtype == jnp.float32
  assert 0 < np.std(short - full) < 0.05 * np.std(full)


def test_the_papers_trunk_carries_heatmaps_at_half_the_resolution():
  model = make_model({**TINY, "extra_pool": True}, COCO17)
  assert model.crop_step == 64 and model.map_hw((64, 128)) == (8, 16)
  variables = quick_jit(model.init)(
    jax.random.key(0), jnp.ones((1, 64, 128, 3))
  )
  output = quick_jit(model.apply)(variables, jnp.ones((2, 64, 128, 3)))
  assert output.heatmaps.shape == (2, 8, 16, 17)
  with pytest.raises(ValueError, match="multiples of 64 for an AlexNet"):
    model.map_hw((96, 64))


def test_signal_survives_a_fresh_trunk():
  """Kernels start by what goes in: by what goes out conv1 would shrink it."""
  images = jax.random.normal(jax.random.key(0), (2, 96, 96, 3))
  trunk = AlexNet(width=16)
  variables = quick_jit(trunk.init)(jax.random.key(1), images)
  levels = quick_jit(trunk.apply)(variables, images)
  for level in levels[:3]:
    assert 0.5 < np.sqrt(np.square(level).mean()) < 4.0  # pools add


@pytest.mark.parametrize(
  ("trunk", "hw", "message"),
  [
    (AlexNet(), (64, 63), r"multiples of 32, got \(64, 63\)"),
    (AlexNet(is_padded=False), (62, 99), r"at least 63 .*, got \(62, 99\)"),
    (AlexNet(is_padded=False, extra_pool=True), (126, 199), "at least 127 "),
  ],
)
def test_crops_that_do_not_fit_are_refused(trunk, hw, message):
  with pytest.raises(ValueError, match=message):
    abstract_variables(trunk, *hw)
