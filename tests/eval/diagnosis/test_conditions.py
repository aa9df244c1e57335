"""Tests of conditions.py: everybody in the right bin."""

import numpy as np
import pytest

from pose_jax.eval import average_precision, diagnosis
from pose_jax.eval.diagnosis import conditions, pairing


def _iou(a, b):
  width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
  height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
  shared = max(width, 0) * max(height, 0)
  return shared / (a[2] * a[3] + b[2] * b[3] - shared)


@pytest.mark.parametrize("seed", range(3))
def test_crowding_equals_a_slow_loop(crowded, seed):
  people, _ = crowded(seed)
  in_image, overlapping = conditions.crowding(people)
  box = people.box_xywh_img.astype(np.float64)
  for i in range(len(people)):
    others = [
      j
      for j in range(len(people))
      if people.image_index[j] == people.image_index[i]
      and not people.is_crowd[j]
    ]
    near = [j for j in others if j != i and _iou(box[i], box[j]) > 0.1]
    assert in_image[i] == len(others) and overlapping[i] == len(near)
  assert overlapping.max() > 2


def test_values_on_an_edge_belong_to_the_bin_that_ends_there(grid_people):
  people = grid_people(4)
  people.area[:] = [32**2, 32.01**2, 96**2, 1e6]
  people.vis[0, :17] = 1
  people.vis[1, 0] = 1
  people.vis[3, 5:] = 0
  found = conditions.conditions(
    people,
    np.array([True, True, True, True]),
    oks=np.array([0.1, 0.2, 0.3, 0.5]),
    recall=np.array([0.0, 0.2, 0.4, 1.0]),
  )
  by_name = {c.name.split(":")[0]: _nonempty(c) for c in found}
  assert by_name["size"] == {
    "to 32 px": (1, 0.1, 0.0),
    "to 64 px": (1, 0.2, 0.2),
    "to 96 px": (1, 0.3, 0.4),
    "above 256 px": (1, 0.5, 1.0),
  }
  assert by_name["share of the labelled keypoints that are hidden"] == {
    "none": (2, 0.4, 0.7),
    "to 10 %": (1, 0.2, 0.2),
    "above 50 %": (1, 0.1, 0.0),
  }
  assert by_name["labelled keypoints"] == {
    "1 to 5": (1, 0.5, 1.0),
    "16 to 17": (3, 0.2, 0.2),
  }
  assert by_name["people in the image"] == {"4 to 6": (4, 0.275, 0.4)}
  assert by_name["other people whose boxes overlap"] == {"0": (4, 0.275, 0.4)}


def _nonempty(condition):
  return {
    label: (int(num), pytest.approx(oks), pytest.approx(recall))
    for label, num, oks, recall in zip(
      condition.labels,
      condition.num_people,
      condition.mean_oks,
      condition.recall,
      strict=True,
    )
    if num
  }


def test_bins_together_are_everybody_and_have_cocos_recall(crowded):
  people, predictions = crowded(3)
  found = diagnosis.diagnose(people, predictions)
  total = pairing.counted(people).sum()
  recall = average_precision.coco_scores(people, predictions)["AR"]
  oks = found.errors.oks().sum() / total
  for condition in found.conditions:
    num = condition.num_people
    assert num.sum() == total == found.num_people
    weighted = np.nansum(num * condition.recall) / total
    assert weighted == pytest.approx(recall, abs=1e-12), condition.name
    assert np.nansum(num * condition.mean_oks) / total == pytest.approx(oks)


@pytest.mark.parametrize("k, last", [(17, "16 to 17"), (14, "11 to 14")])
def test_labels_of_counted_keypoints_end_at_the_skeletons(k, last):
  _, labels, index = conditions._counts(
    "", np.array([1, 5, 6, k]), range(5, k, 5), first=1, last=k
  )
  assert labels[0] == "1 to 5" and labels[-1] == last
  np.testing.assert_array_equal(index, [0, 0, 1, len(labels) - 1])
