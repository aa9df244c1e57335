"""Tests of eval/nms.py."""

import math

import numpy as np
import pytest

from pose_jax.data.coco import open_coco
from pose_jax.eval import coco, nms, results
from pose_jax.eval.predictions import NOBODY, Predictions
from pose_jax.skeleton import COCO17

SIGMAS = COCO17.oks_sigmas
THRESHOLDS = (0.3, 0.5, 0.7, 0.9)


def _crowded(num=14, seed=0, people=4):
  """Predictions of a few people of one image, several of each."""
  rng = np.random.default_rng(seed)
  body = rng.uniform(0, 300, (people, 1, 2)) + rng.uniform(
    0, 100, (people, 17, 2)
  )
  kpts = body[rng.integers(0, people, num)]
  kpts = kpts + rng.choice([1.0, 4, 9], (num, 1, 1)) * rng.normal(
    size=kpts.shape
  )
  kpts = np.concatenate([kpts, rng.random((num, 17, 1))], -1)
  return kpts, rng.random(num), rng.uniform(2000, 12000, num)


def _table(num_images=7, seed=0):
  """Crowded predictions of several images, shuffled; one has a single one."""
  counts = [1, *range(4, 4 + num_images - 1)]
  parts = [_crowded(n, seed + i) for i, n in enumerate(counts)]
  image_ids = np.repeat(np.arange(num_images)[::-1] * 11 + 5, counts)
  mixed = np.random.default_rng(seed).permutation(len(image_ids))
  kpts, score, area = (np.concatenate(p)[mixed] for p in zip(*parts))  # noqa: B905
  predictions = Predictions(
    image_ids[mixed],
    kpts,
    score,
    np.arange(len(score)) + 70,
    np.round(kpts[..., 2] / kpts[..., 2].max(), 6),
  )
  return predictions, area


def _alike(a, b, area):
  """OKS of two predictions for an area, keypoint by keypoint."""
  total = 0.0
  for k in range(17):
    squared = (a[k, 0] - b[k, 0]) ** 2 + (a[k, 1] - b[k, 1]) ** 2
    total += math.exp(-squared / (2 * area * (2 * SIGMAS[k]) ** 2))
  return total / 17


def _slow_nms(kpts, score, area, threshold):
  kept = []
  for i in sorted(range(len(score)), key=lambda i: -score[i]):
    if all(
      _alike(kpts[i], kpts[j], (area[i] + area[j]) / 2) <= threshold
      for j in kept
    ):
      kept.append(i)
  return kept


def _slow_soft(kpts, score, area, threshold, max_people):
  left = {i: score[i] for i in range(len(score))}
  kept, decayed = [], []
  while left and len(kept) < max_people:
    best = max(left, key=left.get)
    kept.append(best)
    decayed.append(left.pop(best))
    for i in left:
      alike = _alike(kpts[best], kpts[i], (area[best] + area[i]) / 2)
      left[i] *= math.exp(-(alike**2) / threshold)
  return kept, decayed


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_golden_keep_lists(goldens, threshold):
  golden = np.load(goldens / "oks.npz")
  people = golden["keypoints"], golden["scores"], golden["areas"]
  options = {"threshold": threshold, "sigmas": SIGMAS}
  kept = nms.oks_nms(*people, **options)
  np.testing.assert_array_equal(kept, golden[f"keep_nms_{threshold}"])
  kept = nms.oks_nms(*people, **options, vis_threshold=0.2, seen_in="second")
  np.testing.assert_array_equal(kept, golden[f"keep_nms_{threshold}_vis0.2"])
  for reorder_only in (True, False):
    kept, score = nms.soft_oks_nms(
      *people, **options, reorder_only=reorder_only
    )
    np.testing.assert_array_equal(kept, golden[f"keep_soft_{threshold}"])
    if reorder_only:
      np.testing.assert_array_equal(score, people[1][kept])
    else:
      assert (np.diff(score) <= 0).all() and (score <= people[1][kept]).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threshold", [0.2, 0.6, 0.9])
def test_agrees_with_a_slow_loop(seed, threshold):
  kpts, score, area = _crowded(seed=seed)
  options = {"threshold": threshold, "sigmas": SIGMAS}
  kept = nms.oks_nms(kpts, score, area, **options)
  assert kept.tolist() == _slow_nms(kpts, score, area, threshold)
  assert 0 < len(kept) < len(score)
  for most in (5, 20):
    kept, decayed = nms.soft_oks_nms(
      kpts, score, area, **options, max_people=most
    )
    slow, slow_score = _slow_soft(kpts, score, area, threshold, most)
    assert kept.tolist() == slow and len(kept) == min(most, 14)
    np.testing.assert_allclose(decayed, slow_score, rtol=1e-9)


