"""What may change between two starts of one run, and what may not."""

import importlib
import pathlib

import pytest

from launch.check import ConfigError
from launch.same_run import check_same_run, other_network
from pose_jax.skeleton_file import SkeletonError

SKELETONS = pathlib.Path(__file__).parents[2] / "configs" / "skeletons"


def drawn():
  return importlib.import_module("configs.quickstart").get_config()


def test_a_run_goes_on_only_under_what_it_was_started_with():
  saved = drawn()
  check_same_run(saved, drawn(), "W")
  moved = drawn()
  moved.data.train.root, moved.log.every_steps = "elsewhere", 7
  check_same_run(saved, moved, "W")
  other = drawn()
  other.model.depth = 50
  with pytest.raises(ConfigError, match="W holds a run with model.depth=18"):
    check_same_run(saved, other, "W")


def test_the_weights_of_a_mixture_are_part_of_a_run():
  saved, other = drawn(), drawn()
  other.data.train.weights = (2.0,)
  with pytest.raises(ConfigError, match="holds a run with data.train.weights"):
    check_same_run(saved, other, "W")


def test_a_skeleton_may_move_but_not_change(tmp_path):
  text = (SKELETONS / "coco17.toml").read_text()
  renamed = text.replace('name = "coco17"', 'name = "mine"')
  saved, now = drawn(), drawn()
  now.data.skeleton = str(tmp_path / "moved.toml")
  (tmp_path / "moved.toml").write_text(renamed.replace("0.107", "0.2"))
  check_same_run(saved, now, "W")  # sigmas and name teach nothing
  (tmp_path / "moved.toml").write_text(
    renamed.replace('["left_eye", "right_eye"], ["left_ear"', '["left_ear"')
    .replace("left_eye", "leftmost_eye")
    .replace("right_eye", "rightmost_eye")
  )
  with pytest.raises(
    ConfigError, match="W holds .* the keypoints of coco17 .*mine .*moved.toml"
  ):
    check_same_run(saved, now, "W")
  (tmp_path / "moved.toml").unlink()
  with pytest.raises(SkeletonError, match="cannot read .*moved.toml"):
    check_same_run(saved, now, "W")


def test_what_makes_a_network_another_is_told_by_its_keys():
  trained, config = drawn(), drawn()
  config.eval.decoder = "quarter"
  assert other_network(trained, config) == ""
  config.model.depth, config.data.skeleton = 50, "lsp14"
  config.model.attention.part = "softmax"
  assert other_network(trained, config) == (
    "model.attention.part is 'softmax', the run was trained with 'none'; "
    "model.depth is 50, the run was trained with 18; "
    "data.skeleton is 'lsp14', the run was trained with 'coco17'"
  )
  with trained.unlocked():
    del trained.model.width
  assert "model.width is 16, the run was trained with not set" in (
    other_network(trained, config)
  )
