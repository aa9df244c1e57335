"""What a config says of its data: right mixtures pass, mistakes are named."""

import importlib
import pathlib

import pytest

from launch.check import check_config
from launch.mistakes import ConfigError

SKELETONS = pathlib.Path(__file__).parents[2] / "configs" / "skeletons"


def config_with(part="train", **changes):
  config = importlib.import_module("configs.quickstart").get_config()
  config.data[part].update(**changes)
  return config


def test_a_mixture_with_weights_and_a_map_is_right():
  check_config(
    config_with(
      name="lspet+lsp+coco",
      root="LEEDS+LEEDS+COCO",
      split="all+train+train2017",
      annotations="++person_keypoints_train2017.json",
      weights=(1, 0.5, 2.0),
      keypoint_map=("nose=head_top", "left_eye="),
    )
  )


@pytest.mark.parametrize(
  "changes, sentence",
  [
    (dict(name="lsp+lps"), r"data\.train\.name is 'lps': did you mean lsp"),
    (dict(name="lsp", root=None), "data.train.root must be the folder .*train"),
    (dict(name="lsp+lspet", root="a+"), "data.train.root must be the folder"),
    (dict(num_images=0), "data.train.num_images must say how many"),
    (
      dict(name="lsp", boxes="imag"),
      "data.train.boxes is 'imag': did you mean",
    ),
    (dict(name="lsp+lspet", boxes="image+imag"), "boxes is 'imag'"),
    (
      dict(name="lsp+lspet", split="train+all+train"),
      "data.train: split 'train.all.train' has 3 values .* the 2 data sets",
    ),
    (dict(weights=(1, 2)), r"train\.weights has 2 numbers for 1 data sets"),
    (dict(weights=(0,)), r"weights is \(0,\): wanted numbers above 0"),
    (dict(weights=("a",)), "weights is .*: wanted numbers above 0"),
    (dict(weights=(float("inf"),)), "weights is .*: wanted numbers above 0"),
    (dict(part="eval", weights=(2,)), r"data\.eval\.weights must be \(\)"),
    (dict(keypoint_map=("neck",)), "data.train: keypoint_map has 'neck'"),
    (dict(keypoint_map=("a=b", "a=c")), "keypoint_map names 'a' twice"),
  ],
)
def test_mistakes_are_named(changes, sentence):
  with pytest.raises(ConfigError, match=sentence):
    check_config(config_with(**changes))


def test_a_part_that_is_not_opened_is_not_looked_at():
  config = config_with(name="lsp", root=None)
  check_config(config, parts=("eval",))


def test_a_skeleton_may_be_a_file_and_its_mistakes_are_sentences(tmp_path):
  config = config_with()
  config.data.skeleton = str(SKELETONS / "mouse_top.toml")
  config.loss.update(name="ohkm", ohkm_top_k=10)
  with pytest.raises(ConfigError, match="mouse_top has 9 keypoints"):
    check_config(config)
  config.loss.ohkm_top_k = 9
  check_config(config)
  path = tmp_path / "mine.toml"
  path.write_text('name = "mine"\nkeypoints = ["a", "a"]\nsigmas = 0.1')
  config.data.skeleton = str(path)
  with pytest.raises(
    ConfigError, match="^data.skeleton: .*mine.toml: keypoints has 'a' twice"
  ):
    check_config(config)
  path.unlink()
  with pytest.raises(ConfigError, match="data.skeleton: cannot read .*mine"):
    check_config(config)


@pytest.mark.parametrize(
  "portion", [(5,), (5, 5), (-1, 5), (0, 0.5), ("a", "b"), (1, 2, 3)]
)
def test_a_portion_is_two_places_in_the_order(portion):
  config = config_with()
  config.data.eval.portion = portion
  with pytest.raises(ConfigError, match="data.eval: portion is .*: wanted .fi"):
    check_config(config)
  config.data.eval.portion = (0, 5)
  check_config(config)


def one_set(train, evaluated, **changes):
  """Both parts' portion and seed, of one data set but for the changes."""
  config = config_with()
  for part, (portion, seed) in (("train", train), ("eval", evaluated)):
    config.data[part].update(
      **dict(name="coco", root="COCO", split="a", annotations="people.json"),
      **dict(portion=portion, seed=seed),
    )
  config.data.eval.update(**changes)
  return config


@pytest.mark.parametrize(
  "train, evaluated, sentence",
  [
    (
      ((0, 80), 0),
      ((80, 90), 1),
      "data.train.seed is 0 and data.eval.seed 1, .* give both the same seed",
    ),
    (
      ((0, 80), 3),
      ((79, 90), 3),
      r"portion is \(0, 80\) and data.eval.portion \(79, 90\) of one data set",
    ),
    (((50, 60), 3), ((0, 90), 3), "take portions that do not overlap"),
    (((), 0), ((0, 5), 3), r"portion is \(\) and data.eval.portion \(0, 5\)"),
    (((0, 5), 3), ((), 3), r"\(0, 5\) and data.eval.portion \(\) of one data"),
  ],
)
def test_portions_of_one_set_must_not_overlap(train, evaluated, sentence):
  config = one_set(train, evaluated)
  with pytest.raises(ConfigError, match=sentence):
    check_config(config)
  check_config(config, parts=("eval",))
  config.data.eval.update(split="b", root="COCO/")  # the file has its images
  with pytest.raises(ConfigError, match=sentence):
    check_config(config)


def test_portions_that_share_no_image_are_right():
  check_config(one_set(((0, 80), 3), ((80, 90), 3)))
  check_config(one_set(((), 3), ((), 3)))  # nobody asked for portions
  overlap = ((0, 80), 3), ((0, 80), 4)
  check_config(one_set(*overlap, annotations="others.json"))
  check_config(one_set(*overlap, name="mpii"))
  config = one_set(*overlap)
  for part in ("train", "eval"):
    config.data[part].update(name="drawn", num_images=90)
  check_config(config)  # seeds draw other people
  config.data.eval.seed = 3
  with pytest.raises(ConfigError, match="take portions that do not overlap"):
    check_config(config)


def test_portions_of_joined_sets_are_compared_whole():
  joined = dict(name="coco+lsp", split="a+train", annotations="a.json+")
  config = one_set(((0, 80), 3), ((60, 90), 3), **joined)
  check_config(config)
  config.data.train.update(**joined)
  with pytest.raises(ConfigError, match="take portions that do not overlap"):
    check_config(config)


def test_half_bodies_need_two_halves_and_enough_keypoints():
  config = config_with()
  config.data.augmentation.half_body_probability = 0.3
  check_config(config)
  config.data.skeleton = str(SKELETONS / "mouse_top.toml")
  check_config(config)
  config.data.augmentation.half_body_min_keypoints = 10
  with pytest.raises(
    ConfigError, match="min_keypoints is 10, but mouse_top has 9: nobody"
  ):
    check_config(config)
  config.data.skeleton = str(SKELETONS / "hand21.toml")
  with pytest.raises(
    ConfigError, match="is 0.3, but hand21 has one half alone"
  ):
    check_config(config)
