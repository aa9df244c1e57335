"""A run keeps the skeleton it was trained with."""

import importlib
import json
import pathlib

from launch.run_config import keep_skeleton, read_config
from launch.same_run import check_same_run
from pose_jax.skeleton_file import find_skeleton

MOUSE = (
  pathlib.Path(__file__).parents[2] / "configs" / "skeletons" / "mouse_top.toml"
)


def save(workdir, skeleton):
  config = importlib.import_module("configs.quickstart").get_config()
  config.data.skeleton = skeleton
  keep_skeleton(workdir, config)
  (workdir / "config.json").write_text(config.to_json_best_effort())
  return config


def test_the_copy_speaks_when_the_file_has_gone_or_changed(tmp_path):
  mine, workdir = tmp_path / "mine.toml", tmp_path / "w"
  mine.write_bytes(MOUSE.read_bytes())
  workdir.mkdir()
  config = save(workdir, str(mine))
  assert json.loads((workdir / "config.json").read_text())["data"][
    "skeleton"
  ] == str(mine)
  mine.write_text('name = "other"\nkeypoints = ["a"]\nsigmas = 0.1')
  saved = read_config(workdir)
  assert find_skeleton(saved.data.skeleton) == find_skeleton(str(MOUSE))
  mine.unlink()
  assert find_skeleton(read_config(workdir).data.skeleton).name == "mouse_top"
  with config.unlocked():
    config.data.skeleton = str(MOUSE)  # from where it is now, the run goes on
  check_same_run(saved, config, workdir)
  keep_skeleton(workdir, saved)  # the copy itself may be given
  assert (workdir / "skeleton.toml").read_bytes() == MOUSE.read_bytes()


def test_a_known_skeleton_is_kept_by_name(tmp_path):
  save(tmp_path, "lsp14")
  assert not (tmp_path / "skeleton.toml").exists()
  (tmp_path / "skeleton.toml").write_bytes(MOUSE.read_bytes())  # of another run
  assert read_config(tmp_path).data.skeleton == "lsp14"
