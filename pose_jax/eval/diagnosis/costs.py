"""What each sort of error costs: AP if it had not been made.

A keypoint can be corrected in two ways. To its "limit", as coco-analyze, the
code of Ronchi and Perona (2017), means to: a miss to the edge of jitter
(similarity 0.5), jitter to the edge of good (0.85), and what is at a wrong
keypoint as near to the right one as it was to that. Or to its "annotation",
exactly. (coco-analyze's own limits come out nearer, at similarity^(1/4): its
distances take sigma where its similarity takes 2 sigma.)
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from pose_jax.eval import matching
from pose_jax.eval import pairs as pairs_lib
from pose_jax.eval.average_precision import accumulate
from pose_jax.eval.diagnosis import errors as errors_lib
from pose_jax.eval.diagnosis import pairing
from pose_jax.eval.diagnosis.errors import INVERSION, JITTER, KINDS, MISS, SWAP
from pose_jax.eval.predictions import Predictions
from pose_jax.eval.results import PeopleTable

LIMIT, ANNOTATION = "limit", "annotation"
_IN_TURN = (MISS, SWAP, INVERSION, JITTER)  # coco-analyze's order


@dataclasses.dataclass(frozen=True)
class Cost:
  """One sort of error.

  Attributes:
    name: of KINDS, or "score", "false positive", "false negative".
    num: keypoints, predictions or people concerned.
    gain: AP won if this alone is corrected, keypoints to their limit.
    gain_exact: the same, keypoints to their annotation.
    ap_in_turn: AP when this and all before it are corrected, keypoints to
      their annotation.
  """

  name: str
  num: int
  gain: float
  gain_exact: float
  ap_in_turn: float


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
  """Predictions and how they compare with the people of their images.

  Attributes:
    near: each prediction beside each person of its image; oks: theirs.
    matches: at COCO's ten thresholds.
  """

  people: PeopleTable
  predictions: Predictions
  near: pairs_lib.Pairs
  oks: Float[np.ndarray, "C"]
  matches: matching.Matches


def look(people: PeopleTable, predictions: Predictions) -> Scene:
  """Compares predictions with people, once for all that asks about them."""
  near = pairs_lib.pair_up(people, predictions)
  vis = np.asarray(people.vis)
  oks = pairs_lib.oks_of_pairs(near, people, predictions, vis=vis)
  return _scene(people, predictions, near, oks)


def _scene(people, predictions, near, oks):
  matches = matching.match_pairs(near, oks, people, vis=np.asarray(people.vis))
  return Scene(people, predictions, near, oks, matches)


def costs(scene: Scene, errors: errors_lib.Errors) -> tuple[Cost, ...]:
  """What every sort of error costs; () where nobody is to be found."""
  ap = average_precision(scene.matches)
  if ap is None:
    return ()
  rows, current = [], scene
  for kind in _IN_TURN:
    current = correct(current, errors, kind, to=ANNOTATION)
    limit = correct(scene, errors, kind, to=LIMIT)
    exact = correct(scene, errors, kind, to=ANNOTATION)
    rows.append(
      Cost(
        name=KINDS[kind],
        num=int((errors.kind == kind).sum()),
        gain=average_precision(limit.matches) - ap,
        gain_exact=average_precision(exact.matches) - ap,
        ap_in_turn=average_precision(current.matches),
      )
    )
  current = rescore(current)
  gain = average_precision(rescore(scene).matches) - ap
  in_turn = average_precision(current.matches)
  rows.append(Cost("score", len(scene.matches.row), gain, gain, in_turn))
  return (*rows, *_costs_of_the_unpaired(scene, current, ap))


def _costs_of_the_unpaired(scene, current, ap):
  """Predictions of nobody and people not found, in `scene` and in turn."""
  found = pairing.pair_by_oks(scene.people, scene.predictions, *_of(scene))
  in_turn = pairing.pair_by_oks(
    current.people, current.predictions, *_of(current)
  )
  is_false, missed = found.background | found.duplicate, found.missed
  kept = without_false(current, in_turn.background | in_turn.duplicate)
  gain = average_precision(without_false(scene, is_false)) - ap
  yield Cost(
    "false positive", int(is_false.sum()), gain, gain, average_precision(kept)
  )
  gain = _or_perfect(without_missed(scene.matches, scene.people, missed)) - ap
  last = _or_perfect(without_missed(kept, scene.people, in_turn.missed))
  yield Cost("false negative", int(missed.sum()), gain, gain, last)


def _of(scene):
  return scene.near, scene.oks


def _or_perfect(matches):
  """AP, 1 if there is nobody left to be found."""
  ap = average_precision(matches)
  return 1.0 if ap is None else ap


def average_precision(matches: matching.Matches) -> float | None:
  """COCO's AP, the mean over recall and thresholds; None without anybody."""
  if not matches.num_truth.sum():
    return None
  return accumulate(matches).average_precision


