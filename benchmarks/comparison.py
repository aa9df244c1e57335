"""Runs of a comparison: what they are, where they lie, how one is made.

W/VARIANT/seed_N is the workdir of one run of `launch.train` and
`launch.evaluate`, with two files more: output.txt, what both commands said,
and finished.json, written when all is done.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.training_table import Run, make_table, read_runs, to_markdown
from launch.config_file import check_config_file
from launch.mistakes import ConfigError
from pose_jax.train.logbook import write_json

NO_VARIANT = "none"
FINISHED = "finished.json"  # of a run: how it was made, where its scores lie
OUTPUT = "output.txt"

# Flags of launch.COMMAND, file for what it says -> what it said.
Call = Callable[[str, Sequence[str], pathlib.Path], str]


class FailedRunError(Exception):
  """A command failed; the message says how."""


class Comparison:
  """All runs of a comparison, and the folder that they lie in.

  Attributes:
    config: path of the config's file.
    flags: values of the config that all runs have in common.
    sweep: what launch.evaluate varies, "decoder,flip"; "" for nothing.
    runs: (variant, seed) in the order in which they are made.
    failed: run -> why.
  """

  def __init__(
    self,
    folder: str | pathlib.Path,
    config: str,
    variants: Sequence[str],
    seeds: Sequence[int],
    *,
    flags: Sequence[str] = (),
    sweep: str = "",
  ):
    self.folder = pathlib.Path(folder).absolute()
    self.config = config
    self.variants = list(variants)
    self.seeds = list(seeds)
    self.flags = list(flags)
    self.sweep = sweep
    self.runs = [(v, seed) for seed in self.seeds for v in self.variants]
    self.failed: dict[tuple[str, int], str] = {}

  def check(self) -> None:
    """Raises ConfigError for a config or a variant that there is not."""
    if not pathlib.Path(self.config).is_file():
      raise ConfigError(
        f"--config: there is no file {self.config!r}; wanted configs/NAME.py"
      )
    for variant in self.variants:
      check_config_file(self._argument(variant))

  def folder_of(self, variant: str, seed: int) -> pathlib.Path:
    return self.folder / variant / f"seed_{seed}"

  def is_finished(self, variant: str, seed: int) -> bool:
    """Whether this very run has its scores; keys new since do not count."""
    path = self.folder_of(variant, seed) / FINISHED
    if not path.is_file():
      return False
    there, wanted = json.loads(path.read_text()), self._identity(variant)
    return is_part_of(there["config"], wanted.pop("config")) and all(
      there[key] == value for key, value in wanted.items()
    )

  def make(self, variant: str, seed: int, call: Call) -> None:
    """Trains, and evaluates in the ways that training did not.

    Raises:
      FailedRunError: if a command fails, or training was stopped.
    """
    folder, start = self.folder_of(variant, seed), time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    workdir, output = f"--workdir={folder}", folder / OUTPUT
    config = [f"--config={self._argument(variant)}", *self.flags]
    seeded = f"--config.seed={seed}"
    said = call("train", [*config, seeded, workdir], output)
    if not is_at_end(said):
      raise FailedRunError("training was stopped before its last step")
    # Not before: a training that refuses the folder leaves its scores.
    (folder / FINISHED).unlink(missing_ok=True)
    reports = _reports(said)
    if self.sweep or not reports:  # training evaluates its last step itself
      sweep = [f"--sweep={self.sweep}"] if self.sweep else []
      reports = _reports(call("evaluate", [*sweep, workdir], output))
    metrics = pathlib.Path(reports[-1]).with_name("metrics.json")
    write_json(
      folder / FINISHED,
      {
        "metrics": os.path.relpath(metrics, folder),
        "seconds": round(time.monotonic() - start, 1),
        **self._identity(variant),
      },
    )

  def read(self) -> list[Run]:
    """What the finished runs measured; of another config none is read."""
    found = []
    for variant, seed in self.runs:
      folder = self.folder_of(variant, seed)
      if self.is_finished(variant, seed):
        there = json.loads((folder / FINISHED).read_text())
        log = folder / "metrics.jsonl"
        found += read_runs(folder / there["metrics"], log, variant, seed)
    return found

  def write_table(self) -> str:
    """Writes table.json and table.md; returns the latter's text."""
    runs = self.read()
    rows = make_table(runs, self.variants)
    num_finished = len({(run.variant, run.seed) for run in runs})
    failed = {f"{v}, seed {s}": why for (v, s), why in self.failed.items()}
    others = [
      f"{v}, seed {s}"
      for v, s in self.runs
      if (self.folder_of(v, s) / FINISHED).is_file()
      and not self.is_finished(v, s)
    ]
    about = {
      "config": self.config,
      "flags": self.flags,
      "variants": self.variants,
      "seeds": self.seeds,
      "num_finished": num_finished,
      "failed": failed,
    }
    self.folder.mkdir(parents=True, exist_ok=True)
    write_json(self.folder / "table.json", {**about, "rows": rows})
    lines = [
      f"# {' '.join([self.config, *self.flags])}",
      f"{num_finished} of {len(self.runs)} runs.",
      *(f"Failed: {run}: {why}" for run, why in failed.items()),
      *(f"Left out, made with other values: {run}." for run in others),
      to_markdown(rows, self.variants),
    ]
    text = "\n\n".join(lines)
    (self.folder / "table.md").write_text(text, encoding="utf-8")
    return text

  def _argument(self, variant: str) -> str:
    return self.config + ("" if variant == NO_VARIANT else f":{variant}")

  def _identity(self, variant: str) -> dict[str, Any]:
    """What makes a run the one that is asked for."""
    path, *rest = self._argument(variant).split(":", 1)
    config = runpy.run_path(path)["get_config"](*rest)
    return {
      "config": json.loads(config.to_json_best_effort()),
      "flags": self.flags,
      "sweep": self.sweep,
    }


