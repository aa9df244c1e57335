"""Runs made by hand, laid side by side."""

import json
import pathlib

import cv2
import numpy as np
import pytest
from commands import run, sentence

from launch.mistakes import ConfigError
from launch.recorded_run import RecordedRun
from launch.side_by_side import compare, labels_of, names_of
from pose_jax.data.people import DataError
from pose_jax.protocol import Protocol


def write_log(workdir, rows, key="presence_accuracy"):
  """rows: (step, seconds, value, people per second)."""
  lines = [
    {"step": s, "seconds": t, "train/loss": 1 - v, f"train/{key}": v}
    | {"train/people_per_second": rate}
    for s, t, v, rate in rows
  ]
  text = "".join(json.dumps(line) + "\n" for line in lines)
  (workdir / "metrics.jsonl").write_text(text)


def write_evaluation(workdir, name, scores, color=(0, 0, 0), **protocol):
  folder = workdir / "evaluation" / name
  folder.mkdir(parents=True)
  values = {
    **{"dataset": "lspet", "split": "test", "box_source": "image"},
    **{"flip_test": False, "flip_shift": None, "alignment": "udp"},
    **{"codec": "coordinates", "sigma_hm": None, "decoder": "coordinates"},
    "coordinate_loss": "l2",
    **{"num_people": 10, "num_images": 10, "num_parameters": 5000},
    **{"checkpoint_step": int(name.split("_")[0]), "network": workdir.name},
  }
  described = Protocol(**(values | protocol)).to_dict()
  metrics = {"scores": scores, "protocol": described}
  (folder / "metrics.json").write_text(json.dumps(metrics))
  picture = np.full((32, 48, 3), color[::-1], np.uint8)
  cv2.imwrite(str(folder / "pictures.jpg"), picture)
  return folder


@pytest.fixture
def runs(tmp_path):
  """Two: one without a break, one that was resumed and lost steps."""
  first, second = tmp_path / "alexnet", tmp_path / "vgg"
  for workdir in (first, second):
    workdir.mkdir()
    (workdir / "config.json").write_text("{}")
  write_log(
    first, [(10, 5.0, 0.5, 10.0), (20, 9.0, 0.6, 90.0), (30, 12.0, 0.7, 110.0)]
  )
  write_log(
    second,
    [
      *((10, 20.0, 0.4, 5.0), (20, 30.0, 0.5, 40.0), (30, 40.0, 0.55, 44.0)),
      *((30, 15.0, 0.6, 6.0), (40, 27.5, 0.75, 42.0)),
    ],
  )
  write_evaluation(first, "20", {"located": 0.25})
  write_evaluation(first, "30", {"located": 0.5, "AP": None}, (200, 0, 0))
  write_evaluation(
    first, "30_2", {"located": 0.9}, flip_test=True, flip_shift=0
  )
  write_evaluation(second, "40", {"located": 0.75}, num_parameters=7000)
  return first, second


def written(folder):
  names = {path.name for path in folder.iterdir()}
  assert names == {"comparison.html", "comparison.json"}
  html = (folder / "comparison.html").read_text()
  return html, json.loads((folder / "comparison.json").read_text())


def test_numbers_by_hand(runs, tmp_path):
  compare(runs, tmp_path / "out", labels=["non-separated", "VGG-19"])
  html, content = written(tmp_path / "out")
  # heatmap_accuracy and located are not logged.
  assert content["values"] == ["train/loss", "train/presence_accuracy"]
  assert content["differing"] == []
  first, second = content["runs"]
  assert (first["starts"], second["starts"]) == (1, 2)
  assert (first["steps"], second["steps"]) == (30, 40)
  assert (first["seconds"], second["seconds"]) == (12.0, 40 + 27.5)
  assert first["people_per_second"] == 100  # of 90 and 110
  assert second["people_per_second"] == 42  # of 40, 44 and 42
  assert second["curves"]["train/presence_accuracy"] == {
    "step": [10, 20, 30, 40],
    "seconds": [20, 30, 40 + 15, 40 + 27.5],
    "value": [0.4, 0.5, 0.6, 0.75],
  }
  # Of the newest step, as the training itself measured it.
  assert first["evaluation"]["step"] == 30
  assert first["evaluation"]["scores"] == {"located": 0.5, "AP": None}
  assert first["evaluation"]["folder"].endswith("evaluation/30")
  assert (first["num_parameters"], second["num_parameters"]) == (5000, 7000)
  for part in ("non-separated", "VGG-19", ">50.00<", ">75.00<", ">7,000<"):
    assert part in html
  assert html.count("<polyline") == 2 * 2 * 2  # values, axes, runs
  assert html.count("<img ") == 2


def test_parts_of_a_loss_stand_for_a_sum_that_changes_with_the_phase():
  parts = ["train/loss_presence", "train/loss_coordinates"]
  both = RecordedRun(None, [dict.fromkeys(["train/loss", *parts], 1.0)], None)
  one = RecordedRun(None, [dict.fromkeys(["train/loss", parts[1]], 1.0)], None)
  assert names_of([both, both], ()) == parts
  assert names_of([both, one], ()) == ["train/loss"]


