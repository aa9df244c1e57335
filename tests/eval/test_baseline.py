import numpy as np
import pytest

from pose_jax.eval.baseline import mean_pose


def test_mean_pose_is_exact_where_all_stand_alike():
  rng = np.random.default_rng(0)
  inside = rng.random((14, 2))
  boxes = np.concatenate(
    [rng.uniform(0, 50, (6, 2)), rng.uniform(10, 90, (6, 2))], 1
  )
  kpts = boxes[:, None, :2] + inside * boxes[:, None, 2:]
  labelled = rng.random((4, 14)) > 0.3
  labelled[0] = True
  kpts[:4][~labelled] = 1e6  # what is not labelled must not matter
  labelled[:, 5] = False
  got = mean_pose(kpts[:4], labelled, boxes[:4], boxes[4:])
  expected = kpts[4:].copy()
  expected[:, 5] = boxes[4:, :2] + boxes[4:, 2:] / 2  # never labelled
  np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_mean_pose_refuses_an_empty_box():
  kpts, labelled = np.zeros((2, 14, 2)), np.ones((2, 14), bool)
  boxes = np.array([[0, 0, 5, 5], [0, 0, 5, 0.0]])
  with pytest.raises(ValueError, match="training person 1 has a box of no"):
    mean_pose(kpts, labelled, boxes, boxes)
