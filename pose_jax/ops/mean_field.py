"""Mean field of a two-label CRF on maps.

Phi_t = sigma(psi + W * Phi_{t-1} + b): psi is the unary term, one map for each
of P attention maps, W one k x k kernel for each map (or one for all), shared
by the steps. Maps are [B, h, w, P] in float32 or float64 and see zeros beyond
their border. `depthwise` is W * Phi.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from pose_jax.ops.depthwise import MAX_KERNEL_SIZE as MAX_KERNEL_SIZE
from pose_jax.ops.depthwise import Kernel, check_shapes, depthwise

Bias = Float[Array, " #P"] | None
STARTS = ("unary_conv", "sigmoid_unary")


class _Rule(NamedTuple):
  """What an update is; hashable, so that it can be static."""

  steps: int
  start: str
  keep_unary: bool
  damping: float
  form: str | None


@partial(
  jax.jit,
  static_argnames=(
    *("steps", "start", "keep_unary", "damping"),
    *("constant_memory", "form"),
  ),
)
def mean_field(
  unary: Float[Array, "B h w P"],
  kernel: Kernel,
  bias: Bias,
  *,
  steps: int = 3,
  start: str = "unary_conv",
  keep_unary: bool = True,
  damping: float = 0.0,
  constant_memory: bool = False,
  form: str | None = None,
) -> Float[Array, "B h w P"]:
  """Returns the maps after `steps` mean-field updates, in (0, 1).

  Source: Chu et al. 2017 (Multi-Context Attention, arXiv 1702.07432), Eq. 7;
  the start is that of the authors' code. Eq. 8 leaves the unary term and the
  bias out and convolves psi first: sigma(W * psi), then three times
  sigma(W * Phi), which is keep_unary=False, start="unary_conv", steps=4 and
  bias None.

  Args:
    unary: [B, h, w, P] psi, any range.
    kernel: [k, k, 1, P] W, or [k, k, 1, 1] for all maps, or a pair of column
      [k, 1, 1, P] and row [1, k, 1, P], whose outer product W is; k odd, 1 to
      15, and may exceed the map.
    bias: [P] or [1] b, or None.
    steps: number of updates, at least 1.
    start: Phi_0. "unary_conv": psi itself, so that the first map is
      sigma(psi + W * psi + b), as in the authors' code. "sigmoid_unary":
      sigma(psi), as in the paper's text.
    keep_unary: whether psi enters every update, or only through the start.
    damping: d in [0, 1): an update is (1 - d) of the new map and d of the one
      before. Not of a first one from psi, which is no map.
    constant_memory: the backward pass keeps no map, whatever `steps`, and
      computes each Phi_{t-1} anew from the start: time grows as steps squared.
    form: of the convolution (`depthwise`).
  Raises:
    ValueError: if an argument is not one of the above.
  """
  rule = _Rule(steps, start, keep_unary, damping, form)
  _check(rule, unary, kernel, bias)
  last_map = _last_map_recomputed if constant_memory else _last_map
  return last_map(rule, (unary, kernel, bias))


@partial(
  jax.jit,
  static_argnames=("steps", "start", "keep_unary", "damping", "form"),
)
def mean_field_steps(
  unary: Float[Array, "B h w P"],
  kernel: Kernel,
  bias: Bias,
  *,
  steps: int = 3,
  start: str = "unary_conv",
  keep_unary: bool = True,
  damping: float = 0.0,
  form: str | None = None,
) -> Float[Array, "T B h w P"]:
  """Returns the map after every update, [steps + 1, B, h, w, P].

  Index 0 is sigma(psi), what the map would be without its neighbours, whatever
  the start; index t is the map after update t. Arguments as `mean_field`.
  """
  rule = _Rule(steps, start, keep_unary, damping, form)
  _check(rule, unary, kernel, bias)
  arrays = (unary, kernel, bias)

  def body(phi, index):
    phi = _update(rule, arrays, index, phi)
    return phi, phi

  _, maps = _scan(rule, body, _first(rule, unary))
  return jnp.concatenate([jax.nn.sigmoid(unary)[None], maps])


def largest_changes(
  maps: Float[Array, "T B h w P"],
) -> Float[Array, "T-1 B P"]:
  """Returns by how much each map of `mean_field_steps` moved in each step.

  The largest absolute difference over the pixels: near zero where the mean
  field has converged, and not falling where it swings.
  """
  return jnp.abs(jnp.diff(maps, axis=0)).max((2, 3))


def _check(rule, unary, kernel, bias):
  check_shapes(unary, kernel)
  num_maps = unary.shape[-1]
  if bias is not None and jnp.shape(bias) not in ((num_maps,), (1,)):
    raise ValueError(
      f"a mean field's bias is [{num_maps}], a number for each map, or [1] for "
      f"all, or None, got shape {jnp.shape(bias)}"
    )
  if rule.steps < 1:
    raise ValueError(
      f"a mean field takes at least one step, got steps={rule.steps}: without "
      "one the map is the sigmoid of the unary term"
    )
  if rule.start not in STARTS:
    raise ValueError(
      f"the start of a mean field is one of {', '.join(STARTS)}, got "
      f"{rule.start!r}"
    )
  if not 0 <= rule.damping < 1:
    raise ValueError(
      "damping is the share of the old map that stays, in [0, 1), got "
      f"{rule.damping}: 0 is none"
    )


def _first(rule, unary):
  return unary if rule.start == "unary_conv" else jax.nn.sigmoid(unary)


def _damping(rule, index):
  """Share of the old map that stays in update `index`, counted from 0."""
  if rule.damping == 0 or rule.start != "unary_conv":
    return rule.damping
  return jnp.where(index > 0, rule.damping, 0.0)


def _update(rule, arrays, index, phi):
  """Phi_{index+1} from Phi_index."""
  unary, kernel, bias = arrays
  logits = depthwise(phi, kernel, form=rule.form)
  if rule.keep_unary:
    logits = logits + unary
  if bias is not None:
    logits = logits + bias[None, None, None]
  new = jax.nn.sigmoid(logits)
  if rule.damping == 0:
    return new
  return new + _damping(rule, index) * (phi - new)


def _scan(rule, body, start):
  # A few steps are unrolled: the backward pass then shares its spectra with the
  # forward one, a fifth to a half faster at the same compile time.
  unroll = rule.steps if rule.steps <= 4 else 1
  return lax.scan(body, start, jnp.arange(rule.steps), unroll=unroll)


def _last_map(rule, arrays):
  def body(phi, index):
    return _update(rule, arrays, index, phi), None

  return _scan(rule, body, _first(rule, arrays[0]))[0]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _last_map_recomputed(rule, arrays):
  return _last_map(rule, arrays)


def _recomputed_forward(rule, arrays):
  return _last_map(rule, arrays), arrays


def _recomputed_backward(rule, arrays, dphi):
  """From the last update to the first, each time anew up to its input."""
  first, first_vjp = jax.vjp(partial(_first, rule), arrays[0])

  def body(carry, index):
    dphi, darrays = carry
    phi = lax.fori_loop(0, index, partial(_update, rule, arrays), first)
    _, vjp = jax.vjp(lambda a, phi: _update(rule, a, index, phi), arrays, phi)
    more, dphi = vjp(dphi)
    return (dphi, jax.tree.map(jnp.add, darrays, more)), None

  start = (dphi, jax.tree.map(jnp.zeros_like, arrays))
  indices = jnp.arange(rule.steps)
  (dphi, darrays), _ = lax.scan(body, start, indices, reverse=True)
  dunary, *others = darrays
  return ((dunary + first_vjp(dphi)[0], *others),)


_last_map_recomputed.defvjp(_recomputed_forward, _recomputed_backward)
