"""Files that appear whole or not at all."""

import os
import pathlib


def write_whole(path: pathlib.Path, text: str) -> None:
  """All of it or, killed on the way, what was there before."""
  temporary = path.with_name(f".{path.name}.{os.getpid()}")
  temporary.write_text(text, encoding="utf-8")
  os.replace(temporary, path)
