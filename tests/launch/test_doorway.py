"""What is said behind Ctrl-C, and of values that are none."""

import os
import pathlib
import subprocess
import sys

import pytest
from absl import flags
from ml_collections import ConfigDict, config_flags

from launch.config_file import ALL_KEYS
from launch.doorway import flag_error, key_error

ROOT = pathlib.Path(__file__).parents[2]
_COMMAND = """
from launch import doorway


def main():
  raise KeyboardInterrupt


doorway.run(main{})
"""


@pytest.mark.slow
@pytest.mark.parametrize(
  "options, sentence",
  [("", "interrupted"), (", interrupted='it goes on'", "it goes on")],
)
def test_an_interrupted_command_says_only_what_is_true_of_it(options, sentence):
  done = subprocess.run(
    [sys.executable, "-c", _COMMAND.format(options)],
    cwd=ROOT,
    env=os.environ | {"JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 2
  assert done.stderr == f"error: {sentence}\n"


@pytest.mark.filterwarnings("ignore:the load_module")  # ml_collections
@pytest.mark.parametrize(
  "typed, sentence",
  [
    (
      "config.schedule.batch_size=abc",
      "schedule.batch_size: wanted a whole number, got abc",
    ),
    (
      "config.schedule.batch_size=1.5",
      "schedule.batch_size: wanted a whole number, got 1.5",
    ),
    (
      "config.eval.flip_test=maybe: no",
      "eval.flip_test: wanted true or false, got maybe",
    ),
    (
      "config.optimizer.learning_rate=fast",
      "optimizer.learning_rate: wanted a number, got fast",
    ),
    (
      "config.data.crop_hw=(128, a",
      "data.crop_hw: wanted values in brackets, (1, 2), got (128, a",
    ),
    (
      "config.schedule=3",
      "schedule: wanted its keys one by one, --config.schedule.KEY=VALUE, "
      "got 3",
    ),
    ("people=many", "--people: wanted a whole number, got many"),
    (
      "people=0",
      "flag --people=0: 0 is not a positive integer (see --help)",
    ),
  ],
)
def test_what_is_no_value_is_said_in_words(typed, sentence):
  values = flags.FlagValues()
  argv = ["command", "--config=configs/quickstart.py", f"--{typed}"]
  config_flags.DEFINE_config_file(
    "config", None, "", flag_values=values, sys_argv=argv
  )
  flags.DEFINE_integer("people", 1, "", lower_bound=1, flag_values=values)
  with pytest.raises(flags.Error) as caught:
    values(argv)
  assert flag_error(str(caught.value)) == sentence


@pytest.mark.parametrize("flag", ["--config.model.x=3", "-config.model.x"])
def test_a_networks_own_keys_are_named(flag):
  config = ConfigDict(dict(model=dict(name="hourglass", num_stacks=8)))
  said = f"there is no key 'x'; {ALL_KEYS}"
  told = key_error(said, ["train", flag, "3"], config)
  assert told == (
    "there is no key 'x'; the section of network 'hourglass' has name, "
    "num_stacks, which pose_jax/models/hourglass.py explains (make_hourglass)"
  )
  near = "there is no key 'skeletal'; {}"
  config_of_resnet = ConfigDict(dict(model=dict(name="pose_resnet", depth=50)))
  told = key_error(
    near.format(ALL_KEYS), ["--config.model.skeletal=True"], config_of_resnet
  )
  assert told.startswith(
    near.format(
      "the section of network 'pose_resnet' has depth, name (skeletal is an "
      "option of hrnet)"
    )
  )
  near = "there is no key 'x'; did you mean y?"
  for other, argv, config_or_none in (
    (near, ["train", flag], config),
    (said, ["train", "--config.data.x=3"], config),
    (said, ["train", "--config.model.attention.x=3"], config),
    (said, ["train", "--config.model.xy=3"], config),
    (said, ["train", flag], None),
  ):
    assert key_error(other, argv, config_or_none) == other
