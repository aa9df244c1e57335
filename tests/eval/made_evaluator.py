"""An evaluator whose network knows the truth, for the tests of this folder."""

import numpy as np

from pose_jax import geometry
from pose_jax.eval import evaluator
from pose_jax.eval.boxes import Boxes
from pose_jax.eval.evaluator import Measurement
from pose_jax.protocol import Protocol

FRAMES = geometry.Frames((64, 48), (16, 12))
PROTOCOL = Protocol(
  dataset="tiny",
  split="test",
  box_source="ground truth",
  flip_test=False,
  flip_shift=0,
  alignment="corner",
  codec="truncated",
  sigma_hm=2.0,
  decoder="argmax",
)


def batches_of(people, *, size=4, order=None):
  """Eval batches of the usable people; crops carry the row in a pixel."""
  usable = people.usable()
  rows = np.arange(len(usable)) if order is None else np.array(order)
  matrices = FRAMES.img_from_hm(*FRAMES.center_size(usable.box_xywh_img))
  for start in range(0, len(rows), size):
    person = np.resize(rows[start : start + size], size)
    images = np.zeros((size, 1, 64, 48, 3), np.uint8)
    images[:, 0, 0, 0, 0] = person
    yield {
      "images": images,
      "img_from_hm": matrices[person].astype(np.float32),
      "person": person.astype(np.int32),
      "valid": np.arange(size) < len(rows) - start,
    }


def oracle(people, *, error=0.0, wrong_padding=True, presence=None):
  """Predicts the truth; a second look at a person in a batch is nonsense.

  With presence [N, K] it says that too.
  """
  usable = people.usable()

  def predict_fn(variables, batch):
    assert set(batch) == {"images", "img_from_hm"}
    rows = batch["images"][:, 0, 0, 0, 0].astype(int)
    kpts = usable.kpts_xy_img[rows] + error
    first = np.array([r not in rows[:i] for i, r in enumerate(rows)])
    if wrong_padding:
      kpts[~first] = -1e6
    maps = np.ones((len(rows), 16, 12, usable.skeleton.num_keypoints))
    said = {} if presence is None else {"presence": presence[rows][:, None]}
    return {
      **said,
      "kpts_xy_img": kpts[:, None],
      "score": np.full((len(kpts), 1, kpts.shape[1]), 0.8, np.float32),
      "heatmaps": (maps * rows[:, None, None, None]).astype(np.float32),
    }

  return predict_fn


def boxes_of(people):
  usable = people.usable()
  return Boxes(
    origin=np.zeros(len(usable), np.int64),
    image_ids=usable.image_ids[usable.image_index],
    person_ids=usable.person_ids,
    score=usable.score.astype(np.float64),
    area=usable.area.astype(np.float64),
  )


def make_evaluator(people, *, metrics=("coco",), **changes):
  options = {
    "predict_fn": oracle(people),
    "boxes": boxes_of(people),
    "make_batches": lambda: batches_of(people),
    "measurements": (Measurement(PROTOCOL, metrics=metrics),),
  }
  options.update(changes)
  return evaluator.Evaluator(
    options.pop("predict_fn"),
    people,
    options.pop("boxes"),
    options.pop("make_batches"),
    **options,
  )


def run(people, *, step=None, **changes):
  """The first measurement's evaluation."""
  return make_evaluator(people, **changes).run(None, step=step)[0]


def batches_of_boxes(people, boxes, size=4):
  rows = np.arange(len(boxes))
  for start in range(0, len(rows), size):
    person = np.resize(rows[start : start + size], size)
    images = np.zeros((size, 1, 64, 48, 3), np.uint8)
    images[:, 0, 0, 0, 0] = person % len(people.usable())
    yield {
      "images": images,
      "img_from_hm": np.zeros((size, 2, 3), np.float32),
      "person": person.astype(np.int32),
      "valid": np.arange(size) < len(rows) - start,
    }
