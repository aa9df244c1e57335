"""Keypoints read off heatmaps, on the device.

Every decoder takes heatmaps [B, h, w, K] of any float type and returns
float32: keypoints (x, y) in heatmap pixels and the map's maximum as score.
Of equal values the first in row-major order wins, as in `np.argmax`. A map
whose maximum is not above zero has no peak: it decodes to (0, 0).

The maps are read once, to find the peaks; all else happens in small patches
round them.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from pose_jax.ops import filters

Heatmaps = Float[Array | np.ndarray, "B h w K"]
Decoded = tuple[Float[Array, "B K 2"], Float[Array, "B K"]]

_LOG_FLOOR = 1e-10  # DARK's; below it the logarithm is cut


@jax.jit
def argmax(heatmaps: Heatmaps) -> Decoded:
  """Returns the pixel of each map's maximum.

  Args:
    heatmaps: [B, h, w, K].
  Returns:
    kpts_xy_hm: [B, K, 2] float32, whole numbers; score: [B, K].
  Raises:
    ValueError: if heatmaps is not of rank 4.
  """
  _check_rank(heatmaps)
  peak_xy_hm, score = _peaks(jnp.asarray(heatmaps, jnp.float32))
  return peak_xy_hm.astype(jnp.float32), score


@jax.jit
def quarter(heatmaps: Heatmaps) -> Decoded:
  """Returns the maxima, a quarter pixel toward the larger neighbour.

  Only peaks with 1 < x < w - 1 and 1 < y < h - 1 move, along both axes or
  none; equal neighbours give no step. Source: HRNet's `get_final_preds`.

  Args:
    heatmaps: [B, h, w, K].
  Returns:
    kpts_xy_hm: [B, K, 2] float32; score: [B, K].
  Raises:
    ValueError: if heatmaps is not of rank 4.
  """
  _check_rank(heatmaps)
  maps = jnp.asarray(heatmaps, jnp.float32)
  peak_xy_hm, score = _peaks(maps)
  patch, _ = _patches(maps, peak_xy_hm, radius=1)
  step_xy = jnp.sign(
    jnp.stack(
      [
        patch[..., 1, 2] - patch[..., 1, 0],
        patch[..., 2, 1] - patch[..., 0, 1],
      ],
      axis=-1,
    )
  )
  is_inside = _is_inside(peak_xy_hm, maps, first=2, last=2)
  step_xy = jnp.where(is_inside[..., None], step_xy, 0.0)
  return peak_xy_hm.astype(jnp.float32) + 0.25 * step_xy, score


@functools.partial(jax.jit, static_argnames="blur_kernel")
def dark(heatmaps: Heatmaps, *, blur_kernel: int = 11) -> Decoded:
  """Returns sub-pixel maxima by a Taylor step on the blurred map's logarithm.

  The map is blurred (zeros outside) and its logarithm expanded to second
  order about the peak, with second differences at distance two. Only peaks
  with 1 < x < w - 2 and 1 < y < h - 2 move; the step is not bounded.
  Source: Zhang et al. 2019, arXiv:1910.06278, and its code; differs in: just
  the 5x5 pixels that the derivatives need are blurred, so the rescaling to
  the old maximum, which cancels but for the floor under the logarithm, uses
  their maximum and not the whole blurred map's.

  Args:
    heatmaps: [B, h, w, K].
    blur_kernel: size of the blur in pixels, odd; static under jit.
  Returns:
    kpts_xy_hm: [B, K, 2] float32; score: [B, K].
  Raises:
    ValueError: if heatmaps is not of rank 4 or blur_kernel is even or below 1.
  """
  _check_rank(heatmaps)
  blur = filters.blur_matrix(blur_kernel, 5)
  maps = jnp.asarray(heatmaps, jnp.float32)
  peak_xy_hm, score = _peaks(maps)
  patch, _ = _patches(maps, peak_xy_hm, radius=2 + blur_kernel // 2)
  # One product with the Kronecker square is faster here than two small ones.
  blurred = jnp.matmul(
    patch.reshape(*score.shape, -1),
    np.kron(blur, blur).T,
    precision=jax.lax.Precision.HIGHEST,
  )
  highest = blurred.max(axis=-1)
  rescale = score / jnp.where(highest > 0, highest, 1.0)
  log_map = jnp.log(jnp.maximum(blurred * rescale[..., None], _LOG_FLOOR))
  step_xy = _taylor_step(log_map.reshape(*score.shape, 5, 5))
  is_inside = _is_inside(peak_xy_hm, maps, first=2, last=3)
  step_xy = jnp.where(is_inside[..., None], step_xy, 0.0)
  return peak_xy_hm.astype(jnp.float32) + step_xy, score


@functools.partial(jax.jit, static_argnames=("n", "window"))
def weighted(
  heatmaps: Heatmaps, *, n: int = 20, window: int | None = None
) -> Decoded:
  """Returns the mean position of the n highest pixels, weighted by rank.

  The pixel of rank r weighs (1 / r) / sum(1 / h for h in 1..n). Two modes in
  one map pull the mean between them, by several pixels; a window round the
  peak keeps the other mode out. Source: weighted inference as described in
  the skeletal-heatmap paper; differs in: the window.

  Args:
    heatmaps: [B, h, w, K].
    n: number of pixels, at least 1; static under jit.
    window: side of the square round the peak that pixels are taken from, odd,
      cut at the map's border; None for the whole map; static under jit.
  Returns:
    kpts_xy_hm: [B, K, 2] float32; score: [B, K].
  Raises:
    ValueError: if heatmaps is not of rank 4, window is even or larger than
      the map, or there are fewer than n pixels to take.
  """
  _check_rank(heatmaps)
  _, height, width, _ = heatmaps.shape
  _check_window(n, window, (height, width))
  maps = jnp.asarray(heatmaps, jnp.float32)
  if window is None:
    values, xy_hm = _highest_of_map(maps, n)
    # Not values[..., 0]: XLA then sorts whole segments, ten times slower.
    score = maps.max(axis=(1, 2))
  else:
    peak_xy_hm, score = _peaks(maps)
    values, xy_hm = _highest_in_window(maps, peak_xy_hm, n, window)
  # A window at the border holds fewer pixels; those off the map are -inf.
  rank_weight = jnp.where(
    values > -jnp.inf, 1 / jnp.arange(1.0, n + 1)[None, None], 0.0
  )
  rank_weight /= rank_weight.sum(axis=-1, keepdims=True)
  mean_xy_hm = jnp.sum(rank_weight[..., None] * xy_hm, axis=-2)
  return jnp.where((score > 0)[..., None], mean_xy_hm, 0.0), score


DECODERS = {
  "argmax": argmax,
  "quarter": quarter,
  "dark": dark,
  "weighted": weighted,
}


def _check_rank(heatmaps: Array | np.ndarray) -> None:
  """Raises ValueError unless heatmaps has four axes."""
  if heatmaps.ndim != 4:
    raise ValueError(
      "heatmaps must be [B, h, w, K], got shape "
      f"{tuple(heatmaps.shape)}: add the missing batch axis with [None]?"
    )


def _check_window(n: int, window: int | None, map_hw: tuple[int, int]) -> None:
  """Raises ValueError unless n pixels can be taken from the window."""
  if n < 1:
    raise ValueError(f"n must be at least 1 pixel, got {n}")
  num_pixels = map_hw[0] * map_hw[1]
  if window is not None:
    if window < 1 or window % 2 == 0 or window > min(map_hw):
      raise ValueError(
        "window must be odd and fit into the map of "
        f"{map_hw[0]}x{map_hw[1]} pixels, got {window}"
      )
    num_pixels = window**2
  if n > num_pixels:
    raise ValueError(
      f"n is {n}, but there are only {num_pixels} pixels to take: "
      "lower n or enlarge the window"
    )


def _peaks(
  maps: Float[Array, "B h w K"],
) -> tuple[Int[Array, "B K 2"], Float[Array, "B K"]]:
  """First maximum (x, y) of each map in row-major order, and its value.

  The first row that holds the maximum is found from the row maxima, then the
  column within it: XLA's argmax over a whole map is seven times slower on a
  CPU. Nothing is looked for by its value: where maps are computed on the fly,
  XLA may compute a pixel twice, and not to the same last bit. A map with a
  NaN has a NaN for score and its peak at (0, 0).
  """
  row_max_BhK = maps.max(axis=2)
  score = row_max_BhK.max(axis=1)
  y = row_max_BhK.argmax(axis=1)
  row_BwK = jnp.take_along_axis(maps, y[:, None, None], axis=1)[:, 0]
  peak_xy_hm = jnp.stack([row_BwK.argmax(axis=1), y], axis=-1)
  return jnp.where((score > 0)[..., None], peak_xy_hm, 0), score


def _patches(
  maps: Float[Array, "B h w K"],
  center_xy_hm: Int[Array, "B K 2"],
  *,
  radius: int,
) -> tuple[Float[Array, "B K n n"], Bool[Array, "B K n n"]]:
  """Squares of side 2 * radius + 1 round the centres, zero off the map.

  Also returns which of their pixels lie on the map.
  """
  num_maps, height, width, num_keypoints = maps.shape
  offset = jnp.arange(-radius, radius + 1)[None, None]
  x = center_xy_hm[..., 0, None] + offset
  y = center_xy_hm[..., 1, None] + offset
  is_map = ((y >= 0) & (y < height))[..., :, None] & ((x >= 0) & (x < width))[
    ..., None, :
  ]
  patch = maps[
    jnp.arange(num_maps)[:, None, None, None],
    y.clip(0, height - 1)[..., :, None],
    x.clip(0, width - 1)[..., None, :],
    jnp.arange(num_keypoints)[None, :, None, None],
  ]
  return jnp.where(is_map, patch, 0.0), is_map


def _is_inside(
  xy_hm: Int[Array, "B K 2"],
  maps: Float[Array, "B h w K"],
  *,
  first: int,
  last: int,
) -> Bool[Array, "B K"]:
  """Whether both coordinates lie in first..side - last."""
  _, height, width, _ = maps.shape
  side_xy = jnp.asarray([width, height])[None, None]
  return jnp.all((xy_hm >= first) & (xy_hm <= side_xy - last), axis=-1)


def _taylor_step(
  log_map: Float[Array, "B K 5 5"],
) -> Float[Array, "B K 2"]:
  """Step (x, y) from the middle to the maximum of the local parabola.

  Zero where the Hessian is singular. First differences at distance one;
  second differences of the first ones, hence at distance two.
  """
  p = log_map
  dx = 0.5 * (p[..., 2, 3] - p[..., 2, 1])
  dy = 0.5 * (p[..., 3, 2] - p[..., 1, 2])
  dxx = 0.25 * (p[..., 2, 4] - 2 * p[..., 2, 2] + p[..., 2, 0])
  dyy = 0.25 * (p[..., 4, 2] - 2 * p[..., 2, 2] + p[..., 0, 2])
  dxy = 0.25 * (p[..., 3, 3] - p[..., 1, 3] - p[..., 3, 1] + p[..., 1, 1])
  det = dxx * dyy - dxy**2
  # The inner where keeps the gradient finite where the step is not taken.
  safe_det = jnp.where(det == 0, 1.0, det)
  step_xy = jnp.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=-1)
  step_xy = step_xy / safe_det[..., None]
  return jnp.where((det == 0)[..., None], 0.0, step_xy)


def _highest_of_map(
  maps: Float[Array, "B h w K"], n: int
) -> tuple[Float[Array, "B K n"], Int[Array, "B K n 2"]]:
  """The n highest values of each map, highest first, and their (x, y).

  They lie in the n segments of a row whose maxima are highest, so only those
  are searched: a top_k of the whole map is twice as slow on a CPU.
  Segments are put back in row-major order, for equal values to keep it.
  """
  num_maps, height, width, num_keypoints = maps.shape
  length = max(d for d in range(1, min(width, 12) + 1) if width % d == 0)
  length = length if length >= 4 else width  # a side that is hard to divide
  segments = maps.reshape(num_maps, -1, length, num_keypoints)
  segment_max_BKs = jnp.moveaxis(segments.max(axis=2), 1, 2)
  num_chosen = min(n, segment_max_BKs.shape[-1])
  _, chosen = jax.lax.top_k(segment_max_BKs, num_chosen)
  chosen = jnp.sort(chosen, axis=-1)
  candidates_BKsl = segments[
    jnp.arange(num_maps)[:, None, None, None],
    chosen[..., None],
    jnp.arange(length)[None, None, None],
    jnp.arange(num_keypoints)[None, :, None, None],
  ]
  values, index = jax.lax.top_k(
    candidates_BKsl.reshape(num_maps, num_keypoints, num_chosen * length), n
  )
  segment = jnp.take_along_axis(chosen, index // length, axis=-1)
  pixel = segment * length + index % length
  return values, jnp.stack([pixel % width, pixel // width], axis=-1)


def _highest_in_window(
  maps: Float[Array, "B h w K"],
  peak_xy_hm: Int[Array, "B K 2"],
  n: int,
  window: int,
) -> tuple[Float[Array, "B K n"], Int[Array, "B K n 2"]]:
  """As `_highest_of_map`, from a window; -inf for pixels off the map."""
  patch, is_map = _patches(maps, peak_xy_hm, radius=window // 2)
  patch = jnp.where(is_map, patch, -jnp.inf)
  values, index = jax.lax.top_k(patch.reshape(*patch.shape[:2], window**2), n)
  offset_xy = jnp.stack([index % window, index // window], axis=-1)
  xy_hm = peak_xy_hm[..., None, :] + offset_xy - window // 2
  return values, xy_hm
