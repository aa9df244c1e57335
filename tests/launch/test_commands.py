"""The commands as users type them: whole runs, kills and bad input."""

import json
import signal
import socket
import time

import numpy as np
import orbax.checkpoint as ocp
import pytest
from commands import HASTY, TINY, on_coco, run, sentence, start

pytestmark = pytest.mark.slow


def final_state(workdir):
  steps = sorted(int(p.name) for p in (workdir / "checkpoints").glob("[0-9]*"))
  with ocp.PyTreeCheckpointer() as reader:
    return steps[-1], reader.restore(
      workdir / "checkpoints" / str(steps[-1]) / "state"
    )


def same(a, b):
  return len(a) == len(b) and all(
    np.array_equal(x, y) for x, y in zip(a, b, strict=True)
  )


def leaves(tree):
  if isinstance(tree, dict):
    return [x for key in sorted(tree) for x in leaves(tree[key])]
  if isinstance(tree, list | tuple):
    return [x for item in tree for x in leaves(item)]
  return [] if tree is None else [np.asarray(tree)]


def test_training_leaves_everything_behind(finished):
  workdir, out = finished
  assert "step 9/9" in out and "report: " in out and "AP" in out
  lines = (workdir / "metrics.jsonl").read_text().splitlines()
  assert json.loads(lines[-1])["step"] == 9
  assert list((workdir / "tensorboard").glob("events.*"))
  metrics = json.loads((workdir / "evaluation/9/metrics.json").read_text())
  assert metrics["protocol"]["checkpoint_step"] == 9
  assert "AP" in metrics["scores"]
  page = (workdir / "evaluation/9/report.html").read_text()
  assert page.lstrip().lower().startswith("<!doctype html")
  predictions = json.loads(
    (workdir / "evaluation/9/predictions.json").read_text()
  )
  assert len(predictions[0]["keypoints"]) == 51
  assert json.loads((workdir / "config.json").read_text())["seed"] == 0


def test_kill_9_and_resume_is_bit_identical(tmp_path, finished, environment):
  """Killed once the first checkpoint is there, wherever the run is then."""
  arguments = (*TINY, f"--workdir={tmp_path}")
  process = start("train", *arguments, environment=environment)
  rng = np.random.default_rng()
  wanted = int(rng.integers(1, 8))
  deadline = time.monotonic() + 300
  while not (tmp_path / "checkpoints" / str(wanted)).exists():
    assert process.poll() is None, process.communicate()
    assert time.monotonic() < deadline
    time.sleep(0.002)
  process.send_signal(signal.SIGKILL)
  process.communicate()
  assert process.returncode == -signal.SIGKILL
  out = run("train", *arguments, environment=environment)
  assert "steps 0 to 9" not in out, "it started again instead of going on"
  step, state = final_state(tmp_path)
  wanted_step, wanted_state = final_state(finished[0])
  assert step == wanted_step == 9
  assert same(leaves(state), leaves(wanted_state))


def test_sigterm_saves_and_the_same_command_goes_on(tmp_path, environment):
  arguments = (
    *TINY,
    f"--workdir={tmp_path}",
    "--config.checkpoint.every_steps=0",
  )
  process = start("train", *arguments, environment=environment)
  for line in process.stdout:
    if "step 2/9" in line:
      process.send_signal(signal.SIGTERM)
      break
  out, err = process.communicate(timeout=300)
  assert process.returncode == 0, err
  assert "asked to stop: saved step" in out
  out = run("train", *arguments, environment=environment)
  assert "step 9/9" in out and "steps 0 to 9" not in out


def train_losses(workdir):
  lines = (workdir / "metrics.jsonl").read_text().splitlines()
  values = [json.loads(line).get("train/loss") for line in lines]
  return [value for value in values if value is not None]


def test_two_processes_train_what_one_does(tmp_path, finished, environment):
  """One device in each of two processes, against two devices in one."""
  with socket.socket() as free:
    free.bind(("localhost", 0))
    port = free.getsockname()[1]
  alone = environment | {"XLA_FLAGS": HASTY}
  processes = [
    start(
      "train",
      *TINY,
      f"--workdir={tmp_path}",
      f"--coordinator=localhost:{port}",
      "--num_processes=2",
      f"--process_id={index}",
      environment=alone,
    )
    for index in (0, 1)
  ]
  try:
    outputs = [p.communicate(timeout=600) for p in processes]
  finally:
    for process in processes:
      process.kill()
  assert [p.returncode for p in processes] == [0, 0], outputs
  assert "step 9/9" in outputs[0][0]
  assert "step" not in outputs[1][0]  # only the first process tells
  losses = [train_losses(folder) for folder in (tmp_path, finished[0])]
  assert len(losses[0]) == len(losses[1]) == 9
  # The sum over devices is taken in another order; Adam enlarges that.
  for got, wanted in zip(*losses, strict=True):
    assert got == pytest.approx(wanted, rel=1e-2)


