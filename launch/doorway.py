"""From the command line to `main`, and from an error to one sentence.

What users can cause (a misspelt key, a missing file, a broken picture) ends
the run with one sentence and exit status 2. Everything else is a bug of ours
and shows its traceback.
"""

import inspect
import pathlib
import re
import sys
from collections.abc import Callable, Sequence

from absl import app, flags, logging
from ml_collections import ConfigDict

from launch.compilation_cache import keep_compiled
from launch.config_file import (
  ALL_KEYS,
  WANTED,
  check_config_file,
  config_files,
  reason,
)
from launch.freed_memory import keep_freed_memory
from launch.mistakes import ConfigError, suggest
from pose_jax import parallel
from pose_jax.data.people import DataError
from pose_jax.eval.results import MetricError, ResultsError
from pose_jax.models import MODELS
from pose_jax.skeleton_file import SkeletonError
from pose_jax.train.checkpoint import CheckpointError
from pose_jax.train.loop import NonFiniteLossError
from pose_jax.weights import WeightsError
from pose_jax.weights.torch_files import TorchFileError

COORDINATOR = flags.DEFINE_string(
  "coordinator",
  None,
  "HOST:PORT of process 0, where several processes make one run; 'auto' on "
  "SLURM, Kubernetes and TPU pods.",
)
NUM_PROCESSES = flags.DEFINE_integer(
  "num_processes", None, "Processes in this run.", lower_bound=1
)
PROCESS_ID = flags.DEFINE_integer(
  "process_id", None, "Which of them this one is, from 0.", lower_bound=0
)

_NO_VALUE = {  # what absl and ml_collections say -> what a flag wants
  "invalid literal for int()": WANTED["int"],
  "could not convert string to float": WANTED["float"],
  "Non-boolean argument": WANTED["bool"],
  "as tuple. If you": WANTED["tuple"],
  "as a ConfigDict": "its keys one by one, --config.{}.KEY=VALUE",
}
_USERS = (
  ConfigError,
  SkeletonError,
  DataError,
  ResultsError,
  MetricError,
  CheckpointError,
  NonFiniteLossError,
  WeightsError,
  TorchFileError,
)


def fail(message: str) -> None:
  """Ends the process with one sentence on stderr and exit status 2."""
  print(f"error: {message}", file=sys.stderr, flush=True)
  sys.exit(2)


def join_processes() -> None:
  """Makes this process one of a run's, if flags say so."""
  try:
    parallel.initialize(
      COORDINATOR.value, NUM_PROCESSES.value, PROCESS_ID.value
    )
  except ValueError as error:
    raise ConfigError(str(error)) from error


def flag_error(text: str) -> str:
  """What absl says of a flag, in words."""
  text = " ".join(text.split())
  if "Unknown command line flag 'config." in text:
    return (
      f"{text}; values of a config can be changed where --config=FILE gives one"
    )
  typed = re.match(r"flag (--?\w[\w.]*)=(.*?): ", text)
  for sign, wanted in _NO_VALUE.items():
    if typed and sign in text:
      name = re.sub("^--?config[.]", "", typed[1])
      return f"{name}: wanted {wanted.format(name)}, got {typed[2]}"
  return f"{text} (see --help)"


def _check_config_files(argv: Sequence[str]) -> ConfigDict | None:
  """The config of --config; fails if it names no file, or none with a config.

  None if there is no such flag.
  """
  config = None
  for word, following in zip(argv, [*argv[1:], ""], strict=True):
    name, _, value = word.partition("=")
    if name not in ("--config", "-config"):
      continue
    path = (value or following).split(":")[0]
    if not pathlib.Path(path).is_file():
      known = config_files(pathlib.Path("configs"))
      fail(f"--config: there is no file {path!r}; {suggest(path, known)}")
    try:
      config = check_config_file(value or following)
    except ConfigError as error:
      fail(str(error))
  return config


def key_error(said: str, argv: Sequence[str], config: ConfigDict | None) -> str:
  """What is said of a wrong key; of a network's with the keys that it has."""
  for word in argv:
    key = re.match(r"--?config\.model\.(\w+)(=|$)", word)
    model = config.get("model") if config is not None else None
    if key and f"key {key[1]!r}; {ALL_KEYS}" in said and model is not None:
      name = model.get("name")
      known = ", ".join(model)
      others = [
        other
        for other, factory in MODELS.items()
        if key[1] in inspect.signature(factory).parameters
      ]
      if others and name not in others:
        known += f" ({key[1]} is an option of {', '.join(others)})"
      return said.replace(
        ALL_KEYS,
        f"the section of network {name!r} has {known}, which "
        f"pose_jax/models/{name}.py explains (make_{name})",
      )
  return said


def _parse(argv: Sequence[str]) -> list[str]:
  """absl's flag parsing, without tracebacks for what was typed."""
  config = _check_config_files(argv)
  try:
    return flags.FLAGS(list(argv))
  except flags.Error as error:
    fail(flag_error(str(error)))
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    fail(f"--config: {key_error(reason(error), argv, config)}")


def run(
  main: Callable[[], None],
  *,
  completed: Callable[[Sequence[str]], Sequence[str]] = list,
  interrupted: str = "interrupted",
) -> None:
  """Parses flags, calls `main`, turns users' errors into sentences.

  Args:
    completed: the command line as typed -> with what a command adds to it.
    interrupted: what is said behind Ctrl-C.
  """

  def guarded(argv: Sequence[str]) -> None:
    if len(argv) > 1:
      fail(f"unexpected arguments {' '.join(argv[1:])} (see --help)")
    # orbax and absl warn about their own ways; ours are said on stdout.
    logging.set_verbosity(logging.ERROR)
    keep_freed_memory()
    keep_compiled()
    try:
      main()
    except _USERS as error:
      fail(str(error))
    except OSError as error:  # disks and folders
      if error.filename is None:
        raise
      fail(f"{error.filename}: {error.strerror}")
    except KeyboardInterrupt:
      fail(interrupted)

  # In place: ml_collections looks for overrides in sys.argv itself.
  sys.argv[:] = completed(sys.argv)
  app.run(guarded, flags_parser=_parse)
