"""From crops to keypoints in the photograph, all on the device.

Normalise, forward passes, flip test, pyramid, decoding and the way back to
image pixels are one pure function, so that one jit holds them and no heatmap
reaches the host unless someone wants to look at it. Several ways of testing
share their forward passes: one per scale and mirror image that any of them
asks for.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pose_jax import geometry
from pose_jax.codec import flip, pyramid
from pose_jax.ops import color

BATCH_KEYS = ("images", "img_from_hm")  # what the function reads of a batch
ATTENTION = "attention/"  # before the name of a map, in what it returns
Pass = tuple[float | int, bool]  # scale, mirrored
_SHOWN: Pass = (1.0, False)  # whose attention is shown


@dataclasses.dataclass(frozen=True)
class TestTime:
  """One way of testing.

  Attributes:
    decoder: heatmaps -> (kpts_xy_hm [B, K, 2], score [B, K]).
    flip_test: average with the maps of the mirror image.
    scales: of the pyramid whose maps are averaged.
    clip_negative: set negative values of the maps to 0 before averaging over
      scales (Chu et al. 2017's test code).
  Raises:
    ValueError: without a scale, or with one twice.
  """

  decoder: Callable[[Any], tuple[Any, Any]]
  flip_test: bool = False
  scales: tuple[float | int, ...] = (1.0,)
  clip_negative: bool = False

  def __post_init__(self):
    if not self.scales or len(set(self.scales)) != len(self.scales):
      raise ValueError(f"scales must hold each scale once, got {self.scales}")

  @property
  def passes(self) -> tuple[Pass, ...]:
    """Forward passes that it needs."""
    mirrored = (False, True) if self.flip_test else (False,)
    return tuple((scale, m) for scale in self.scales for m in mirrored)


def scales_of(ways: Sequence[TestTime]) -> tuple[float | int, ...]:
  """Axis S of a batch: all scales of some ways of testing, ascending, and 1.

  The crop at scale 1 is there for people to look at.
  """
  return tuple(sorted({1.0, *(scale for way in ways for scale in way.scales)}))


def make_predict(
  forward: Callable[[Any, Any], Any],
  frames: geometry.Frames,
  ways: Sequence[TestTime],
  *,
  permutation: Sequence[int],
  mean: Sequence[float],
  std: Sequence[float],
  channel_order: str = "rgb",
  with_heatmaps: bool = False,
  shown_forward: Callable[[Any, Any], Any] | None = None,
) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
  """A pure, jittable function (variables, batch) -> keypoints.

  The flip test averages the heatmaps of the crop with those of its mirror
  image; the shift between the two follows from the alignment, so encoder,
  decoder and flip test cannot disagree.

  Args:
    forward: (variables, images [B, H, W, 3] float32) -> PoseOutput.
    frames: the geometry that the crops were cut with.
    ways: V ways of testing.
    permutation: keypoint k of the mirror image is permutation[k].
    mean, std, channel_order: see `color.normalize`.
    with_heatmaps: return the merged heatmaps of the first way as well, and
      the attention maps of the crop at scale 1, not mirrored. They are most
      of the bytes: only for the few pictures of a report.
    shown_forward: the same network for that one crop, where its attention is
      to hold more than `forward`'s; None: `forward`.
  Returns:
    A function whose batch has images uint8 [B, S, H, W, 3], one crop for each
    of `scales_of(ways)`, and img_from_hm [B, 2, 3], and whose result has
    kpts_xy_img float32 [B, V, K, 2] and score float32 [B, V, K] (and heatmaps
    float32 [B, h, w, K] and "attention/NAME" for each NAME of
    PoseOutput.attention).
  Raises:
    ValueError: while tracing, if the network returns no heatmaps or maps of
      another size than `frames` says, or the batch has other scales.
  """
  scales = scales_of(ways)
  wanted = {p for way in ways for p in way.passes}
  # The pass that is shown is on its own: no other's attention is kept.
  shown = {_SHOWN} if with_heatmaps else set()
  passes = tuple(sorted(wanted - shown))
  colours = dict(mean=mean, std=std, channel_order=channel_order)

  def predict(variables, batch):
    if batch["images"].shape[1] != len(scales):
      raise ValueError(
        f"the batch has crops at {batch['images'].shape[1]} scales, the ways "
        f"of testing need {len(scales)}: {scales}"
      )

    def output_of(crop, network):
      output = network(variables, color.normalize(crop, **colours))
      return _heatmaps(output, frames), output.attention

    def maps_of(crop):
      return output_of(crop, forward)[0]

    images, attention = batch["images"], {}
    crops = [_crop(images, scales.index(s), m) for s, m in passes]
    found = _each(maps_of, crops, most=2 - len(shown))
    maps = dict(zip(passes, found, strict=True))
    if with_heatmaps:
      maps[_SHOWN], attention = output_of(
        _crop(images, scales.index(1.0), False), shown_forward or forward
      )
    merged = [_merged(way, maps, frames, permutation) for way in ways]
    result = _decoded(ways, merged, batch["img_from_hm"])
    if with_heatmaps:
      result["heatmaps"] = merged[0]
      for name, values in attention.items():
        result[f"{ATTENTION}{name}"] = values.astype(jnp.float32)
    return result

  return predict


def _crop(images, index: int, is_mirrored: bool):
  crop = images[:, index]
  return crop[:, :, ::-1] if is_mirrored else crop


def _each(function: Callable, crops: Sequence[Any], most: int) -> Sequence[Any]:
  """The function of every crop; more than `most` share a compiled network."""
  if len(crops) <= most:
    return [function(crop) for crop in crops]
  return list(jax.lax.map(function, jnp.stack(crops)))


def _merged(
  way: TestTime,
  maps: Mapping[Pass, Float[Array, "B h w K"]],
  frames: geometry.Frames,
  permutation: Sequence[int],
) -> Float[Array, "B h w K"]:
  """What the decoder gets: mean over mirror images, then over scales."""
  merged = []
  for scale in way.scales:
    heatmaps = maps[scale, False]
    if way.flip_test:
      heatmaps = flip.merge(
        heatmaps,
        maps[scale, True],
        permutation=tuple(permutation),
        shift=frames.flip_shift,
      )
    merged.append(jnp.maximum(heatmaps, 0) if way.clip_negative else heatmaps)
  if way.scales == (1.0,):
    return merged[0]
  matrices = [frames.scaled_from_hm(scale) for scale in way.scales]
  return pyramid.merge_scales(merged, matrices)


def _decoded(
  ways: Sequence[TestTime],
  merged: Sequence[Float[Array, "B h w K"]],
  img_from_hm: Any,
) -> dict[str, Array]:
  """Each way's keypoints in the photograph and their scores."""
  img_from_hm = jnp.asarray(img_from_hm, jnp.float32)
  decoded = [
    way.decoder(heatmaps) for way, heatmaps in zip(ways, merged, strict=True)
  ]
  return {
    "kpts_xy_img": jnp.stack(
      [geometry.transform(xy, img_from_hm) for xy, _ in decoded], 1
    ),
    "score": jnp.stack([score for _, score in decoded], 1),
  }


def _heatmaps(output: Any, frames: geometry.Frames) -> Float[Array, "B h w K"]:
  """The maps to decode, float32, their size checked against the geometry."""
  if output.heatmaps is None:
    raise ValueError(
      "the network returned no heatmaps, and only heatmaps can be decoded "
      "here: choose a network with a heatmap head"
    )
  if output.heatmaps.shape[1:3] != tuple(frames.map_hw):
    raise ValueError(
      f"the network's heatmaps are {output.heatmaps.shape[1:3]}, the geometry "
      f"was made for {tuple(frames.map_hw)}: make both from one config"
    )
  return output.heatmaps.astype(jnp.float32)
