"""PoseHead against the papers' equations, and what all its kinds promise."""

import functools
import itertools

import jax
import jax.numpy as jnp
import literal_attention as literal
import numpy as np
import pytest

from pose_jax.models.attention import PoseHead
from pose_jax.models.attention_options import KINDS, NONE, AttentionOptions

SIZES = ((6, 4), (12, 8))
CHANNELS = (3, 5)
NUM_MAPS = 3


def _combination(holistic, refined, part, **options):
  return AttentionOptions(
    holistic=holistic, refined=refined, part=part, **options
  )


COMBINATIONS = [
  case
  for case in itertools.product(KINDS, KINDS, KINDS)
  if (case[1] == "none" or case[0] != "none")
  and case[:2] != ("transformer", "transformer")
]


def _pairs(case):
  """What meets in a case: (place, kind) of every two places."""
  return set(itertools.combinations(enumerate(case), 2))


def _pairwise():
  """Cases in which every two places meet in every pair of kinds there is."""
  missing = set().union(*map(_pairs, COMBINATIONS))
  while missing:
    case = max(COMBINATIONS, key=lambda case: len(_pairs(case) & missing))
    missing -= _pairs(case)
    yield case


PAIRWISE = [*_pairwise()]  # to compile all takes minutes


def _levels(seed=0, batch=2, sizes=SIZES):
  rng = np.random.default_rng(seed)
  return tuple(
    jnp.asarray(rng.standard_normal((batch, *hw, c)), jnp.float32)
    for hw, c in zip(sizes, (*CHANNELS, 4), strict=False)
  )


def _head(options, **fields):
  return PoseHead(NUM_MAPS, options, **fields)


def _params(options, levels, noise=0.0, seed=1):
  """Those of the start, and noise, so that no symmetry hides a mistake."""
  # A read-out of ordinary size: gradients of maps go through it.
  head = _head(options, kernel_init=jax.nn.initializers.normal(1.0))
  params = head.init(jax.random.key(seed), levels)["params"]
  leaves, tree = jax.tree.flatten(params)
  keys = jax.random.split(jax.random.key(seed + 1), len(leaves))
  leaves = [
    x + noise * jax.random.normal(key, x.shape)
    for x, key in zip(leaves, keys, strict=True)
  ]
  return jax.tree.unflatten(tree, leaves)


def _apply(options, params, levels):
  return _head(options).apply({"params": params}, levels)


def _assert_close(got, expected, name="", scale=1.0):
  """Equal to 1e-5 of the largest value: sums of some hundred products."""
  scale = max(scale, np.abs(expected).max())
  error = np.abs(np.asarray(got) - expected).max()
  assert error <= 1e-5 * scale, f"{name}: {error} of {scale}"


@pytest.mark.parametrize(
  "options",
  [
    _combination("none", "none", "crf"),
    _combination("none", "none", "softmax"),
    _combination("none", "none", "gaussian", gaussian_count=3),
    _combination("none", "none", "transformer", transformer_grid=2),
    _combination("crf", "crf", "none"),
    _combination("crf", "none", "crf", levels=1, crf_kernel_size=9),
    _combination("softmax", "softmax", "softmax"),
    _combination("gaussian", "gaussian", "none", gaussian_grid=2),
    _combination("transformer", "crf", "transformer", crf_bias=False),
    _combination("softmax", "transformer", "crf", crf_shared=True),
    _combination("transformer", "none", "gaussian", transformer_grid=1),
  ],
  ids=lambda o: f"{o.holistic}-{o.refined}-{o.part}",
)
def test_head_equals_the_literal_equations_in_value_and_gradient(options):
  levels = _levels()
  params = _params(options, levels, noise=0.05)
  rng = np.random.default_rng(7)
  weight = rng.standard_normal((2, *SIZES[-1], NUM_MAPS)).astype(np.float32)

  def loss(params, levels, run):
    heatmaps, maps = run(params, levels)
    return (heatmaps * weight).sum(), (heatmaps, maps)

  def both(run):
    gradient = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)
    gradient = jax.jit(gradient, static_argnums=2)
    (_, outputs), gradients = gradient(params, levels, run)
    return outputs, gradients

  (heatmaps, maps), gradients = both(lambda p, x: _apply(options, p, x))
  (expected, expected_maps), expected_gradients = both(
    lambda p, x: literal.head(p, x, options)
  )
  _assert_close(heatmaps, expected, "heatmaps")
  for name, own in expected_maps.items():
    _assert_close(maps[name], own, name)
  got, want = (
    jax.tree_util.tree_leaves_with_path(g)
    for g in (gradients, expected_gradients)
  )
  # Of the largest of all: some are sums of large terms that cancel.
  scale = max(np.abs(leaf).max() for _, leaf in want)
  for (path, one), (_, other) in zip(got, want, strict=True):
    _assert_close(one, other, jax.tree_util.keystr(path), scale)


