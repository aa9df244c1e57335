"""What a sample draws: published distributions, and the order of draws."""

import numpy as np
import pytest

from pose_jax.data import augment
from pose_jax.data.augment import Augmentation, Warp

HRNET = Augmentation(
  scale_factor=0.3,
  scale_distribution="clipped_normal",
  rotation_deg=40,
  rotation_distribution="clipped_normal",
  rotation_probability=0.6,
  translation_fraction=0.1,
  translation_probability=0.5,
  flip_probability=0.5,
)


def draws(augmentation, num=4000):
  return [
    augment.sample(augmentation, np.random.default_rng(i)) for i in range(num)
  ]


def test_clipped_normal_is_hrnets():
  warps = draws(HRNET)
  scale = np.array([w.scale for w in warps])
  assert scale.min() == 0.7 and scale.max() == 1.3
  on_bound = (np.abs(scale - 1) > 0.3 - 1e-9).mean()
  assert on_bound == pytest.approx(0.317, abs=0.02)  # N beyond one sigma
  angle = np.rad2deg([w.rotation_rad for w in warps])
  assert np.abs(angle).max() == pytest.approx(80)
  assert (angle != 0).mean() == pytest.approx(0.6, abs=0.02)
  within = (np.abs(angle[angle != 0]) < 40).mean()
  assert within == pytest.approx(0.683, abs=0.02)
  assert np.mean([w.flip for w in warps]) == pytest.approx(0.5, abs=0.02)
  shift = np.array([w.translation_fraction_xy for w in warps])
  assert (shift != 0).any(1).mean() == pytest.approx(0.5, abs=0.02)


def test_uniform_fills_its_range_evenly():
  warps = draws(
    Augmentation(
      scale_factor=0.2,
      rotation_deg=30.0,
      rotation_probability=1.0,
      translation_fraction=0.1,
      translation_probability=1.0,
    )
  )
  columns = {
    (0.8, 1.2): [w.scale for w in warps],
    (-30, 30): np.rad2deg([w.rotation_rad for w in warps]),
    (-0.1, 0.1): [w.translation_fraction_xy[0] for w in warps],
    (-0.1, 0.1 + 1e-9): [w.translation_fraction_xy[1] for w in warps],
  }
  for (low, high), values in columns.items():
    counts, _ = np.histogram(values, bins=8, range=(low, high))
    assert counts.sum() == len(warps), "a draw lies outside the range"
    # 500 +- 21 expected in each bin; five standard deviations
    assert np.abs(counts - 500).max() < 105
  assert not any(w.flip for w in warps)


def test_no_augmentation_draws_the_identity():
  assert set(draws(Augmentation(), 20)) == {Warp()}


def test_turning_one_augmentation_off_leaves_the_others():
  changed = Augmentation(scale_factor=0.3, scale_distribution="clipped_normal")
  for a, b in zip(draws(HRNET, 50), draws(changed, 50), strict=True):
    assert a.scale == b.scale and b.rotation_rad == 0 and not b.flip


@pytest.mark.parametrize(
  "values,message",
  [
    ({"scale_distribution": "normal"}, "scale_distribution must be one of uni"),
    ({"rotation_distribution": ""}, "rotation_distribution must be one of"),
    (
      {"flip_probability": 1.5},
      r"flip_probability must be in \[0, 1\], got 1.",
    ),
    ({"rotation_probability": -1}, "rotation_probability must be in"),
    ({"scale_factor": 1.3}, r"must be in \[0, 1\), got 1.3: 0.3 draws scales"),
    ({"rotation_deg": -5}, r"rotation_deg must be in \[0, 180\], got -5"),
    ({"translation_fraction": -0.1}, "at least 0, got -0.1"),
  ],
)
def test_values_out_of_range_are_refused(values, message):
  with pytest.raises(ValueError, match=message):
    Augmentation(**values)


