"""Where a heatmap's softmax lies on average: a position that can be learnt.

Source: Sun et al. 2018 (integral regression, arXiv 1711.08229), Eq. 1 and 2.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def soft_argmax(
  heatmaps: Float[Array, "B h w K"], *, beta: float = 1.0
) -> tuple[Float[Array, "B K 2"], Float[Array, "B h w K"]]:
  """Returns the expectation of each map's softmax, and the softmax.

  D: pixel i of w is taken to be at (i + 0.5) / w - 0.5, whatever the alignment
  of targets: the map has none, its coordinates alone are compared. So the
  mirrored map is exactly at -x.

  Args:
    heatmaps: of any values.
    beta: what they are multiplied by first; the larger, the nearer to the peak.
  Returns:
    (x, y) in units of the crop (`ops.coordinates`), within half a pixel of its
    edges; maps whose sum is 1. Both float32.
  """
  share = jax.nn.softmax(beta * heatmaps.astype(jnp.float32), axis=(1, 2))
  # Sums and no matrix products, which GPUs round to 10 bits.
  xy = [
    (share.sum(axis) * _centres(share.shape[3 - axis])[None, :, None]).sum(1)
    for axis in (1, 2)
  ]
  return jnp.stack(xy, axis=-1), share


def _centres(length: int) -> Float[Array, " n"]:
  """Middles of an axis' pixels, in units of the crop."""
  return (jnp.arange(length, dtype=jnp.float32) + 0.5) / length - 0.5
