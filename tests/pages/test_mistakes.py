"""Tests of mistakes.py: wrong keypoints are seen and marked."""

import dataclasses

import numpy as np

from pose_jax.pages import mistakes
from pose_jax.skeleton import LSP14

COLOR, RGB = "#ff00ff", (255, 0, 255)  # nothing else is drawn in it


def _mistake(**changes):
  rng = np.random.default_rng(0)
  truth = rng.uniform(100, 160, (14, 2))
  return mistakes.Mistake(
    **{
      "caption": "somebody",
      "image": np.full((300, 400, 3), 90, np.uint8),
      "box_xywh_img": np.array([90.0, 90, 80, 80]),
      "kpts_xy_img": truth + 1,
      "true_xy_img": truth,
      "vis": np.full(14, 2, np.int8),
      "is_wrong": np.zeros(14, bool),
      **changes,
    }
  )


def _marked(image):
  return (np.abs(image.astype(int) - RGB).sum(-1) < 30).sum()


def test_only_wrong_keypoints_are_marked():
  person = _mistake()
  assert _marked(mistakes.picture(person, LSP14, color=COLOR)) == 0
  wrong = person.is_wrong.copy()
  wrong[3] = True
  one = mistakes.picture(
    dataclasses.replace(person, is_wrong=wrong), LSP14, color=COLOR
  )
  assert _marked(one) > 20
  assert (person.image == 90).all()


def test_the_picture_grows_to_show_what_is_far_off():
  person = _mistake()
  kpts, wrong = person.kpts_xy_img.copy(), person.is_wrong.copy()
  kpts[3], wrong[3] = [330.0, 130.0], True
  far = dataclasses.replace(person, kpts_xy_img=kpts, is_wrong=wrong)
  plain = mistakes.picture(person, LSP14, color=COLOR)
  grown = mistakes.picture(far, LSP14, color=COLOR)
  assert grown.shape[1] / grown.shape[0] > 1.5 * plain.shape[1] / plain.shape[0]
  assert _marked(grown[:, -80:]) > 20  # the ring, far right


def test_a_keypoint_out_of_all_bounds_is_drawn_without_failing():
  person = _mistake()
  kpts, wrong = person.kpts_xy_img.copy(), person.is_wrong.copy()
  kpts[3], wrong[3] = [1e7, -1e7], True
  picture = mistakes.picture(
    dataclasses.replace(person, kpts_xy_img=kpts, is_wrong=wrong),
    LSP14,
    color=COLOR,
  )
  assert max(picture.shape[:2]) <= 300
