"""One's own keypoints, from one TOML file to a score."""

import json
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest

from pose_jax.skeleton_file import read_skeleton

ROOT = pathlib.Path(__file__).parents[2]
HAND = ROOT / "configs" / "skeletons" / "hand21.toml"
pytestmark = pytest.mark.slow


def write_hands(folder, names, num=6):
  """A COCO-format set with two categories; the hands are the second."""
  rng = np.random.default_rng(0)
  (folder / "images").mkdir(parents=True)
  images, annotations = [], []
  for i in range(num):
    picture = rng.integers(0, 255, (90, 120, 3), np.uint8)
    cv2.imwrite(str(folder / "images" / f"{i}.png"), picture)
    images.append(dict(id=i, file_name=f"{i}.png", height=90, width=120))
    points = rng.uniform((20, 10), (80, 70), (len(names), 2))
    flat = np.concatenate([points, np.full((len(names), 1), 2)], 1)
    annotations.append(
      dict(
        id=i + 1,
        image_id=i,
        category_id=9,
        bbox=[20, 10, 60, 60],
        area=3600,
        iscrowd=0,
        keypoints=flat.ravel().tolist(),
      )
    )
  content = dict(
    images=images,
    annotations=annotations,
    categories=[
      dict(id=1, name="person", keypoints=["head"]),
      dict(id=9, name="hand", keypoints=list(names)),
    ],
  )
  (folder / "hands.json").write_text(json.dumps(content))
  return folder


def run(command, *arguments, cwd, status=0):
  done = subprocess.run(
    [sys.executable, "-m", f"launch.{command}", *map(str, arguments)],
    cwd=cwd,
    env={
      **{"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)},
      "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    },
    capture_output=True,
    text=True,
    timeout=600,
  )
  assert done.returncode == status, done.stdout + done.stderr
  assert "Traceback" not in done.stderr, done.stderr
  return done.stdout if status == 0 else done.stderr


def on(folder, workdir, skeleton):
  config = f"--config={ROOT}/configs/quickstart.py:debug"
  arguments = [
    *(config, f"--workdir={workdir}", f"--config.data.skeleton={skeleton}"),
    *("--config.data.crop_hw=(64,64)", "--config.eval.metrics=('coco','pck')"),
  ]
  for part in ("train", "eval"):
    arguments += [
      f"--config.data.{part}.{key}={value}"
      for key, value in (
        *(("name", "coco"), ("root", folder), ("images", "images")),
        ("annotations", "hands.json"),
      )
    ]
  return arguments


def test_a_hand_is_trained_evaluated_and_outlives_its_file(tmp_path):
  names = read_skeleton(HAND).keypoints
  folder = write_hands(tmp_path / "set", names)
  copy, workdir = tmp_path / "mine.toml", tmp_path / "w"
  copy.write_bytes(HAND.read_bytes())
  arguments = on(folder, workdir, "mine.toml")
  out = run("train", *arguments, cwd=tmp_path)
  assert "step 2/2" in out and "PCK@0.2" in out
  found = json.loads((workdir / "evaluation/2/predictions.json").read_text())
  assert {len(entry["keypoints"]) for entry in found} == {3 * 21}
  copy.unlink()
  again = run("evaluate", f"--workdir={workdir}", cwd=tmp_path)
  assert "step 2" in again
  said = run(
    "evaluate",
    f"--workdir={workdir}",
    "--predictions=ground_truth",
    cwd=tmp_path,
  )
  assert "AP 1.000" in said


def test_keypoints_in_another_order_are_refused_by_name(tmp_path):
  names = list(read_skeleton(HAND).keypoints)
  names[3], names[4] = names[4], names[3]
  folder = write_hands(tmp_path / "set", names)
  said = run("train", *on(folder, tmp_path / "w", HAND), cwd=tmp_path, status=2)
  lines = [line for line in said.splitlines() if line.startswith("error: ")]
  assert len(lines) == 1
  assert "'thumb_tip' at place 4, where skeleton hand21 has 'thumb_3'" in said
