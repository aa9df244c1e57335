"""Tests of errors.py: one keypoint, one kind of error."""

import numpy as np
import pytest

from pose_jax.eval.diagnosis import errors, pairing
from pose_jax.eval.diagnosis.costs import look
from pose_jax.skeleton import COCO17, LSP14

GOOD, JITTER, INVERSION = errors.GOOD, errors.JITTER, errors.INVERSION
SWAP, MISS, UNLABELLED = errors.SWAP, errors.MISS, errors.UNLABELLED
ELBOW = COCO17.index("left_elbow")
MIRRORED = COCO17.index("right_elbow")
NOSE = COCO17.index("nose")


def _distance(similarity, k, area=1e4, skeleton=COCO17):
  """How far a keypoint of this similarity is from its annotation."""
  sigma = 2 * skeleton.oks_sigmas[k]
  return np.sqrt(-2 * np.log(similarity) * area) * sigma


def _kinds(people, kpts_xy, person):
  """Kinds of one person's keypoints [K]."""
  found = errors.classify(
    kpts_xy[None], people, prediction=np.array([0]), person=np.array([person])
  )
  return found.kind[0]


def _exact(people, person):
  return people.kpts_xy_img[person].astype(np.float64)


@pytest.mark.parametrize(
  "similarity, kind",
  [
    (1.0, GOOD),
    (0.8501, GOOD),
    (0.8499, JITTER),
    (0.5001, JITTER),
    (0.4999, MISS),
    (1e-9, MISS),
  ],
)
@pytest.mark.parametrize("k", [ELBOW, NOSE])
@pytest.mark.parametrize("angle", [0.0, 2.5])
def test_distance_alone_makes_good_jitter_and_miss(
  grid_people, similarity, kind, k, angle
):
  people = grid_people()
  kpts = _exact(people, 1)
  kpts[k] += _distance(similarity, k) * np.array([np.cos(angle), np.sin(angle)])
  expected = np.full(17, GOOD)
  expected[k] = kind
  np.testing.assert_array_equal(_kinds(people, kpts, 1), expected)


@pytest.mark.parametrize("similarity", [1.0, 0.51, 0.49])
def test_inversion_is_at_the_own_mirrored_keypoint(grid_people, similarity):
  people = grid_people()
  kpts = _exact(people, 1)
  kpts[ELBOW] = kpts[MIRRORED] + [0, _distance(similarity, ELBOW)]
  kind = INVERSION if similarity >= 0.5 else MISS
  assert _kinds(people, kpts, 1)[ELBOW] == kind


@pytest.mark.parametrize("target", [ELBOW, MIRRORED])
@pytest.mark.parametrize("similarity", [1.0, 0.51, 0.49])
def test_swap_is_at_somebody_elses_keypoint(grid_people, target, similarity):
  people = grid_people()
  kpts = _exact(people, 1)
  other = people.kpts_xy_img[2, target]
  kpts[ELBOW] = other + np.array([_distance(similarity, ELBOW), 0])
  kind = SWAP if similarity >= 0.5 else MISS
  assert _kinds(people, kpts, 1)[ELBOW] == kind


def test_a_swap_needs_the_same_sort_of_keypoint_labelled_in_the_image(
  grid_people,
):
  people = grid_people(4, num_images=2)  # 0 and 2 share an image, 1 and 3
  kpts = _exact(people, 1)
  kpts[ELBOW] = people.kpts_xy_img[3, COCO17.index("left_knee")]
  assert _kinds(people, kpts, 1)[ELBOW] == MISS
  kpts[ELBOW] = people.kpts_xy_img[2, ELBOW]
  assert _kinds(people, kpts, 1)[ELBOW] == MISS
  kpts[ELBOW] = people.kpts_xy_img[3, ELBOW]
  assert _kinds(people, kpts, 1)[ELBOW] == SWAP
  people.vis[3, ELBOW] = 0
  assert _kinds(people, kpts, 1)[ELBOW] == MISS


def test_a_midline_keypoint_is_never_inverted_and_unlabelled_ones_are_nothing(
  grid_people,
):
  people = grid_people()
  kpts = _exact(people, 0)
  kpts[NOSE] += 300.0
  people.vis[0, MIRRORED] = 0
  kpts[ELBOW] = kpts[MIRRORED]  # where nothing is labelled
  kinds = _kinds(people, kpts, 0)
  assert kinds[NOSE] == MISS and kinds[ELBOW] == MISS
  assert kinds[MIRRORED] == UNLABELLED