def test_other_values_can_be_asked_for_where_some_run_logs_them(runs, tmp_path):
  write_log(runs[1], [(10, 1.0, 0.5, 1.0)], key="located")
  names = ["train/located", "train/people_per_second"]
  compare(runs, tmp_path / "out", names=names)
  html, content = written(tmp_path / "out")
  assert content["values"] == names
  assert "train/located" not in content["runs"][0]["curves"]
  assert content["runs"][1]["curves"]["train/located"]["value"] == [0.5]
  assert content["runs"][1]["people_per_second"] is None
  assert "Not logged by alexnet." in html
  compare(runs, tmp_path / "usual")  # what both log
  assert written(tmp_path / "usual")[1]["values"] == ["train/loss"]


def test_a_run_that_was_not_evaluated_yet_has_curves_alone(runs, tmp_path):
  for path in sorted((runs[1] / "evaluation").rglob("*"), reverse=True):
    path.unlink() if path.is_file() else path.rmdir()
  compare(runs, tmp_path / "out")
  html, content = written(tmp_path / "out")
  assert content["runs"][1]["evaluation"] is None
  assert "Without an evaluation: vgg." in html and html.count("<img ") == 1


def test_folders_of_one_name_are_called_by_their_paths(tmp_path):
  paths = [tmp_path / "a/seed_1", tmp_path / "b/seed_1"]
  assert labels_of(paths, []) == [str(path) for path in paths]
  assert labels_of([pathlib.Path("."), paths[0]], [])[1] == "seed_1"


@pytest.mark.parametrize(
  "spoil, message",
  [
    (lambda w: (w / "config.json").unlink(), "vgg holds no config.json"),
    (lambda w: (w / "metrics.jsonl").unlink(), "vgg has not logged a step"),
    (
      lambda w: (w / "metrics.jsonl").write_text(
        '{"step": 1, "seconds": 2.0, "eval/AP": 0.5}\n'
      ),
      "vgg has not logged a step",
    ),
    (
      lambda w: (w / "metrics.jsonl").write_text('{"step": 1, "se'),
      "line 1 of .*vgg/metrics.jsonl is no line of a log",
    ),
    (
      lambda w: (w / "evaluation/40/metrics.json").write_text("{}"),
      "vgg/evaluation/40/metrics.json cannot be read",
    ),
    (
      lambda w: (w / "evaluation/40/pictures.jpg").write_bytes(b"\xff\xd8\xff"),
      "vgg/evaluation/40/pictures.jpg",
    ),
  ],
)
def test_runs_that_cannot_be_read_are_named(runs, tmp_path, spoil, message):
  spoil(runs[1])
  with pytest.raises((ConfigError, DataError), match=message):
    compare(runs, tmp_path / "out")
  assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
  "asked, message",
  [
    ({"workdirs": ["alexnet", "nowhere"]}, "there is no folder .*nowhere"),
    ({"workdirs": ["vgg", "alexnet", "./vgg"]}, "names a folder twice"),
    ({"workdirs": list("abcdefghi")}, "9 runs: lines of 8 colours"),
    ({"labels": ["one"]}, "--labels=one: wanted 2 different names"),
    ({"labels": ["one", "one"]}, "wanted 2 different names"),
    (
      {"names": ["train/presence_acuracy"]},
      "no run logs: did you mean train/presence_accuracy?",
    ),
  ],
)
def test_what_cannot_be_asked_for_is_said(runs, tmp_path, asked, message):
  workdirs = [tmp_path / w for w in asked.pop("workdirs", ["alexnet", "vgg"])]
  with pytest.raises(ConfigError, match=message):
    compare(workdirs, tmp_path / "out", **asked)
  assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_command_says_who_was_measured_otherwise(
  runs, tmp_path, environment
):
  write_evaluation(runs[1], "50", {"located": 0.1}, num_people=9)
  out = run(
    "compare_runs",
    f"--workdirs={runs[0]},{runs[1]}",
    "--labels=A,B",
    "--smooth=2",
    f"--output={tmp_path / 'out'}",
    environment=environment,
  )
  assert "Not measured alike: the runs differ in people." in out
  assert f"page: {tmp_path / 'out/comparison.html'}" in out
  html, content = written(tmp_path / "out")
  assert content["differing"] == ["people"]
  assert "the runs differ in people." in html
  assert "mean of 2 log lines" in html


@pytest.mark.slow
def test_the_command_refuses_in_one_sentence(tmp_path, environment):
  said = sentence(
    "compare_runs",
    f"--workdirs={tmp_path},{tmp_path / 'none'}",
    f"--output={tmp_path / 'out'}",
    environment=environment,
  )
  assert "holds no config.json" in said and not (tmp_path / "out").exists()
