"""The config that a run was trained with, as a config file.

`launch.evaluate` gives itself --config=launch/saved_config.py:WORKDIR where no
other is given, so that single values can be changed on the command line.
"""

import pathlib

from ml_collections import ConfigDict

from launch.run_config import read_config


def get_config(workdir: str) -> ConfigDict:
  return read_config(pathlib.Path(workdir))
