"""Attention maps as pictures: where a network looks, and who told it to.

Maps come by name, as `PoseOutput.attention` has them, of one person: "refined"
[h', w', P], each behind "stackN/" in a network of several stages; and
"holistic/level0/steps" [T + 1, h', w', P], the mean field on its way to
"holistic/level0": index 0 is sigma(unary), the map that no position's
neighbours have touched. "links" and "lifted" are a network's heatmaps of links
and those at twice the size. Pictures are uint8 RGB [H, W, 3].
"""

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

import cv2
import numpy as np
from jaxtyping import Float

from pose_jax import draw
from pose_jax.draw_scale import (
  BAR_HEIGHT,
  GROUND,
  INK,
  SOFT,
  Scale,
  between,
  extent,
  number,
  scale_of,
  text_strip,
  write,
)
from pose_jax.skeleton import Skeleton

Maps = Mapping[str, np.ndarray]

STEPS = "/steps"  # the end of a name
_OTHERS = {"links", "lifted"}  # names of what is not attention
_WIDTH = 1260  # of a sheet, pixels
_TILE_HEIGHT = 132  # of a crop in it
_GAP = 4
_LETTERS = 0.37  # OpenCV's scale of a tile's title
_SMALL_LETTERS = 0.34
_COLORS = (
  "Dark: little, bright: much. Each picture has a scale of its own, from its "
  "least to its greatest value, which stand below it; a map is flat where the "
  "two are the same in all digits shown."
)
_TRANSFORMER = (
  "The map of a transformer: how much of each pixel the transformer sees."
)
_OTHER_MAPS = (
  "Heatmaps of links are added to features; lifted heatmaps are twice as large "
  "as the others."
)
_MEAN_FIELD = (
  "sigma(unary): the map if no position looked at its neighbours; a field that "
  "starts from the unary itself (crf_start=unary_conv) does not begin there. "
  "Step t: the map after t updates, in each of which every position asks its "
  "neighbours; the map after the last step is the one that is used. All these "
  "share a scale, and below each step stands its largest change to the map "
  "before it. Then the last step less sigma(unary): red where the neighbours "
  "raised the map, blue where they lowered it. At the end "
  "what softmax attention would make of the same unary: the positions compete "
  "for a fixed sum (times their number, so that 1 is the average); it has its "
  "own scale."
)


