"""Tests of what an evaluation writes: files, report, table of ways."""

import dataclasses
import json
import re

import cv2
import numpy as np
import pytest
from made_evaluator import (
  FRAMES,
  PROTOCOL,
  make_evaluator,
  oracle,
  run,
)

from pose_jax.eval import record, scoring, table
from pose_jax.eval.evaluation import score_predictions
from pose_jax.eval.evaluator import Measurement
from pose_jax.protocol import from_dict
from pose_jax.skeleton import LSP14


def test_written_files_hold_the_scores(make_people, tmp_path):
  people = make_people(6, skeleton=LSP14)
  result = run(
    people,
    predict_fn=oracle(people, error=7.0),
    metrics=("coco", "pck"),
    heatmaps_fn=oracle(people),
    step=5,
  )
  read = []

  def read_image(i):
    read.append(i)
    return np.full((400, 400, 3), 90, np.uint8)

  folder = record.write(
    (result,),
    tmp_path / "evaluation" / "5",
    read_image=read_image,
    hm_from_crop=FRAMES.hm_from_crop,
  )
  names = ["metrics.json", "pictures.jpg", "predictions.json", "report.html"]
  assert sorted(p.name for p in folder.iterdir()) == names
  assert cv2.imread(str(folder / "pictures.jpg")).std() > 1
  metrics = json.loads((folder / "metrics.json").read_text())
  assert metrics["scores"] == result.scores
  assert from_dict(metrics["protocol"]) == result.protocol
  assert metrics["num_people"] == 6
  page = (folder / "report.html").read_text()
  assert f"{result.scores['AP']:.3f}" in page
  assert f"{100 * result.scores['PCK@0.2']:.1f} %" in page
  assert page.count("<img") == 6 + 6 + 6  # random, worst, heatmaps
  assert set(read) == {0, 1}
  again = score_predictions(
    people,
    folder / "predictions.json",
    protocol=PROTOCOL,
    metrics=("coco", "pck"),
  )
  assert again.scores == result.scores


def test_nothing_is_written_if_the_report_fails(make_people, tmp_path):
  result = run(make_people(3))

  def read_image(i):
    raise OSError("gone")

  with pytest.raises(OSError, match="gone"):
    record.write((result,), tmp_path / "e", read_image=read_image)
  assert not (tmp_path / "e").exists()


def test_an_interrupted_write_leaves_the_old_file(
  make_people, tmp_path, monkeypatch
):
  result = run(make_people(3))
  record.write((result,), tmp_path)
  before = (tmp_path / "metrics.json").read_text()

  def fail(source, target):
    raise KeyboardInterrupt

  monkeypatch.setattr(record.os, "replace", fail)
  with pytest.raises(KeyboardInterrupt):
    record.write((result,), tmp_path)
  assert (tmp_path / "metrics.json").read_text() == before


def test_all_ways_are_written_and_the_table_shows_where_they_differ(
  make_people, tmp_path
):
  people = make_people(3)
  found = make_evaluator(
    people,
    measurements=(
      Measurement(PROTOCOL),
      Measurement(dataclasses.replace(PROTOCOL, decoder="quarter")),
    ),
  ).run(None)
  heading, *rows = table.rows_of(found)
  assert heading[:2] == ("decoder", "AP")
  assert [row[:2] for row in rows] == [
    *(("argmax", "1.000"), ("quarter", "1.000")),
  ]
  assert "quarter" in table.text_of(table.rows_of(found)).splitlines()[2]
  folder = record.write(found, tmp_path / "e")
  assert json.loads((folder / "ways" / "2.json").read_text())
  metrics = json.loads((folder / "metrics.json").read_text())
  assert metrics["ways"][0]["protocol"]["decoder"] == "quarter"
  assert "quarter" in (folder / "report.html").read_text()
  assert record.folder_for(tmp_path, "e", found) == folder
  assert record.folder_for(tmp_path, "e", found[:1]).name == "e_2"


