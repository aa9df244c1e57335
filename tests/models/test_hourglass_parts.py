"""Parts of the stacked hourglass: sizes by hand, places, compositions."""

from functools import partial

import jax
import numpy as np
import pytest
from flax import linen as nn
from made_hourglass import drawn, shapes

from pose_jax.models import make_model
from pose_jax.models.cost import count_parameters
from pose_jax.models.hourglass_parts import Hourglass, Stack
from pose_jax.models.layers import BatchNorm, Conv
from pose_jax.models.residual import HourglassResidual, PreactResidual
from pose_jax.skeleton import LSP14

FULL = {"name": "hourglass"}
TINY = {**FULL, "num_stacks": 2, "num_features": 8, "depth": 2}
CRF = {"holistic": "crf", "refined": "crf", "part": "crf"}
PARTS = {
  "conv": partial(Conv, use_bias=True),
  "norm": partial(BatchNorm, use_running_average=True),
}


def _variables(module, x):
  shapes = jax.eval_shape(module.init, jax.random.key(0), x)
  return drawn(shapes, np.random.default_rng(0))


# Parameters by hand: kernels and biases of convolutions, two per channel of a
# norm. A unit has norms before all of its three convolutions.


def _unit(num_in, num_out):
  half = num_out // 2
  first = 2 * num_in + num_in * half + half
  second = 2 * half + 9 * half * half + half
  third = 2 * half + half * num_out + num_out
  projection = 0 if num_in == num_out else num_in * num_out + num_out
  return first + second + third + projection


UNIT = _unit(256, 256)
HRU = UNIT + 2 * (2 * 256 + 9 * 256 * 256 + 256)
LINEAR = 256 * 256 + 256 + 2 * 256  # 1x1 convolution and norm
STEM = 49 * 3 * 64 + 64 + 2 * 64 + _unit(64, 128) + _unit(128, 256) + UNIT
RELEASE_STEM = (
  *(49 * 3 * 64 + 64 + 2 * 64, 2 * _unit(64, 64), _unit(64, 128)),
  *(2 * _unit(128, 128), _unit(128, 256)),
)
BACK = 256 * 256 + 256 + 16 * 256 + 256  # features and heatmaps to the next
HEAD = 256 * 16 + 16
STACK = 4 * 3 * UNIT + UNIT + UNIT + LINEAR + HEAD  # levels, bottom, neck


def test_units_by_hand_and_published_networks():
  assert UNIT == 512 + 32_896 + 256 + 147_584 + 256 + 33_024 == 214_528
  assert HRU == 214_528 + 2 * (512 + 590_080)
  assert STEM + 2 * STACK + BACK == 6_730_912
  # pytorch-pose prints 6.73 and 25.59 million.
  assert round((STEM + 8 * STACK + 7 * BACK) / 1e6, 2) == 25.59


@pytest.mark.parametrize(
  ("changes", "expected"),
  [
    ({"num_stacks": 1}, STEM + STACK),
    ({"num_stacks": 2}, STEM + 2 * STACK + BACK),
    ({"num_stacks": 4}, STEM + 4 * STACK + 3 * BACK),
    ({"num_stacks": 8}, STEM + 8 * STACK + 7 * BACK),
    ({"num_stacks": 1, "num_blocks": 8}, STEM + STACK + 7 * 14 * UNIT),
    ({"num_stacks": 1, "depth": 2}, STEM + STACK - 6 * UNIT),
    # Two units more at level 4, one at level 3, all with the pooled branch.
    ({"num_stacks": 1, "skip": "hru"}, STEM + STACK + 3 * HRU),
    # Twice: plain, hru, hru | plain, hru | plain | plain, hru.
    (
      {"num_stacks": 1, "skip": "hru", "num_blocks": 2},
      STEM + STACK + 10 * UNIT + 6 * HRU + 3 * UNIT + HRU,
    ),
    # One unit, not two, on the smallest map and on the way up.
    (
      {
        **{"num_stacks": 1, "skip": "hru", "num_blocks": 2},
        "one_unit_up": True,
      },
      STEM + STACK + 10 * UNIT + 6 * HRU + 3 * UNIT + HRU - 5 * UNIT,
    ),
    ({"num_stacks": 1, "stem": "attention"}, sum(RELEASE_STEM) + STACK),
    # Every stack one map more, which also goes on to the next.
    (
      {"num_stacks": 2, "with_background": True},
      STEM + 2 * (STACK + 257) + BACK + 256,
    ),
    # Two linear layers for units and one; a third one back; the last is wide.
    (
      {"num_stacks": 2, "neck": "linear"},
      STEM
      + (STACK - UNIT + LINEAR + LINEAR + 16 * 256 + 256)
      + 13 * UNIT
      + (256 * 512 + 512 + 1024 + 512 * 512 + 512 + 1024 + 512 * 16 + 16),
    ),
    # A map needs a 3x3 convolution and its bias, and an 11x11 one and a bias.
    (
      {
        "num_stacks": 2,
        "part_from_stack": 2,
        "attention": {**CRF, "crf_kernel_size": 11},
      },
      STEM + 2 * STACK + BACK + (4 + 1 + 4 + 16) * (9 * 256 + 1 + 121 + 1),
    ),
  ],
)
def test_parameters_are_those_counted_by_hand(changes, expected):
  _, variables, _ = shapes({**FULL, **changes}, hw=(64, 64))
  assert count_parameters(variables["params"]) == expected


