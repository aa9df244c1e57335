"""Tests of eval/evaluation.py: files compared without a network."""

import json

import numpy as np
import pytest

from pose_jax.eval import scoring
from pose_jax.eval.evaluation import compare_files
from pose_jax.eval.predictions import of_people
from pose_jax.eval.results import ResultsError
from pose_jax.skeleton import LSP14

FEW = scoring.Settings(num_samples=50)


def _write(path, people, change=lambda entry: entry):
  rows, score = np.arange(len(people)), np.ones(people.vis.shape)
  found = of_people(people, rows, people.kpts_xy_img, score).to_results()
  path.parent.mkdir(exist_ok=True)
  path.write_text(json.dumps([change(entry) for entry in found]))
  return str(path)


def test_the_file_that_cannot_be_compared_is_named(make_people, tmp_path):
  people = make_people(4, skeleton=LSP14)
  good = _write(tmp_path / "good.json", people)
  bad = _write(
    tmp_path / "bad.json",
    people,
    lambda entry: {k: v for k, v in entry.items() if k != "person_id"},
  )
  compared = compare_files(people, good, bad, settings=FEW)  # AP asks nobody
  assert compared.rows[0].name == "AP"
  for files in ((good, bad), (bad, good)):
    with pytest.raises(ResultsError, match="bad.json: entry 0 has no 'person_"):
      compare_files(people, *files, metrics=("coco", "pck"), settings=FEW)


def test_files_of_one_name_are_called_by_their_folders(make_people, tmp_path):
  people = make_people(4)
  files = [
    _write(tmp_path / folder / "found.json", people) for folder in ("a", "b")
  ]
  names = compare_files(people, *files, settings=FEW).rows[0].names
  assert names == ("a/found.json", "b/found.json")
  names = compare_files(people, files[0], files[0], settings=FEW).rows[0].names
  assert names == ("A", "B")


def test_files_are_compared_by_the_presence_they_say(make_people, tmp_path):
  people = make_people(4, skeleton=LSP14)
  people.vis[:, :4] = 0
  truth = (people.vis > 0).astype(float)

  def saying(presence):
    rows = {p: row for p, row in zip(people.person_ids, presence, strict=True)}
    return lambda entry: {
      **entry,
      "presence": rows[entry["person_id"]].tolist(),
    }

  files = [
    _write(tmp_path / "right.json", people, saying(0.2 + 0.1 * truth)),
    _write(tmp_path / "always.json", people, saying(np.ones_like(truth))),
  ]
  settings = scoring.Settings(num_samples=50, presence_threshold=0.25)
  compared = compare_files(
    people, *files, metrics=("presence",), settings=settings
  )
  assert [(row.name, row.a, row.b) for row in compared.rows] == [
    ("presence_accuracy", 1.0, pytest.approx(10 / 14)),
    ("presence_balanced_accuracy", 1.0, 0.5),
  ]
  silent = _write(tmp_path / "silent.json", people)
  with pytest.raises(ResultsError, match="silent.json: metrics asks for pres"):
    compare_files(people, files[0], silent, metrics=("presence",), settings=FEW)
