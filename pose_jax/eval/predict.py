"""From crops to keypoints in the photograph, all on the device.

Normalise, forward passes, flip test, pyramid, decoding and the way back to
image pixels are one pure function, so that one jit holds them and no heatmap
reaches the host unless someone wants to look at it. Several ways of testing
share their forward passes: one per scale and mirror image that any of them
asks for.
"""

import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pose_jax import geometry
from pose_jax.eval import passes as passes_lib
from pose_jax.ops import color

BATCH_KEYS = ("images", "img_from_hm")  # what the function reads of a batch
ATTENTION = "attention/"  # before the name of a map, in what it returns
Pass = tuple[float | int, bool]  # scale, mirrored
_SHOWN: Pass = (1.0, False)  # whose attention is shown


@dataclasses.dataclass(frozen=True)
class TestTime:
  """One way of testing.

  Attributes:
    decoder: heatmaps -> (kpts_xy_hm [B, K, 2], score [B, K]); None for
      networks that regress coordinates, where there is nothing to decode.
    flip_test: average with what is said of the mirror image.
    scales: of the pyramid whose maps, or coordinates, are averaged.
    clip_negative: set negative values of the maps to 0 before averaging over
      scales (Chu et al. 2017's test code).
  Raises:
    ValueError: without a scale, or with one twice; if maps are to be clipped
      that are not decoded.
  """

  decoder: Callable[[Any], tuple[Any, Any]] | None
  flip_test: bool = False
  scales: tuple[float | int, ...] = (1.0,)
  clip_negative: bool = False

  def __post_init__(self):
    if not self.scales or len(set(self.scales)) != len(self.scales):
      raise ValueError(f"scales must hold each scale once, got {self.scales}")
    if self.clip_negative and self.decoder is None:
      raise ValueError(
        "clip_negative is of heatmaps, and decoder None says that there are "
        "none: leave it False"
      )

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
  decoder and flip test cannot disagree. Of networks that regress coordinates
  these are averaged (`passes`), and their scores.

  Args:
    forward: (variables, images [B, H, W, 3] float32) -> PoseOutput.
    frames: the geometry that the crops were cut with.
    ways: V ways of testing.
    permutation: keypoint k of the mirror image is permutation[k].
    mean, std, channel_order: see `color.normalize`.
    with_heatmaps: return the merged heatmaps of the first way as well, if
      the network gives any, and the attention maps of the crop at scale 1,
      not mirrored. They are most of the bytes: only for the few pictures of a
      report.
    shown_forward: the same network for that one crop, where its attention is
      to hold more than `forward`'s; None: `forward`.
  Returns:
    A function whose batch has images uint8 [B, S, H, W, 3], one crop for each
    of `scales_of(ways)`, and img_from_hm [B, 2, 3], and whose result has
    kpts_xy_img float32 [B, V, K, 2] and score float32 [B, V, K], of networks
    that say it presence float32 [B, V, K], the probability that a keypoint is
    there (and heatmaps float32 [B, h, w, K], where there are any, and
    "attention/NAME" for each NAME of PoseOutput.attention).
  Raises:
    ValueError: while tracing, if the network gives other things than the ways
      decode, or maps of another size than `frames` says, or the batch has
      other scales.
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
      return passes_lib.read(output, frames), output.attention

    def said_of(crop):
      return output_of(crop, forward)[0]

    images, attention = batch["images"], {}
    crops = [_crop(images, scales.index(s), m) for s, m in passes]
    found = _each(said_of, crops, most=2 - len(shown))
    said = dict(zip(passes, found, strict=True))
    if with_heatmaps:
      said[_SHOWN], attention = output_of(
        _crop(images, scales.index(1.0), False), shown_forward or forward
      )
    answers = [_answer(way, said, frames, permutation) for way in ways]
    result = _in_photograph(answers, batch["img_from_hm"])
    if with_heatmaps:
      if answers[0].heatmaps is not None:
        result["heatmaps"] = answers[0].heatmaps
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
  found = jax.lax.map(function, jnp.stack(crops))
  return [
    jax.tree.map(operator.itemgetter(i), found) for i in range(len(crops))
  ]


class _Answer(NamedTuple):
  """What one way of testing comes to; heatmaps and presence may be None."""

  kpts_xy_hm: Float[Array, "B K 2"]
  score: Float[Array, "B K"]
  presence: Any
  heatmaps: Any


def _answer(
  way: TestTime,
  said: Mapping[Pass, passes_lib.Said],
  frames: geometry.Frames,
  permutation: Sequence[int],
) -> _Answer:
  """Mean over mirror images, then over scales, then decoded."""
  at_scales = []
  for scale in way.scales:
    here = said[scale, False]
    if way.flip_test:
      here = passes_lib.merge_mirrored(
        here,
        said[scale, True],
        permutation=permutation,
        shift=frames.flip_shift,
      )
    at_scales.append(here)
  _check_decoder(way, at_scales[0])
  presence = passes_lib.merge_presence(at_scales)
  if way.decoder is None:
    points, score = passes_lib.merge_points(at_scales, way.scales, frames)
    return _Answer(points, score, presence, None)
  heatmaps = passes_lib.merge_maps(
    at_scales, way.scales, frames, clip_negative=way.clip_negative
  )
  return _Answer(*way.decoder(heatmaps), presence, heatmaps)


def _check_decoder(way: TestTime, said: passes_lib.Said) -> None:
  if way.decoder is None and said.coordinates is None:
    raise ValueError(
      "the network returned heatmaps and no coordinates: choose a decoder of "
      "heatmaps"
    )
  if way.decoder is not None and said.heatmaps is None:
    raise ValueError(
      "the network returned no heatmaps, it regresses coordinates, which are "
      "not decoded: let the decoder be None"
    )


def _in_photograph(
  answers: Sequence[_Answer], img_from_hm: Any
) -> dict[str, Array]:
  """Each way's keypoints, scores and presence, the ways on axis 1."""
  img_from_hm = jnp.asarray(img_from_hm, jnp.float32)
  result = {
    "kpts_xy_img": jnp.stack(
      [geometry.transform(a.kpts_xy_hm, img_from_hm) for a in answers], 1
    ),
    "score": jnp.stack([a.score for a in answers], 1),
  }
  if answers[0].presence is not None:
    result["presence"] = jnp.stack([a.presence for a in answers], 1)
  return result
