"""What is wrong with a predicted keypoint: jitter, inversion, swap or miss.

A keypoint is compared with annotated ones by COCO's similarity
exp(-d^2 / (2 area (2 sigma)^2)), of which OKS is the mean. Each labelled
keypoint of a predicted person gets the first kind that holds:

  good       at least 0.85 to its annotation
  jitter     0.5 to 0.85 to its annotation
  inversion  at the person's own mirrored keypoint (left for right), 0.5 or
             more
  swap       at the same or the mirrored keypoint of somebody else in the
             image, 0.5 or more
  miss       at none of these

A keypoint that fits inversion and swap is what it is more similar to,
inversion if equally. Somebody else's similarity takes his own area.

Source: Ronchi and Perona 2017, arXiv 1707.05388, and their coco-analyze,
whose thresholds these are. Differs from it in: coco-analyze lets the most
similar annotation decide, so that a keypoint in its right place becomes a
swap when somebody else's is nearer; here what counts for OKS stays right.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from pose_jax.eval.oks import keypoint_similarity
from pose_jax.eval.results import PeopleTable

KINDS = ("good", "jitter", "inversion", "swap", "miss")
GOOD, JITTER, INVERSION, SWAP, MISS = range(5)
UNLABELLED = -1

NEAR = 0.5  # similarity from which a keypoint is at an annotated one
CLOSE = 0.85  # and from which it cannot be told from a person's annotation


@dataclasses.dataclass(frozen=True, eq=False)
class Errors:
  """The kind of each keypoint of P predicted people who have an annotation.

  Attributes:
    prediction, person: row in the predictions and in the table of people.
    kind: index into KINDS; UNLABELLED where there is no annotation.
    similarity: to the right keypoint, 0 where there is no annotation.
    reached: to the keypoint it is at, the right one or a wrong one.
  """

  prediction: Int[np.ndarray, "P"]
  person: Int[np.ndarray, "P"]
  kind: Int[np.ndarray, "P K"]
  similarity: Float[np.ndarray, "P K"]
  reached: Float[np.ndarray, "P K"]

  def oks(self) -> Float[np.ndarray, "P"]:
    """OKS of each predicted person with its annotation."""
    labelled = (self.kind != UNLABELLED).sum(1)
    return self.similarity.sum(1) / np.maximum(labelled, 1)

  def counts(self) -> Int[np.ndarray, "K 5"]:
    """How many keypoints are of each of KINDS."""
    each = self.kind[:, :, None] == np.arange(len(KINDS))
    return each.sum(0)


def classify(
  kpts_xy_img: Float[np.ndarray, "P K 2"],
  people: PeopleTable,
  *,
  prediction: Int[np.ndarray, "P"],
  person: Int[np.ndarray, "P"],
) -> Errors:
  """Says of each keypoint of P predicted people what is wrong with it.

  Args:
    kpts_xy_img: predicted, image pixels.
    people: the whole table: others in the image are those one can swap with.
    prediction: kept in the answer.
    person: whom each predicted person is, a row of the table.
  """
  labelled = np.asarray(people.vis) > 0
  mirror = list(people.skeleton.flip_permutation)
  own = _similarity(kpts_xy_img, people, person)
  # A keypoint of the midline is its own mirror image, and near is right.
  inverted = _similarity(kpts_xy_img, people, person, mirror)
  others = _best_of_others(kpts_xy_img, people, person, mirror)
  is_near = own >= NEAR
  wrong = np.maximum(inverted, others)
  kind = np.select(
    [
      ~labelled[person],
      own >= CLOSE,
      is_near,
      (inverted >= NEAR) & (inverted >= others),
      others >= NEAR,
    ],
    [UNLABELLED, GOOD, JITTER, INVERSION, SWAP],
    default=MISS,
  )
  return Errors(
    prediction=prediction,
    person=person,
    kind=kind,
    similarity=own,
    reached=np.where(is_near | (wrong < NEAR), own, wrong),
  )


def same_image(
  left: Int[np.ndarray, "A"], right: Int[np.ndarray, "B"]
) -> tuple[Int[np.ndarray, "C"], Int[np.ndarray, "C"]]:
  """All (row of left, row of right) whose images are equal, left in order."""
  order = np.argsort(right, kind="stable")
  start = np.searchsorted(right[order], left, side="left")
  count = np.searchsorted(right[order], left, side="right") - start
  rows = np.repeat(np.arange(len(left)), count)
  first = np.repeat(np.cumsum(count) - count, count)
  within = np.arange(len(rows)) - first
  return rows, order[np.repeat(start, count) + within]


def _similarity(kpts_xy_img, people, person, mirror=None):
  """[n, K] similarity to a person's (mirrored) keypoints, 0 if unlabelled."""
  order = slice(None) if mirror is None else mirror
  truth = np.asarray(people.kpts_xy_img, np.float64)[person][:, order]
  labelled = (np.asarray(people.vis)[person] > 0)[:, order]
  each = keypoint_similarity(
    np.asarray(kpts_xy_img, np.float64),
    truth,
    np.asarray(people.area, np.float64)[person],
    sigmas=np.array(people.skeleton.oks_sigmas),
  )
  return np.where(labelled, each, 0.0)


def _best_of_others(kpts_xy_img, people, person, mirror):
  """[P, K] highest similarity to anybody else's keypoint, mirrored or not."""
  best = np.zeros(kpts_xy_img.shape[:2])
  image = np.asarray(people.image_index)
  labelled = np.flatnonzero((np.asarray(people.vis) > 0).any(1))
  rows, found = same_image(image[person], image[labelled])
  other = labelled[found]
  is_other = other != person[rows]
  rows, other = rows[is_other], other[is_other]
  for order in (None, mirror):
    each = _similarity(kpts_xy_img[rows], people, other, order)
    np.maximum.at(best, rows, each)
  return best