def is_part_of(part: Any, whole: Any) -> bool:
  """Whether all keys of `part` have the same value in `whole`."""
  if not (isinstance(part, Mapping) and isinstance(whole, Mapping)):
    return part == whole
  return all(k in whole and is_part_of(v, whole[k]) for k, v in part.items())


def is_at_end(said: str) -> bool:
  """Whether what launch.train said ends with its last step."""
  steps = re.findall(r"\] step (\d+)/(\d+) ", said)
  return steps[-1][0] == steps[-1][1] if steps else "at its end" in said


def _reports(said: str) -> list[str]:
  """The reports that a command says it wrote."""
  return re.findall(r"\breport: (.*)$", said, re.MULTILINE)


def last_words(said: str, status: int) -> str:
  """Why a command failed: its error's sentence, or its last line."""
  lines = said.strip().splitlines()
  errors = [line for line in lines if line.startswith("error: ")]
  return (errors or lines or [f"it said nothing, exit status {status}"])[-1]


def run_command(
  command: str,
  arguments: Sequence[str],
  output: pathlib.Path,
  *,
  compiled: pathlib.Path,
  lock: int,
) -> str:
  """Runs launch.COMMAND to its end; what it says is added to `output` too.

  Args:
    compiled: folder of compilations that runs share.
    lock: descriptor that the command holds as long as it lives.
  Raises:
    FailedRunError: with the command's last words.
  """
  shared = {
    "JAX_COMPILATION_CACHE_DIR": str(compiled),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
  }
  with open(output, "ab") as stream:
    start = stream.seek(0, os.SEEK_END)
    # A session of its own: Ctrl-C ends this process, which ends that one.
    process = subprocess.Popen(
      [sys.executable, "-m", f"launch.{command}", *arguments],
      stdout=stream,
      stderr=subprocess.STDOUT,
      env=shared | os.environ,
      start_new_session=True,
      pass_fds=(lock,),
    )
    try:
      status = process.wait()
    except KeyboardInterrupt:
      process.terminate()  # training saves its step
      process.wait()
      raise
  said = output.read_bytes()[start:].decode("utf-8", "replace")
  if status:
    raise FailedRunError(f"launch.{command}: {last_words(said, status)}")
  return said


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[int]:
  """Holds the folder, and so do commands that inherit the descriptor.

  A training whose comparison was killed outright therefore ends before
  another one touches its files.

  Raises:
    BlockingIOError: if somebody holds it.
  """
  folder.mkdir(parents=True, exist_ok=True)
  with open(folder / "lock", "a") as stream:
    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    yield stream.fileno()