def test_every_combination_gives_maps_of_its_names_and_sizes():
  levels = _levels()
  for case in COMBINATIONS:
    head = _head(_combination(*case))
    (heatmaps, maps), _ = jax.eval_shape(
      lambda levels, head=head: head.init_with_output(
        jax.random.key(0), levels
      ),
      levels,
    )
    assert heatmaps.shape == (2, *SIZES[-1], NUM_MAPS)
    assert set(maps) == _names(case), case
    for name, own in maps.items():
      size = SIZES[int(name[-1])] if "/" in name else SIZES[-1]
      count = NUM_MAPS if name == "part" else 1
      assert own.shape == (2, *size, count) and own.dtype == jnp.float32


@pytest.mark.parametrize("case", PAIRWISE, ids="-".join)
def test_every_pair_of_kinds_gives_every_parameter_a_gradient(case):
  options = _combination(*case)
  levels = _levels()
  params = _params(options, levels)
  rng = np.random.default_rng(7)
  weight = rng.standard_normal((2, *SIZES[-1], NUM_MAPS)).astype(np.float32)

  def loss(params, levels):
    heatmaps, _ = _apply(options, params, levels)
    return (heatmaps * weight).sum()

  by_params, by_levels = jax.grad(loss, argnums=(0, 1))(params, levels)
  leaves = jax.tree_util.tree_leaves_with_path(by_params)
  for path, leaf in leaves:
    name = jax.tree_util.keystr(path)
    assert np.isfinite(leaf).all(), name
    assert np.abs(leaf).max() > 1e-8, name
  assert all(np.isfinite(leaf).all() for leaf in by_levels)
  # Coarser features reach the heatmaps through their maps alone, and where
  # those are read by a layer that starts at zero, not at the start.
  reads_all = case[0] in ("softmax", "crf")
  assert [bool(np.any(leaf)) for leaf in by_levels] == [*(reads_all, True)]


def _names(case):
  names = {
    place
    for place, kind in zip(("holistic", "refined", "part"), case, strict=True)
    if kind != "none"
  }
  if case[0] in ("softmax", "gaussian", "crf"):
    names |= {f"holistic/level{i}" for i in range(len(SIZES))}
  return names


def test_without_attention_the_head_is_a_convolution():
  levels = _levels()
  params = _params(NONE, levels, noise=1.0)
  heatmaps, maps = _apply(NONE, params, levels)
  expected = np.tensordot(levels[-1], params["kernel"][0, 0], 1)
  _assert_close(heatmaps, expected + np.asarray(params["bias"]))
  assert maps == {} and set(params) == {"kernel", "bias"}


