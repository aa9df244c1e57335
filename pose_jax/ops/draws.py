"""Random numbers of a person, from the seed that came with it.

Each augmentation, and what a cascade simulates, has a purpose of its own, so
that switching one on leaves what the others draw.
"""

import jax
from jax import Array
from jaxtyping import Float, Key, UInt

# The first draws of color.jitter take the seed itself; "factors" decides
# which of them are applied.
PURPOSES = (
  *("factors", "hsv", "grey", "blur", "median"),
  *("cover", "holes", "noise", "simulated"),
)


def keys(seeds: UInt[Array, "B"], purpose: str) -> Key[Array, "B"]:
  """One key per person; equal seeds and purposes give equal keys."""
  number = PURPOSES.index(purpose)
  return jax.vmap(lambda s: jax.random.fold_in(jax.random.key(s), number))(
    seeds
  )


def uniform(
  seeds: UInt[Array, "B"], purpose: str, *shape: int
) -> Float[Array, "B *shape"]:
  """Numbers in [0, 1) for each person."""
  return jax.vmap(lambda key: jax.random.uniform(key, shape))(
    keys(seeds, purpose)
  )