def attention_sheet(
  crop: draw.Picture,
  maps: Maps,
  skeleton: Skeleton,
  hm_from_crop: Float[np.ndarray, "2 3"],
  *,
  map_hw: tuple[int, int],
  title: str = "",
  kinds: Collection[str] = (),
) -> draw.Other:
  """Everything that a network attends to in one crop, on one sheet.

  For each stage the holistic maps, level by level and as they act, the refined
  map, and one map per keypoint. Below, for every map of a mean field, its
  steps; of a network of several stages those of the last stage that has it.

  Args:
    maps: of one person, see the head of this file; of steps alone there are
      only these.
    hm_from_crop: Frames.hm_from_crop.
    map_hw: of the heatmaps. Smaller maps are enlarged to it (nearest), as the
      network does.
    title: a line above all.
    kinds: of attention that the network has; "transformer" is explained.
  Raises:
    ValueError: if there is no map.
  """
  view = _View(crop, skeleton, hm_from_crop, map_hw)
  stages = _stages({k: v for k, v in maps.items() if not k.endswith(STEPS)})
  steps = _last({k: v for k, v in maps.items() if k.endswith(STEPS)})
  if not maps:
    raise ValueError("maps is empty: this network has no attention to draw")
  parts = [_heading(title)] if title else []
  about = [_COLORS]
  about += [_TRANSFORMER] * ("transformer" in kinds)
  about += [_OTHER_MAPS] * any(set(its) & _OTHERS for its in stages.values())
  parts.append(text_strip(" ".join(about), _WIDTH, color=SOFT))
  is_one = len(_stages(maps)) == 1
  which = "" if is_one else ", of the last stage that has the map"
  for stage, its in stages.items():
    if stage:
      parts.append(_heading(f"Stage {stage}"))
    parts += _galleries(view, its)
  if steps:
    parts.append(_heading(f"Mean field, step by step{which}"))
    parts.append(text_strip(_MEAN_FIELD, _WIDTH, color=SOFT))
    blocks = [b for k, v in steps.items() for b in _blocks(view, k, v)]
    columns = max(1, (_WIDTH + 4 * _GAP) // (blocks[0].shape[1] + 4 * _GAP))
    parts.append(draw.contact_sheet(blocks, columns=columns, gap=4 * _GAP))
  return draw.contact_sheet(_framed(parts), columns=1, gap=10)


def without_steps(maps: Maps) -> tuple[Maps, Maps]:
  """The maps that act, and the steps of mean fields on their way to them."""
  steps = {name: maps[name] for name in maps if name.endswith(STEPS)}
  return {name: maps[name] for name in maps if name not in steps}, steps


def softmax_of(
  sigma: Float[np.ndarray, "h w"],
) -> Float[np.ndarray, "h w"]:
  """What softmax attention makes of a unary, softplus and all; 1 on average.

  exp(softplus(u)) is 1 + exp(u), and that is 1 / (1 - sigma(u)). Source:
  `SoftmaxMap`.

  Args:
    sigma: sigmoid of the unary, in [0, 1]. Beyond what float32 can tell from
      1, unaries of 16 and more, the unary is taken to be at that limit.
  """
  weight = 1 / (1 - np.minimum(sigma.astype(np.float64), 1 - 1e-7))
  return weight / weight.mean()


def enlarged(
  values: Float[np.ndarray, "h w"], map_hw: tuple[int, int]
) -> Float[np.ndarray, "H W"]:
  """The map at another size, each pixel the nearest one's value."""
  rows, columns = (
    np.arange(length) * old // length
    for length, old in zip(map_hw, values.shape, strict=True)
  )
  return values[rows][:, columns]


@dataclasses.dataclass(frozen=True)
class _View:
  """The crop that all maps lie on, and how they lie on it."""

  crop: np.ndarray
  skeleton: Skeleton
  hm_from_crop: np.ndarray
  map_hw: tuple[int, int]
  tile_height: int = _TILE_HEIGHT

  @property
  def tile_hw(self) -> tuple[int, int]:
    height, width = self.crop.shape[:2]
    return self.tile_height, round(self.tile_height * width / height)

  def narrow(self, width: int) -> "_View":
    """The same in tiles at most so wide."""
    height = int(width * self.crop.shape[0] / self.crop.shape[1])
    return dataclasses.replace(self, tile_height=min(height, self.tile_height))

  @property
  def columns(self) -> int:
    return max(1, (_WIDTH + _GAP) // (self.tile_hw[1] + _GAP))

  def plain(self, title: str) -> np.ndarray:
    """The crop alone, as large as a tile."""
    tile = _titled(self._resized(self.crop), title)
    rest = np.full((BAR_HEIGHT, tile.shape[1], 3), GROUND, np.uint8)
    return np.concatenate([tile, rest])

  def tile(self, values: np.ndarray, title: str, scale: Scale) -> np.ndarray:
    """A map [h', w'] on the crop, its title above and its scale below."""
    spread = cv2.warpAffine(
      enlarged(np.asarray(values, np.float32), self.map_hw),
      np.asarray(self.hm_from_crop, np.float64),
      self.crop.shape[1::-1],
      # A map's pixel is shown as the square it is: nothing is smoothed.
      flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
      borderMode=cv2.BORDER_REPLICATE,
    )
    picture = self._resized(scale.paint(self.crop, spread))
    tile = _titled(picture, title)
    return np.concatenate([tile, scale.bar(tile.shape[1])])

  def _resized(self, picture: np.ndarray) -> np.ndarray:
    height, width = self.tile_hw
    is_small = picture.shape[0] < height
    how = cv2.INTER_LINEAR if is_small else cv2.INTER_AREA
    return cv2.resize(picture, (width, height), interpolation=how)

  def names(self, count: int, place: str = "") -> Sequence[str]:
    """What the maps of one place are called."""
    if place == "links" and count == len(self.skeleton.links):
      keypoints = self.names(self.skeleton.num_keypoints)
      return [
        between(keypoints[link.start], keypoints[link.end])
        for link in self.skeleton.links
      ]
    keypoints = [
      name.replace("left_", "l ").replace("right_", "r ").replace("_", " ")
      for name in self.skeleton.keypoints
    ]
    if count == 1:
      return ("",)
    if count in (len(keypoints), len(keypoints) + 1):
      return [*keypoints, "background"][:count]
    return [f"map {i}" for i in range(count)]


def _stages(maps: Maps) -> dict[int, dict[str, np.ndarray]]:
  """Stage -> name in it -> map, the stages in order.

  "stack0" is stage 1; maps that name no stack are stage 0's. Stages without
  maps are left out.
  """
  found: dict[int, dict[str, np.ndarray]] = {}
  for name, value in maps.items():
    stage = re.match(r"stack(\d+)/", name)
    its = found.setdefault(int(stage[1]) + 1 if stage else 0, {})
    its[name[stage.end() :] if stage else name] = value
  return dict(sorted(found.items()))


def _last(maps: Maps) -> dict[str, np.ndarray]:
  """Each name's map in the last stage that has it."""
  last: dict[str, np.ndarray] = {}
  for its in _stages(maps).values():
    last |= its
  return dict(sorted(last.items(), key=lambda item: _order(item[0])))


def _order(name: str) -> tuple[int, bool, str]:
  """Places as the network passes them, a place's levels before the place."""
  place, *level = name.removesuffix(STEPS).split("/")
  places = ("holistic", "refined", "part")
  at = places.index(place) if place in places else len(places)
  return at, not level, name


def _galleries(view: _View, maps: Maps) -> Iterator[np.ndarray]:
  """The crop and a stage's single maps; then those of one per keypoint."""
  names = sorted(maps, key=_order)
  single = [view.plain("the crop")]
  for name in names:
    if maps[name].shape[-1] == 1:
      values = maps[name][..., 0]
      single.append(view.tile(values, _title(name, maps), scale_of(values)))
  yield draw.contact_sheet(single, columns=view.columns, gap=_GAP)
  for name in names:
    count = maps[name].shape[-1]
    if count > 1:
      tiles = [
        view.tile(maps[name][..., p], part, scale_of(maps[name][..., p]))
        for p, part in enumerate(view.names(count, name))
      ]
      what = {"links": "link", "soft_argmax": "keypoint"}.get(name, "heatmap")
      yield text_strip(f"{name}: a map for each {what}", _WIDTH, scale=0.48)
      yield draw.contact_sheet(tiles, columns=view.columns, gap=_GAP)


def _title(name: str, maps: Maps) -> str:
  """What a tile says: the sum of some levels, or a map and its size."""
  if any(other.startswith(f"{name}/") for other in maps):
    return f"{name}: sum"
  size = "x".join(map(str, maps[name].shape[:2]))
  return f"{name.split('/')[-1]}, {size}"


def _blocks(view: _View, name: str, steps: np.ndarray) -> Iterator[np.ndarray]:
  """For each map of a name a row: sigma, steps, difference, softmax."""
  name = name.removesuffix(STEPS)
  for p, part in enumerate(view.names(steps.shape[-1])):
    yield _block(view, part or name, steps[..., p])


def _block(view: _View, title: str, steps: np.ndarray) -> np.ndarray:
  last = len(steps) - 1
  shown = range(last + 1) if last <= 4 else (0, 1, 2, 3, last)
  shared = scale_of(*(steps[t] for t in shown))
  change = steps[last] - steps[0]
  most = float(np.abs(change).max())
  softmax = softmax_of(steps[0])
  # Two blocks stand side by side.
  view = view.narrow((_WIDTH - 4 * _GAP) // 2 // (len(shown) + 2) - _GAP)
  moved = np.abs(np.diff(steps, axis=0)).max((1, 2))  # by each step
  tiles = [
    _with_line(
      view.tile(steps[t], f"step {t}" if t else "sigma(unary)", shared),
      f"change {number(float(moved[t - 1]))}" if t else "",
    )
    for t in shown
  ]
  difference = Scale(-most, most, True)
  tiles += [
    _with_line(view.tile(change, f"step {last} - sigma", difference)),
    _with_line(
      view.tile(softmax, f"softmax x {softmax.size}", scale_of(softmax))
    ),
  ]
  row = draw.contact_sheet(tiles, columns=len(tiles), gap=_GAP)
  heading = text_strip(title, row.shape[1], scale=0.48)
  return np.concatenate([heading, row])


def _heading(text: str) -> np.ndarray:
  return text_strip(text, _WIDTH, scale=0.62)


def _framed(parts: Sequence[np.ndarray]) -> list[np.ndarray]:
  """Parts of equal width, so that they begin at one edge."""
  width = max(part.shape[1] for part in parts)
  return [
    cv2.copyMakeBorder(
      part, 0, 0, 8, width - part.shape[1] + 8, 0, value=(GROUND,) * 3
    )
    for part in parts
  ]


def _with_line(tile: np.ndarray, text: str = "") -> np.ndarray:
  """A tile with a line of small print below it."""
  strip = np.full((14, tile.shape[1], 3), GROUND, np.uint8)
  write(strip, text, 1, 9, _SMALL_LETTERS, SOFT)
  return np.concatenate([tile, strip])


def _titled(picture: np.ndarray, title: str) -> np.ndarray:
  """A picture below its title, in letters small enough for its width."""
  width = picture.shape[1]
  scale = _LETTERS
  while extent(title, scale) > width - 4 and scale > 0.1:
    scale -= 0.01
  strip = np.full((17, width, 3), GROUND, np.uint8)
  write(strip, title, 1, 12, scale, INK)
  return np.concatenate([strip, picture])
