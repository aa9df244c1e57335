"""Heatmap accuracy: golden, a slow loop, and what it is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.codec import accuracy, targets
from pose_jax.eval import pck
from pose_jax.skeleton import MPII16


def _maps(seed=0, batch=24, map_hw=(24, 40), num_keypoints=5):
  """Peaks of targets and of a network that is near, far or silent."""
  rng = np.random.default_rng(seed)
  height, width = map_hw
  wanted = np.zeros((batch, height, width, num_keypoints), np.float32)
  found = wanted.copy()
  for b in range(batch):
    for k in range(num_keypoints):
      x, y = rng.integers(0, width), rng.integers(0, height)
      if rng.random() > 0.2:
        wanted[b, y, x, k] = 1
      dx, dy = rng.integers(-3, 4, 2)
      x, y = np.clip(x + dx, 0, width - 1), np.clip(y + dy, 0, height - 1)
      found[b, y, x, k] = rng.choice([0.7, 0.0, -1], p=[0.8, 0.1, 0.1])
      if found[b, y, x, k] < 0:
        found[b, :, :, k] = -1
  return found, wanted


def _peak(image):
  y, x = np.unravel_index(image.argmax(), image.shape)
  return (x, y) if image[y, x] > 0 else (0, 0)


def _slow(found, wanted, threshold, compat):
  batch, height, width, num = wanted.shape
  correct, counted = np.zeros(num), np.zeros(num)
  for b in range(batch):
    for k in range(num):
      image, target = found[b, :, :, k], wanted[b, :, :, k]
      (x, y), (tx, ty) = _peak(image), _peak(target)
      if compat == "hrnet":
        off = np.hypot((x - tx) / (height / 10), (y - ty) / (width / 10))
        counts, is_near = tx > 1 and ty > 1, off < threshold
      else:
        off = np.hypot((x - tx) / (width / 10), (y - ty) / (height / 10))
        counts = target.max() > 0
        is_near = off <= threshold and image.max() > 0
      counted[k] += counts
      correct[k] += counts and is_near
  return correct, counted


@pytest.mark.parametrize("compat", accuracy.COMPAT)
@pytest.mark.parametrize("threshold", [0.5, 1.5])
@pytest.mark.parametrize("map_hw", [(24, 40), (40, 40)])
def test_agrees_with_a_slow_loop(map_hw, threshold, compat):
  found, wanted = _maps(map_hw=map_hw)
  got = accuracy.heatmap_accuracy(
    found, wanted, threshold=threshold, compat=compat
  )
  slow = _slow(found, wanted, threshold, compat)
  np.testing.assert_array_equal(got, slow)
  assert 0 < slow[0].sum() < slow[1].sum() < wanted.shape[0] * 5
  with jax.disable_jit():
    plain = accuracy.heatmap_accuracy(
      found, wanted, threshold=threshold, compat=compat
    )
  np.testing.assert_array_equal(got, plain)


def test_golden_of_the_training_accuracy(goldens):
  golden = np.load(goldens / "flip_acc_loss.npz")
  maps = (
    golden[name].transpose(0, 2, 3, 1).astype(np.float32)
    for name in ("acc_output", "acc_target")
  )
  correct, counted = accuracy.heatmap_accuracy(*maps, compat="hrnet")
  each = np.where(counted > 0, correct / np.maximum(counted, 1), -1)
  np.testing.assert_allclose(each, golden["acc"][1:], atol=1e-6)
  mean = float(accuracy.mean_accuracy(correct, counted))
  assert mean == pytest.approx(float(golden["acc_avg"]), abs=1e-6)
  assert mean == pytest.approx(golden["acc"][0], abs=1e-6)
  assert (counted > 0).sum() == golden["acc_cnt"]


def test_the_normaliser_of_hrnet_is_swapped():
  wanted = np.zeros((1, 20, 40, 1), np.float32)
  found = wanted.copy()
  wanted[0, 10, 20] = found[0, 10, 22] = 1  # 2 px right: 0.5 of 40 / 10
  assert accuracy.heatmap_accuracy(found, wanted)[0] == 1
  assert accuracy.heatmap_accuracy(found, wanted, compat="hrnet")[0] == 0
  found = np.roll(wanted, 2, axis=1)  # 2 px down: 1 of 20 / 10
  assert accuracy.heatmap_accuracy(found, wanted)[0] == 0
  found = np.roll(wanted, 1, axis=1)
  assert accuracy.heatmap_accuracy(found, wanted, compat="hrnet")[0] == 1


def test_newells_number_is_that_of_the_points():
  rng = np.random.default_rng(2)
  truth = rng.uniform(4, 58, (6, 16, 2)).round().astype(np.float32)
  labelled = rng.random((6, 16)) > 0.3
  points = (truth + rng.integers(-4, 5, truth.shape)).astype(np.float32)
  maps = [
    targets.gaussian(xy, weight, map_hw=(64, 64), sigma=1.0, unbiased=False)[0]
    for xy, weight in (
      (points, np.ones((6, 16), np.float32)),
      (truth, labelled.astype(np.float32)),
    )
  ]
  correct, counted = accuracy.heatmap_accuracy(*maps)
  result = pck.pckh(
    points,
    truth,
    labelled,
    head_size=np.full(6, 6.4),
    variant="newell",
    thresholds=(0.5,),
  )
  np.testing.assert_array_equal(correct, result.correct[0])
  np.testing.assert_array_equal(counted, result.labelled)
  subset = [
    i
    for i, name in enumerate(MPII16.keypoints)
    if name.endswith(("ankle", "knee", "hip", "wrist", "elbow"))
  ]
  assert subset == [0, 1, 2, 3, 4, 5, 10, 11, 14, 15]
  picked = np.array(subset)
  mean = accuracy.mean_accuracy(correct[picked], counted[picked])
  score = pck.PCKH_VARIANTS["newell"].score(result)[0]
  assert float(mean) == pytest.approx(score) and 0.2 < score < 0.9


def test_targets_fed_back_are_perfect_and_nothing_is_nothing():
  _, wanted = _maps()
  correct, counted = accuracy.heatmap_accuracy(wanted, wanted)
  np.testing.assert_array_equal(correct, counted)
  assert float(accuracy.mean_accuracy(correct, counted)) == 1
  empty = np.zeros_like(wanted)
  correct, counted = accuracy.heatmap_accuracy(wanted, empty)
  assert not counted.any() and not correct.any()
  assert float(accuracy.mean_accuracy(correct, counted)) == 0


def test_a_map_without_a_peak_finds_nothing():
  wanted = np.zeros((1, 20, 20, 1), np.float32)
  wanted[0, 0, 0] = 1  # where the argmax of such a map lies
  correct, counted = accuracy.heatmap_accuracy(np.zeros_like(wanted), wanted)
  assert (correct[0], counted[0]) == (0, 1)


def test_of_equal_maxima_the_first_column_and_row():
  found = np.zeros((1, 20, 20, 1), np.float32)
  found[0, 7, 12] = found[0, 11, 4] = 0.5
  wanted = np.zeros_like(found)
  wanted[0, 7, 4] = 1
  assert accuracy.heatmap_accuracy(found, wanted)[0] == 1
  assert accuracy.heatmap_accuracy(found, wanted, compat="hrnet")[0] == 0


def test_mean_weighs_keypoints_alike():
  mean = accuracy.mean_accuracy(jnp.array([1.0, 0, 3]), jnp.array([1.0, 0, 6]))
  assert float(mean) == 0.75


def test_refuses_another_word():
  maps = np.zeros((1, 4, 4, 2), np.float32)
  with pytest.raises(ValueError, match="compat must be one of"):
    accuracy.heatmap_accuracy(maps, maps, compat="HRNet")
