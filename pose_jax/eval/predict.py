"""From crops to keypoints in the photograph, all on the device.

Normalise, forward pass, flip test, decoding and the way back to image pixels
are one pure function, so that one jit holds them and no heatmap reaches the
host unless someone wants to look at it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from pose_jax import geometry
from pose_jax.codec import flip
from pose_jax.ops import color

BATCH_KEYS = ("image", "img_from_hm")  # what the function reads of a batch


def make_predict(
  forward: Callable[[Any, Any], Any],
  frames: geometry.Frames,
  *,
  permutation: Sequence[int],
  decoder: Callable[[Any], tuple[Any, Any]],
  flip_test: bool,
  mean: Sequence[float],
  std: Sequence[float],
  with_heatmaps: bool = False,
) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
  """A pure, jittable function (variables, batch) -> keypoints.

  The flip test averages the heatmaps of the crop with those of its mirror
  image; the shift between the two follows from the alignment, so encoder,
  decoder and flip test cannot disagree.

  Args:
    forward: (variables, images [B, H, W, 3] float32) -> PoseOutput.
    frames: the geometry that the crops were cut with.
    permutation: keypoint k of the mirror image is permutation[k].
    decoder: heatmaps -> (kpts_xy_hm [B, K, 2], score [B, K]).
    flip_test: whether to run the mirror image too (twice the work).
    mean, std: of the colours, in units of the range 0 to 1.
    with_heatmaps: return the (flip-averaged) heatmaps as well. They are most
      of the bytes: only for the few pictures of a report.
  Returns:
    A function whose batch has image uint8 [B, H, W, 3] and img_from_hm
    [B, 2, 3], and whose result has kpts_xy_img float32 [B, K, 2] and score
    float32 [B, K] (and heatmaps float32 [B, h, w, K]).
  Raises:
    ValueError: while tracing, if the network returns no heatmaps or maps of
      another size than `frames` says.
  """

  def predict(variables, batch):
    images = color.normalize(batch["image"], mean=mean, std=std)
    heatmaps = _heatmaps(forward(variables, images), frames)
    if flip_test:
      mirrored = _heatmaps(forward(variables, images[:, :, ::-1]), frames)
      heatmaps = flip.merge(
        heatmaps,
        mirrored,
        permutation=tuple(permutation),
        shift=frames.flip_shift,
      )
    kpts_xy_hm, score = decoder(heatmaps)
    img_from_hm = jnp.asarray(batch["img_from_hm"], jnp.float32)
    kpts_xy_img = geometry.transform(kpts_xy_hm, img_from_hm)
    result = {"kpts_xy_img": kpts_xy_img, "score": score}
    if with_heatmaps:
      result["heatmaps"] = heatmaps
    return result

  return predict


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
