"""The flow is a density, and what moves its points can be undone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from classic_parts import quick_jit

from pose_jax.models.flow import RealNVP

TINY = RealNVP(num_layers=4, width=8)


@pytest.fixture(scope="module")
def variables():
  """Drawn afresh, so that the flow is far from the identity."""
  shapes = jax.eval_shape(TINY.init, jax.random.key(0), jnp.zeros((1, 2)))
  rng = np.random.default_rng(0)
  return jax.tree.map(
    lambda s: jnp.float32(rng.standard_normal(s.shape) * 0.5), shapes
  )


def _points(*shape):
  rng = np.random.default_rng(1)
  return jnp.float32(rng.standard_normal((*shape, 2)))


def test_density_integrates_to_one(variables):
  step = 0.1
  axis = jnp.arange(-40, 40, step)
  grid = jnp.stack(jnp.meshgrid(axis, axis), axis=-1)
  density = quick_jit(lambda v: jnp.exp(TINY.apply(v, grid)))(variables)
  assert density.shape == grid.shape[:2]
  assert abs(float(density.sum()) * step**2 - 1) < 1e-3
  moments = (density[..., None] * grid).sum((0, 1)) * step**2
  assert np.abs(moments).max() > 0.2  # it is not the normal distribution


def test_determinant_is_that_of_the_jacobian(variables):
  points = _points(7)

  def moved(v, x):
    return TINY.apply(v, x, method="latent_from_points")

  def both(v):
    jacobian = jax.vmap(jax.jacfwd(lambda x: moved(v, x)[0]))(points)
    return moved(v, points)[1], jacobian

  log_det, jacobian = quick_jit(both)(variables)
  sign, expected = np.linalg.slogdet(np.asarray(jacobian))
  assert (sign == 1).all() and np.ptp(expected) > 0.2
  np.testing.assert_allclose(log_det, expected, atol=1e-5)


def test_inverse_returns_the_points(variables):
  points = _points(3, 4)

  @quick_jit
  def there_and_back(v):
    latent, _ = TINY.apply(v, points, method="latent_from_points")
    return latent, TINY.apply(v, latent, method="points_from_latent")

  latent, back = there_and_back(variables)
  assert np.abs(latent - points).max() > 0.5
  np.testing.assert_allclose(back, points, atol=1e-4)


def test_it_starts_as_nearly_the_normal_distribution_and_learns():
  points = _points(5)

  def mean(v):
    log_density = TINY.apply(v, points)
    return log_density.mean(), log_density

  @quick_jit
  def fresh(key):
    return jax.value_and_grad(mean, has_aux=True)(TINY.init(key, points))

  (_, log_density), gradients = fresh(jax.random.key(0, impl="rbg"))
  normal = -np.square(points).sum(-1) / 2 - np.log(2 * np.pi)
  np.testing.assert_allclose(log_density, normal, atol=0.2)
  for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
    norm = np.linalg.norm(leaf)
    assert np.isfinite(norm) and norm > 0, jax.tree_util.keystr(path)


def test_parameters_are_those_of_twelve_networks():
  points = jax.ShapeDtypeStruct((1, 2), jnp.float32)
  shapes = jax.eval_shape(RealNVP().init, jax.random.key(0), points)
  network = 64 + 64 + 64 * 64 + 64 + 64 + 1
  assert sum(x.size for x in jax.tree.leaves(shapes)) == 12 * network