def test_a_keypoint_in_its_place_stays_right_whoever_is_nearer(grid_people):
  people = grid_people()
  kpts = _exact(people, 1)
  kpts[ELBOW] += [_distance(0.6, ELBOW), 0]
  people.kpts_xy_img[2, ELBOW] = kpts[ELBOW]
  people.kpts_xy_img[1, MIRRORED] = kpts[ELBOW]
  assert _kinds(people, kpts, 1)[ELBOW] == JITTER


def test_of_two_wrong_keypoints_the_more_similar_decides(grid_people):
  people = grid_people()
  kpts = _exact(people, 1)
  kpts[ELBOW] = [3000.0, 3000.0]
  people.kpts_xy_img[1, MIRRORED] = kpts[ELBOW]
  people.kpts_xy_img[2, ELBOW] = kpts[ELBOW]
  assert _kinds(people, kpts, 1)[ELBOW] == INVERSION  # both exact
  people.kpts_xy_img[1, MIRRORED, 0] += _distance(0.8, ELBOW)
  assert _kinds(people, kpts, 1)[ELBOW] == SWAP


def test_alone_in_a_picture_nobody_is_swapped(grid_people, predictions_of):
  people = grid_people(3, skeleton=LSP14, num_images=3)
  kpts = people.kpts_xy_img[[1, 2, 0]].astype(np.float64)
  found = errors.classify(
    kpts, people, prediction=np.arange(3), person=np.arange(3)
  )
  assert (found.kind == MISS).all()


def _slow(people, kpts_xy, person):
  """Kind of every keypoint, one after the other."""
  skeleton = people.skeleton
  result = np.zeros((len(person), skeleton.num_keypoints), int)

  def similarity(point, row, k, sigma_of):
    if people.vis[row, k] == 0:
      return 0.0
    d = np.hypot(*(point - people.kpts_xy_img[row, k].astype(np.float64)))
    s = 2 * skeleton.oks_sigmas[sigma_of]
    return np.exp(-(d**2) / (2 * float(people.area[row]) * s**2))

  for p, row in enumerate(person):
    for k in range(skeleton.num_keypoints):
      m = skeleton.flip_permutation[k]
      point = kpts_xy[p, k]
      if people.vis[row, k] == 0:
        result[p, k] = UNLABELLED
        continue
      own = similarity(point, row, k, k)
      mirrored = similarity(point, row, m, k) if m != k else 0.0
      others = [
        similarity(point, other, j, k)
        for other in range(len(people))
        if people.image_index[other] == people.image_index[row] and other != row
        for j in (k, m)
      ]
      swap = max(others, default=0.0)
      if own >= 0.5:
        result[p, k] = GOOD if own >= 0.85 else JITTER
      elif max(mirrored, swap) >= 0.5:
        result[p, k] = INVERSION if mirrored >= swap else SWAP
      else:
        result[p, k] = MISS
  return result


@pytest.mark.parametrize("seed", range(4))
def test_classify_equals_a_slow_loop(crowded, seed):
  people, predictions = crowded(seed)
  scene = look(people, predictions)
  paired = pairing.pair_by_oks(people, predictions, scene.near, scene.oks)
  kpts = predictions.kpts_xys_img[paired.prediction, :, :2]
  found = errors.classify(
    kpts, people, prediction=paired.prediction, person=paired.person
  )
  expected = _slow(people, kpts, paired.person)
  np.testing.assert_array_equal(found.kind, expected)
  assert set(np.unique(expected)) == {UNLABELLED, *range(5)}
  counts = [[(expected[:, k] == c).sum() for c in range(5)] for k in range(17)]
  np.testing.assert_array_equal(found.counts(), counts)


def test_order_of_people_and_predictions_does_not_matter(crowded):
  people, predictions = crowded(7)
  rng = np.random.default_rng(0)
  person = rng.integers(0, len(people), len(predictions))
  kpts = predictions.kpts_xys_img[..., :2]
  rows = np.arange(len(kpts))
  found = errors.classify(kpts, people, prediction=rows, person=person)
  order, shuffle = rng.permutation(len(people)), rng.permutation(len(kpts))
  moved = errors.classify(
    kpts[shuffle],
    people.select(order),
    prediction=rows,
    person=np.argsort(order)[person][shuffle],
  )
  np.testing.assert_array_equal(moved.kind, found.kind[shuffle])
  np.testing.assert_array_equal(moved.reached, found.reached[shuffle])


def test_same_image_finds_all_pairs_in_order():
  left, right = np.array([3, 1, 9, 3]), np.array([1, 3, 1, 3, 2])
  rows, found = errors.same_image(left, right)
  expected = [(i, j) for i in range(4) for j in range(5) if left[i] == right[j]]
  assert list(zip(rows.tolist(), found.tolist(), strict=True)) == expected
