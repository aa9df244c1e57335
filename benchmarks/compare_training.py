"""Variants of a config trained alike, over several seeds: do they differ?

    python -m benchmarks.compare_training --config=configs/NAME.py \
      --variants=none,A,B --seeds=1,2,3 --workdir=W \
      [--steps=N] [--config.a.b=v ...] [--sweep=decoder]

Question: what does a change bring, beside what another seed brings? Every run
is `launch.train`, which evaluates its last step, and with --sweep then
`launch.evaluate`, as typed, one after the other; `none` is the config without
a variant, and seed 1 of all variants comes first.
After each run W/table.md and W/table.json say what is known by then. The same
command goes on where it was stopped; a run that failed is named, the others
go on. Give data.train.root and data.eval.root, in the config or here, so that
drawn people are drawn once.
"""

import argparse
import datetime
import functools
import re
import signal
import sys
import time
from collections.abc import Sequence

from benchmarks.comparison import (
  NO_VARIANT,
  OUTPUT,
  Call,
  Comparison,
  FailedRunError,
  locked,
  run_command,
)
from launch.choices import SWEEPS
from launch.mistakes import ConfigError
from pose_jax.train.logbook import duration


def say(message: str) -> None:
  now = datetime.datetime.now().strftime("%H:%M:%S")
  print(f"[{now}] {message}", flush=True)


def make_all(comparison: Comparison, call: Call) -> None:
  """Makes what is not finished yet, and the table after each run."""
  todo = [r for r in comparison.runs if not comparison.is_finished(*r)]
  total, start = len(comparison.runs), time.monotonic()
  say(f"{total} runs, {total - len(todo)} of them finished before")
  for done, run in enumerate(todo, 1):
    title = f"run {comparison.runs.index(run) + 1} of {total}: "
    title += f"{run[0]}, seed {run[1]}"
    say(f"{title}: {comparison.folder_of(*run) / OUTPUT}")
    try:
      comparison.make(*run, call)
      how = scores_text(comparison, *run)
    except FailedRunError as error:
      comparison.failed[run] = str(error)
      how = f"FAILED, {error}"
    comparison.write_table()
    spent = time.monotonic() - start
    left = duration(spent / done * (len(todo) - done))
    say(f"{title}: {how}; {duration(spent)} so far, about {left} left")


def scores_text(comparison: Comparison, variant: str, seed: int) -> str:
  """The scores of a run, first way of measuring."""
  runs = comparison.read()
  mine = [run for run in runs if (run.variant, run.seed) == (variant, seed)]
  known = {k: v for k, v in mine[0].scores.items() if v is not None}
  return ", ".join(f"{name} {value:.3f}" for name, value in known.items())


def _names(text: str) -> list[str]:
  names = text.split(",")
  if "" in names:
    raise argparse.ArgumentTypeError(
      f"wanted variants between commas ({NO_VARIANT}: the config without one), "
      f"got {text!r}"
    )
  return names


def _seeds(text: str) -> list[int]:
  if not re.fullmatch(r"\d+(,\d+)*", text):
    raise argparse.ArgumentTypeError(
      f"wanted whole numbers between commas, got {text!r}"
    )
  return [int(seed) for seed in text.split(",")]


def _steps(text: str) -> int:
  if not text.isdecimal() or not int(text):
    raise argparse.ArgumentTypeError(
      f"wanted a whole number above 0, got {text!r}"
    )
  return int(text)


def _sweep(text: str) -> str:
  unknown = [key for key in text.split(",") if key and key not in SWEEPS]
  if unknown:
    raise argparse.ArgumentTypeError(
      f"wanted some of {', '.join(SWEEPS)}, got {', '.join(unknown)}"
    )
  return text


def parse(argv: Sequence[str] | None = None):
  """Options, and the flags that change the config."""
  parser = argparse.ArgumentParser(
    description=__doc__.splitlines()[0],
    epilog="Further options --config.a.b=v, values of the config, are passed "
    "on to every run.",
    allow_abbrev=False,
  )
  parser.add_argument("--config", required=True, help="configs/NAME.py")
  parser.add_argument(
    "--variants",
    required=True,
    type=_names,
    help=f"variants of the config, such as {NO_VARIANT},A,B, the one to "
    f"compare with first; {NO_VARIANT} is the config without a variant",
  )
  parser.add_argument(
    "--seeds",
    default="1,2,3",
    type=_seeds,
    help="values of config.seed, between commas (1,2,3)",
  )
  parser.add_argument("--workdir", required=True, help="folder of all runs")
  parser.add_argument("--steps", type=_steps, help="schedule.num_steps")
  parser.add_argument(
    "--sweep",
    default="",
    type=_sweep,
    help="of launch.evaluate: decoder,flip ...",
  )
  parser.add_argument(
    "--table_only", action="store_true", help="of what has finished; no run"
  )
  options, flags = parser.parse_known_args(argv)
  for flag in flags:
    if not re.match(r"--config\.[\w.]+=", flag):
      parser.error(f"{flag}: only values of the config, --config.KEY=VALUE")
    if flag.startswith("--config.seed="):
      parser.error(f"{flag}: --seeds says which")
  for name in ("variants", "seeds"):
    values = getattr(options, name)
    if len(set(values)) < len(values):
      parser.error(f"--{name} names one twice")
  if options.steps:
    flags.append(f"--config.schedule.num_steps={options.steps}")
  return options, flags


def main(argv: Sequence[str] | None = None) -> None:
  """Runs, and prints the table."""
  options, flags = parse(argv)
  comparison = Comparison(
    options.workdir,
    options.config,
    options.variants,
    options.seeds,
    flags=flags,
    sweep=options.sweep,
  )
  if options.table_only:
    print(comparison.write_table())
    return
  signal.signal(signal.SIGTERM, signal.default_int_handler)
  try:
    comparison.check()
    with locked(comparison.folder) as lock:
      compiled = comparison.folder / "compiled"
      make_all(
        comparison, functools.partial(run_command, compiled=compiled, lock=lock)
      )
      print(comparison.write_table())
  except ConfigError as error:
    sys.exit(f"error: {error}")
  except BlockingIOError:
    sys.exit(
      "error: a comparison, or a run that one left behind, is busy in "
      f"{comparison.folder}"
    )
  except KeyboardInterrupt:
    sys.exit("error: interrupted; the same command goes on")
  if comparison.failed:
    num_failed, num_runs = len(comparison.failed), len(comparison.runs)
    sys.exit(f"error: {num_failed} of {num_runs} runs failed")


if __name__ == "__main__":
  main()
