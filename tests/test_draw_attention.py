"""Tests of draw_attention.py: maps glow where they are high, all are there."""

import numpy as np
import pytest
from flax import linen as nn

from pose_jax import draw_attention, geometry
from pose_jax.draw_attention import attention_sheet, enlarged, softmax_of
from pose_jax.draw_scale import Scale
from pose_jax.models.attention_maps import spatial_softmax
from pose_jax.skeleton import LSP14

FRAMES = geometry.Frames((64, 48), (16, 12))
CROP = np.full((64, 48, 3), 100, np.uint8)


def _sigmoid(x):
  return 1 / (1 + np.exp(-x))


def _map(hw=(16, 12), count=1, seed=0):
  rng = np.random.default_rng(seed)
  return _sigmoid(rng.normal(size=(*hw, count))).astype(np.float32)


def _sheet(maps, **options):
  return attention_sheet(
    CROP, maps, LSP14, FRAMES.hm_from_crop, map_hw=(16, 12), **options
  )


def _titles(maps, monkeypatch):
  """All that a sheet says, besides its numbers."""
  said = []
  monkeypatch.setattr(
    draw_attention,
    "write",
    lambda picture, text, *_: said.append(text),
  )
  strip = draw_attention.text_strip

  def text_strip(text, *arguments, **options):
    said.append(text)
    return strip(text, *arguments, **options)

  monkeypatch.setattr(draw_attention, "text_strip", text_strip)
  _sheet(maps)
  return said


@pytest.mark.parametrize("alignment", ["corner", "unit"])
@pytest.mark.parametrize("map_hw", [(16, 12), (4, 3)])
def test_a_map_glows_where_it_is_high(alignment, map_hw):
  frames = geometry.Frames((64, 48), (16, 12), alignment)
  values = np.zeros(map_hw, np.float32)
  values[-2, 1] = 1
  view = draw_attention._View(CROP, LSP14, frames.hm_from_crop, (16, 12))
  tile = view.tile(values, "map", Scale(0, 1))
  height, width = view.tile_hw
  assert tile.shape == (17 + height + 25, width, 3)
  picture = tile[17 : 17 + height].astype(int)
  rows, columns = np.nonzero(picture.sum(-1) > 300)
  # The middle of the map's pixel, through the heatmap and the crop.
  factor = 16 // map_hw[0]
  in_map = np.array([[1.0, map_hw[0] - 2]])
  in_hm = (in_map + 0.5) * factor - 0.5
  in_crop = geometry.transform(in_hm, geometry.invert(frames.hm_from_crop))[0]
  x, y = (in_crop + 0.5) * height / 64 - 0.5
  np.testing.assert_allclose((rows.mean(), columns.mean()), (y, x), atol=1.1)
  side = factor * height / 16
  assert len(rows) == pytest.approx(side**2, rel=0.25)  # a square


def test_maps_are_enlarged_as_the_network_does():
  values = np.arange(6.0).reshape(2, 3)
  np.testing.assert_array_equal(
    enlarged(values, (4, 6)), values.repeat(2, 0).repeat(2, 1)
  )
  np.testing.assert_array_equal(enlarged(values, (2, 3)), values)


def test_the_softmax_is_that_of_softmax_attention():
  unary = np.random.default_rng(0).normal(0, 3, (5, 4)).astype(np.float32)
  expected = spatial_softmax(nn.softplus(unary[None, ..., None]))[0, ..., 0]
  found = softmax_of(_sigmoid(unary))
  # 1 - sigma has lost digits where sigma in float32 is nearly 1.
  np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_the_softmax_of_saturated_maps_is_finite():
  sigma = np.array([[0.0, 1.0], [1.0, 0.5]], np.float32)
  found = softmax_of(sigma)
  assert np.isfinite(found).all() and found.mean() == pytest.approx(1)
  assert found[0, 1] == found[1, 0] == pytest.approx(2, rel=1e-4)


def test_every_map_of_one_stage_has_a_tile_with_its_name(monkeypatch):
  maps = {
    "part": _map(count=14),
    "refined": _map(),
    "holistic": 2 * _map(),
    "holistic/level1": _map(),
    "holistic/level0": _map((8, 6)),
  }
  said = _titles(maps, monkeypatch)
  single = ["the crop", "level0, 8x6", "level1, 16x12", "holistic: sum"]
  assert [s for s in said if s in single] == single
  assert "refined, 16x12" in said and "l ankle" in said and "neck" in said
  assert not [s for s in said if "Stage" in s or "sigma" in s]


def test_links_are_called_by_their_ends_and_lifted_maps_by_keypoints(
  monkeypatch,
):
  maps = {"links": _map(count=16), "lifted": _map((32, 24), count=14)}
  said = _titles(maps, monkeypatch)
  at = {
    name: said.index(f"{name}: a map for each {what}")
    for name, what in (("lifted", "heatmap"), ("links", "link"))
  }
  # A gallery's tiles are drawn before the line above it.
  keypoints = said[at["lifted"] - 14 : at["lifted"]]
  assert keypoints[0] == "r ankle" and keypoints[-2] == "neck"
  links = said[at["lifted"] + 1 : at["links"]]
  assert links[0] == "l shoulder - elbow" and len(links) == 16
  assert links[-1] == "l - r ankle"


def test_a_background_and_unknown_counts_have_names(monkeypatch):
  said = _titles({"part": _map(count=15)}, monkeypatch)
  assert "background" in said
  said = _titles({"part": _map(count=3)}, monkeypatch)
  assert "map 0" in said and "map 2" in said


