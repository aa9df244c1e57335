"""Tests of diagnosis_page.py: the section says what was found."""

import dataclasses
import re

import numpy as np

from pose_jax.pages import diagnosis as diagnosis_page
from pose_jax.pages import mistakes, page
from pose_jax.skeleton import LSP14

KINDS = ("good", "jitter", "inversion", "swap", "miss")


def _reliability(**changes):
  return diagnosis_page.Reliability(
    **{
      "score": np.array([0.2, 0.7]),
      "right": np.array([0.3, 0.6]),
      "num": np.array([5, 5]),
      "error": 0.123,
      "rank_correlation": 0.87,
      **changes,
    }
  )


def _mistake():
  return mistakes.Mistake(
    caption="the worst <one>",
    image=np.full((100, 120, 3), 128, np.uint8),
    box_xywh_img=np.array([20.0, 20, 60, 60]),
    kpts_xy_img=np.full((14, 2), 50.0),
    true_xy_img=np.full((14, 2), 40.0),
    vis=np.full(14, 2, np.int8),
    is_wrong=np.arange(14) == 3,
  )


def _findings(**changes):
  counts = np.zeros((14, 5), int)
  counts[:, 0], counts[3] = 10, [1, 2, 3, 4, 5]
  return diagnosis_page.Findings(
    **{
      "skeleton": LSP14,
      "groups": {"hip": (2, 3), "head_top": (13,)},
      "kinds": KINDS,
      "counts": counts,
      "unpaired": (np.arange(14) == 3).astype(int),
      "num_people": 1234,
      "num_missed": 1,
      "num_background": 17,
      "num_duplicates": 23,
      "ap": 0.501,
      "costs": (("miss", 7, 0.011, 0.022, 0.523), ("swap", 2, 0.0, 0.0, 0.6)),
      "keypoint_gain": np.arange(14) / 1000,
      "conditions": (
        diagnosis_page.Condition(
          "size",
          ("to 32 px", "to 64 px", "above 64 px"),
          np.array([3, 0, 40]),
          np.array([0.25, np.nan, 0.75]),
          np.array([0.1, np.nan, 0.9]),
        ),
        diagnosis_page.Condition(
          "crowding", ("one",), np.array([43]), np.ones(1), np.ones(1)
        ),
      ),
      "person_score": _reliability(),
      "keypoint_score": _reliability(error=None, rank_correlation=None),
      "box_noise": ((0.0, {"AP": 0.5, "APM": None}), (0.1, {"AP": 0.4})),
      "worst": {"miss": (_mistake(),)},
      **changes,
    }
  )


def _html(findings):
  sections = diagnosis_page.sections(findings)
  return page.render(page.Page("title", "", (), (), sections=sections))


def _words(text):
  text = re.sub(r"<style>.*?</style>", " ", text, flags=re.S)
  return re.sub(r"<[^>]*>", " ", text).replace("\N{NO-BREAK SPACE}", " ")


def test_every_number_given_is_on_the_page():
  words = _words(_html(_findings()))
  for part in (
    *("1,234 people", "1 person is not found", "17 predictions are of nobody"),
    *("23 of somebody", "0.501", "0.011", "0.022", "0.523", "0.600"),
    *("+0.005", "+0.013", "0.250 (3)", "0.750 (40)"),
    *("error 0.123", "correlation 0.87", "error not defined", "0.400"),
  ):
    assert part in words, part
  assert "146 labelled keypoints" in words and "miss 3.4 %" in words


def test_bars_are_the_shares_of_the_kinds():
  text = _html(_findings())
  hip = text.split(">hip</text>")[1].split("<text")[1]
  shares = re.findall(r"<title>(.*?)</title>", text.split(">hip</text>")[1])
  assert ">26</text>" in "<text" + hip
  assert shares[:6] == [
    *("good 0.423", "jitter 0.077", "inversion 0.115"),
    *("swap 0.154", "miss 0.192", "not found 0.038"),
  ]


def test_pictures_stand_below_their_kind_and_text_is_escaped():
  text = _html(_findings())
  assert text.count("<img") == 1 and "Miss: at no annotated" in text
  assert "the worst &lt;one&gt;" in text and "Swap: " not in text
  assert not re.search(r"https?:", text) and "<script" not in text


def test_empty_bins_and_conditions_of_one_bin_are_left_out():
  words = _words(_html(_findings()))
  assert "to 64 px" not in words and "above 64 px" in words
  assert "By crowding" not in words


def test_only_what_was_measured_is_shown():
  empty = _reliability(
    score=np.zeros(0), right=np.zeros(0), num=np.zeros(0, int)
  )
  words = _words(
    _html(
      _findings(
        ap=None,
        costs=(),
        box_noise=(),
        worst={},
        person_score=empty,
        keypoint_score=empty,
        keypoint_gain=np.full(14, np.nan),
      )
    )
  )
  for part in ("costs in AP", "exact keypoints", "noise", "calibrated"):
    assert part not in words, part


def test_scores_above_one_widen_the_axis():
  wide = _reliability(score=np.array([0.5, 15.6]))
  text = _html(_findings(person_score=wide))
  assert ">20</text>" in text
  assert dataclasses.is_dataclass(wide)


def test_one_amount_of_noise_makes_a_table_and_no_curve():
  text = _html(_findings(box_noise=((0.1, {"AP": 0.4}),)))
  assert "Scores with noise" in text and "Sensitivity" not in text
