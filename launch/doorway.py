"""From the command line to `main`, and from an error to one sentence.

What users can cause (a misspelt key, a missing file, a broken picture) ends
the run with one sentence and exit status 2. Everything else is a bug of ours
and shows its traceback.
"""

import pathlib
import re
import sys
from collections.abc import Callable, Sequence

from absl import app, flags, logging

from launch.mistakes import ConfigError, suggest
from pose_jax import parallel
from pose_jax.data.people import DataError
from pose_jax.eval.results import MetricError, ResultsError
from pose_jax.skeleton_file import SkeletonError
from pose_jax.train.checkpoint import CheckpointError
from pose_jax.train.loop import NonFiniteLossError

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

_USERS = (
  ConfigError,
  SkeletonError,
  DataError,
  ResultsError,
  MetricError,
  CheckpointError,
  NonFiniteLossError,
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


def _last_line(text: str) -> str:
  """What an error in a config file says, without its traceback."""
  if "Unknown command line flag 'config." in text:
    return (
      f"{' '.join(text.split())}; values of a config can be changed where "
      "--config=FILE gives one"
    )
  if "Traceback" not in text:
    return f"{' '.join(text.split())} (see --help)"
  if "ValueError: " not in text:  # the file itself is broken: show where
    return text
  return "--config: " + text.rsplit("ValueError: ", 1)[1].strip()


def _check_config_file(argv: Sequence[str]) -> None:
  """Fails with the nearest name if --config names no file.

  ml_collections would say so only when the config is first looked at.
  """
  for word, following in zip(argv, [*argv[1:], ""], strict=True):
    name, _, value = word.partition("=")
    path = (value or following).split(":")[0]
    if name in ("--config", "-config") and not pathlib.Path(path).is_file():
      known = sorted(pathlib.Path("configs").glob("[!_]*.py"))
      known = [str(p) for p in known if p.stem != "base"]
      fail(f"--config: there is no file {path!r}; {suggest(path, known)}")


def _no_key(text: str) -> str:
  """How ml_collections reports a key that a config does not have, in words."""
  key = re.search(r"'(\w+)\\?'", text)
  near = re.search(r'Did you mean \\*"([\w.]+)', text)
  if key is None:
    return f"--config: {' '.join(text.split())}"
  return f"--config: there is no key {key[1]!r}; " + (
    f"did you mean {near[1]}?" if near else "configs/base.py lists all keys"
  )


def _parse(argv: Sequence[str]) -> list[str]:
  """absl's flag parsing, without tracebacks for what was typed."""
  _check_config_file(argv)
  try:
    return flags.FLAGS(list(argv))
  except flags.Error as error:
    fail(_last_line(str(error)))
  except (AttributeError, KeyError) as error:
    fail(_no_key(str(error)))
  except (TypeError, ValueError) as error:
    fail(" ".join(f"--config: {error}".split()))


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