def test_twins_lose_one_and_strangers_lose_nobody():
  kpts, score, area = _crowded(3)
  kpts[:] = kpts[0]
  kpts[1, :, :2] += 1e4  # far away
  score = np.array([0.5, 0.4, 0.9])
  options = {"threshold": 0.5, "sigmas": SIGMAS}
  assert nms.oks_nms(kpts, score, area, **options).tolist() == [2, 1]
  kept, decayed = nms.soft_oks_nms(kpts, score, area, **options)
  assert kept.tolist() == [2, 1, 0]
  np.testing.assert_allclose(decayed, [0.9, 0.4, 0.5 * math.exp(-2)])


def test_exactly_on_the_threshold_is_kept():
  kpts, _, area = _crowded(2)
  kpts[1] = kpts[0]
  score = np.array([0.5, 0.9])
  options = {"sigmas": SIGMAS}
  kept = nms.oks_nms(kpts, score, area, threshold=1.0, **options)
  assert kept.tolist() == [1, 0]


def test_of_equal_scores_the_last_comes_first():
  kpts, _, area = _crowded(5)
  kpts[:, :, :2] += 1000 * np.arange(5)[:, None, None]
  score = np.array([0.3, 0.8, 0.3, 0.8, 0.3])
  options = {"threshold": 0.5, "sigmas": SIGMAS}
  wanted = [3, 1, 4, 2, 0]
  assert nms.oks_nms(kpts, score, area, **options).tolist() == wanted
  kept, _ = nms.soft_oks_nms(kpts, score, area, **options)
  assert kept.tolist() == wanted


def test_a_tiny_penalty_width_gives_no_nan():
  kpts, _, area = _crowded(3)
  kpts[:] = kpts[0]
  _, decayed = nms.soft_oks_nms(
    kpts, np.array([0.5, 0.4, -1.0]), area, threshold=1e-4, sigmas=SIGMAS
  )
  np.testing.assert_array_equal(np.abs(decayed), [0.5, 0, 0])


@pytest.mark.parametrize("kind", ["oks", "soft_oks"])
@pytest.mark.parametrize("reorder_only", [True, False])
def test_suppress_is_each_image_by_itself(kind, reorder_only):
  predictions, area = _table()
  options = {"threshold": 0.4, "sigmas": SIGMAS, "vis_threshold": 0.3}
  got = nms.suppress(
    predictions,
    area,
    kind=kind,
    **options,
    max_people=6,
    reorder_only=reorder_only,
  )
  ids, score = [], []
  for image_id in dict.fromkeys(predictions.image_ids.tolist()):
    rows = np.flatnonzero(predictions.image_ids == image_id)
    people = (
      predictions.kpts_xys_img[rows],
      predictions.score[rows],
      area[rows],
    )
    if kind == "oks":
      kept = nms.oks_nms(*people, **options)
      score += people[1][kept].tolist()
    else:
      kept, decayed = nms.soft_oks_nms(
        *people, **options, max_people=6, reorder_only=reorder_only
      )
      score += decayed.tolist()
    ids += predictions.person_ids[rows[kept]].tolist()
  assert got.person_ids.tolist() == ids and len(ids) < len(predictions)
  np.testing.assert_array_equal(got.score, score)
  row_of = {p: row for row, p in enumerate(predictions.person_ids)}
  rows = [row_of[person_id] for person_id in ids]
  np.testing.assert_array_equal(
    got.kpts_xys_img, predictions.kpts_xys_img[rows]
  )
  np.testing.assert_array_equal(got.presence, predictions.presence[rows])


def test_suppressing_twice_changes_nothing_more():
  predictions, area = _table()
  options = {"kind": "oks", "threshold": 0.5, "sigmas": SIGMAS}
  once = nms.suppress(predictions, area, **options)
  areas = dict(zip(predictions.person_ids, area, strict=True))
  left = np.array([areas[i] for i in once.person_ids])
  twice = nms.suppress(once, left, **options)
  np.testing.assert_array_equal(once.person_ids, twice.person_ids)


