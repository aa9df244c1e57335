"""What is wrong with what a user asked for, in sentences."""

import difflib


class ConfigError(ValueError):
  """What is wrong in a config, one sentence per mistake."""


def suggest(word: str, known) -> str:
  """' did you mean X?', or what there is."""
  close = difflib.get_close_matches(str(word), [str(k) for k in known], 1)
  if close:
    return f"did you mean {close[0]}?"
  return f"it can be {', '.join(str(k) for k in known)}"