def test_draws_are_those_of_runs_before_half_bodies():
  """Two normals and seven uniforms, then what came later."""
  for seed in range(20):
    rng = np.random.default_rng(seed)
    normals, uniforms = rng.standard_normal(2), rng.random(7)
    warp = augment.sample(HRNET, np.random.default_rng(seed))
    assert warp.scale == 1 + np.clip(normals[0], -1, 1) * 0.3
    angle = np.deg2rad(np.clip(normals[1], -2, 2) * 40) * (uniforms[2] < 0.6)
    assert warp.rotation_rad == pytest.approx(angle, abs=1e-12)
    shift = (2 * uniforms[4:6] - 1) * 0.1 * (uniforms[3] < 0.5)
    np.testing.assert_allclose(warp.translation_fraction_xy, shift, atol=1e-12)
    assert warp.flip == (uniforms[6] < 0.5) and warp.half is None


def test_truncated_normal_is_mmposes():
  """N(0, 1) drawn again until it is within +-1: quantiles by simulation."""
  warps = draws(
    Augmentation(
      scale_factor=0.5,
      scale_distribution="truncated_normal",
      rotation_deg=80,
      rotation_distribution="truncated_normal",
      rotation_probability=1.0,
      translation_fraction=0.16,
      translation_distribution="truncated_normal",
      translation_probability=1.0,
    )
  )
  simulated = np.random.default_rng(0).standard_normal(100_000)
  simulated = simulated[np.abs(simulated) <= 1]
  shares = np.linspace(0.05, 0.95, 7)
  wanted = np.quantile(simulated, shares)
  shift = np.array([w.translation_fraction_xy for w in warps]) / 0.16
  for unit in (
    (np.array([w.scale for w in warps]) - 1) / 0.5,
    np.rad2deg([w.rotation_rad for w in warps]) / 80,
    *shift.T,
  ):
    assert np.abs(unit).max() <= 1
    # 4,000 draws of deviation 0.54; the density near the ends is 0.35
    np.testing.assert_allclose(np.quantile(unit, shares), wanted, atol=0.06)


def test_power_of_two_is_newells():
  warps = draws(
    Augmentation(scale_factor=0.25, scale_distribution="power_of_two")
  )
  exponent = np.log2([w.scale for w in warps])
  assert np.abs(exponent).max() == pytest.approx(0.5)  # Lua's clip: 2 sigma
  assert (np.abs(exponent) > 0.499999).mean() == pytest.approx(0.0455, abs=0.01)
  assert exponent.std() == pytest.approx(0.25 * 0.96, abs=0.01)


def test_one_sided_rotations_turn_one_way():
  warps = draws(
    Augmentation(
      rotation_deg=10,
      rotation_distribution="one_sided",
      rotation_probability=1.0,
    )
  )
  angle = np.rad2deg([w.rotation_rad for w in warps])
  assert 0 <= angle.min() < 0.1 and 9.9 < angle.max() <= 10
  assert angle.mean() == pytest.approx(5, abs=0.2)


def test_halves_come_in_their_shares():
  warps = draws(
    Augmentation(
      half_body_probability=0.3,
      half_body_upper_probability=augment.HRNET_UPPER_PROBABILITY,
    )
  )
  halves = [w.half for w in warps]
  assert np.mean([h is not None for h in halves]) == pytest.approx(
    0.3, abs=0.03
  )
  upper = halves.count("upper") / (len(halves) - halves.count(None))
  assert upper == pytest.approx(0.6915, abs=0.05)


def test_hrnets_coin_is_a_normal_draw_below_one_half():
  simulated = np.random.default_rng(0).standard_normal(400_000) < 0.5
  assert simulated.mean() == pytest.approx(
    augment.HRNET_UPPER_PROBABILITY, abs=3e-3
  )


@pytest.mark.parametrize(
  "values,message",
  [
    (
      {"scale_distribution": "one_sided"},
      "scale_distribution must be one of .*power_of_two, got 'one_sided'",
    ),
    (
      {"translation_distribution": "clipped_normal"},
      "translation_distribution must be one of uniform, truncated_normal",
    ),
    ({"half_body_probability": 2}, "half_body_probability must be in"),
    ({"half_body_min_keypoints": 1}, "must be at least 2, got 1"),
    ({"half_body_padding": 0}, "half_body_padding above 0, got 0"),
  ],
)
def test_new_values_out_of_range_are_refused(values, message):
  with pytest.raises(ValueError, match=message):
    Augmentation(**values)
