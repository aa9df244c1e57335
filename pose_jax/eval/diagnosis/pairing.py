"""Which prediction is whose, before asking what is wrong with it.

Pairs are COCO's matches at a low OKS of 0.1, so that a pose that is wrong
almost everywhere still has an owner (Ronchi and Perona 2017; 0.1 is
coco-analyze's). What is left over is of three sorts: people whom no
prediction found, predictions of nobody (background), and second predictions
of somebody who is taken.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from pose_jax.eval import matching
from pose_jax.eval import pairs as pairs_lib
from pose_jax.eval.predictions import NOBODY, Predictions
from pose_jax.eval.results import PeopleTable

LOWEST_OKS = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class Pairing:
  """D predictions and N people of a table, P of them paired.

  Attributes:
    prediction, person: row of each pair.
    missed: people who count and whom nothing was paired with.
    background: predictions of nobody.
    duplicate: second predictions: OKS of 0.1 or more with somebody, but
      nobody left to be paired with.
  A prediction that is in neither fell on people whom COCO ignores, or is
  beyond the 20 best of its image.
  """

  prediction: Int[np.ndarray, "P"]
  person: Int[np.ndarray, "P"]
  missed: Bool[np.ndarray, "N"]
  background: Bool[np.ndarray, "D"]
  duplicate: Bool[np.ndarray, "D"]


def counted(people: PeopleTable) -> Bool[np.ndarray, "N"]:
  """Who is measured: labelled somewhere and not a crowd region."""
  return (np.asarray(people.vis) > 0).any(1) & ~np.asarray(people.is_crowd)


def pair_by_oks(
  people: PeopleTable,
  predictions: Predictions,
  pairs: pairs_lib.Pairs,
  oks: Float[np.ndarray, "C"],
) -> Pairing:
  """Pairs by COCO's matching at OKS 0.1: best scores choose first.

  Args:
    pairs, oks: of `pairs.pair_up` and `pairs.oks_of_pairs`.
  """
  matches = matching.match_pairs(
    pairs,
    oks,
    people,
    vis=np.asarray(people.vis),
    thresholds=np.array([LOWEST_OKS]),
  )
  person, is_ignored = matches.matched_row[0], matches.is_ignored[0]
  is_matched = person != matching.NOT_MATCHED
  is_pair = is_matched & ~is_ignored
  near = (oks >= LOWEST_OKS) & counted(people)[pairs.person]
  is_near = np.zeros(len(pairs.row), bool)
  is_near[pairs.prediction[near]] = True
  is_left = ~is_matched & ~is_ignored
  return _pairing(
    people,
    predictions,
    prediction=matches.row[is_pair],
    person=person[is_pair],
    background=matches.row[is_left & ~is_near],
    duplicate=matches.row[is_left & is_near],
  )


def pair_by_person(people: PeopleTable, predictions: Predictions) -> Pairing:
  """Pairs each prediction with the person it says it is of.

  For predictions made in ground truth boxes: who was predicted all wrong is
  still paired, so every labelled keypoint counts.

  Raises:
    ValueError: if a prediction names nobody, or somebody not in the table or
      named before.
  """
  ids = np.asarray(people.person_ids)
  order = np.argsort(ids)
  place = np.searchsorted(ids[order], predictions.person_ids)
  person = order[np.minimum(place, len(ids) - 1)] if len(ids) else place
  for i, named in enumerate(predictions.person_ids.tolist()):
    if named == NOBODY or not len(ids) or ids[person[i]] != named:
      raise ValueError(
        f"predictions: entry {i} has person_id {named}, which is not in the "
        "table of people; pair by OKS instead"
      )
  if len(np.unique(person)) != len(person):
    raise ValueError(
      "predictions: a person_id occurs twice; pair by OKS instead"
    )
  prediction = np.flatnonzero(counted(people)[person])
  return _pairing(
    people, predictions, prediction=prediction, person=person[prediction]
  )


def _pairing(
  people, predictions, *, prediction, person, background=(), duplicate=()
):
  missed = counted(people)
  missed[person] = False
  is_background, is_duplicate = np.zeros((2, len(predictions)), bool)
  is_background[np.asarray(background, int)] = True
  is_duplicate[np.asarray(duplicate, int)] = True
  return Pairing(prediction, person, missed, is_background, is_duplicate)


def best_scores(
  people: PeopleTable,
  num_predictions: int,
  pairs: pairs_lib.Pairs,
  oks: Float[np.ndarray, "C"],
) -> Float[np.ndarray, "D"]:
  """The score each prediction should have had: its OKS.

  Predictions and people are paired one to one, the most alike first; a
  prediction without a partner gets 0, so that second predictions of a person
  come last. (coco-analyze lets a soft suppression do that.)
  """
  score = np.zeros(num_predictions)
  is_open = counted(people)[pairs.person] & (oks > 0)
  index = np.flatnonzero(is_open)
  index = index[np.argsort(-oks[index], kind="stable")]
  while len(index):
    # Whoever comes first in both columns is the other's best.
    prediction, person = pairs.prediction[index], pairs.person[index]
    is_best = np.zeros((2, len(index)), bool)
    for column, values in zip(is_best, (prediction, person), strict=True):
      column[np.unique(values, return_index=True)[1]] = True
    is_pair = is_best.all(0)
    score[pairs.row[prediction[is_pair]]] = oks[index[is_pair]]
    is_left = ~np.isin(prediction, prediction[is_pair])
    is_left &= ~np.isin(person, person[is_pair])
    index = index[is_left]
  return score