def test_a_folder_of_an_older_version_is_recognised(make_people, tmp_path):
  found = run(make_people(3))
  file = record.write([found], tmp_path / "e") / "metrics.json"
  metrics = json.loads(file.read_text())
  del metrics["protocol"]["attention"]
  file.write_text(json.dumps(metrics))
  assert record.folder_for(tmp_path, "e", [found]).name == "e"
  other = dataclasses.replace(PROTOCOL, attention="part crf")
  found = dataclasses.replace(found, protocol=other)
  assert record.folder_for(tmp_path, "e", [found]).name == "e_2"
  metrics["protocol"]["of_tomorrow"] = 1
  file.write_text(json.dumps(metrics))
  assert record.folder_for(tmp_path, "e", [found]).name == "e_2"


def test_files_of_boxes_with_one_name_are_told_apart_by_their_hash(make_people):
  people = make_people(3)
  found = run(people)
  ways = [
    dataclasses.replace(
      found,
      protocol=dataclasses.replace(
        PROTOCOL, box_source=source, box_file_sha256=sha256
      ),
    )
    for source, sha256 in (("theirs", "1" * 64), ("ours", "2" * 64))
  ]
  assert table.rows_of(ways)[0][:2] == ("boxes", "AP")
  ways[1] = dataclasses.replace(
    ways[1], protocol=dataclasses.replace(ways[1].protocol, box_source="theirs")
  )
  heading, *rows = table.rows_of(ways)
  assert heading[:2] == ("box file's sha256", "AP")
  assert [row[0] for row in rows] == ["1" * 12, "2" * 12]


def test_scores_in_moved_boxes_are_in_the_report(make_people, tmp_path):
  people = make_people(3)
  first = run(people, settings=scoring.Settings(with_diagnosis=True))
  detector = {"box_source": "detector", "box_file_sha256": "1" * 64}
  changes = [
    detector,
    {"box_source": "moved", "box_noise": 0.3},
    {},
    {"box_source": "moved", "box_noise": 0.3, "decoder": "quarter"},
    detector | {"flip_test": True},
  ]

  def page_of(changes):
    ways = [
      dataclasses.replace(
        first,
        protocol=dataclasses.replace(PROTOCOL, **change),
        scores=first.scores | {"AP": 0.125 + 0.25 * i},
      )
      for i, change in enumerate(changes)
    ]
    text = (record.write(ways, tmp_path) / "report.html").read_text()
    table = re.search(r"Scores with noise on the boxes.*?</table>", text, re.S)
    if table is None:
      return None
    rows = re.findall(r"<tr>(.*?)</tr>", table[0], re.S)
    return [re.findall(r"<t[dh][^>]*>([^<]*)<", row)[:2] for row in rows]

  assert page_of(changes) == [
    *(["noise", "AP"], ["0", "0.625"], ["0.3", "0.375"]),
  ]
  assert page_of([{}, detector, {"decoder": "quarter"}]) is None


def attending(people):
  """As the oracle, with attention maps that hold the row of their person."""
  predict_fn = oracle(people)

  def attend(variables, batch):
    found = predict_fn(variables, batch)
    row = batch["images"][:, 0, 0, 0, 0].astype(np.float32) / 100
    steps = np.ones((len(row), 4, 8, 6, 1), np.float32)
    return found | {
      "attention/refined": steps[:, -1] * row[:, None, None, None],
      "attention/refined/steps": steps * row[:, None, None, None, None],
    }

  return attend


def test_attention_of_the_shown_people_is_in_the_report(make_people, tmp_path):
  people = make_people(6)
  result = run(people, heatmaps_fn=attending(people))
  count = len(result.heatmaps)  # the worst may be among the random ones
  assert count >= 3 and len(result.attention) == count
  for (row, _, _), maps in zip(result.heatmaps, result.attention, strict=True):
    assert maps["refined"].shape == (8, 6, 1)
    assert maps["refined/steps"].shape == (4, 8, 6, 1)
    for values in maps.values():
      np.testing.assert_allclose(values, row / 100, rtol=1e-6)
  folder = record.write((result,), tmp_path, hm_from_crop=FRAMES.hm_from_crop)
  page = (folder / "report.html").read_text()
  assert "<h2>Attention</h2>" in page
  # Heatmaps and maps of each, and the mean fields of the first two.
  assert page.count("<img") == 2 * count + 2


