"""What commands add to the command line before flags are parsed."""

import pathlib
from collections.abc import Sequence


def completed(argv: Sequence[str], *, run_flag: str = "workdir") -> list[str]:
  """The command line with what stands for itself.

  `--compare A B` becomes one flag, and a run's own config is the config.

  Args:
    argv: as typed.
    run_flag: the flag that names the run's folder.
  """
  argv = list(argv)
  if "--compare" in argv:
    start = end = argv.index("--compare") + 1
    while end < min(start + 2, len(argv)) and not argv[end].startswith("-"):
      end += 1
    argv[start - 1 : end] = ["--compare=" + ",".join(argv[start:end])]
  workdir = _typed(argv, run_flag)
  if workdir and _typed(argv, "config") is None:
    if (pathlib.Path(workdir) / "config.json").is_file():
      saved = pathlib.Path(__file__).with_name("saved_config.py")
      argv.insert(1, f"--config={saved}:{workdir}")
  return argv


def _typed(argv: Sequence[str], flag: str) -> str | None:
  """A flag's last value, from --flag=V or --flag V; None if not given."""
  found = None
  for word, following in zip(argv, [*argv[1:], ""], strict=True):
    name, has_value, value = word.partition("=")
    if name in (f"--{flag}", f"-{flag}"):
      found = value if has_value else following
  return found
