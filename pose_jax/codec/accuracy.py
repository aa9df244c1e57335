"""Heatmap accuracy: how often a peak is where it should be, while training.

Counted on heatmaps with whole-pixel peaks, in tenths of the map's side: a
number to watch a run by. It knows neither people's size nor the picture and
is no PCKh, though training logs of other code bases often call it so.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pose_jax.codec import decode

COMPAT = ("", "hrnet")


@functools.partial(jax.jit, static_argnames=("threshold", "compat"))
def heatmap_accuracy(
  heatmaps: Float[Array | np.ndarray, "B h w K"],
  targets: Float[Array | np.ndarray, "B h w K"],
  *,
  threshold: float = 0.5,
  compat: str = "",
) -> tuple[Float[Array, "K"], Float[Array, "K"]]:
  """Returns how many peaks are near their target's, and how many targets.

  Near is a distance of at most threshold, x in tenths of the map's width and
  y in tenths of its height. A target without a peak (all zero: not labelled)
  does not count; a map without one is wrong. Sums, so that those of devices
  and batches can be added before anything is divided.
  Source: Newell et al. 2016's training accuracy (princeton-vl/pose-hg-train:
  eval.lua); differs in: a target in the first row or column counts, maps need
  not be square. Its mean is `mean_accuracy` over the ankles, knees, hips,
  elbows and wrists.

  Args:
    heatmaps: [B, h, w, K] the network's maps.
    targets: [B, h, w, K] the maps it should give.
    threshold: in tenths of the map's side; static under jit.
    compat: "hrnet" for HRNet's number: x in tenths of the height and y of the
      width, the threshold itself is wrong, targets in the first two rows and
      columns do not count, a map without a peak has it at (0, 0); static.
  Returns:
    correct: [K]; counted: [K]. Whole numbers, float32.
  Raises:
    ValueError: for another compat.
  """
  if compat not in COMPAT:
    raise ValueError(f"compat must be one of {COMPAT}, got {compat!r}")
  _, height, width, _ = heatmaps.shape
  peaks = decode.argmax if compat == "hrnet" else _peaks
  found_xy_hm, score = peaks(heatmaps)
  target_xy_hm, target_score = peaks(targets)
  side_xy = (height, width) if compat == "hrnet" else (width, height)
  tenth_xy = jnp.asarray(side_xy, jnp.float32)[None, None] / 10
  distance = jnp.linalg.norm((found_xy_hm - target_xy_hm) / tenth_xy, axis=-1)
  if compat == "hrnet":
    counts = (target_xy_hm > 1).all(-1)
    is_near = distance < threshold
  else:
    counts = target_score > 0
    is_near = (distance <= threshold) & (score > 0)
  correct = (is_near & counts).sum(0)
  return correct.astype(jnp.float32), counts.sum(0).astype(jnp.float32)


def _peaks(
  heatmaps: Float[Array | np.ndarray, "B h w K"],
) -> decode.Decoded:
  """`decode.argmax`, but of equal maxima the first column and the first row.

  x and y are sought apart: in a training step on a CPU, behind the network's
  last convolution, decode.argmax costs a tenth of the step, this one less
  than a hundredth.
  """
  maps = jnp.asarray(heatmaps, jnp.float32)
  x, y = maps.max(1).argmax(1), maps.max(2).argmax(1)
  score = maps.max((1, 2))
  xy_hm = jnp.where((score > 0)[..., None], jnp.stack([x, y], -1), 0)
  return xy_hm.astype(jnp.float32), score


def mean_accuracy(
  correct: Float[Array, "K"], counted: Float[Array, "K"]
) -> Float[Array, ""]:
  """Mean of the keypoints' shares, over those that counted; 0 if none did.

  HRNet's and Newell's average: each keypoint weighs 1.
  """
  share = correct / jnp.maximum(counted, 1.0)
  return share.sum() / jnp.maximum((counted > 0).sum(), 1)