def test_attention_of_a_network_without_heatmaps_is_in_the_report(
  make_people, tmp_path
):
  people = make_people(6)

  def without_heatmaps(variables, batch):
    found = attending(people)(variables, batch)
    return {k: v for k, v in found.items() if k != "heatmaps"}

  result = run(people, heatmaps_fn=without_heatmaps)
  count = len(result.heatmaps)
  assert count >= 3 and {maps is None for *_, maps in result.heatmaps} == {True}
  assert len(result.attention) == count and all(result.attention)
  folder = record.write((result,), tmp_path, hm_from_crop=np.eye(2, 3))
  page = (folder / "report.html").read_text()
  assert "<h2>Attention</h2>" in page and "<h2>Heatmaps</h2>" not in page
  assert page.count("<img") == count + 2  # maps of each, two mean fields


def test_a_network_without_attention_has_none_in_its_report(
  make_people, tmp_path
):
  people = make_people(3)
  result = run(people, heatmaps_fn=oracle(people))
  assert not any(result.attention)
  folder = record.write((result,), tmp_path, hm_from_crop=FRAMES.hm_from_crop)
  assert "Attention" not in (folder / "report.html").read_text()


def test_presence_is_scored_from_the_file_as_it_was_printed(
  make_people, tmp_path
):
  people = make_people(6, skeleton=LSP14)
  people.vis[:, 3] = 0
  rng = np.random.default_rng(0)
  truth = (people.vis > 0).astype(np.float32)
  said = 0.6 * rng.random(truth.shape, np.float32) + 0.4 * truth
  settings = scoring.Settings(num_samples=40, presence_threshold=0.45)
  options = {"metrics": ("coco", "located", "presence"), "settings": settings}
  result = run(
    people, predict_fn=oracle(people, error=9.0, presence=said), **options
  )
  folder = record.write(
    (result,),
    tmp_path / "e",
    read_image=lambda i: np.full((400, 400, 3), 90, np.uint8),
  )
  again = score_predictions(
    people, folder / "predictions.json", protocol=PROTOCOL, **options
  )
  assert again.scores == result.scores
  assert again.intervals == result.intervals
  assert again.describe().split("(")[0] == result.describe().split("(")[0]
  right = (said >= 0.45) == (people.vis > 0)
  assert result.scores["presence_accuracy"] == pytest.approx(right.mean())
  assert 0.5 < result.scores["presence_accuracy"] < 1
  entry = result.predictions[0]
  is_there = np.array(entry["presence"]) >= 0.45
  np.testing.assert_allclose(entry["keypoints"][2::3], 0.8 * is_there)
  best = result.details.presence.best_threshold
  use = f"--config.eval.presence_threshold={best}"
  assert result.describe().endswith(use)
  metrics = json.loads((folder / "metrics.json").read_text())
  assert metrics["presence"]["best_threshold"] == best
  bins = metrics["presence"]["reliability"]
  assert sum(b["number"] for b in bins) == right.size
  page = (folder / "report.html").read_text()
  assert use in page and "Reliability of the probability" in page
  assert page.count("<img") == 6 + 6 + 2  # random, worst, densities


def test_sections_are_of_what_was_measured(make_people, tmp_path):
  people = make_people(3, skeleton=LSP14)
  for metrics, has_location in ((("pck",), False), (("pck", "located"), True)):
    folder = record.write((run(people, metrics=metrics),), tmp_path)
    page = (folder / "report.html").read_text()
    assert ("One density per keypoint" in page) == has_location
    assert "Reliability of the probability" not in page
  assert json.loads((folder / "metrics.json").read_text())["presence"] is None
