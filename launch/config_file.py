"""What is wrong in a config file, in a sentence with its file and line.

ml_collections would show a traceback, or put off the error until the config
is first looked at. So the file is run once before it gets the file.
"""

import importlib.machinery
import importlib.util
import pathlib
import re
import sys
import traceback
from types import ModuleType

from ml_collections import ConfigDict

from launch.mistakes import ConfigError

WANTED = {  # what a key of a type wants
  "int": "a whole number",
  "float": "a number",
  "bool": "true or false",
  "str": "a text",
  "tuple": "values in brackets, (1, 2)",
  "ConfigDict": "a section",
}


def config_files(folder: pathlib.Path) -> list[pathlib.Path]:
  """The experiments below a folder: files with get_config, but for base.py."""
  return sorted(
    path
    for path in folder.rglob("*.py")
    if path != folder / "base.py" and "\ndef get_config(" in path.read_text()
  )


ALL_KEYS = (
  "configs/base.py lists all keys, and pose_jax/models/NAME.py those of the "
  "network NAME"
)


def check_config_file(argument: str) -> ConfigDict:
  """Runs the config file of --config=FILE[:variant], returns its config.

  Raises:
    ConfigError: if it gives no config.
  """
  path, *variant = argument.split(":", 1)
  try:
    module = _loaded(path)
    if not hasattr(module, "get_config"):
      raise ConfigError(f"{path} has no get_config()")
    config = module.get_config(*variant)
  except ConfigError:
    raise
  except Exception as error:  # whatever a user's file does
    raise ConfigError(_told(error, path)) from error
  if not isinstance(config, ConfigDict):
    raise ConfigError(
      f"{path}: get_config() gave {config!r:.40}: it must return a ConfigDict"
    )
  return config


def _loaded(path: str) -> ModuleType:
  loader = importlib.machinery.SourceFileLoader("config_file", path)
  spec = importlib.util.spec_from_file_location(
    loader.name, path, loader=loader
  )
  module = importlib.util.module_from_spec(spec)
  sys.modules[loader.name] = module  # where dataclasses in it look
  loader.exec_module(module)
  return module


def _told(error: Exception, path: str) -> str:
  """File, line and what is wrong there."""
  if isinstance(error, SyntaxError):
    return f"{error.filename}, line {error.lineno}: {error.msg}"
  frames = traceback.extract_tb(error.__traceback__)
  lines = [frame.lineno for frame in frames if frame.filename == path]
  where = f"{path}, line {lines[-1]}" if lines else path
  if type(error) is ValueError and frames[-1].filename != path:
    where = path  # a sentence of ours, such as that of an unknown variant
  return f"{where}: {reason(error)}"


def reason(error: Exception) -> str:
  """What an error says, on a line; ml_collections' ones in other words."""
  text = " ".join(str(error).split())
  if isinstance(error, AttributeError | KeyError):
    return no_key(text) or f"{type(error).__name__}: {text}"
  field = re.search(
    r"override field '(\w+)'.*?\. (.*) is of .*['.](\w+)'>", text
  )
  if isinstance(error, TypeError) and field:
    key, value, kind = field.groups()
    return f"{key}: wanted {WANTED.get(kind, kind)}, got {value}"
  if isinstance(error, ValueError | ImportError):
    return text
  return f"{type(error).__name__}: {text}"


def no_key(text: str) -> str | None:
  """How ml_collections reports a key that a config does not have, in words.

  None if the text is about something else.
  """
  key = re.search(r'Key \\?"(\w+)\\?" does not exist', text)
  key = key or re.match(r"[\"'\\]+(\w+)[\"'\\]+(n?\s*Did .*)?$", text)
  near = re.search(r'Did you mean \\*"([\w.]+)', text)
  if key is None:
    return None
  return f"there is no key {key[1]!r}; " + (
    f"did you mean {near[1]}?" if near else ALL_KEYS
  )
