"""What is said behind Ctrl-C."""

import os
import pathlib
import subprocess
import sys

import pytest

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
