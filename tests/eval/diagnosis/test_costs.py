"""Tests of costs.py: what is corrected, and what AP makes of it."""

import dataclasses

import numpy as np
import pytest

from pose_jax.eval import coco
from pose_jax.eval.diagnosis import costs, errors, pairing
from pose_jax.skeleton import COCO17

ELBOW, MIRRORED = COCO17.index("left_elbow"), COCO17.index("right_elbow")
KINDS = (errors.MISS, errors.SWAP, errors.INVERSION, errors.JITTER)


def _look(people, predictions):
  scene = costs.look(people, predictions)
  paired = pairing.pair_by_oks(people, predictions, scene.near, scene.oks)
  found = errors.classify(
    predictions.kpts_xys_img[paired.prediction, :, :2],
    people,
    prediction=paired.prediction,
    person=paired.person,
  )
  return scene, found


def _costs(people, predictions):
  scene, found = _look(people, predictions)
  ap = costs.average_precision(scene.matches)
  return ap, {cost.name: cost for cost in costs.costs(scene, found)}


def _reference_ap(people, predictions):
  return coco.evaluate_coco(people, predictions.to_results()).values["AP"]


def _spoiled(people, kind):
  """Exact keypoints but for a third of person 1's, which have one error."""
  kpts = people.kpts_xy_img.astype(np.float64)
  wrong = [5, 6, 7, 8, 9, 10]
  if kind == "miss":
    kpts[1, wrong] += [150.0, 150.0]
  elif kind == "jitter":
    sigmas = 2 * np.array(COCO17.oks_sigmas)[wrong, None]
    kpts[1, wrong] += np.sqrt(-2 * np.log(0.6) * 1e4) * sigmas * [0.6, 0.8]
  elif kind == "inversion":
    kpts[1, wrong] = kpts[1, np.array(COCO17.flip_permutation)[wrong]]
  else:
    kpts[1, wrong] = kpts[2, wrong]
  return kpts


@pytest.mark.parametrize("kind", ["miss", "swap", "inversion", "jitter"])
def test_one_sort_of_error_costs_all_that_is_lost(
  grid_people, predictions_of, kind
):
  people = grid_people(5)
  predictions = predictions_of(people, kpts_xy=_spoiled(people, kind))
  ap, found = _costs(people, predictions)
  assert ap < 0.95
  assert found[kind].num == 6
  assert found[kind].gain_exact == pytest.approx(1 - ap, abs=1e-12)
  assert 0 < found[kind].gain <= found[kind].gain_exact
  for name, cost in found.items():
    if name not in (kind, "score"):
      assert cost.gain == cost.gain_exact == 0, name
  assert found["false negative"].ap_in_turn == 1


def test_predictions_of_nobody_and_second_ones_cost_alone(
  grid_people, predictions_of
):
  people = grid_people(4)
  rows = [0, 0, 1, 2, 3, 3]
  kpts = people.kpts_xy_img[rows].astype(np.float64)
  kpts[0] += 5000.0
  ap, found = _costs(people, predictions_of(people, rows, kpts_xy=kpts))
  assert ap < 1 and found["false positive"].num == 2
  assert found["false positive"].gain == pytest.approx(1 - ap)
  assert found["score"].gain == pytest.approx(1 - ap)
  assert found["false negative"].gain == found["miss"].gain == 0


def test_a_second_prediction_stays_where_it_is_the_only_right_one(
  grid_people, predictions_of
):
  people = grid_people(1)
  kpts = people.kpts_xy_img[[0, 0]].astype(np.float64)
  kpts[0, 5:] += 5000.0  # OKS 0.29: first at 0.1, nobody at 0.5
  scene, found = _look(people, predictions_of(people, [0, 0], kpts_xy=kpts))
  assert found.prediction.tolist() == [0]
  matches = costs.without_false(scene, np.array([False, True]))
  assert not matches.is_ignored.any()
  assert costs.average_precision(matches) == pytest.approx(0.5)


def test_people_not_found_cost_alone(grid_people, predictions_of):
  people = grid_people(4)
  ap, found = _costs(people, predictions_of(people, [0, 2, 3]))
  assert found["false negative"].num == 1
  assert found["false negative"].gain == pytest.approx(1 - ap) and ap < 0.8
  assert all(c.gain == 0 for n, c in found.items() if n != "false negative")


