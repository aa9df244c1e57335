"""Tests of eval/oks.py."""

import math
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from pycocotools.cocoeval import COCOeval

from pose_jax.data.coco import open_coco
from pose_jax.eval import oks
from pose_jax.skeleton import COCO17

SIGMAS = COCO17.oks_sigmas


def _truth(num=6, seed=0):
  """True people of all kinds: hidden keypoints, none at all, no area."""
  rng = np.random.default_rng(seed)
  kpts = rng.uniform(0, 200, (num, 17, 2))
  vis = rng.integers(0, 3, (num, 17))
  vis[num // 2] = 0
  vis[0] = 0
  vis[0, 4] = 1
  area = rng.uniform(500, 9000, num)
  box = np.concatenate(
    [rng.uniform(0, 150, (num, 2)), rng.uniform(5, 60, (num, 2))], 1
  )
  return kpts, vis, area, box


def _compute_oks(kpts, truth, vis, area, box, sigmas=SIGMAS):
  """pycocotools' own method, its inputs put in by hand."""
  flat = np.concatenate([truth, vis[..., None]], -1).reshape(len(truth), -1)
  found = np.concatenate([kpts, np.ones_like(kpts[..., :1])], -1)
  run = SimpleNamespace(
    params=SimpleNamespace(maxDets=[1000], kpt_oks_sigmas=np.array(sigmas)),
    _gts={
      (0, 1): [
        {"keypoints": k.tolist(), "area": a, "bbox": b.tolist()}
        for k, a, b in zip(flat, area, box, strict=True)
      ]
    },
    _dts={
      (0, 1): [
        {"keypoints": k.ravel().tolist(), "score": -i}
        for i, k in enumerate(found)
      ]
    },
  )
  return COCOeval.computeOks(run, 0, 1)


@pytest.mark.parametrize("seed", range(8))
def test_oks_is_pycocotools_to_the_bit(seed):
  truth, vis, area, box = _truth(9, seed)
  rng = np.random.default_rng(100 + seed)
  kpts = truth[rng.integers(0, 9, 7)] + rng.normal(0, 12, (7, 17, 2))
  kpts[0] += 1000  # outside every box
  got = oks.oks(kpts, truth, vis, area=area, box_xywh=box, sigmas=SIGMAS)
  expected = _compute_oks(kpts, truth, vis, area, box)
  np.testing.assert_array_equal(got, expected)
  assert got.max() > 0.1 and got.min() < 1e-6


def test_oks_with_an_area_of_zero_is_pycocotools():
  truth, vis, area, box = _truth(3)
  area[:] = 0
  kpts = np.concatenate([truth, truth + 0.1])
  got = oks.oks(kpts, truth, vis, area=area, box_xywh=box, sigmas=SIGMAS)
  np.testing.assert_array_equal(got, _compute_oks(kpts, truth, vis, area, box))
  assert got[0, 0] == got[2, 2] == 1 and got[3, 0] == got[5, 2] == 0


def test_people_without_keypoints_by_hand():
  truth, vis = np.zeros((1, 17, 2)), np.zeros((1, 17), int)
  box, area = np.array([[100.0, 50, 10, 20]]), np.array([200.0])
  # The box doubled: x from 90 to 120, y from 30 to 90.
  kpts = np.full((3, 17, 2), (90.0, 90.0))
  kpts[1] = (87, 94)  # 3 and 4 pixels outside
  kpts[2] = (123, 26)
  got = oks.oks(kpts, truth, vis, area=area, box_xywh=box, sigmas=SIGMAS)
  expected = sum(math.exp(-25 / (2 * 200 * 4 * s * s)) for s in SIGMAS) / 17
  np.testing.assert_allclose(got[:, 0], [1, expected, expected], rtol=1e-12)


def test_nobody_gives_empty_tables():
  truth, vis, area, box = _truth()
  none = np.zeros((0, 17, 2))
  some = {"area": area, "box_xywh": box, "sigmas": SIGMAS}
  assert oks.oks(none, truth, vis, **some).shape == (0, 6)
  none3 = np.zeros((0, 17, 3))
  between = oks.oks_between(none3, np.zeros(0), sigmas=SIGMAS)
  assert between.shape == (0, 0)


def test_keypoint_similarity_by_hand_and_broadcast():
  kpts = np.zeros((2, 1, 17, 2))
  kpts[1, 0, 3] = (3, 4)
  truth = np.zeros((1, 3, 17, 2))
  area = np.array([[100.0, 400.0, 900.0]])
  got = oks.keypoint_similarity(kpts, truth, area, sigmas=SIGMAS)
  assert got.shape == (2, 3, 17) and (got[0] == 1).all()
  assert (np.delete(got[1], 3, -1) == 1).all()
  expected = np.exp(-25 / (2 * area[0] * (2 * SIGMAS[3]) ** 2))
  np.testing.assert_allclose(got[1, :, 3], expected, rtol=1e-12)
  on_device = oks.keypoint_similarity(
    jnp.asarray(kpts), jnp.asarray(truth), jnp.asarray(area), sigmas=SIGMAS
  )
  np.testing.assert_allclose(on_device, got, rtol=1e-12)


def _between_slowly(kpts, area, threshold, seen):
  """The same person by person; `seen` says which two scores must exceed."""
  num = len(kpts)
  result = np.zeros((num, num))
  for i in range(num):
    for j in range(num):
      each = []
      for k in range(17):
        if threshold is not None and not seen(
          kpts[i, k, 2] > threshold, kpts[j, k, 2] > threshold
        ):
          continue
        squared = sum((kpts[i, k, a] - kpts[j, k, a]) ** 2 for a in (0, 1))
        mean_area = (area[i] + area[j]) / 2
        each.append(
          math.exp(-squared / (8 * SIGMAS[k] ** 2 * (mean_area + 2.2e-16)))
        )
      result[i, j] = sum(each) / len(each) if each else 0
  return result


SEEN = {"both": lambda a, b: a and b, "second": lambda a, b: b}


@pytest.mark.parametrize("seen_in", oks.SEEN_IN)
@pytest.mark.parametrize("threshold", [None, 0.2, 0.8])
def test_oks_between_agrees_with_a_slow_loop(threshold, seen_in, monkeypatch):
  rng = np.random.default_rng(3)
  kpts = rng.uniform(0, 60, (5, 17, 2)) + rng.normal(0, 2, (5, 17, 2))
  kpts = np.concatenate([kpts, rng.random((5, 17, 1))], -1)
  kpts[1, :, 2] = 0  # nothing seen
  area = rng.uniform(1000, 5000, 5)
  slow = _between_slowly(kpts, area, threshold, SEEN[seen_in])
  options = {"vis_threshold": threshold, "seen_in": seen_in}
  got = oks.oks_between(kpts, area, sigmas=SIGMAS, **options)
  np.testing.assert_allclose(got, slow, rtol=1e-9)
  if threshold is not None:
    assert (got[:, 1] == 0).all()
    assert (got[1] == 0).all() == (seen_in == "both")
  monkeypatch.setattr(oks, "_BLOCK", 2 * 5 * 17)  # two rows at a time
  blocks = oks.oks_between(kpts, area, sigmas=SIGMAS, **options)
  np.testing.assert_array_equal(blocks, got)


def test_oks_between_golden(goldens):
  golden = np.load(goldens / "oks.npz")
  kpts, area = golden["keypoints"], golden["areas"]
  got = oks.oks_between(kpts, area, sigmas=SIGMAS)
  np.testing.assert_allclose(got, golden["oks"], atol=1e-12)
  slip = {"vis_threshold": 0.2, "seen_in": "second"}
  got = oks.oks_between(kpts, area, sigmas=SIGMAS, **slip)
  np.testing.assert_allclose(got, golden["oks_vis0.2"], atol=1e-12)
  both = oks.oks_between(kpts, area, sigmas=SIGMAS, vis_threshold=0.2)
  assert abs(both - golden["oks_vis0.2"]).max() > 0.01
  np.testing.assert_array_equal(both, both.T)


def test_oks_between_refuses_another_word():
  with pytest.raises(ValueError, match="seen_in must be one of both, second"):
    oks.oks_between(
      np.zeros((1, 17, 3)), np.ones(1), sigmas=SIGMAS, seen_in="first"
    )


def test_people_of_a_table_are_compared_one_to_one(shared_data):
  annotations = shared_data / "coco" / "person_keypoints_minival.json"
  people = open_coco(annotations, shared_data / "coco" / "images").people
  people = people.usable()
  rng = np.random.default_rng(0)
  rows = rng.permutation(len(people))
  spread = np.sqrt(people.area[rows])[:, None, None] * 0.05
  kpts = people.kpts_xy_img[rows] + spread * rng.normal(size=(len(rows), 17, 2))
  got = oks.oks_of_people(kpts, people, rows)
  table = oks.oks(
    kpts,
    people.kpts_xy_img,
    people.vis,
    area=people.area,
    box_xywh=people.box_xywh_img,
    sigmas=SIGMAS,
  )
  np.testing.assert_allclose(got, table[np.arange(len(rows)), rows], rtol=1e-12)
  each, labelled = oks.similarity_of_people(kpts, people, rows)
  np.testing.assert_array_equal(labelled, people.vis[rows] > 0)
  assert each.shape == labelled.shape and 0.2 < got.mean() < 0.95


def test_best_match_finds_the_same_person_in_the_same_image(make_people):
  people = make_people(6)
  points = people.kpts_xy_img.astype(float)
  found = [
    {
      "image_id": int(people.image_ids[people.image_index[i]]),
      "keypoints": np.insert(points[i], 2, 0.9, axis=1).ravel().tolist(),
    }
    for i in range(6)
  ]
  found = found[::-1][:-1]  # nobody for person 0
  best = oks.best_match(found, people)
  assert best[1:].tolist() == [4, 3, 2, 1, 0]
  assert found[best[0]]["image_id"] == people.image_ids[people.image_index[0]]
  alone = [r for r in found if r["image_id"] == people.image_ids[1]]
  best = oks.best_match(alone, people)
  assert (best[people.image_index == 0] == -1).all()
