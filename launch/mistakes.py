"""What is wrong with what a user asked for, in sentences."""

import difflib
import pathlib


class ConfigError(ValueError):
  """What is wrong in a config, one sentence per mistake."""


def suggest(word: str, known) -> str:
  """' did you mean X?', or what there is."""
  close = difflib.get_close_matches(str(word), [str(k) for k in known], 1)
  if close:
    return f"did you mean {close[0]}?"
  return f"it can be {', '.join(str(k) for k in known)}"


def wanted_folder(flag: str, value: str) -> pathlib.Path:
  """The folder that a flag names, to be made if it is not there.

  Raises:
    ConfigError: if a file stands in its way.
  """
  path = pathlib.Path(value)
  for place in (path, *path.parents):
    if place.exists():
      if not place.is_dir():
        raise ConfigError(
          f"--{flag}={value}: {place} is a file, wanted a folder"
        )
      break
  return path