def test_a_wrong_order_of_scores_costs_alone(grid_people, predictions_of):
  people = grid_people(4)
  kpts = people.kpts_xy_img.astype(np.float64)
  kpts[2] += 17.0  # nearer to nobody else, but OKS is low
  ordered = predictions_of(people, kpts_xy=kpts, score=[0.9, 0.8, 0.1, 0.7])
  wrong = dataclasses.replace(ordered, score=np.array([0.1, 0.2, 0.9, 0.3]))
  best, _ = _costs(people, ordered)
  ap, found = _costs(people, wrong)
  assert ap < best and found["score"].gain == pytest.approx(best - ap)


@pytest.mark.parametrize("seed", range(3))
def test_all_corrected_only_what_is_good_is_left(crowded, seed):
  people, predictions = crowded(seed)
  ap, found = _costs(people, predictions)
  turns = [c.ap_in_turn for c in found.values()]
  assert ap < 0.6 and turns[-1] > 0.95
  assert all(cost.gain >= -0.02 for cost in found.values())
  assert turns[4] >= turns[3] and turns[6] >= turns[5] >= turns[4] - 1e-12


def test_all_corrected_is_one_if_good_ones_are_exact(crowded):
  people, predictions = crowded(5)
  scene, found = _look(people, predictions)
  good = found.kind == errors.GOOD
  kpts = predictions.kpts_xys_img.copy()
  part = kpts[found.prediction]
  truth = people.kpts_xy_img.astype(np.float64)[found.person]
  part[..., :2] = np.where(good[..., None], truth, part[..., :2])
  kpts[found.prediction] = part
  _, all_costs = _costs(
    people, dataclasses.replace(predictions, kpts_xys_img=kpts)
  )
  assert all_costs["false negative"].ap_in_turn == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("to", [costs.LIMIT, costs.ANNOTATION])
@pytest.mark.parametrize("kind", KINDS)
def test_corrected_scenes_have_the_ap_of_pycocotools(crowded, kind, to):
  people, predictions = crowded(1)
  scene, found = _look(people, predictions)
  assert costs.average_precision(scene.matches) == pytest.approx(
    _reference_ap(people, predictions), abs=1e-12
  )
  moved = costs.correct(scene, found, kind, to=to)
  assert costs.average_precision(moved.matches) == pytest.approx(
    _reference_ap(people, moved.predictions), abs=1e-12
  )
  rescored = costs.rescore(scene)
  assert costs.average_precision(rescored.matches) == pytest.approx(
    _reference_ap(people, rescored.predictions), abs=1e-12
  )


@pytest.mark.parametrize("kind", KINDS)
def test_limits_are_as_stated_and_nothing_else_moves(crowded, kind):
  people, predictions = crowded(2)
  scene, found = _look(people, predictions)
  moved = costs.correct(scene, found, kind, to=costs.LIMIT)
  after = errors.classify(
    moved.predictions.kpts_xys_img[found.prediction, :, :2],
    people,
    prediction=found.prediction,
    person=found.person,
  )
  changed = found.kind == kind
  assert changed.any()
  wanted = {errors.JITTER: 0.85, errors.MISS: 0.5}.get(kind, found.reached)
  np.testing.assert_allclose(
    after.similarity[changed],
    np.broadcast_to(wanted, changed.shape)[changed],
    atol=1e-9,
  )
  np.testing.assert_array_equal(
    after.similarity[~changed], found.similarity[~changed]
  )
  exact = costs.correct(scene, found, kind, to=costs.ANNOTATION)
  points = exact.predictions.kpts_xys_img[found.prediction, :, :2]
  np.testing.assert_array_equal(
    points[changed], people.kpts_xy_img[found.person][changed]
  )


def test_a_keypoint_gains_what_its_errors_cost(grid_people, predictions_of):
  people = grid_people(3)
  kpts = people.kpts_xy_img.astype(np.float64)
  kpts[1, [ELBOW, 0]] += 150.0
  scene, found = _look(people, predictions_of(people, kpts_xy=kpts))
  gains = costs.keypoint_gains(scene, found)
  ap = costs.average_precision(scene.matches)
  assert gains[ELBOW] > 0 and gains[0] == gains[ELBOW] < 1 - ap
  assert gains[MIRRORED] == 0 and np.count_nonzero(gains) == 2


def test_with_nobody_to_find_nothing_has_a_cost(grid_people, predictions_of):
  people = grid_people(2)
  people.vis[:] = 0
  scene, found = _look(people, predictions_of(people))
  assert costs.average_precision(scene.matches) is None
  assert costs.costs(scene, found) == ()
  assert np.isnan(costs.keypoint_gains(scene, found)).all()


def test_without_any_prediction_everybody_is_missed(
  grid_people, predictions_of
):
  people = grid_people(2)
  ap, found = _costs(people, predictions_of(people, []))
  assert ap == 0 and found["false negative"].num == 2
  assert found["false negative"].ap_in_turn == 1
