"""Affine sampling against slicing, a slow loop, OpenCV and differences."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.ops import sampling

IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])
# As the transforms of a batch differ: turned, sheared, out of the map.
TURNED = np.array([[0.7, 0.35, 0.1], [-0.4, 0.8, -0.2]])
SHEARED = np.array([[1.3, -0.5, 0.4], [0.2, -1.1, 0.3]])
AXES = ((1, 1), (2, 3), (5, 7), (16, 12))


def _maps(*shape, seed=0):
  return np.random.default_rng(seed).standard_normal(shape)


def _thetas(batch, count, seed=1):
  """[batch, count, 2, 3] transforms round TURNED, all of them different."""
  noise = np.random.default_rng(seed).normal(0, 0.15, (batch, count, 2, 3))
  return TURNED + noise


def _slow_position(theta, row, column, height, width):
  """Input (x, y) in pixels of one output pixel, from the definition."""
  x = 2 * column / (width - 1) - 1
  y = 2 * row / (height - 1) - 1
  u, v = theta @ np.array([x, y, 1.0])
  return (u + 1) / 2 * (width - 1), (v + 1) / 2 * (height - 1)


def _slow_sample(maps, theta):
  """Sum over all input pixels with the tent of the distance as weight."""
  batch, height, width, channels = maps.shape
  out = np.zeros(maps.shape)
  for b, row, column, c in np.ndindex(*maps.shape):
    one = theta[b, c if theta.shape[1] > 1 else 0]
    x, y = _slow_position(one, row, column, height, width)
    for i in range(height):
      for j in range(width):
        tent = max(0, 1 - abs(x - j)) * max(0, 1 - abs(y - i))
        out[b, row, column, c] += tent * maps[b, i, j, c]
  return out


@pytest.mark.parametrize("hw", AXES)
@pytest.mark.parametrize("count", [1, 3])
def test_identity_returns_the_maps_bit_for_bit(hw, count):
  maps = _maps(2, *hw, 3).astype(np.float32)
  theta = np.broadcast_to(IDENTITY, (2, count, 2, 3)).astype(np.float32)
  for sample in (sampling.sample_affine, jax.jit(sampling.sample_affine)):
    np.testing.assert_array_equal(sample(maps, theta), maps)


def test_identity_grid_is_the_pixel_grid():
  theta = np.broadcast_to(IDENTITY, (1, 1, 2, 3)).astype(np.float32)
  grid = sampling.affine_grid(theta, (3, 5))[0, :, :, 0]
  np.testing.assert_array_equal(grid[..., 0], np.tile(np.arange(5), (3, 1)))
  np.testing.assert_array_equal(
    grid[..., 1], np.tile(np.arange(3)[:, None], (1, 5))
  )


def test_grid_is_the_normalised_product():
  theta = _thetas(2, 3)
  grid = sampling.affine_grid(theta.astype(np.float32), (6, 9))
  assert grid.shape == (2, 6, 9, 3, 2)
  for b, row, column, p in np.ndindex(2, 6, 9, 3):
    expected = _slow_position(theta[b, p], row, column, 6, 9)
    np.testing.assert_allclose(grid[b, row, column, p], expected, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(("right", "down"), [(2, 0), (0, -1), (-3, 2)])
def test_whole_pixel_shifts_equal_slicing(count, right, down):
  height, width = 5, 9  # so that the shifts are exact numbers
  maps = _maps(1, height, width, 2).astype(np.float32)
  theta = np.tile(IDENTITY, (1, count, 1, 1)).astype(np.float32)
  theta[..., 0, 2] = 2 * right / (width - 1)
  theta[..., 1, 2] = 2 * down / (height - 1)
  padded = np.pad(maps, ((0, 0), (4, 4), (4, 4), (0, 0)))
  expected = padded[:, 4 + down :, 4 + right :][:, :height, :width]
  np.testing.assert_array_equal(sampling.sample_affine(maps, theta), expected)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("base", [TURNED, SHEARED])
def test_sampling_equals_a_slow_loop(count, base):
  maps = _maps(2, 5, 7, 3)
  theta = _thetas(2, count) - TURNED + base
  sampled = sampling.sample_affine(
    maps.astype(np.float32), theta.astype(np.float32)
  )
  np.testing.assert_allclose(sampled, _slow_sample(maps, theta), atol=1e-5)


@pytest.mark.parametrize("base", [TURNED, SHEARED, 1.6 * IDENTITY])
def test_sampling_agrees_with_opencv(base):
  height, width = 33, 25
  smooth = cv2.GaussianBlur(_maps(height, width), (9, 9), 2).astype(np.float32)
  # The same transform of pixels: out of them, theta, back into them.
  half = np.diag([(width - 1) / 2, (height - 1) / 2, 1])
  half[:2, 2] = (width - 1) / 2, (height - 1) / 2
  pixels = half @ np.vstack([base, [0, 0, 1]]) @ np.linalg.inv(half)
  expected = cv2.warpAffine(
    smooth,
    pixels[:2],
    (width, height),
    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    borderMode=cv2.BORDER_CONSTANT,
  )
  sampled = sampling.sample_affine(
    smooth[None, :, :, None], base[None, None].astype(np.float32)
  )[0, :, :, 0]
  # OpenCV rounds positions to 1/32 pixel; neighbours differ by less than 0.5.
  np.testing.assert_allclose(sampled, expected, atol=0.5 / 32)
  assert np.abs(np.asarray(sampled)).max() > 0.3


@pytest.mark.parametrize("count", [1, 2])
def test_outside_is_zero_and_the_border_fades(count):
  maps = np.ones((1, 5, 5, 2), np.float32)
  theta = np.tile(IDENTITY, (1, count, 1, 1)).astype(np.float32)
  theta[..., 0, 2] = 2 * 1.25 / 4  # by 1.25 pixels
  row = sampling.sample_affine(maps, theta)[0, 2, :, 0]
  np.testing.assert_array_equal(row, [1, 1, 1, 0.75, 0])
  for far in (2.5, -2.5, 1e4, -1e30):
    theta[..., 0, 2] = far
    assert not np.asarray(sampling.sample_affine(maps, theta)).any()


def test_magnification_shows_the_middle():
  maps = np.zeros((1, 9, 9, 1), np.float32)
  maps[0, 4, 4, 0] = 1
  theta = (0.5 * IDENTITY)[None, None].astype(np.float32)
  middle = sampling.sample_affine(maps, theta)[0, 2:7, 2:7, 0]
  tent = np.array([0, 0.5, 1, 0.5, 0])
  np.testing.assert_array_equal(middle, np.outer(tent, tent))


def test_x_comes_first():
  maps = np.zeros((1, 5, 9, 1), np.float32)
  maps[0, 2, 6, 0] = 1
  theta = IDENTITY.copy()[None, None].astype(np.float32)
  theta[..., 0, 2] = 0.5  # two of four half widths
  sampled = np.asarray(sampling.sample_affine(maps, theta))
  assert sampled[0, 2, 4, 0] == 1 and sampled.sum() == 1


@pytest.mark.parametrize("count", [1, 3])
def test_channels_follow_their_own_transform(count):
  maps, theta = _maps(2, 6, 5, 3), _thetas(2, count)
  maps, theta = maps.astype(np.float32), theta.astype(np.float32)
  sampled = sampling.sample_affine(maps, theta)
  for c in range(3):
    own = theta[:, c % count : c % count + 1]
    alone = sampling.sample_affine(maps[..., c : c + 1], own)
    np.testing.assert_allclose(sampled[..., c : c + 1], alone, atol=1e-6)


def _differences(f, x, step=1e-6):
  gradient = np.zeros(x.shape)
  for index in np.ndindex(*x.shape):
    moved = np.zeros(x.shape)
    moved[index] = step
    gradient[index] = (f(x + moved) - f(x - moved)) / (2 * step)
  return gradient


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("base", [TURNED, SHEARED])
def test_gradients_equal_finite_differences(count, base):
  maps, theta = _maps(2, 4, 5, 2), _thetas(2, count) - TURNED + base
  weight = _maps(2, 4, 5, 2, seed=3)
  with jax.enable_x64(True):

    @jax.jit
    def loss(maps, theta):
      return (sampling.sample_affine(maps, theta) * weight).sum()

    by_maps, by_theta = jax.grad(loss, argnums=(0, 1))(maps, theta)
    assert by_maps.dtype == by_theta.dtype == np.float64
    expected = _differences(lambda x: loss(x, theta), maps)
    np.testing.assert_allclose(by_maps, expected, atol=1e-7)
    expected = _differences(lambda x: loss(maps, x), theta)
    np.testing.assert_allclose(by_theta, expected, atol=1e-6)
    assert np.abs(expected).max() > 1


@pytest.mark.parametrize("hw", AXES)
def test_gradient_for_cpus_is_the_one_jax_derives(hw):
  # At the identity too, where the interpolation has its kinks, and on the
  # border, where positions are drawn onto it. The others are moved off pixels,
  # so that rounding does not choose the side of a kink.
  maps, weight = _maps(3, *hw, 4), _maps(3, *hw, 4, seed=3)
  maps, weight = maps.astype(np.float32), weight.astype(np.float32)
  off = np.array([[0.0, 0, 0.0123], [0, 0, 0.0321]])
  theta = np.stack([IDENTITY, TURNED + off, SHEARED + off])[:, None]
  theta = theta.astype(np.float32)

  def loss(maps, theta, sample):
    return (sample(maps, theta) * weight).sum()

  def plain(maps, theta):
    return sampling._blend(maps, sampling.affine_grid(theta, hw))

  gradient = jax.jit(jax.grad(loss, argnums=(0, 1)), static_argnums=2)
  got = gradient(maps, theta, sampling.sample_affine)
  expected = gradient(jnp.asarray(maps), jnp.asarray(theta), plain)
  for one, other in zip(got, expected, strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [1, 2])
def test_gradient_on_a_pixel_points_to_larger_positions(count):
  values = np.array([3.0, 1, 4, 9, 16], np.float32)
  ramp = np.tile(values, (5, 1))[None, :, :, None].repeat(count, -1)

  def middle(shift):  # what the middle pixel shows, of a shift by pixels
    theta = jnp.asarray(IDENTITY[None, None], jnp.float32)
    theta = jnp.repeat(theta.at[..., 0, 2].set(shift / 2), count, 1)
    return sampling.sample_affine(ramp, theta)[0, 2, 2, 0]

  # Positions -2 to 5 of a row of five: one before and one behind it is zero.
  shifts = jnp.arange(-4.0, 4.0)
  slopes = jax.jit(jax.vmap(jax.grad(middle)))(shifts)
  np.testing.assert_allclose(slopes, [0, 3, -2, 3, 5, 7, -16, 0], atol=1e-5)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("theta", [0 * TURNED, 1e9 * TURNED, [[1, 1, 0]] * 2])
def test_degenerate_transforms_give_finite_values_and_gradients(count, theta):
  maps = _maps(1, 4, 6, 2).astype(np.float32)
  thetas = np.tile(np.asarray(theta, np.float32), (1, count, 1, 1))

  def loss(maps, thetas):
    inverse = sampling.invert_affine(thetas)
    return sum(
      jnp.square(sampling.sample_affine(maps, t)).sum()
      for t in (thetas, inverse)
    )

  both = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
  value, gradients = both(maps, thetas)
  assert np.isfinite(value)
  assert all(np.isfinite(g).all() for g in gradients)


def test_collapsed_transform_repeats_one_point():
  maps = _maps(1, 5, 5, 1).astype(np.float32)
  sampled = sampling.sample_affine(maps, np.zeros((1, 1, 2, 3), np.float32))
  np.testing.assert_allclose(sampled, maps[0, 2, 2, 0], rtol=1e-6)


def test_inverse_is_numpys_and_composes_to_the_identity():
  theta = np.concatenate([_thetas(3, 2), np.tile(SHEARED, (3, 1, 1, 1))], 1)
  inverse = sampling.invert_affine(theta.astype(np.float32))
  last = np.broadcast_to([[0.0, 0, 1]], (3, 3, 1, 3))
  square = np.concatenate([theta, last], -2)
  expected = np.linalg.inv(square)[..., :2, :]
  np.testing.assert_allclose(inverse, expected, rtol=1e-4, atol=1e-5)
  again = sampling.invert_affine(inverse)
  np.testing.assert_allclose(again, theta, rtol=1e-4, atol=1e-5)


def test_resampling_by_the_inverse_restores_what_stayed_inside():
  x = np.linspace(-1, 1, 41)
  bump = np.exp(-8 * (x[:, None] ** 2 + (x[None] - 0.2) ** 2))
  maps = bump[None, :, :, None].astype(np.float32)
  theta = TURNED[None, None].astype(np.float32)
  there = sampling.sample_affine(maps, theta)
  back = sampling.sample_affine(there, sampling.invert_affine(theta))
  assert np.abs(np.asarray(there) - maps).max() > 0.3
  # Twice interpolated: second differences of the bump are below 0.04.
  np.testing.assert_allclose(back, maps, atol=0.03)


def test_determinants_are_kept_from_zero_with_their_sign():
  smallest = sampling.SMALLEST_DETERMINANT
  thetas = np.zeros((1, 4, 2, 3), np.float32)
  thetas[0, :, 0, 0] = 1
  thetas[0, :, 1, 1] = 0, smallest / 10, -smallest / 10, -2 * smallest
  inverse = np.asarray(sampling.invert_affine(thetas))
  expected = 1 / np.array([smallest, smallest, -smallest, -2 * smallest])
  np.testing.assert_allclose(inverse[0, :, 1, 1], expected, rtol=1e-5)


def test_half_precision_maps_stay_so_and_positions_do_not():
  maps = _maps(1, 4, 300, 2)
  low = jnp.asarray(maps, jnp.bfloat16)
  theta = np.tile(IDENTITY, (1, 1, 1, 1))
  for dtype in (jnp.float32, jnp.bfloat16):
    sampled = sampling.sample_affine(low, jnp.asarray(theta, dtype))
    assert sampled.dtype == jnp.bfloat16
    np.testing.assert_array_equal(sampled, low)
  gradient = jax.grad(
    lambda m: sampling.sample_affine(m, jnp.asarray(theta, jnp.float32)).sum()
  )(low)
  assert gradient.dtype == jnp.bfloat16
  np.testing.assert_array_equal(np.float32(gradient), 1)


def test_wrong_numbers_of_transforms_are_refused():
  maps = np.zeros((2, 4, 4, 3), np.float32)
  with pytest.raises(ValueError, match="one for each of the 3 channels, got 2"):
    sampling.sample_affine(maps, np.zeros((2, 2, 2, 3), np.float32))
