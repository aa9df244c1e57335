"""launch.prepare as users type it: kills, faults, and what training gets."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy.io
from commands import ROOT, on_coco, run, sentence, start

from pose_jax.data.images import DataError
from pose_jax.data.prepared import open_prepared
from pose_jax.skeleton import COCO17

pytestmark = pytest.mark.slow


def own(folder, data_dir):
  return (
    "--dataset=coco",
    f"--source={folder}",
    f"--data_dir={data_dir}",
    "--annotations=annotations.json",
    "--images=images",
    "--split=own",
  )


def write_joints(path):
  """As LSP's file, everybody at one place."""
  path.parent.mkdir()
  scipy.io.savemat(path, {"joints": np.zeros((3, 14, 2000))})


def files(folder):
  return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.fixture(scope="module")
def many(tmp_path_factory, pictures):
  """Some thousand images, in several shards."""
  folder = tmp_path_factory.mktemp("many")
  (folder / "images").mkdir()
  sources = sorted((pictures / "images").iterdir())
  images, annotations = [], []
  for i in range(5000):
    name = f"{i:05d}.jpg"
    os.link(sources[i % len(sources)], folder / "images" / name)
    images.append(dict(id=i, file_name=name, height=192, width=256))
    person = dict(id=i, image_id=i, category_id=1, iscrowd=0, area=100.0)
    person |= dict(bbox=[5, 5, 20, 20], keypoints=[7, 9, 2] * 17)
    annotations.append(person)
  category = dict(id=1, name="person", keypoints=COCO17.keypoints)
  content = dict(images=images, annotations=annotations, categories=[category])
  (folder / "annotations.json").write_text(json.dumps(content))
  return folder


def test_kill_9_at_any_moment_then_the_same_set(tmp_path, many, environment):
  rng = np.random.default_rng()
  parent = tmp_path / "out/coco/own"
  for _ in range(3):
    process = start(
      "prepare", *own(many, tmp_path / "out"), environment=environment
    )
    deadline = time.monotonic() + 120
    while not list(parent.glob(".writing-*/*.partial")):
      assert process.poll() is None and time.monotonic() < deadline
      time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.5))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if process.returncode == 0:
      break
    with pytest.raises(DataError, match="is not prepared"):
      open_prepared(tmp_path / "out", "coco", "own")
  kept = {
    p: p.stat().st_mtime_ns for p in parent.glob(".writing-*/?????????.json")
  }
  out = run("prepare", *own(many, tmp_path / "out"), environment=environment)
  assert "5,000 images" in out, kept
  assert sorted(p.name for p in parent.iterdir()) == [".lock", "1.0.0"]
  run("prepare", *own(many, tmp_path / "once"), environment=environment)
  unbroken = files(tmp_path / "once/coco/own/1.0.0")
  assert files(parent / "1.0.0") == unbroken and len(unbroken) == 10
  out = run("prepare", *own(many, tmp_path / "out"), environment=environment)
  assert "already prepared" in out


def test_broken_images_are_told(tmp_path, many, environment):
  folder = tmp_path / "set"
  (folder / "images").mkdir(parents=True)
  content = json.loads((many / "annotations.json").read_text())
  for kind in ("images", "annotations"):
    content[kind] = content[kind][:200]
  (folder / "annotations.json").write_text(json.dumps(content))
  for image in content["images"][:-1]:  # the last is missing
    path = many / "images" / image["file_name"]
    (folder / "images" / path.name).write_bytes(path.read_bytes())
  truncated = folder / "images/00007.jpg"
  truncated.write_bytes(truncated.read_bytes()[:500])
  out = run("prepare", *own(folder, tmp_path / "out"), environment=environment)
  assert "198 images written" in out and "2 broken images skipped" in out
  assert out.splitlines()[-1] == (
    f"use it with --config.data.train.data_dir={tmp_path / 'out'} "
    "--config.data.train.split=own (or data.eval)"
  )
  path = tmp_path / "out/coco/own/1.0.0/skipped.json"
  assert str(path) in out
  names = [s["image"] for s in json.loads(path.read_text())]
  assert names == ["00007.jpg", "00199.jpg"]


def test_what_cannot_be_prepared_gets_one_sentence(
  tmp_path, pictures, environment
):
  write_joints(tmp_path / "lsp/joints.mat")
  lsp = ("--dataset=lsp", f"--source={tmp_path}", f"--data_dir={tmp_path}")
  for arguments, wanted in (
    ((), "must be given"),
    (
      ("--dataset=coko", "--source=x", f"--data_dir={tmp_path}"),
      "did you mean coco?",
    ),
    (
      ("--dataset=coco", f"--source={pictures}", f"--data_dir={tmp_path}"),
      "none of the files of coco's splits train2017, val2017",
    ),
    (
      ("--dataset=drawn", f"--source={tmp_path}", f"--data_dir={tmp_path}"),
      "--num_images must say",
    ),
    ((*own(pictures, tmp_path), "--images=pics"), "6 of the first 6 images"),
    ((*own(pictures, tmp_path), "--skeleton=lps14"), "lps14"),
    (own(tmp_path / "nowhere", tmp_path), "cannot read annotation file"),
    ((*lsp, "--split=trian"), "must be one of train, test, got 'trian'"),
    (own(pictures, "/proc/nowhere"), "cannot write to /proc/nowhere"),
  ):
    said = sentence("prepare", *arguments, environment=environment)
    assert wanted in said, said


def test_a_full_disk_gets_one_sentence(tmp_path, pictures, environment):
  # By a shell: JAX's threads forbid a fork here. 117 blocks of 512 bytes.
  limited = ("sh", "-c", 'ulimit -f 117; exec "$@"', "sh", sys.executable)
  done = subprocess.run(
    [*limited, "-m", "launch.prepare", *own(pictures, tmp_path)],
    cwd=ROOT,
    env=environment,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
  assert "cannot write" in done.stderr and "too large" in done.stderr
  assert not (tmp_path / "coco/own/1.0.0").exists()


def test_counts_are_compared_with_the_published_ones(
  tmp_path, shared_data, environment
):
  arguments = ("--dataset=mpii", f"--source={shared_data}", "--split=valid")
  arguments += (f"--data_dir={tmp_path}",)
  said = sentence("prepare", *arguments, environment=environment)
  assert "2,958 people expected, 179 found" in said and "--subset" in said
  out = run("prepare", *arguments, "--subset", environment=environment)
  assert "a subset of the published set" in out
  info = (tmp_path / "mpii/valid/1.0.0/prepared.json").read_text()
  assert "2,958 people expected, 179 found" in json.loads(info)["counts"]


def test_a_raw_run_goes_on_with_the_prepared_set(
  tmp_path, pictures, environment
):
  """The checkpoint knows its people, however they come."""
  run("prepare", *own(pictures, tmp_path), environment=environment)
  flags = on_coco(pictures, tmp_path / "w")
  for part in ("train", "eval"):
    flags.append(f"--config.data.{part}.split=own")
  run("train", *flags, environment=environment)
  predictions = tmp_path / "w/evaluation/2/predictions.json"
  before = predictions.read_bytes()
  predictions.unlink()
  flags = [flag for flag in flags if ".root=" not in flag]
  for part in ("train", "eval"):
    flags.append(f"--config.data.{part}.data_dir={tmp_path}")
  out = run("train", *flags, environment=environment)
  assert "steps 2 to 2" in out
  run("evaluate", f"--workdir={tmp_path / 'w'}", environment=environment)
  assert predictions.read_bytes() == before