def test_only_the_last_features_are_multiplied_by_the_sum_of_maps():
  # Eq. 9: other levels reach the heatmaps through their maps alone, so with
  # saturated maps they do not reach them at all.
  options = _combination("crf", "none", "none")
  levels = _levels()
  params = _params(options, levels)
  for i in range(2):
    params["holistic"][f"level{i}"]["unary"]["bias"] = jnp.full(1, 50.0)
  heatmaps, maps = _apply(options, params, levels)
  np.testing.assert_allclose(maps["holistic"], 2, rtol=1e-6)
  plain, _ = _apply(NONE, {k: params[k] for k in ("kernel", "bias")}, levels)
  np.testing.assert_allclose(heatmaps, 2 * plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
  "sizes",
  [
    [(8, 6), (16, 12), (32, 24), (64, 48)],
    [(8, 8), (16, 16), (32, 32), (64, 64)],
    [(8, 6)],
  ],
)
def test_maps_of_all_sizes_are_enlarged_by_repeating_pixels(sizes):
  levels = tuple(_levels(sizes=[hw])[0] for hw in sizes)
  options = _combination("softmax", "none", "gaussian")
  params = _params(options, levels, noise=0.3)
  heatmaps, maps = _apply(options, params, levels)
  assert heatmaps.shape == (2, *sizes[-1], NUM_MAPS)
  if len(sizes) > 1:
    total = 0.0
    for i, (height, width) in enumerate(sizes):
      own = np.asarray(maps[f"holistic/level{i}"])
      assert own.shape == (2, height, width, 1)
      block = np.ones((1, sizes[-1][0] // height, sizes[-1][0] // height, 1))
      total = total + np.kron(own, block)
    np.testing.assert_allclose(maps["holistic"], total, rtol=1e-5)


@pytest.mark.parametrize(
  "case",
  [
    ("transformer", "none", "none"),
    ("none", "none", "transformer"),
    ("transformer", "none", "transformer"),
  ],
)
def test_transformers_start_as_the_identity(case):
  levels = _levels()
  options = _combination(*case)
  params = _params(options, levels)
  heatmaps, maps = _apply(options, params, levels)
  plain, _ = _apply(NONE, {k: params[k] for k in ("kernel", "bias")}, levels)
  np.testing.assert_array_equal(heatmaps, plain)
  assert all((np.asarray(own) == 1).all() for own in maps.values())


def test_transformer_looks_into_a_window_and_leaves_zero_outside():
  # Magnified twice: only the middle half of each axis is seen; there the
  # heatmap is where it was, elsewhere it is zero, bias and all.
  size = (17, 17)
  levels = (jnp.ones((1, *size, 5)),)
  options = _combination("none", "none", "transformer")
  params = _params(options, levels)
  params["bias"] = jnp.full(NUM_MAPS, 2.0)
  zoom = jnp.array([-0.5, 0, 0, 0, -0.5, 0])
  params["part"]["transformer"]["localiser"]["bias"] = jnp.tile(zoom, NUM_MAPS)
  heatmaps, maps = _apply(options, params, levels)
  inside = np.zeros(size)
  inside[4:13, 4:13] = 1
  expected = inside[..., None] * (
    np.asarray(params["kernel"]).sum((0, 1, 2)) + 2
  )
  np.testing.assert_allclose(heatmaps[0], expected, atol=1e-5)
  np.testing.assert_array_equal(
    maps["part"][0], np.repeat(inside[..., None], NUM_MAPS, -1)
  )


@pytest.mark.parametrize(
  "case",
  [("crf", "softmax", "crf"), ("transformer", "gaussian", "transformer")],
)
def test_pictures_of_a_batch_do_not_see_each_other(case):
  levels = _levels(batch=3)
  options = _combination(*case)
  params = _params(options, levels, noise=0.05)
  apply = jax.jit(functools.partial(_apply, options))
  heatmaps, maps = apply(params, levels)
  alone, alone_maps = apply(params, tuple(x[1:2] for x in levels))
  np.testing.assert_allclose(heatmaps[1:2], alone, rtol=1e-5, atol=1e-5)
  for name, own in maps.items():
    np.testing.assert_allclose(own[1:2], alone_maps[name], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_features_give_float32_maps_and_heatmaps(kind):
  levels = _levels()
  options = _combination(kind, "none", kind)
  params = _params(options, levels)
  low = tuple(x.astype(jnp.bfloat16) for x in levels)
  heatmaps, maps = _apply(options, params, low)
  expected, expected_maps = _apply(options, params, levels)
  assert heatmaps.dtype == jnp.float32
  # Eight bits in features, gates and summaries.
  largest = np.abs(expected).max()
  np.testing.assert_allclose(heatmaps, expected, atol=0.03 * largest)
  for name, own in maps.items():
    assert own.dtype == jnp.float32
    np.testing.assert_allclose(own, expected_maps[name], rtol=0.05, atol=0.05)
  params_now = _head(options).init(jax.random.key(0), low)
  assert {x.dtype for x in jax.tree.leaves(params_now)} == {
    jnp.dtype(jnp.float32)
  }


def test_heatmaps_of_half_precision_features_are_summed_in_float32():
  levels = tuple(x.astype(jnp.bfloat16) for x in _levels())
  params = _params(NONE, levels)
  heatmaps, _ = _apply(NONE, params, levels)
  rounded = tuple(x.astype(jnp.float32) for x in levels)
  expected, _ = _apply(NONE, params, rounded)
  np.testing.assert_allclose(heatmaps, expected, rtol=1e-5, atol=1e-5)


def test_steps_are_stored_only_when_asked_for_and_end_in_the_map():
  levels = _levels()
  options = _combination("crf", "crf", "crf", crf_steps=2)
  variables = {"params": _params(options, levels, noise=0.1)}
  head = _head(options)
  assert set(head.init(jax.random.key(0), levels)) == {"params"}
  (_, maps), state = head.apply(variables, levels, mutable=["batch_stats"])
  assert not state
  (_, maps), state = head.apply(variables, levels, mutable=["attention_steps"])
  steps = state["attention_steps"]
  for place, number, name in (
    ("holistic", 0, "holistic/level0"),
    ("holistic", 1, "holistic/level1"),
    ("refined", 0, "refined"),
    ("part", 0, "part"),
  ):
    (stored,) = steps[place][f"level{number}"]["steps"]
    assert stored.shape == (3, *maps[name].shape)
    np.testing.assert_allclose(stored[-1], maps[name], atol=1e-6)


@pytest.mark.parametrize("kind", ["softmax", "gaussian", "transformer"])
def test_other_kinds_store_no_steps(kind):
  levels = _levels()
  options = _combination(kind, "none", kind)
  variables = {"params": _params(options, levels)}
  _, state = _head(options).apply(
    variables, levels, mutable=["attention_steps"]
  )
  assert not state