def test_none_and_nobody_pass_through():
  predictions, area = _table()
  options = {"threshold": 0.5, "sigmas": SIGMAS}
  kept = nms.suppress(predictions, area, kind="none", **options)
  assert kept is predictions
  nobody = predictions.select(np.zeros(len(area), bool))
  for kind in nms.KINDS:
    assert not len(nms.suppress(nobody, area[:0], kind=kind, **options))


def test_refuses_what_makes_no_sense():
  predictions, area = _table()
  options = {"threshold": 0.5, "sigmas": SIGMAS}
  with pytest.raises(ValueError, match="one of none, oks, soft_oks, got 'so"):
    nms.suppress(predictions, area, kind="soft", **options)
  with pytest.raises(ValueError, match="got 1 for 40 predictions"):
    nms.suppress(predictions, area[:1], kind="oks", **options)
  with pytest.raises(ValueError, match="must be above 0, got 0"):
    nms.suppress(
      predictions, area, kind="soft_oks", threshold=0.0, sigmas=SIGMAS
    )
  with pytest.raises(ValueError, match="max_people must be at least 1"):
    nms.suppress(predictions, area, kind="soft_oks", max_people=0, **options)


def _boxed(people, seed=0):
  """What a network finds in a detector's boxes: preds, all_boxes, image_id."""
  rng = np.random.default_rng(seed)
  rows = np.concatenate([np.arange(len(people))] * 3)
  size = np.sqrt(people.area[rows])[:, None, None]
  spread = rng.choice([0.02, 0.1, 0.3], (len(rows), 1, 1)) * size
  kpts = people.kpts_xy_img[rows] + spread * rng.normal(size=(len(rows), 17, 2))
  preds = np.concatenate([kpts, rng.random((len(rows), 17, 1))], -1)
  preds[5, :, 2] = 0.1  # no keypoint counts: score 0
  box = people.box_xywh_img[rows].astype(np.float64)
  scale = 1.25 * box[:, 2:] / 200
  area = np.prod(scale * 200, 1)
  center = box[:, :2] + box[:, 2:] / 2
  boxes = np.column_stack([center, scale, area, rng.random(len(rows))])
  return preds, boxes, people.image_ids[people.image_index[rows]]


def _slow_chain(preds, boxes, image_id, kind, threshold):
  """Rescoring and suppression as lists of dictionaries, image by image."""
  by_image = {}
  for pred, box, image in zip(preds, boxes, image_id.tolist(), strict=True):
    seen = [s for s in pred[:, 2] if s > 0.2]
    mean = sum(seen) / len(seen) if seen else 0
    by_image.setdefault(image, []).append((pred, box[4], box[5] * mean))
  entries = []
  for image, people in by_image.items():
    kpts, area, score = zip(*people, strict=True)
    if kind == "oks":
      kept = _slow_nms(kpts, score, area, threshold)
    else:  # its scores are not used
      kept, _ = _slow_soft(kpts, score, area, threshold, 20)
    for i in kept:
      entries.append(
        {
          "image_id": image,
          "category_id": 1,
          "keypoints": kpts[i].ravel().tolist(),
          "score": float(score[i]),
        }
      )
  return entries


@pytest.mark.parametrize("threshold", [0.5, 0.9])
@pytest.mark.parametrize("kind", ["oks", "soft_oks"])
def test_the_whole_chain_is_that_of_a_slow_loop(shared_data, kind, threshold):
  annotations = shared_data / "coco" / "person_keypoints_minival.json"
  people = open_coco(annotations, shared_data / "coco" / "images").people
  preds, all_boxes, image_id = _boxed(people.usable())
  score = results.instance_score(all_boxes[:, 5], preds[..., 2])
  found = Predictions(image_id, preds, score, np.full(len(preds), NOBODY))
  kept = nms.suppress(
    found,
    all_boxes[:, 4],
    kind=kind,
    threshold=threshold,
    sigmas=SIGMAS,
    reorder_only=True,
  )
  slow = _slow_chain(preds, all_boxes, image_id, kind, threshold)
  got = kept.to_results()
  assert [e["image_id"] for e in got] == [e["image_id"] for e in slow]
  for key in ("keypoints", "score"):
    np.testing.assert_allclose(
      [e[key] for e in got], [e[key] for e in slow], rtol=1e-12
    )
  assert score[5] == 0
  values = coco.evaluate_coco(people, got).values
  assert values == coco.evaluate_coco(people, slow).values
  assert 0.1 < values["AP"] < 0.9
