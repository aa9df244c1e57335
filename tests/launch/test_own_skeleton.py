"""One's own keypoints, from one TOML file to a score."""

import json

import cv2
import numpy as np
import pytest
from commands import ROOT, on_coco, run, sentence

from pose_jax.skeleton_file import read_skeleton

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


def on_hands(folder, workdir, skeleton):
  return [
    *on_coco(folder, workdir, annotations="hands.json"),
    *(f"--config.data.skeleton={skeleton}", "--config.data.crop_hw=(64,64)"),
    "--config.eval.metrics=('coco','pck')",
  ]


def test_a_hand_is_trained_evaluated_and_outlives_its_file(
  tmp_path, environment
):
  folder = write_hands(tmp_path / "set", read_skeleton(HAND).keypoints)
  mine, workdir = tmp_path / "mine.toml", tmp_path / "w"
  mine.write_bytes(HAND.read_bytes())
  arguments = on_hands(folder, workdir, mine)
  out = run("train", *arguments, environment=environment)
  assert "step 2/2" in out and "PCK@0.2" in out
  found = json.loads((workdir / "evaluation/2/predictions.json").read_text())
  assert {len(entry["keypoints"]) for entry in found} == {3 * 21}
  mine.unlink()
  out = run("evaluate", f"--workdir={workdir}", environment=environment)
  assert "step 2" in out
  truth = ("--predictions=ground_truth", f"--workdir={workdir}")
  out = run("evaluate", *truth, environment=environment)
  assert "AP 1.000" in out


def test_keypoints_in_another_order_are_refused_by_name(tmp_path, environment):
  names = list(read_skeleton(HAND).keypoints)
  names[3], names[4] = names[4], names[3]
  folder = write_hands(tmp_path / "set", names)
  said = sentence(
    "train", *on_hands(folder, tmp_path / "w", HAND), environment=environment
  )
  assert "'thumb_tip' at place 4, where skeleton hand21 has 'thumb_3'" in said
