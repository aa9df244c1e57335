"""Tests of report.py: the page says what was found."""

import dataclasses
import re

import numpy as np
import pytest

from pose_jax import geometry
from pose_jax.pages import page, report
from pose_jax.skeleton import LSP14


def _person(caption, shift=0.0):
  rng = np.random.default_rng(0)
  kpts = rng.uniform(20, 80, (14, 2))
  return report.Person(
    caption=caption,
    image=np.full((100, 120, 3), 128, np.uint8),
    box_xywh_img=np.array([20.0, 20, 60, 60]),
    kpts_xy_img=kpts + shift,
    true_xy_img=kpts,
    vis=np.full(14, 2, np.int8),
  )


def _findings(**changes):
  rows = tuple(
    {"name": name, "labelled": 10 + k, "PCK@0.2": k / 20, "similarity": k / 17}
    for k, name in enumerate(LSP14.keypoints)
  )
  names = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM")
  scores = {name: 0.501 + i / 100 for i, name in enumerate(names)}
  scores |= {"ARL": None, "PCK@0.2": 0.734, "PCK@0.2_mean": 0.7129}
  frames = geometry.Frames((64, 48), (16, 12))
  options = {
    "skeleton": LSP14,
    "groups": {"hip": (2, 3), "head": (12, 13)},
    "title": "lsp <test>",
    "protocol": (("boxes", "ground truth"), ("decoder", "dark")),
    "scores": scores | {"PCK@0.2_mean_pose": 0.2177},
    "keypoints": rows,
    "num_people": 1234,
    "num_images": 1000,
    "seconds": {"prediction": 12.34},
    "precision": {"OKS 0.50": np.ones(101), "mean": np.full(101, 0.5)},
    "recall": np.linspace(0, 1, 101),
    "pck": {"all": np.linspace(0, 1, 51)},
    "thresholds": np.linspace(0, 0.5, 51),
    "num_without_reference": {"PCK": 7, "PCKh": 8},
    "random": (_person("somebody: 0.9"),),
    "worst": (_person("the worst: 0.1", 30.0), _person("second: 0.2", 9.0)),
    "heatmaps": (
      (
        "looked at",
        np.full((64, 48, 3), 90, np.uint8),
        np.full((16, 12, 14), 0.5, np.float32),
      ),
    ),
    "hm_from_crop": frames.hm_from_crop,
  }
  return report.Findings(**{**options, **changes})


def _words(text):
  """What a reader sees, tags taken out."""
  text = re.sub(r"<style>.*?</style>", " ", text, flags=re.S)
  return re.sub(r"<[^>]*>", " ", text)


def test_every_number_given_is_on_the_page():
  findings = _findings()
  words = _words(report.render(findings))
  for name, value in findings.scores.items():
    if name.startswith("PCK"):
      assert f"{100 * value:.1f}" in words, name
    else:
      assert ("n/a" if value is None else f"{value:.3f}") in words, name
  for part in ("1,234", "12.3", "ground truth", "dark", "7 people are left"):
    assert part in words, part
  assert "lsp &lt;test&gt;" in words


@pytest.mark.parametrize("end", ["", "_mmpose"])
def test_every_pckh_is_on_the_page_with_its_interval(end):
  findings = _findings()
  rows = tuple({**r, "PCKh@0.5": 0.25} for r in findings.keypoints)
  names = [f"PCKh@{t}{end}" for t in ("0.5", "0.1", "0.11")]
  changes = {
    "keypoints": rows,
    "intervals": {names[1]: (0.11115, 0.33335)},
    "scores": {**findings.scores, **dict.fromkeys(names, 0.2222)},
  }
  both = report.render(_findings(**changes))
  words = _words(both)
  assert "7 people are left" in words and "8 people are left" in words
  assert words.count("PCK over the threshold") == 1
  changes["scores"] = dict.fromkeys(names, 0.2222)
  text = report.render(_findings(**changes))
  assert "PCKh over the threshold" in text
  for shown in (both, text):
    for name in names:
      row = re.search(rf"<tr><td>{name}</td>(.*?)</tr>", shown).group(1)
      assert ">22.22<" in row
      assert (">11.12<" in row and ">33.34<" in row) == (name == names[1])
    head = re.findall(r"<tr><td>head</td>(.*?)</tr>", shown)[-1]
    assert ">25.0<" in head
    assert f"{names[0]}, percent" in shown


