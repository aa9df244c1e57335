"""The skeletal module: layers, sums, sizes, copies and cost."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_hourglass import drawn, shapes

from pose_jax.models import build, make_model
from pose_jax.models.cost import count_multiply_adds, count_parameters
from pose_jax.models.layers import BatchNorm, Conv
from pose_jax.models.skeletal import Skeletal, attention_maps, replicate
from pose_jax.skeleton import COCO17, LSP14, MPII16, Link

HALVES = tuple(link.half for link in COCO17.links)
HRNET = {"name": "hrnet", "width": 8, "stem_width": 8, "num_blocks": 1}
HRNET |= {"num_modules": (1, 1, 1), "skeletal": True}
PUBLISHED = {  # width: (million parameters, 256x192, 384x288), multiply-adds
  32: (29.3, 7.2, 16.2),
  48: (65.3, 14.8, 33.3),
}
fast = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def random(seed, *shape):
  return jnp.float32(np.random.default_rng(seed).standard_normal(shape))


def branches_of(seed=0, hw=(8, 16), width=6, num=2):
  height, columns = hw
  return tuple(
    random(seed + i, num, height // 2**i, columns // 2**i, width * 2**i)
    for i in range(3)
  )


def skeletal(link_halves=HALVES, dtype=jnp.float32):
  norm = partial(BatchNorm, use_running_average=True, dtype=dtype)
  return Skeletal(link_halves, partial(Conv, dtype=dtype), norm)


def module(link_halves=HALVES, **options):
  """The module, drawn variables, branches."""
  branches = branches_of(**options)
  made = skeletal(link_halves)
  variables = jax.eval_shape(made.init, jax.random.key(0), branches)
  return made, drawn(variables, np.random.default_rng(0)), branches


def conv(x, layer, stride=1):
  """[h, w, I] to [h / stride, w / stride, O], zeros outside."""
  kernel = layer["kernel"]
  size, radius = kernel.shape[0], kernel.shape[0] // 2
  padded = np.pad(x, ((radius, radius), (radius, radius), (0, 0)))
  y = np.zeros((x.shape[0] // stride, x.shape[1] // stride, kernel.shape[-1]))
  for i, j in np.ndindex(*y.shape[:2]):
    window = padded[
      stride * i : stride * i + size, stride * j : stride * j + size
    ]
    y[i, j] = np.einsum("abc,abco->o", window, kernel) + layer.get("bias", 0)
  return y


def literal_links(variables, branches):
  """The link heatmaps of one person, pixel by pixel."""
  params, stats = jax.tree.map(
    np.float64, (variables["params"], variables["batch_stats"])
  )

  def layer(x, name, stride=1):
    y = conv(x, params[name], stride)
    norm, its = params[f"{name}_norm"], stats[f"{name}_norm"]
    spread = np.sqrt(its["var"] + 1e-5)
    return np.maximum(
      (y - its["mean"]) / spread * norm["scale"] + norm["bias"], 0
    )

  def enlarged(x, factor):
    return x.repeat(factor, 0).repeat(factor, 1)

  fine, middle, coarse = (np.float64(branch) for branch in branches)
  y = layer(layer(coarse, "coarse0", stride=2), "coarse1")
  y = layer(enlarged(y, 2), "coarse2")
  y = np.concatenate([fine, enlarged(middle, 2), enlarged(y, 4)], -1)
  return conv(layer(y, "fused"), params["links"])


def literal_added(links, link_halves, num_channels):
  """What the three branches get of one person's link heatmaps."""
  height, width, num_links = links.shape
  added = [
    np.zeros((height // f, width // f, num))
    for f, num in zip((1, 2, 4), num_channels, strict=True)
  ]
  for i, j, c in np.ndindex(*added[0].shape):
    added[0][i, j, c] = links[i, j, c * num_links // num_channels[0]]
  for i, j, c in np.ndindex(*added[1].shape):
    half = "upper" if c < num_channels[1] / 2 else "lower"
    for m in range(num_links):
      if link_halves[m] == half:
        cell = links[2 * i : 2 * i + 2, 2 * j : 2 * j + 2, m]
        added[1][i, j, c] += cell.mean()
  for i, j, c in np.ndindex(*added[2].shape):
    for m in range(num_links):
      cell = links[4 * i : 4 * i + 4, 4 * j : 4 * j + 4, m]
      added[2][i, j, c] += cell.mean()
  return added


@pytest.mark.parametrize(
  "link_halves",
  [
    HALVES,
    ("upper",),
    ("lower", "upper", "lower"),
    ("lower",) * 2,  # nothing above
    ("upper",) * 7,  # more links than the finest branch has channels
  ],
  ids=len,
)
def test_links_and_what_is_added_are_those_of_a_slow_loop(link_halves):
  made, variables, branches = module(link_halves)
  links, after = fast(made.apply)(variables, branches)
  channels = [branch.shape[-1] for branch in branches]
  for person in range(2):
    wanted = literal_links(variables, [branch[person] for branch in branches])
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(links[person], wanted, atol=1e-5 * scale)
    added = literal_added(np.float64(links[person]), link_halves, channels)
    for before, now, plus in zip(branches, after, added, strict=True):
      np.testing.assert_allclose(
        now[person] - before[person], plus, atol=1e-5 * scale
      )


def test_maps_are_halved_by_hand():
  # One link above, two below; 4x4 pixels, of which one cell is lit.
  links = np.zeros((1, 4, 4, 3), np.float32)
  links[0, 0, 1] = (4.0, 8.0, 16.0)
  same, halves, whole = attention_maps(
    jnp.asarray(links), ("upper", "lower", "lower")
  )
  np.testing.assert_array_equal(same, links)
  assert halves.shape == (1, 2, 2, 2) and whole.shape == (1, 1, 1, 1)
  np.testing.assert_array_equal(halves[0, 0, 0], [1.0, 6.0])
  assert halves[0].sum() == 7.0 and whole.item() == 1.75


@pytest.mark.parametrize("num_maps", [1, 2, 3, 16, 19])
@pytest.mark.parametrize("num_channels", [16, 18, 32, 48])
def test_copies_stand_side_by_side(num_maps, num_channels):
  maps = jnp.arange(float(num_maps))[None, None, None]
  found = replicate(maps, num_channels)[0, 0, 0]
  wanted = [c * num_maps // num_channels for c in range(num_channels)]
  np.testing.assert_array_equal(found, wanted)
  if num_channels % num_maps == 0:
    assert set(np.bincount(wanted)) == {num_channels // num_maps}


def test_gradient_of_copies_is_their_sum():
  maps = random(0, 1, 2, 2, 3)
  weight = random(1, 1, 2, 2, 8)
  found = jax.grad(lambda maps: (replicate(maps, 8) * weight).sum())(maps)
  wanted = np.zeros(maps.shape)
  for c in range(8):
    wanted[..., c * 3 // 8] += weight[..., c]
  np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_parameters_are_those_counted_by_hand():
  for width, num_links in ((6, 16), (5, 3)):
    made, variables, _ = module(HALVES[:num_links], width=width)
    squares = 9 * 4 * 8 + 9 * 8 * 4 + 9 * 4 * 4 + 7
    norms = 2 * (8 + 4 + 4 + 1)
    links = 9 * width * num_links + num_links
    assert count_parameters(variables["params"]) == (
      squares * width**2 + norms * width + links
    )


@pytest.mark.parametrize("width", PUBLISHED)
def test_cost_with_hrnet_is_the_published_one(width):
  model = make_model(
    {"name": "hrnet", "width": width, "skeletal": True}, COCO17
  )
  parameters, *published = PUBLISHED[width]
  images = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
  variables = jax.eval_shape(model.init, jax.random.key(0), images)
  number = count_parameters(variables["params"]) / 1e6
  assert number == pytest.approx(parameters, abs=0.1)
  for crop_hw, wanted in zip(((256, 192), (384, 288)), published, strict=True):
    images = jax.ShapeDtypeStruct((1, *crop_hw, 3), jnp.float32)
    work = count_multiply_adds(model.apply, variables, images) / 1024**3
    assert work == pytest.approx(wanted, abs=0.05)


def test_stage_four_sees_the_links_and_gradients_come_back_to_the_module():
  model, variables, output = shapes(HRNET, MPII16, (32, 64))
  assert output.links.shape == (1, 8, 16, 16)
  assert output.links.dtype == jnp.float32
  rng = np.random.default_rng(0)
  variables, images = drawn(variables, rng), random(1, 2, 32, 64, 3)

  def loss(params):
    found = model.apply({**variables, "params": params}, images)
    return jnp.square(found.heatmaps - 1).mean()  # not of the links

  gradients = fast(jax.grad(loss))(variables["params"])["skeletal"]
  for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
    assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0, path


def test_bfloat16_gives_float32_links_close_to_float32s():
  made, variables, branches = module()
  links, _ = fast(made.apply)(variables, branches)
  half = skeletal(dtype=jnp.bfloat16)
  halved = tuple(branch.astype(jnp.bfloat16) for branch in branches)
  half_links, after = fast(half.apply)(variables, halved)
  assert half_links.dtype == jnp.float32
  assert {branch.dtype for branch in after} == {jnp.dtype("bfloat16")}
  assert 0 < np.std(half_links - links) < 0.02 * np.std(links)


def test_any_skeleton_with_links_will_do():
  few = [Link(0, 1, "physical", "lower"), Link(2, 3, "virtual", "lower")]
  own = LSP14.__class__(**{**vars(LSP14), "links": tuple(few), "name": "own"})
  for skeleton, num_links in ((LSP14, 16), (own, 2)):
    _, _, output = shapes(HRNET, skeleton, (32, 32))
    assert output.links.shape == (1, 8, 8, num_links)
    assert output.heatmaps.shape == (1, 8, 8, 14)


def test_a_skeleton_without_links_is_refused():
  bare = COCO17.__class__(**{**vars(COCO17), "links": (), "name": "bare"})
  with pytest.raises(ValueError, match="^skeletal is True, but bare has no li"):
    make_model(HRNET, bare)
  make_model(HRNET | {"skeletal": False}, bare)
  build(HRNET, 1)  # sizes can be asked for without a skeleton
  with pytest.raises(ValueError, match="no option 'link_halves'"):
    make_model(HRNET | {"link_halves": ("upper",)}, COCO17)


@pytest.mark.parametrize(
  ("halves", "hw", "sentence"),
  [
    ((), (8, 16), r"one or more links, got \(\)"),
    (("upper", "left"), (8, 16), "'upper' or 'lower' for each .* 'left'"),
    (HALVES, (12, 16), r"even sides, got \[\(12, 16\), \(6, 8\), \(3, 4\)\]"),
    (HALVES, (10, 16), r"each twice the size of the next, .*\(2, 4\)"),
  ],
)
def test_wrong_halves_and_sizes_are_told(halves, hw, sentence):
  with pytest.raises(ValueError, match=sentence):
    skeletal(halves).init(jax.random.key(0), branches_of(hw=hw))