def keypoint_gains(
  scene: Scene, errors: errors_lib.Errors
) -> Float[np.ndarray, "K"]:
  """AP won if one keypoint alone is exact in all people; nan without anybody.

  Jitter and what is worse is moved to its annotation; good ones stay.
  """
  gains = np.full(errors.kind.shape[1], np.nan)
  ap = average_precision(scene.matches)
  if ap is not None:
    wrong = np.isin(errors.kind, _IN_TURN)
    for k in range(len(gains)):
      alone = wrong & (np.arange(len(gains)) == k)
      moved = _with(scene, errors, alone, lambda truth, _: truth)
      gains[k] = average_precision(moved.matches) - ap
  return gains


def correct(
  scene: Scene, errors: errors_lib.Errors, kind: int, *, to: str
) -> Scene:
  """The scene with all keypoints of one kind of error put right.

  Args:
    kind: one of JITTER, INVERSION, SWAP, MISS.
    to: LIMIT or ANNOTATION.
  """
  is_wrong = errors.kind == kind
  if to == ANNOTATION:
    return _with(scene, errors, is_wrong, lambda truth, _: truth)
  changed = is_wrong.any(1)
  similarity = _limit(kind, errors.reached[changed])
  person = errors.person[changed]

  def at_limit(truth, found):
    error_xy = found - truth
    return truth + _offset(error_xy, scene.people, person, similarity)

  return _with(scene, errors, is_wrong, at_limit)


def _with(scene, errors, is_wrong, right):
  """The scene with keypoints is_wrong [P, K] at right(truth, found)."""
  changed = is_wrong.any(1)
  if not changed.any():
    return scene
  row, person = errors.prediction[changed], errors.person[changed]
  kpts = scene.predictions.kpts_xys_img.copy()
  found = kpts[row, :, :2]
  truth = np.asarray(scene.people.kpts_xy_img, np.float64)[person]
  kpts[row, :, :2] = np.where(
    is_wrong[changed][..., None], right(truth, found), found
  )
  moved = dataclasses.replace(scene.predictions, kpts_xys_img=kpts)
  oks = _oks(scene, moved, row)
  return _scene(scene.people, moved, scene.near, oks)


def _limit(kind, reached):
  """The similarity a corrected keypoint gets."""
  if kind in (INVERSION, SWAP):
    return reached
  edge = errors_lib.CLOSE if kind == JITTER else errors_lib.NEAR
  return np.full_like(reached, edge)


def _offset(error_xy, people, person, similarity):
  """[n, K, 2] in the direction of the error, of the length that is so alike.

  Along x where there is no error.
  """
  variance = (2 * np.array(people.skeleton.oks_sigmas)) ** 2
  area = np.asarray(people.area, np.float64)[person][:, None]
  exponent = -np.log(np.clip(similarity, np.finfo(float).tiny, 1))
  length = np.sqrt(exponent * 2 * area * variance)
  norm = np.linalg.norm(error_xy, axis=-1, keepdims=True)
  direction = np.where(
    norm > 0, error_xy / np.where(norm > 0, norm, 1), np.array([1.0, 0.0])
  )
  return direction * length[..., None]


def _oks(scene, predictions, moved):
  """OKS of all pairs, computed again for the rows that have moved."""
  near = scene.near
  is_moved = np.zeros(len(predictions), bool)
  is_moved[moved] = True
  again = np.flatnonzero(is_moved[near.row[near.prediction]])
  part = dataclasses.replace(
    near, prediction=near.prediction[again], person=near.person[again]
  )
  oks = scene.oks.copy()
  oks[again] = pairs_lib.oks_of_pairs(
    part, scene.people, predictions, vis=np.asarray(scene.people.vis)
  )
  return oks


def rescore(scene: Scene) -> Scene:
  """The scene with each prediction's OKS as its score."""
  score = pairing.best_scores(
    scene.people, len(scene.predictions), scene.near, scene.oks
  )
  return look(scene.people, dataclasses.replace(scene.predictions, score=score))


def without_false(
  scene: Scene, is_false: Bool[np.ndarray, "D"]
) -> matching.Matches:
  """Matches in which predictions of nobody are ignored.

  One that fits nobody at OKS 0.1 may still find somebody at 0.5, who was
  taken before: there it stays.
  """
  matches = scene.matches
  is_unmatched = matches.matched_row == matching.NOT_MATCHED
  ignored = matches.is_ignored | (is_unmatched & is_false[matches.row])
  return dataclasses.replace(matches, is_ignored=ignored)


def without_missed(
  matches: matching.Matches, people: PeopleTable, missed: Bool[np.ndarray, "N"]
) -> matching.Matches:
  """Matches in which nobody looks for the people who were not found.

  Whoever is not matched at OKS 0.1 is not matched at a higher one either.
  """
  image = np.asarray(people.image_index)[missed]
  fewer = np.bincount(image, minlength=len(matches.num_truth))
  return dataclasses.replace(matches, num_truth=matches.num_truth - fewer)
