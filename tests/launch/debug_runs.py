"""Which debug runs stand for all configs: those that differ in kind.

Two configs are of one kind if, shrunk by `base.shrink`, both have the same
network, alignment and loss, but for how large a number of the loss is (none is
0 in one alone). So a debug run of one says what one of the other would.

Runs are those of all files; a variant has one too where it brings a value that
no run has had. What is left are variants that combine values which runs have
had; their steps are traced without being run.
"""

import functools
import importlib
import json
import pathlib

from configs import base
from launch.config_file import config_files

FOLDER = pathlib.Path(__file__).parents[2] / "configs"


def shrunk(name, variant=""):
  """The config of a file and variant at the size of `:debug`."""
  module = importlib.import_module(f"configs.{name.replace('/', '.')}")
  config = module.get_config(variant)
  with config.unlocked():
    base.shrink(config)
  return config


def names():
  return [
    path.relative_to(FOLDER).with_suffix("").as_posix()
    for path in config_files(FOLDER)
  ]


@functools.cache
def all_variants():
  """(file, variant) of all, files without a variant first."""
  found = [(name, "") for name in names()]
  for name, _ in tuple(found):
    module = importlib.import_module(f"configs.{name.replace('/', '.')}")
    try:
      module.get_config("?")
    except ValueError as error:
      listed = str(error).split("it has ")[1].split(", ")
      found += [(name, variant) for variant in listed if variant != "debug"]
  return found


def values(config):
  """ "section.key" -> value, of all that makes a config's kind."""
  found = {
    "alignment": config.data.alignment,
    **_flat(config.model.to_dict(), "model"),
  }
  for key, value in config.loss.items():
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    found[f"loss.{key}"] = value != 0 if is_number else value
  return found


def kind(config):
  return json.dumps(values(config), sort_keys=True)


def _flat(tree, path):
  if not isinstance(tree, dict):
    return {path: tree}
  items = [_flat(value, f"{path}.{key}") for key, value in tree.items()]
  return {key: value for item in items for key, value in item.items()}


@functools.cache
def to_run():
  """(file, variant) of the runs that stand for all."""
  kinds, seen, chosen = set(), set(), []
  for name, variant in all_variants():
    config = shrunk(name, variant)
    new = {json.dumps(item) for item in values(config).items()} - seen
    if kind(config) not in kinds and (not variant or new):
      chosen.append((name, variant))
      kinds.add(kind(config))
      seen |= new
  return chosen


@functools.cache
def to_trace():
  """(file, variant) of one config of each kind that no run has."""
  kinds = {kind(shrunk(*run)) for run in to_run()}
  chosen = []
  for name, variant in all_variants():
    this = kind(shrunk(name, variant))
    if this not in kinds:
      chosen.append((name, variant))
      kinds.add(this)
  return chosen
