"""The baselines' trunk against its layers written out."""

import jax
import numpy as np
import pytest
from classic_parts import (
  abstract_variables,
  conv,
  count_of,
  quick_jit,
  randomised,
)

from pose_jax.models.plain_cnn import PlainCnn


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