def test_sides_stand_in_their_columns():
  text = report.render(_findings())
  row = re.search(r"<tr><td>hip</td>(.*?)</tr>", text).group(1)
  cells = re.findall(r">([^<]*)<", row)
  values = [c for c in cells if c]
  # right_hip is keypoint 2 (10 %), left_hip keypoint 3 (15 %).
  assert values == ["15.0", "10.0", "12.5", "25"]


def test_pictures_curves_and_captions_are_there():
  text = report.render(_findings())
  assert text.count("<img") == 4 and text.count("<svg") == 2
  assert text.index("somebody: 0.9") < text.index("the worst: 0.1")
  assert text.index("the worst: 0.1") < text.index("second: 0.2")
  assert not re.search(r"https?:", text)


def test_attention_stands_below_the_heatmaps_of_the_same_person():
  maps = {"holistic": np.linspace(0, 1, 192, dtype=np.float32)}
  maps["holistic"] = maps["holistic"].reshape(16, 12, 1)
  text = report.render(_findings(attention=(maps,)))
  assert text.count("<img") == 5 and text.count("looked at") == 4
  assert text.index(">Heatmaps<") < text.index(">Attention<")
  assert "<details" not in text
  for attention in ((), ({},)):
    text = report.render(_findings(attention=attention))
    assert ">Attention<" not in text and text.count("<img") == 4


def test_attention_stands_behind_the_other_sections_and_its_steps_are_folded():
  maps = {"part": np.random.default_rng(0).random((16, 12, 14), np.float32)}
  maps["part/steps"] = np.stack([maps["part"]] * 3)
  findings = _findings(sections=(page.Section("Diagnosis"),))
  people = findings.heatmaps * 3
  text = report.render(
    dataclasses.replace(findings, heatmaps=people, attention=(maps,) * 3)
  )
  assert text.index(">Diagnosis<") < text.index(">Attention<")
  attention = text[text.index(">Attention<") :]
  assert attention.count("<figure class=wide><figcaption>looked at<") == 3
  folded = re.findall(r"<details class=wide><summary>([^<]*)<", attention)
  assert folded == ["looked at: mean field, step by step"] * 2


def test_long_sheets_are_folded_but_the_first_persons():
  noise = np.random.default_rng(0).random((16, 12, 14), np.float32)
  maps = {f"stack{i}/part": noise for i in range(4)}
  findings = _findings()
  text = report.render(
    dataclasses.replace(
      findings, heatmaps=findings.heatmaps * 2, attention=(maps,) * 2
    )
  )
  attention = text[text.index(">Attention<") :]
  assert attention.count("<figure class=wide>") == 1
  assert attention.index("<figure") < attention.index("<details class=wide>")


def test_only_what_was_measured_is_shown():
  findings = _findings()
  coco = {k: v for k, v in findings.scores.items() if "PCK" not in k}
  words = _words(
    report.render(
      dataclasses.replace(
        findings, scores=coco, pck={}, random=(), worst=(), heatmaps=()
      )
    )
  )
  assert "PCK" not in words and "Similarity" in words
  assert "Random people" not in words
  only_pck = {k: v for k, v in findings.scores.items() if "PCK" in k}
  words = _words(
    report.render(dataclasses.replace(findings, scores=only_pck, precision={}))
  )
  assert "AP50" not in words and "Precision over recall" not in words
  assert "73.4 %" in words and "21.8 %" in words


@pytest.mark.parametrize("missing", ["kpts", "everything"])
def test_people_without_prediction_or_annotation_are_drawn(missing):
  person = _person("nobody found")
  changes = {"kpts_xy_img": np.full((14, 2), np.nan)}
  if missing == "everything":
    changes["vis"] = np.zeros(14, np.int8)
  person = dataclasses.replace(person, **changes)
  assert "nobody found" in report.render(_findings(worst=(person,)))
