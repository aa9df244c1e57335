"""Broken config files: a sentence each, with the place in the file."""

import json

import pytest

from configs import base
from configs.paper001 import hierarchical
from launch.check import check_config
from launch.config_file import check_config_file, config_files
from launch.mistakes import ConfigError, wanted_folder
from launch.run_config import read_config

START = """from configs import base
def get_config(variant=""):
  c = base.get_config().lock()
"""


def said_of(path, text, variant=""):
  path.write_text(text)
  with pytest.raises(ConfigError) as caught:
    check_config_file(f"{path}{variant}")
  return str(caught.value).replace(str(path), "FILE")


@pytest.mark.parametrize(
  "text, sentence",
  [
    ("x = 1\ndef get_config(:\n", "FILE, line 2: invalid syntax"),
    ("\nimport nothing_such", "FILE, line 2: No module named 'nothing_such'"),
    ("x = 1", "FILE has no get_config()"),
    (
      START + "  c.data.crop_hwx = 3",
      "FILE, line 4: there is no key 'crop_hwx'; did you mean crop_hw?",
    ),
    (
      START + "  c.data.update(xyz=3)",
      "FILE, line 4: there is no key 'xyz'; configs/base.py lists all keys, "
      "and pose_jax/models/NAME.py those of the network NAME",
    ),
    (
      START + "  return c.data.crop_hwx",
      "FILE, line 4: there is no key 'crop_hwx'; did you mean crop_hw?",
    ),
    (
      START + "  c.data.crop_hw = 3",
      "FILE, line 4: crop_hw: wanted values in brackets, (1, 2), got 3",
    ),
    (
      START + "  c.data = 3",
      "FILE, line 4: data: wanted a section, got 3",
    ),
    (
      START + "  return [].crop_hwx",
      "FILE, line 4: AttributeError: 'list' object has no attribute 'crop_hwx'",
    ),
    (START + "  raise ValueError('too small')", "FILE, line 4: too small"),
    (
      START + "  c.name = 'mine'\n  return base.finish(c, variant)",
      "FILE: mine has no variant 'tiny'; it has debug",
    ),
    (
      START + "  return nobody",
      "FILE, line 4: NameError: name 'nobody' is not defined",
    ),
    (
      START + "  pass",
      "FILE: get_config() gave None: it must return a ConfigDict",
    ),
  ],
)
def test_a_broken_file_is_told_in_a_sentence(tmp_path, text, sentence):
  variant = ":tiny" if "base.finish" in text else ""
  assert said_of(tmp_path / "mine.py", text, variant) == sentence


def test_a_right_file_passes(tmp_path):
  path = tmp_path / "mine.py"
  path.write_text(START + "  return base.finish(c, variant)")
  check_config_file(f"{path}:debug")


@pytest.mark.parametrize(
  "change, why",
  [
    (lambda text: text[:99], "line 1 column"),
    (lambda text: "[1]", "it holds no sections"),
    (lambda text: "{}", "there is no key 'model'"),
    (lambda text: text.replace('"seed": 0', '"seed": "x"'), "seed: wanted a"),
    (lambda text: text.replace('"coco17"', "17"), "skeleton: wanted a text"),
    (lambda text: '{"model": 3}', "its model is no section"),
    (lambda text: '{"model": {}, "data": 3}', "its data is no section"),
  ],
)
def test_a_damaged_config_of_a_run_is_told_in_a_sentence(tmp_path, change, why):
  text = json.dumps(json.loads(base.get_config().to_json_best_effort()))
  (tmp_path / "config.json").write_text(text)
  assert read_config(tmp_path).seed == 0
  (tmp_path / "config.json").write_text(change(text))
  with pytest.raises(ConfigError, match=f"cannot be read, it is .*{why}"):
    read_config(tmp_path)
  with pytest.raises(ConfigError, match="^[^ ]*config.json cannot be read"):
    check_config_file(f"launch/saved_config.py:{tmp_path}")


def test_a_run_of_an_earlier_revision_gets_what_it_did_not_have(tmp_path):
  config = base.get_config()
  config.model.update(deconv_filters=(32, 32), deconv_kernels=(4, 4), width=8)
  saved = json.loads(config.to_json_best_effort())
  for path in (
    "model.attention",
    "model.poserenet",
    "model.deconv_strides",
    "loss.target_scale",
    "data.train.portion",
  ):
    section = saved
    *parents, key = path.split(".")
    for parent in parents:
      section = section[parent]
    del section[key]
  (tmp_path / "config.json").write_text(json.dumps(saved))
  found = read_config(tmp_path)
  for section in ("attention", "poserenet"):
    wanted = base.get_config().model[section].to_dict()
    assert found.model[section].to_dict() == wanted
  assert found.model.deconv_strides == (2, 2) and found.model.width == 8
  assert found.loss.target_scale == 1 and found.data.train.portion == ()
  saved["model"]["attention"] = {"part": "crf"}  # one that had fewer options
  (tmp_path / "config.json").write_text(json.dumps(saved))
  attention = read_config(tmp_path).model.attention
  assert attention.part == "crf" and attention.crf_steps == 3
  saved["model"] = {"name": "another", "size": 3}
  (tmp_path / "config.json").write_text(json.dumps(saved))
  model = read_config(tmp_path).model.to_dict()
  assert model.pop("poserenet")["aggregation"] == "none"  # everybody's
  assert not model.pop("presence") and not model.pop("soft_argmax")
  assert model == saved["model"]


def test_attention_of_an_earlier_hourglass_gets_what_it_did_not_have(tmp_path):
  config = hierarchical.get_config("debug")
  saved = json.loads(config.to_json_best_effort())
  del saved["model"]["attention"]["crf_damping"]
  del saved["model"]["rematerialise"]  # the factory knows its default
  del saved["model"]["poserenet"]
  (tmp_path / "config.json").write_text(json.dumps(saved))
  found = read_config(tmp_path)
  assert found.model.attention == config.model.attention
  assert found.model.poserenet.to_dict() == config.model.poserenet.to_dict()
  assert "rematerialise" not in found.model
  check_config(found)


def test_experiments_are_found_in_folders_and_nothing_else_is_one(tmp_path):
  for name in ("base", "a", "paper/b", "paper/__init__", "recipes/earlier"):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    has_config = name in ("base", "a", "paper/b")
    text = START if has_config else "def recipe(): pass"
    (tmp_path / f"{name}.py").write_text(text)
  found = config_files(tmp_path)
  assert found == [tmp_path / "a.py", tmp_path / "paper" / "b.py"]


def test_a_file_is_no_folder(tmp_path):
  (tmp_path / "file").write_text("")
  for below in ("file", "file/a/b"):
    with pytest.raises(ConfigError, match="workdir=.*file is a file, wanted a"):
      wanted_folder("workdir", str(tmp_path / below))
  new = tmp_path / "a" / "b"
  assert wanted_folder("workdir", str(new)) == new and not new.exists()


def test_of_two_variants_it_is_said_that_one_is_had_at_a_time(tmp_path):
  path = tmp_path / "mine.py"
  text = START + "  c.name = 'mine'\n  return base.finish(c, variant)"
  assert said_of(path, text, ":dark:debug") == (
    "FILE: mine has no variant 'dark:debug'; it has debug, one at a time: "
    "debug stands instead of the others"
  )