def test_stages_stand_in_their_order_and_steps_are_the_last_stages(
  monkeypatch,
):
  maps = {f"stack{i}/holistic": _map(seed=i) for i in (10, 2, 1)}
  maps["stack1/refined"] = _map()
  names = ("stack10/holistic", "stack1/refined", "stack1/holistic")
  for i, name in enumerate(names):
    steps = [_map(seed=10 * i + t) for t in range(4)]
    maps[f"{name}/steps"] = np.stack(steps)
  said = _titles(maps, monkeypatch)
  titles = [s for s in said if s.startswith("Stage")]
  assert titles == ["Stage 2", "Stage 3", "Stage 11"]  # stack0 is the first
  assert said.count("sigma(unary)") == 2  # holistic's and refined's
  shown = []

  def block(view, title, steps):
    shown.append(steps)
    return np.zeros((9, 9, 3), np.uint8)

  monkeypatch.setattr(draw_attention, "_block", block)
  _sheet(maps)
  wanted = [maps[f"{n}/steps"] for n in ("stack10/holistic", "stack1/refined")]
  for steps, its in zip(shown, wanted, strict=True):
    np.testing.assert_array_equal(steps, its[..., 0])


def test_a_mean_field_shows_its_steps_their_difference_and_softmax(
  monkeypatch,
):
  steps = np.stack([_map(seed=t) for t in range(4)])
  drawn = {}
  tile = draw_attention._View.tile

  def spy(view, values, title, scale):
    drawn[title] = (values, scale)
    return tile(view, values, title, scale)

  monkeypatch.setattr(draw_attention._View, "tile", spy)
  _sheet({"refined": steps[-1], "refined/level0/steps": steps})
  names = ["sigma(unary)", "step 1", "step 2", "step 3"]
  assert list(drawn)[1:] == [*names, "step 3 - sigma", "softmax x 192"]
  for t, name in enumerate(names):
    np.testing.assert_array_equal(drawn[name][0], steps[t, ..., 0])
    assert drawn[name][1] == Scale(float(steps.min()), float(steps.max()))
  change, scale = drawn["step 3 - sigma"]
  np.testing.assert_array_equal(change, steps[3, ..., 0] - steps[0, ..., 0])
  assert scale.is_signed and scale.low == -scale.high < 0
  softmax, scale = drawn["softmax x 192"]
  assert softmax.mean() == pytest.approx(1) and scale.high == softmax.max()


def test_maps_and_steps_can_stand_on_sheets_of_their_own(monkeypatch):
  steps = np.stack([_map(seed=t) for t in range(4)])
  maps = {f"stack{i}/refined": steps[-1] for i in range(2)}
  maps |= {f"{name}/steps": steps for name in maps}
  single, only_steps = draw_attention.without_steps(maps)
  assert [*single, *only_steps] == list(maps)
  said = _titles(single, monkeypatch)
  assert "Stage 2" in said and "step 1" not in said
  said = _titles(only_steps, monkeypatch)
  assert "Stage 2" not in said and said.count("step 1") == 1
  assert "Mean field, step by step, of the last stage that has the map" in said


def test_below_each_step_stands_how_far_the_map_before_it_moved(monkeypatch):
  steps = np.zeros((4, 16, 12, 1), np.float32)
  steps[1, 3, 4], steps[2, 5, 6], steps[3] = 0.5, -0.25, steps[2]
  steps[2, 3, 4] = 0.5
  said = _titles({"refined/steps": steps}, monkeypatch)
  changes = [s for s in said if s.startswith("change")]
  assert changes == ["change 0.5", "change 0.25", "change 0.5"]


def test_what_a_transformers_map_is_stands_where_there_is_one():
  maps = {"holistic": _map()}
  height = len(_sheet(maps))
  assert len(_sheet(maps, kinds=("none", "softmax"))) == height
  assert len(_sheet(maps, kinds=("none", "transformer"))) > height


def test_of_many_steps_the_first_and_the_last_are_shown(monkeypatch):
  steps = np.stack([_map(seed=t) for t in range(31)])
  said = _titles({"refined": steps[-1], "refined/steps": steps}, monkeypatch)
  shown = [s for s in said if s.startswith("step") and "-" not in s]
  assert shown == ["step 1", "step 2", "step 3", "step 30"]


def test_a_network_without_attention_is_an_error():
  with pytest.raises(ValueError, match="maps is empty"):
    _sheet({})


def test_what_links_and_lifted_maps_are_stands_where_there_are_any(
  monkeypatch,
):
  said = []
  strip = draw_attention.text_strip
  monkeypatch.setattr(
    draw_attention,
    "text_strip",
    lambda text, *a, **k: said.append(text) or strip(text, *a, **k),
  )
  for maps, is_told in (
    ({"refined": _map()}, False),
    ({"refined": _map(), "lifted": _map((32, 24), count=14)}, True),
    ({"stack1/links": _map(count=16)}, True),
  ):
    _sheet(maps)
    told = [text for text in said if "links are added to features" in text]
    assert bool(told) == is_told
    said.clear()


def test_a_long_title_stays_within_its_tile():
  picture = np.zeros((20, 60, 3), np.uint8)
  tile = draw_attention._titled(picture, "a long name of a link")
  assert tile[:-20, :-3].max() > 100
  assert (tile[:-20, -3:] == tile[0, 0]).all()
