"""Predictions beside the people of their image, compared by OKS.

All pairs of a dataset in one flat array, so that nothing loops over images.
Time and memory go with the number of pairs; keypoints of pairs are compared
some at a time. OKS is that of `oks.oks`, to the bit, which takes one image.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from pose_jax.eval import oks as oks_lib
from pose_jax.eval.predictions import Predictions
from pose_jax.eval.results import PeopleTable

MAX_PER_IMAGE = 20
_CHUNK = 20_000  # pairs whose keypoints are compared at once: some 20 MB


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
  """Each prediction that counts beside each person of its image.

  D predictions in the order of `Matches`, N people, M images, P pairs; the
  pairs of a prediction are neighbours, people in the order of the table.

  Attributes:
    row: the prediction's row of the table of predictions.
    image: row of `people.image_ids`.
    score: of the prediction.
    area: of the prediction, extent of its keypoints, square image pixels.
    start: first pair of each prediction.
    prediction: [P] which of the D.
    person: [P] row of the table of people.
    people_in_image: how many people an image has, crowds too.
  """

  row: Int[np.ndarray, "D"]
  image: Int[np.ndarray, "D"]
  score: Float[np.ndarray, "D"]
  area: Float[np.ndarray, "D"]
  start: Int[np.ndarray, "D"]
  prediction: Int[np.ndarray, "P"]
  person: Int[np.ndarray, "P"]
  people_in_image: Int[np.ndarray, "M"]


def pair_up(
  people: PeopleTable,
  predictions: Predictions,
  *,
  max_per_image: int = MAX_PER_IMAGE,
) -> Pairs:
  """Sorts predictions and pairs each with everybody in its image.

  Raises:
    ValueError: if a prediction is in an image that the table does not have.
  """
  image = _image_rows(people, predictions.image_ids)
  # lexsort is a stable mergesort, so equal scores stay in the order given.
  row = np.lexsort((-predictions.score, predictions.image_ids))
  image = image[row]
  position = np.arange(len(row)) - first_of_run(image)
  row, image = row[position < max_per_image], image[position < max_per_image]
  image_of_person = np.asarray(people.image_index, np.int64)
  people_in_image = np.bincount(
    image_of_person, minlength=len(people.image_ids)
  )
  by_image = np.argsort(image_of_person, kind="stable")
  first_person = np.cumsum(people_in_image) - people_in_image
  num_pairs = people_in_image[image]
  start = np.cumsum(num_pairs) - num_pairs
  prediction = np.repeat(np.arange(len(row)), num_pairs)
  within = np.arange(len(prediction)) - start[prediction]
  kpts = predictions.kpts_xys_img[row, :, :2]
  extent = kpts.max(1) - kpts.min(1)
  return Pairs(
    row=row,
    image=image,
    score=predictions.score[row],
    area=extent[:, 0] * extent[:, 1],
    start=start,
    prediction=prediction,
    person=by_image[first_person[image[prediction]] + within],
    people_in_image=people_in_image,
  )


def _image_rows(people, image_ids):
  """Row of `people.image_ids` of each id."""
  known = np.asarray(people.image_ids)
  order = np.argsort(known)
  place = np.searchsorted(known, image_ids, sorter=order)
  # An id above all others has no place: row -1, whatever stands there.
  rows = np.append(order, -1)[place]
  is_known = (rows >= 0) & (np.append(known, 0)[rows] == image_ids)
  if not is_known.all():
    raise ValueError(
      f"predictions: image_id {image_ids[np.argmin(is_known)]} is not among "
      f"the {len(known)} images of the ground truth; these predictions belong "
      "to another data set or split"
    )
  return rows


def first_of_run(values: Int[np.ndarray, "D"]) -> Int[np.ndarray, "D"]:
  """Index at which the run of equal values of each element begins."""
  is_first = np.ones(len(values), bool)
  is_first[1:] = values[1:] != values[:-1]
  return np.maximum.accumulate(np.where(is_first, np.arange(len(values)), 0))


def oks_of_pairs(
  pairs: Pairs,
  people: PeopleTable,
  predictions: Predictions,
  *,
  vis: Int[np.ndarray, "N K"],
) -> Float[np.ndarray, "P"]:
  """COCO's OKS of each pair, in [0, 1].

  A person without labelled keypoints, as crowds are, is compared by how far
  keypoints lie outside its box widened by its size on every side.
  """
  result = np.empty(len(pairs.person))
  is_labelled = vis > 0
  for part, each in similarity_of_pairs(pairs, people, predictions):
    mask = is_labelled[pairs.person[part]]
    count = mask.sum(1)
    total = np.zeros(len(mask))
    for n in np.unique(count[count > 0]):
      # Summed without the unlabelled ones, for COCOeval's very last bit.
      rows = count == n
      total[rows] = each[rows][mask[rows]].reshape(-1, n).sum(1)
    result[part] = total / np.maximum(count, 1)
  nobody = np.flatnonzero(~is_labelled.any(1)[pairs.person])
  result[nobody] = oks_in_box(pairs, people, predictions, nobody)
  return result


def similarity_of_pairs(
  pairs: Pairs, people: PeopleTable, predictions: Predictions
) -> Iterator[tuple[slice, Float[np.ndarray, "n K"]]]:
  """Similarity of single keypoints, some pairs at a time: (which, values)."""
  truth = np.asarray(people.kpts_xy_img)
  for part in _parts(len(pairs.person)):
    person = pairs.person[part]
    found_xy = _found_xy(pairs, predictions, part)
    yield part, _similarity(found_xy, truth[person], people, person)


def oks_in_box(
  pairs: Pairs,
  people: PeopleTable,
  predictions: Predictions,
  which: Int[np.ndarray, "n"],
) -> Float[np.ndarray, "n"]:
  """OKS of the pairs `which` as if their person had no labelled keypoint."""
  result = np.empty(len(which))
  boxes = np.asarray(people.box_xywh_img)
  for part in _parts(len(which)):
    person = pairs.person[which[part]]
    found_xy = _found_xy(pairs, predictions, which[part])
    corner, size = np.split(boxes[person].astype(np.float64)[:, None], 2, -1)
    inside_xy = np.clip(found_xy, corner - size, corner + size * 2)
    each = _similarity(found_xy, inside_xy, people, person)
    result[part] = each.sum(1) / each.shape[1]
  return result


def _parts(num):
  for start in range(0, num, _CHUNK):
    yield slice(start, min(start + _CHUNK, num))


def _found_xy(pairs, predictions, which):
  rows = pairs.row[pairs.prediction[which]]
  return predictions.kpts_xys_img[rows, :, :2]


def _similarity(found_xy, true_xy, people, person):
  return oks_lib.keypoint_similarity(
    found_xy,
    true_xy,
    np.asarray(people.area)[person],
    sigmas=people.skeleton.oks_sigmas,
  )
