"""Tests of eval/scoring.py: which people count as worst."""

import dataclasses

import numpy as np
import pytest

from pose_jax.eval import oks, pck, scoring
from pose_jax.skeleton import LSP14


def test_error_by_distance_caps_each_keypoint(make_people):
  people = make_people(3, skeleton=LSP14)
  vis = people.vis.copy()
  vis[1, 7] = 0
  people = dataclasses.replace(people, vis=vis)
  kpts = people.kpts_xy_img.astype(np.float64)
  reference = pck.reference_length(kpts, vis > 0, LSP14.pck_pair)
  kpts[0, 3, 0] += 0.5 * reference[0]
  kpts[0, 4, 0] += 1e5  # counts as 1, not as thousands
  kpts[1, 7] += 1e5  # not labelled
  kpts[2] = np.nan
  error = scoring.error_of(("coco", "pck"), people)(kpts, np.arange(3))
  np.testing.assert_allclose(error, [1.5 / 14, 0, 1], atol=1e-6)


def test_error_without_a_reference_is_full(make_people):
  people = make_people(1, skeleton=LSP14)
  vis = people.vis.copy()
  vis[0, LSP14.pck_pair[0]] = 0
  people = dataclasses.replace(people, vis=vis)
  error_of = scoring.error_of(("pck",), people)
  assert error_of(people.kpts_xy_img, np.array([0])) == pytest.approx(1)


def test_error_by_oks_for_some_rows(make_people):
  people = make_people(5)
  rows = np.array([4, 1])
  kpts = people.kpts_xy_img[rows] + 3.0
  kpts[1] = np.nan
  error = scoring.error_of(("coco",), people)(kpts, rows)
  expected = 1 - oks.oks_of_people(kpts[:1], people, rows[:1])
  np.testing.assert_allclose(error, [expected[0], 1])


def test_number_has_no_nan():
  assert scoring.number(np.nan) is None
  assert scoring.number(np.float32(0.5)) == 0.5
