"""Which debug runs stand for all configs: those that differ in kind.

Two configs are of one kind if, shrunk by `base.shrink`, both have the same
network, alignment, order of colours and loss, but for how large a number of the
loss is (none is 0 in one alone). So a debug run of one says what one of the
other would.

A run takes half a minute, so few are chosen, which among them have all that
decides which code a command runs: each network, plug-in, alignment, loss,
target, order. What is left combines parts that runs have had, or differs in
what is inside a network alone; its steps are traced without being run.
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
    "channel_order": config.data.channel_order,
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


def parts(config):
  """What decides which code a command runs for a config."""
  model, data = config.model, config.data
  places = ("holistic", "refined", "part")
  attention = model.get("attention", {})
  plug_ins = {
    "attention": any(attention.get(p, "none") != "none" for p in places),
    "poserenet": model.get("poserenet", {}).get("aggregation", "none")
    != "none",
    "presence": model.get("presence", False),
    "soft_argmax": model.get("soft_argmax", False),
    "sigmas": model.get("with_sigmas", False),
    "skeletal": model.get("skeletal", False),
    "background": model.get("with_background", False),
    "hru": model.get("skip") == "hru",
  }
  return {
    ("network", model.name),
    ("phases", bool(config.second_phase.schedule.num_steps)),
    ("stretched", not data.keep_aspect),
    *(("plug-in", name) for name, has in plug_ins.items() if has),
    *(("alignment", data.alignment), ("order", data.channel_order)),
    *(("loss", config.loss.name), ("unbiased", config.loss.unbiased)),
  }


@functools.cache
def to_run():
  """(file, variant) of runs that have all parts, each some that are new."""
  left = {one: parts(shrunk(*one)) for one in all_variants()}
  chosen = []
  while any(left.values()):
    best = max(left, key=lambda one: len(left[one]))  # of equals the first
    chosen.append(best)
    had = left[best].copy()
    left = {one: some - had for one, some in left.items()}
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