@pytest.mark.parametrize(
  "arguments, wanted",
  [
    (["--config=configs/quickstrat.py"], "did you mean configs/quickstart.py"),
    ([TINY[0], "--config.schedule.warmup_steps=99"], "does not fit"),
    ([TINY[0], "--num_processes=2"], "go together"),
    ([TINY[0], "--config.eval.decoder=darc"], "did you mean dark"),
    (["--config=configs/quickstart.py:tiny"], "no variant 'tiny'"),
    (["--config=configs/hru.py"], "did you mean configs/paper001/hru.py"),
    ([TINY[0], "--config.modle.depth=18"], "did you mean model?"),
    ([TINY[0], "--config.model.dept=18"], "did you mean depth?"),
    ([TINY[0], "--config.model.depth=many"], "depth"),
    ([TINY[0], "--config.optimizer.lr=1"], "no key 'lr'"),
    ([TINY[0], "--config.model.depth=42"], "18, 34, 50, 101, 152"),
    ([TINY[0], "--config.schedule.batch_size=5"], "multiple of 2"),
    ([TINY[0], "--config.schedule.batch_size=500"], "500"),
    ([TINY[0], "--confg.seed=1"], "confg"),
    (["--config=configs/lsp_resnet50.py"], "data.train.root"),
    ([], "must be given"),
  ],
  ids=lambda x: " ".join(x)[-40:] if isinstance(x, list) else "",
)
def test_what_is_typed_wrong_gets_one_sentence(
  tmp_path, arguments, wanted, environment
):
  said = (
    sentence(
      "train", *arguments, f"--workdir={tmp_path}/w", environment=environment
    )
    if arguments
    else sentence("train", environment=environment)
  )
  assert wanted in said, said
  assert not (tmp_path / "w" / "checkpoints").exists()


def test_missing_annotations_are_named(tmp_path, pictures, environment):
  arguments = on_coco(pictures, tmp_path, "other.json")
  assert "other.json" in sentence("train", *arguments, environment=environment)


def spoilt(pictures, folder, change):
  """A copy of the set with changed annotations or pictures."""
  content = json.loads((pictures / "annotations.json").read_text())
  (folder / "images").mkdir(parents=True)
  for image in (pictures / "images").iterdir():
    (folder / "images" / image.name).write_bytes(image.read_bytes())
  change(content, folder / "images")
  (folder / "annotations.json").write_text(json.dumps(content))
  return folder


def test_nan_annotation_is_named(tmp_path, pictures, environment):
  def change(content, _):
    content["annotations"][1]["keypoints"][4] = float("nan")

  folder = spoilt(pictures, tmp_path / "set", change)
  said = sentence(
    "train", *on_coco(folder, tmp_path / "w"), environment=environment
  )
  assert "finite" in said or "NaN" in said, said


def test_truncated_picture_is_named(tmp_path, pictures, environment):
  def change(_, images):
    for image in images.iterdir():
      image.write_bytes(image.read_bytes()[:500])

  folder = spoilt(pictures, tmp_path / "set", change)
  said = sentence(
    "train", *on_coco(folder, tmp_path / "w"), environment=environment
  )
  assert ".jpg" in said, said


def test_box_of_no_area_is_told_and_left_out(tmp_path, pictures, environment):
  def change(content, _):
    content["annotations"][0]["bbox"][2] = 0

  folder = spoilt(pictures, tmp_path / "set", change)
  out = run("train", *on_coco(folder, tmp_path / "w"), environment=environment)
  assert "has a box of zero area" in out, out


def test_another_config_in_a_used_workdir_is_refused(finished, environment):
  said = sentence(
    "train",
    *TINY,
    "--config.model.width=16",
    f"--workdir={finished[0]}",
    environment=environment,
  )
  assert "model.width=8" in said and "another --workdir" in said


@pytest.mark.parametrize(
  "arguments, wanted",
  [
    (["--checkpoint=7777"], "latest, best or one of"),
    (
      ["--predictions=nothing.json", "--config.data.eval.root=nowhere"],
      "--predictions: there is no file 'nothing.json'",
    ),
    (
      ["--compare", "nothing.json", "Makefile"],
      "--compare: there is no file 'nothing.json'",
    ),
    (["--checkpoint=best", "--workdir=/nonexistent"], "no config.json"),
    (["--workdir=Makefile"], "Makefile is a file, wanted a folder"),
    (["--config.eval.flip_tset=False"], "did you mean flip_test?"),
  ],
  ids=["checkpoint", "predictions", "compare", "workdir", "file", "flag"],
)
def test_evaluate_says_what_is_missing(
  finished, arguments, wanted, environment
):
  said = sentence(
    "evaluate", f"--workdir={finished[0]}", *arguments, environment=environment
  )
  assert wanted in said, said


def test_results_of_other_pictures_are_refused(tmp_path, finished, environment):
  path = tmp_path / "results.json"
  entry = {"image_id": 10**9, "category_id": 1, "keypoints": [0] * 51}
  path.write_text(json.dumps([entry | {"score": 1.0}]))
  said = sentence(
    "evaluate",
    f"--workdir={finished[0]}",
    f"--predictions={path}",
    environment=environment,
  )
  assert "entry 0" in said, said
