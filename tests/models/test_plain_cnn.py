"""The baselines' trunk against its layers written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from classic_parts import (
  abstract_variables,
  conv,
  count_of,
  quick_jit,
  randomised,
)

from pose_jax.models import make_model
from pose_jax.models.plain_cnn import PlainCnn
from pose_jax.skeleton import LSP14


def _pooled(x):
  """Maximum of rows and columns 2i - 1 to 2i + 1, one by one."""
  height, width = x.shape[1:3]
  return np.stack(
    [
      np.stack(
        [
          x[
            :, max(2 * i - 1, 0) : 2 * i + 2, max(2 * j - 1, 0) : 2 * j + 2
          ].max((1, 2))
          for j in range((width + 1) // 2)
        ],
        axis=1,
      )
      for i in range((height + 1) // 2)
    ],
    axis=1,
  )


@pytest.mark.parametrize("num_convs", [2, 3])
def test_it_is_convolutions_and_pools(num_convs):
  trunk = PlainCnn(num_convs, width=3)
  variables = randomised(abstract_variables(trunk, 32, 32))
  rng = np.random.default_rng(1)
  x = rng.standard_normal((2, 32, 96, 3)).astype(np.float32)
  levels = quick_jit(trunk.apply)(variables, x)
  assert len(levels) == num_convs
  y = np.float64(x)
  for n, (level, stride) in enumerate(zip(levels, (2, 2, 1), strict=False), 1):
    params = variables["params"][f"conv{n}"]
    assert params["kernel"].shape[0] == (7, 5, 3)[n - 1]
    with jax.enable_x64(True):
      y = conv(y, params, stride, params["kernel"].shape[0] // 2)
    y = _pooled(np.maximum(np.asarray(y), 0))
    np.testing.assert_allclose(level, y, atol=2e-5)
  stride = (4, 16, 32)[num_convs - 1]
  assert levels[-1].shape == (2, 32 // stride, 96 // stride, 3 * 2**n // 2)


@pytest.mark.parametrize(
  ("num_convs", "sizes"), [(2, [56, 14]), (3, [56, 14, 7])]
)
def test_parameters_and_sizes_by_hand(num_convs, sizes):
  trunk = PlainCnn(num_convs)
  images = jax.ShapeDtypeStruct((1, 224, 224, 3), np.float32)
  levels, variables = jax.eval_shape(
    trunk.init_with_output, jax.random.key(0), images
  )
  assert [level.shape[1] for level in levels] == sizes
  by_hand = (3 * 49 + 1) * 32 + (32 * 25 + 1) * 64
  by_hand += (64 * 9 + 1) * 128 * (num_convs == 3)
  assert count_of(variables) == by_hand


@pytest.mark.parametrize("num_convs, stride", [(2, 16), (3, 32)])
def test_it_carries_heatmaps_with_attention(num_convs, stride):
  model = make_model(
    dict(
      name="plain_cnn",
      num_convs=num_convs,
      width=4,
      deconv_filters=(8, 8),
      deconv_strides=(2, 2),
      deconv_kernels=(4, 4),
      attention={"part": "softmax"},
    ),
    LSP14,
  )
  assert model.crop_step == stride
  images = jax.ShapeDtypeStruct((1, 64, 96, 3), jnp.float32)
  output, variables = jax.eval_shape(
    model.init_with_output, jax.random.key(0), images
  )
  size = 4 * 64 // stride, 4 * 96 // stride
  assert output.heatmaps.shape == (1, *size, 14) and "part" in output.attention
  assert model.map_hw((64, 96)) == size
  alone = jax.eval_shape(
    PlainCnn(num_convs, 4).init, jax.random.key(0), images
  )["params"]
  assert variables["params"]["backbone"] == alone
  with pytest.raises(ValueError, match=f"multiples of {stride} for a plain"):
    model.map_hw((stride + 8, stride))


def test_other_numbers_of_convolutions_are_refused():
  with pytest.raises(ValueError, match="num_convs must be 2 or 3, got 4"):
    make_model({"name": "plain_cnn", "num_convs": 4}, LSP14)
