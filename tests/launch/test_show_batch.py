"""The contact sheet: what is on it, and the command that writes it."""

import importlib
import math
import os
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
from ml_collections import ConfigDict

from launch import show_batch
from launch.check import ConfigError
from launch.experiment import make_experiment, open_part
from pose_jax.data.augment import Warp

ROOT = pathlib.Path(__file__).parents[2]
TOP = 21  # of a view's name, above it
HEIGHT = 256  # of a view; 128 x 96 crops are shown at twice their size


def experiment_of(changes):
  config = importlib.import_module("configs.quickstart").get_config("debug")
  with config.unlocked():
    config.data.augmentation.flip_probability = 0.0
    config.model = changes.pop("model", config.model)
    config.update(changes)
  return make_experiment(config)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp("drawn")


def sheet_of(folder, num_people=2, step=0, **changes):
  experiment = experiment_of(changes)
  dataset = open_part(experiment, "train", folder)
  return show_batch.make_sheet(
    experiment, dataset, step=step, num_people=num_people
  )


def views(sheet, person=0):
  """The three pictures of a person in the sheet's first row."""
  left = person * (3 * 192 + 2 * 4 + 10)
  return [
    sheet[TOP : TOP + HEIGHT, left + i * 196 : left + i * 196 + 192].astype(int)
    for i in range(3)
  ]


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_without_augmentation_both_crops_are_alike(folder, order):
  sheet = sheet_of(folder, data={"channel_order": order})
  for person in (0, 1):
    plain, network, target = views(sheet, person)
    # the way through normalisation and back rounds by half a level
    assert np.abs(plain - network).max() <= 2
    assert np.abs(target - network).mean() > 20


def test_the_network_view_has_the_colours_of_the_step(folder):
  plain, network, _ = views(
    sheet_of(folder, data={"jitter": {"grey_probability": 1.0}})
  )
  colour = np.ptp(plain, -1)
  assert np.ptp(network, -1).mean() < 0.6 * colour.mean()  # bones stay coloured
  covered = views(
    sheet_of(folder, data={"occlusion": {"probability": 1.0, "fill": "noise"}})
  )
  changed = np.abs(covered[1] - covered[0]).max(-1) > 3
  assert 0.03 < changed.mean() < 0.2


def test_heatmaps_glow_where_the_keypoints_are(folder):
  """In the mirrored view too: its brightest places carry a dot."""
  flipped = {"augmentation": {"flip_probability": 1.0}}
  plain, network, target = views(sheet_of(folder, data=flipped))
  glow = target[..., 0] > 210  # greyed pictures reach 166
  assert glow.any()
  is_white = (network > 225).all(-1)  # the rim of a dot
  near = cv2.dilate(is_white.astype(np.uint8), np.ones((15, 15), np.uint8))
  assert near[glow].mean() > 0.9
  # mirrored about the middle, skeleton aside
  apart = np.abs(plain[:, ::-1] - network).max(-1)
  assert np.median(apart) <= 6


def test_links_glow_between_keypoints_where_the_network_learns_them(folder):
  model = {
    "name": "hrnet",
    "width": 8,
    "stem_width": 16,
    "num_modules": (1, 1, 1),
    "num_blocks": 1,
  }
  skeletal, plain = (
    sheet_of(folder, num_people=1, model=ConfigDict(model | {"skeletal": on}))
    for on in (True, False)
  )
  assert plain.shape[1] == 3 * 192 + 2 * 4
  assert skeletal.shape[1] == 4 * 192 + 3 * 4
  rows = slice(0, TOP + HEIGHT)
  assert np.abs(skeletal[rows, :584].astype(int) - plain[rows]).max() <= 2
  *_, keypoints, links = (
    skeletal[TOP : TOP + HEIGHT, left : left + 192].astype(int)
    for left in (196, 392, 588)
  )
  # Physical links are orange, virtual ones blue; each has an outline.
  redness = links[..., 0] - links[..., 2]
  assert (redness > 100).mean() > 0.05 and (redness < -60).mean() > 0.02
  for color in show_batch._LINK_COLORS.values():
    assert (np.abs(links - color).max(-1) < 40).any()
  assert np.abs(links - keypoints).mean() > 5


def test_every_view_has_its_name_above_it(folder, monkeypatch):
  said = []
  strip = show_batch.text_strip
  monkeypatch.setattr(
    show_batch, "text_strip", lambda t, w: said.append(t) or strip(t, w)
  )
  sheet = sheet_of(folder, num_people=1)
  assert said == ["without augmentation", "network input", "targets"]
  for left in (0, 196, 392):
    assert sheet[:TOP, left : left + 192].max() > 200


def test_a_sheet_shows_whom_it_is_asked_for(folder):
  one, four = (sheet_of(folder, num_people=n) for n in (1, 4))
  assert one.shape[1] == 3 * 192 + 2 * 4
  assert four.shape[0] == 2 * one.shape[0] + 10
  everybody = sheet_of(folder, num_people=99)  # the batch has four
  np.testing.assert_array_equal(everybody, four)


def test_too_few_people_for_a_batch_are_shown_all(folder):
  """Those whom a batch of just as many holds."""
  experiment = experiment_of({"schedule": {"batch_size": 500}})
  dataset = open_part(experiment, "train", folder)
  num = len(dataset.people.usable())
  assert show_batch.rows_of_batch(experiment, dataset) == num < 500
  sheet = sheet_of(folder, schedule={"batch_size": 500})
  wanted = sheet_of(folder, schedule={"batch_size": num})
  np.testing.assert_array_equal(sheet, wanted)
  enough = experiment_of({})
  assert show_batch.rows_of_batch(enough, dataset) == 4


def test_a_step_beyond_the_run_is_refused(folder):
  with pytest.raises(ConfigError, match="--step is 2: the run has 2 steps"):
    sheet_of(folder, step=2)


@pytest.mark.parametrize(
  "warp, text",
  [
    (Warp(), "scale 1.00"),
    (Warp(1.3, math.radians(30)), "scale 1.30, turned -30 deg"),
    (
      Warp(0.8, math.radians(30), (0.1, -0.05), True, "upper"),
      "scale 0.80, turned +30 deg, shift +0.10 -0.05, flipped, upper half",
    ),
  ],
)
def test_captions_tell_what_was_drawn(warp, text):
  assert show_batch.told(warp) == text


def run(*arguments):
  return subprocess.run(
    [sys.executable, "-m", "launch.show_batch", *arguments],
    cwd=ROOT,
    env=os.environ | {"JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
  )


@pytest.mark.slow
def test_one_command_writes_the_sheet(tmp_path):
  output = tmp_path / "new" / "sheet.png"
  done = run("--config=configs/quickstart.py:debug", f"--output={output}")
  assert done.returncode == 0, done.stderr
  assert f"{output}: batch 0 of quickstart_debug" in done.stdout
  assert done.stdout.startswith("opening data.train, drawn; 8 pictures are dr")
  sheet = cv2.imread(str(output))
  assert sheet.shape[1] == 2 * (3 * 192 + 2 * 4) + 10


@pytest.mark.slow
@pytest.mark.parametrize(
  "arguments, sentence",
  [
    ((), "--config=configs/NAME.py must be given"),
    (
      ("--config=configs/quickstart.py:debug", "--output=sheet.gif"),
      "--output is sheet.gif: it must end in .jpg or .png",
    ),
  ],
)
def test_what_is_typed_wrong_is_answered_in_a_sentence(arguments, sentence):
  done = run(*arguments)
  assert done.returncode == 2 and "Traceback" not in done.stderr
  assert f"error: {sentence}" in done.stderr
