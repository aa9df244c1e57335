"""Tests of eval/pck.py."""

import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.eval import pck
from pose_jax.skeleton import COCO17, LSP14

PAIR = LSP14.pck_pair


def _people(num=12, seed=0):
  rng = np.random.default_rng(seed)
  truth = rng.uniform(0, 100, (num, 14, 2))
  return (
    truth + rng.normal(0, 12, truth.shape),
    truth,
    rng.random((num, 14)) > 0.2,
  )


def _slow(kpts, truth, labelled, threshold):
  """PCK once more, person by person and keypoint by keypoint."""
  correct, count, left_out = np.zeros(14), np.zeros(14), 0
  for n in range(len(kpts)):
    a, b = PAIR
    length = np.hypot(*(truth[n, a] - truth[n, b]))
    if not labelled[n, a] or not labelled[n, b] or length == 0:
      left_out += 1
      continue
    for k in range(14):
      if labelled[n, k]:
        count[k] += 1
        distance = np.hypot(*(kpts[n, k] - truth[n, k]))
        correct[k] += distance / length <= threshold
  return correct, count, left_out


def test_lsp_reference_is_the_diagonal_of_the_trunk():
  assert [LSP14.keypoints[i] for i in PAIR] == ["left_shoulder", "right_hip"]


def test_golden_of_the_reference_implementation(goldens):
  golden = np.load(goldens / "lsp_pck.npz")
  truth, kpts = (golden[k].transpose(2, 1, 0) for k in ("gt", "pred"))
  labelled = np.ones(truth.shape[:2], bool)
  result = pck.pck(
    kpts,
    truth,
    labelled,
    reference=pck.reference_length(truth, labelled, PAIR),
    thresholds=golden["thresholds"],
  )
  got = np.concatenate([result.per_keypoint, result.mean[:, None]], 1)
  np.testing.assert_allclose(100 * got, golden["pck"], atol=1e-9)
  np.testing.assert_allclose(result.total, result.mean, atol=1e-12)


def test_groups_give_the_published_table(goldens):
  each = np.load(goldens / "lsp_pck.npz")["real_PC_pck"][:14]
  table = {
    name: each[list(members)].mean()
    for name, members in pck.groups(LSP14).items()
  }
  published = {
    **{"head": 90.6, "shoulder": 78.1, "elbow": 73.8, "wrist": 68.8},
    **{"hip": 74.8, "knee": 69.9, "ankle": 59.0},
  }
  assert table == pytest.approx(published, abs=0.0501)  # one decimal


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.5])
def test_agrees_with_a_slow_loop(threshold):
  kpts, truth, labelled = _people()
  truth[3, PAIR[0]] = truth[3, PAIR[1]]  # a reference of length zero
  labelled[3, list(PAIR)] = True
  result = pck.pck(
    kpts,
    truth,
    labelled,
    reference=pck.reference_length(truth, labelled, PAIR),
    thresholds=(threshold,),
  )
  correct, count, left_out = _slow(kpts, truth, labelled, threshold)
  np.testing.assert_array_equal(result.correct[0], correct)
  np.testing.assert_array_equal(result.labelled, count)
  assert result.num_without_reference == left_out > 1
  assert result.num_people == len(kpts) - left_out
  assert result.total[0] == pytest.approx(correct.sum() / count.sum())
  assert result.mean[0] == pytest.approx((correct / count).mean())


def test_exactly_on_the_threshold_counts():
  truth = np.zeros((1, 14, 2))
  truth[0, PAIR[0]] = (0, 10)
  kpts = truth.copy()
  kpts[0, 0, 0] += 2  # exactly 0.2 reference lengths
  kpts[0, 1, 0] += np.nextafter(2, 3)
  labelled = np.ones((1, 14), bool)
  result = pck.pck(kpts, truth, labelled, reference=np.array([10.0]))
  assert result.correct[0, :3].tolist() == [1, 0, 1]


def test_jax_arrays_give_the_same():
  kpts, truth, labelled = _people()
  kpts, truth = kpts.astype(np.float32), truth.astype(np.float32)
  reference = pck.reference_length(truth, labelled, PAIR)
  host = pck.pck(kpts, truth, labelled, reference=reference)
  device = pck.pck(
    jnp.asarray(kpts),
    jnp.asarray(truth),
    jnp.asarray(labelled),
    reference=jnp.asarray(reference, jnp.float32),
  )
  np.testing.assert_array_equal(host.correct, device.correct)


def test_nan_is_wrong_and_nobody_is_no_score():
  kpts, truth, labelled = _people()
  wrong = pck.pck(
    np.full_like(kpts, np.nan), truth, labelled, reference=np.full(12, 9.0)
  )
  assert wrong.total[0] == 0
  nobody = pck.pck(kpts, truth, labelled & False, reference=np.full(12, 9.0))
  assert np.isnan(nobody.total[0]) and np.isnan(nobody.mean[0])


def test_curve_rises():
  kpts, truth, labelled = _people()
  result = pck.pck(
    kpts,
    truth,
    labelled,
    reference=np.full(12, 30.0),
    thresholds=pck.CURVE,
  )
  assert (np.diff(result.total) >= 0).all()
  assert result.total[-1] > result.total[0] == 0
  assert result.thresholds[result.at(0.2)] == 0.2
  with pytest.raises(ValueError, match="not computed at 0.7"):
    result.at(0.7)


def test_left_and_right_share_a_group():
  names = {
    group: {LSP14.keypoints[k] for k in members}
    for group, members in pck.groups(LSP14).items()
  }
  assert names["knee"] == {"left_knee", "right_knee"}
  assert names["head"] == {"neck", "head_top"}
  assert set(names) == {
    *("ankle", "knee", "hip", "wrist", "elbow", "shoulder", "head"),
  }
  coco = pck.groups(COCO17)
  assert sorted(k for members in coco.values() for k in members) == list(
    range(17)
  )
  assert coco["nose"] == (0,) and coco["eye"] == (1, 2)


def test_curves_are_of_all_and_of_each_group_that_is_labelled():
  kpts = np.zeros((4, 14, 2))
  labelled = np.ones((4, 14), bool)
  labelled[:, [LSP14.index("left_wrist"), LSP14.index("right_wrist")]] = False
  labelled[:, LSP14.index("left_knee")] = False
  kpts[:2, LSP14.index("right_knee"), 0] = 3
  result = pck.pck(
    kpts,
    np.zeros((4, 14, 2)),
    labelled,
    reference=np.ones(4),
    thresholds=(1.0, 4.0),
  )
  curves = pck.curves(result, LSP14)
  assert next(iter(curves)) == "all" and "wrist" not in curves
  np.testing.assert_allclose(curves["knee"], [0.5, 1])
  np.testing.assert_allclose(curves["all"], [42 / 44, 1])
