"""Heatmaps of several scales, merged in the frame of scale 1.

At scale s a person appears s times as large in a crop about the same centre,
so its heatmap sees more or less of the picture than that of scale 1.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def resampling(
  scaled_from_hm: Float[np.ndarray, "2 3"], map_hw: tuple[int, int]
) -> tuple[Float[np.ndarray, "h h"], Float[np.ndarray, "w w"]]:
  """Bilinear interpolation at the transformed pixels, rows and columns apart.

  Row y of the result weighs the source's rows; its weights sum to 1 inside the
  source, to less on the way out of it and to 0 beyond one pixel outside.

  Args:
    scaled_from_hm: a scaling and a shift (`Frames.scaled_from_hm`).
    map_hw: size of both maps.
  """

  def weights(factor: float, offset: float, length: int) -> np.ndarray:
    at = factor * np.arange(length) + offset
    return np.maximum(1 - np.abs(at[:, None] - np.arange(length)), 0)

  (factor, _, offset_x), (_, _, offset_y) = scaled_from_hm
  return (
    weights(factor, offset_y, map_hw[0]),
    weights(factor, offset_x, map_hw[1]),
  )


def merge_scales(
  heatmaps: Sequence[Float[Array | np.ndarray, "B h w K"]],
  scaled_from_hm: Sequence[Float[np.ndarray, "2 3"]],
) -> Float[Array, "B h w K"]:
  """Mean of the maps, each pixel over the scales whose map reaches there.

  Chu et al. 2017 (arXiv 1702.07432) average the maps of six scales after
  warping them to the picture; where a magnified crop ends, their average
  takes zeros in, this one does not.

  Args:
    heatmaps: one per scale.
    scaled_from_hm: one per map, `Frames.scaled_from_hm` of its scale.
  Returns:
    [B, h, w, K] float32; 0 where no scale reaches.
  """
  total, cover = 0.0, 0.0
  for maps, matrix in zip(heatmaps, scaled_from_hm, strict=True):
    rows, columns = resampling(matrix, maps.shape[1:3])
    total += jnp.einsum(
      "yi,bijk,xj->byxk",
      rows.astype(np.float32),
      jnp.asarray(maps, jnp.float32),
      columns.astype(np.float32),
      precision=jax.lax.Precision.HIGHEST,
    )
    cover = cover + np.outer(rows.sum(1), columns.sum(1))
  weight = np.where(cover > 0, 1 / np.maximum(cover, 1e-9), 0)
  return total * weight.astype(np.float32)[None, :, :, None]
