"""launch.evaluate as users type it."""

import json
import pathlib

import pytest
from commands import run, sentence

pytestmark = pytest.mark.slow


def test_evaluate_repeats_the_numbers_of_the_run(finished, environment):
  workdir, _ = finished
  path = workdir / "evaluation/9/metrics.json"
  before = json.loads(path.read_text())
  path.unlink()
  out = run("evaluate", f"--workdir={workdir}", environment=environment)
  after = json.loads(path.read_text())
  assert after["scores"] == before["scores"]
  assert after["protocol"] == before["protocol"]
  assert "decoder dark" in out


def test_watch_ends_with_the_run(finished, environment):
  workdir, _ = finished
  out = run(
    "evaluate", f"--workdir={workdir}", "--watch", environment=environment
  )
  assert "step 9" in out


def test_ground_truth_fed_back_scores_one(finished, environment):
  out = run(
    "evaluate",
    f"--workdir={finished[0]}",
    "--predictions=ground_truth",
    "--config.eval.metrics=('coco', 'located', 'presence')",
    environment=environment,
  )
  assert "AP 1.000" in out and "AR 1.000" in out
  assert "located@1/12 1.000" in out and "presence_accuracy 1.000" in out


def test_written_predictions_score_the_same(finished, environment):
  workdir, _ = finished
  metrics = json.loads((workdir / "evaluation/9/metrics.json").read_text())
  run(
    "evaluate",
    f"--workdir={workdir}",
    f"--predictions={workdir}/evaluation/9/predictions.json",
    environment=environment,
  )
  again = json.loads(
    (workdir / "evaluation/predictions_predictions/metrics.json").read_text()
  )
  assert again["scores"] == metrics["scores"]
  assert "predictions.json, sha256 " in again["protocol"]["box_source"]


def test_another_file_of_the_same_name_has_a_folder_of_its_own(
  tmp_path, finished, environment
):
  folders = []
  for i in range(2):
    source = tmp_path / str(i) / "theirs.json"
    source.parent.mkdir()
    source.write_text("[]" + " " * i)
    _, _, folder = evaluate(
      finished[0], f"--predictions={source}", environment=environment
    )
    folders.append(folder.name)
  assert folders == ["predictions_theirs", "predictions_theirs_2"]


def evaluate(workdir, *arguments, environment):
  """The newest evaluation's metrics, and what was printed."""
  out = run(
    "evaluate", f"--workdir={workdir}", *arguments, environment=environment
  )
  report = [line for line in out.splitlines() if line.startswith("report: ")]
  folder = pathlib.Path(report[0].removeprefix("report: ")).parent
  return read(folder / "metrics.json"), out, folder


def read(path):
  return json.loads(path.read_text())


def test_single_values_of_the_runs_own_config_can_be_changed(
  finished, environment
):
  metrics, out, _ = evaluate(
    finished[0],
    "--config.eval.decoder=quarter",
    "--config.eval.flip_test=False",
    environment=environment,
  )
  assert metrics["protocol"]["decoder"] == "quarter" and "flip test off" in out
  assert metrics["protocol"]["network"] == "quickstart_debug"


def test_eight_ways_in_one_pass_are_what_each_is_alone(finished, environment):
  together, out, folder = evaluate(
    finished[0], "--sweep=flip,decoder", environment=environment
  )
  ways = [together, *together["ways"]]
  assert len({str(way["protocol"]) for way in ways}) == 8
  assert out.count("(shift 0)") >= 4 and "weighted (n 20" in out
  chosen = next(
    i
    for i, way in enumerate(ways)
    if way["protocol"]["decoder"] == "argmax"
    and not way["protocol"]["flip_test"]
  )
  alone, _, its_folder = evaluate(
    finished[0],
    "--config.eval.decoder=argmax",
    "--config.eval.flip_test=False",
    environment=environment,
  )
  assert ways[chosen]["scores"] == alone["scores"]
  assert ways[chosen]["protocol"] == alone["protocol"]
  predictions = read(folder / f"ways/{chosen + 1}.json")
  assert predictions == read(its_folder / "predictions.json")


def test_a_detectors_boxes_stand_beside_the_ground_truth(
  tmp_path, finished, environment
):
  workdir, _ = finished
  (truth,) = workdir.glob("drawn/*seed_2/annotations.json")
  boxes = [
    {
      "image_id": a["image_id"],
      "category_id": 1,
      "bbox": [b + 1.5 for b in a["bbox"]],
      "score": 0.75,
    }
    for a in json.loads(truth.read_text())["annotations"]
  ]
  path = tmp_path / "detector.json"
  path.write_text(json.dumps(boxes))
  metrics, out, folder = evaluate(
    workdir, f"--boxes={path}", "--sweep=boxes", environment=environment
  )
  assert metrics["protocol"]["box_source"] == "detections detector.json"
  assert len(metrics["protocol"]["box_file_sha256"]) == 64
  assert metrics["ways"][0]["protocol"]["box_source"] == "ground truth"
  found = read(folder / "predictions.json")
  assert len(found) == len(boxes) and max(f["score"] for f in found) <= 0.75


def test_a_pyramid_and_suppression_enter_score_and_protocol(
  finished, environment
):
  metrics, out, _ = evaluate(
    finished[0],
    "--config.eval.scales=(0.8,1.0,1.2)",
    "--config.eval.clip_negative=True",
    "--config.eval.nms=oks",
    environment=environment,
  )
  assert metrics["protocol"]["scales"] == [0.8, 1.0, 1.2]
  assert "scales 0.8 1 1.2, clipped at 0" in out
  assert "NMS oks 0.9 (area of the box)" in out


def test_two_files_are_compared(tmp_path, finished, environment):
  workdir, _ = finished
  source = workdir / "evaluation/9/predictions.json"
  worse = json.loads(source.read_text())
  for entry in worse:
    entry["keypoints"] = [k + 400 for k in entry["keypoints"]]
  other = tmp_path / "worse.json"
  other.write_text(json.dumps(worse))
  out = run(
    *("evaluate", f"--workdir={workdir}", "--compare", source, other),
    environment=environment,
  )
  assert "predictions.json" in out and "worse.json" in out and "95 %" in out
  same = run(
    *("evaluate", f"--workdir={workdir}", "--compare", source, source),
    environment=environment,
  )
  assert "no difference can be told" in same


@pytest.mark.parametrize(
  "arguments, wanted",
  [
    (["--sweep=flop"], "did you mean flip"),
    (
      ["--sweep=flip", "--predictions=ground_truth"],
      "--boxes and --sweep are for a network",
    ),
    (["--config.eval.metrics=('pckh',)"], "size of the head, but nobody's"),
    (["--compare", "one.json"], "needs two COCO results files, got 1"),
    (["--compare"], "needs two COCO results files, got 0"),
    (["--boxes=nowhere.json"], "nowhere.json"),
    (["--config.eval.scales=(1.0,1.0)"], "each scale, above 0, once"),
    (["--config.eval.boxes=moved_far"], "by which share of its size"),
    (["--config.eval.sweep.decoder=('dork',)"], "did you mean dark"),
    (["--config.eval.sweep.flip_test=(1,)"], "values like True"),
    (
      ["--config.eval.nms=oks", "--config.eval.metrics=('coco','pck')"],
      "which drops people",
    ),
  ],
)
def test_what_is_typed_wrong_gets_one_sentence(
  finished, environment, arguments, wanted
):
  said = sentence(
    "evaluate",
    f"--workdir={finished[0]}",
    *arguments,
    environment=environment,
  )
  assert wanted in said