@pytest.mark.parametrize(
  ("num_blocks", "expected"),
  [
    (1, ["plain", "plain", "plain hru", "plain hru hru"]),
    (
      2,
      [
        "plain hru",
        "plain plain",
        "plain hru plain hru",
        "plain hru hru plain hru hru",
      ],
    ),
  ],
)
def test_hourglass_units_stand_where_the_release_has_them(num_blocks, expected):
  config = {
    **FULL,
    "num_stacks": 1,
    "num_features": 8,
    "num_blocks": num_blocks,
  }
  _, variables, _ = shapes({**config, "skip": "hru"}, hw=(64, 64))
  params = variables["params"]["stack0"]["hourglass"]
  for level, kinds in enumerate(expected, start=1):
    units = [
      params[f"skip{level}_{index}"] for index in range(len(kinds.split()))
    ]
    found = ["hru" if "pooled_conv1" in unit else "plain" for unit in units]
    assert " ".join(found) == kinds
  others = [name for name in params if not name.startswith("skip")]
  assert len(others) == 9 * num_blocks
  assert not any("pooled_conv1" in params[name] for name in others)
  assert len(params) == len(others) + sum(len(e.split()) for e in expected)


def _recursive(x, level, unit):
  """Newell's hourglass as it is told: outputs of level 1 to `level`."""
  skip = unit(x, f"skip{level}", HourglassResidual)
  low = unit(nn.max_pool(x, (2, 2), (2, 2)), f"down{level}")
  if level > 1:
    inner = _recursive(low, level - 1, unit)
    low = inner[-1]
  else:
    inner, low = [], unit(low, "bottom")
  low = unit(low, f"up{level}")
  rows, columns = (np.arange(n) * (n // 2) // n for n in x.shape[1:3])
  return [*inner, skip + low[:, rows][:, :, columns]]


@pytest.mark.parametrize("hw", [(16, 8), (8, 12), (20, 12)])
def test_hourglass_equals_the_recursion(hw):
  module = Hourglass(8, 1, 3, "hru", **PARTS)
  x = jax.random.normal(jax.random.key(0), (2, *hw, 8))
  variables = _variables(module, x)

  def unit(x, name, further=None):
    kind, index = PreactResidual, 0
    while f"{name}_{index}" in variables["params"]:
      part = {key: tree[f"{name}_{index}"] for key, tree in variables.items()}
      x = kind(8, **PARTS).apply(part, x)
      kind, index = further, index + 1
    return x

  outputs = module.apply(variables, x)
  assert [y.shape for y in outputs] == [
    (2, hw[0] // factor, hw[1] // factor, 8) for factor in (4, 2, 1)
  ]
  for ours, wanted in zip(outputs, _recursive(x, 3, unit), strict=True):
    np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("neck", ["residual", "linear"])
def test_a_stack_hands_on_input_features_and_heatmaps(neck):
  module = Stack(
    8, 5, 1, 2, "residual", neck, False, make_model(TINY, LSP14).attention,
    **PARTS,
  )  # fmt: skip
  x = jax.random.normal(jax.random.key(0), (2, 8, 8, 8))
  variables = _variables(module, x)

  def part(module, name, x):
    tree = {k: v[name] for k, v in variables.items() if name in v}
    return module.apply(tree, x)

  def linear(name, x):
    x = part(PARTS["conv"](8, 1), name, x)
    return nn.relu(part(PARTS["norm"](), f"{name}_norm", x))

  def bare(num_out, name, x):
    return part(PARTS["conv"](num_out, 1), name, x)

  y = part(Hourglass(8, 1, 2, "residual", **PARTS), "hourglass", x)[-1]
  if neck == "linear":
    kept = linear("linear0", y)
    features = linear("linear1", kept)
    back = linear("features_back", kept)
  else:
    features = linear("linear0", part(PreactResidual(8, **PARTS), "neck_0", y))
    back = bare(8, "features_back", features)
  heatmaps = bare(5, "head", features)
  following = x + back + bare(8, "heatmaps_back", heatmaps)
  got, attention, got_following = module.apply(variables, x)
  assert attention == {}
  np.testing.assert_allclose(got, heatmaps, rtol=1e-4, atol=1e-4)
  np.testing.assert_allclose(got_following, following, rtol=1e-4, atol=1e-4)
