"""Runs side by side: what `launch.compare_runs` writes of them."""

import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any

from launch.mistakes import ConfigError, suggest
from launch.recorded_run import RecordedRun, read_run
from launch.whole_file import write_whole
from pose_jax.data.images import decode
from pose_jax.eval import table
from pose_jax.pages import chart, comparison
from pose_jax.pages.compared_run import Course, Run, disagreements, warnings
from pose_jax.train.training_log import (
  curve,
  names_in,
  starts,
  training_rate,
  training_seconds,
)

# A loss of both kinds is another sum in each phase, so its parts are drawn.
_PARTS = ("train/loss_presence", "train/loss_coordinates")
_USUAL = (
  *("train/loss", *_PARTS, "train/presence_accuracy"),
  *("train/heatmap_accuracy", "train/located"),
)


def compare(
  workdirs: Sequence[pathlib.Path],
  output: pathlib.Path,
  *,
  labels: Sequence[str] = (),
  names: Sequence[str] = (),
  num_averaged: int = 1,
) -> list[Run]:
  """Writes the page and its numbers, once all runs could be read.

  Args:
    labels: of the runs; names: of the logged values; usual ones if empty.
    num_averaged: log lines that a point of a line is the mean of.
  Raises:
    ConfigError: for what is wrong with what was asked for, or with a run.
  """
  labels = labels_of(workdirs, labels)
  recorded = [read_run(workdir) for workdir in workdirs]
  names = names_of(recorded, names)
  runs = [
    as_shown(run, label, names)
    for run, label in zip(recorded, labels, strict=True)
  ]
  page = comparison.render(runs, names, num_averaged=num_averaged)
  content = as_json(recorded, runs, names)
  output.mkdir(parents=True, exist_ok=True)
  text = json.dumps(content, indent=1, allow_nan=False) + "\n"
  write_whole(output / "comparison.json", text)
  write_whole(output / "comparison.html", page)
  return runs


def labels_of(
  workdirs: Sequence[pathlib.Path], given: Sequence[str]
) -> list[str]:
  """What runs are called: as given, by their folders, or by whole paths.

  Raises:
    ConfigError: if there are too many runs, one comes twice, or labels do not
      tell them apart.
  """
  num, most = len(workdirs), len(chart.COLORS)
  if num > most:
    raise ConfigError(
      f"--workdirs names {num} runs: lines of {most} colours can be told apart"
    )
  if len({workdir.resolve() for workdir in workdirs}) < num:
    raise ConfigError("--workdirs names a folder twice")
  if given:
    if len(given) != num or len(set(given)) < num or not all(given):
      raise ConfigError(
        f"--labels={','.join(given)}: wanted {num} different names, one for "
        "each of --workdirs"
      )
    return list(given)
  names = [workdir.resolve().name for workdir in workdirs]
  return names if len(set(names)) == num else [str(w) for w in workdirs]


def names_of(runs: Sequence[RecordedRun], given: Sequence[str]) -> list[str]:
  """Which logged values are drawn: those given, or usual ones of all runs.

  Raises:
    ConfigError: if no run logs one that was given.
  """
  logged = [names_in(run.log) for run in runs]
  if not given:
    usual = [name for name in _USUAL if all(name in names for names in logged)]
    unwanted = ("train/loss",) if set(_PARTS) <= set(usual) else _PARTS
    return [name for name in usual if name not in unwanted]
  known = dict.fromkeys(name for names in logged for name in names)
  for name in given:
    if name not in known:
      raise ConfigError(
        f"--values has {name!r}, which no run logs: {suggest(name, known)}"
      )
  return list(dict.fromkeys(given))


def as_shown(run: RecordedRun, label: str, names: Sequence[str]) -> Run:
  """A run as the page wants it."""
  curves = {name: curve(run.log, name) for name in names}
  found = {}
  if run.evaluation is not None:
    picture = run.evaluation.folder / "pictures.jpg"
    protocol = run.evaluation.protocol
    found = {
      "evaluated_step": run.evaluation.step,
      "num_parameters": protocol.num_parameters,
      "scores": run.evaluation.scores,
      "protocol": tuple(protocol.rows()),
      "picture": (
        decode(picture.read_bytes(), str(picture))
        if picture.is_file()
        else None
      ),
    }
  return Run(
    label=label,
    steps=run.log[-1]["step"],
    seconds=training_seconds(run.log),
    people_per_second=training_rate(run.log),
    courses={
      name: Course(line.steps, line.seconds, line.values)
      for name, line in curves.items()
      if line.steps
    },
    **found,
  )


def as_json(
  recorded: Sequence[RecordedRun],
  runs: Sequence[Run],
  names: Sequence[str],
) -> dict[str, Any]:
  """All numbers of the page; none is NaN."""
  return {
    "values": list(names),
    "differing": disagreements(runs),
    "runs": [
      {
        "label": shown.label,
        "workdir": str(run.workdir),
        "starts": len(starts(run.log)),
        "steps": shown.steps,
        "seconds": round(shown.seconds, 3),
        "people_per_second": shown.people_per_second,
        "num_parameters": shown.num_parameters,
        "evaluation": run.evaluation
        and {
          "folder": str(run.evaluation.folder),
          "step": run.evaluation.step,
          "scores": dict(run.evaluation.scores),
          "protocol": run.evaluation.protocol.to_dict(),
        },
        "curves": {
          name: {
            "step": list(steps),
            "seconds": [round(s, 3) for s in seconds],
            "value": [None if math.isnan(v) else v for v in values],
          }
          for name, (steps, seconds, values) in shown.courses.items()
        },
      }
      for run, shown in zip(recorded, runs, strict=True)
    ],
  }


def summary(runs: Sequence[Run]) -> str:
  """A line each, and what forbids to compare them."""
  rows = [("run", "steps", "hours", "people/s", "parameters", "evaluated at")]
  for run in runs:
    rate, step = run.people_per_second, run.evaluated_step
    num = run.num_parameters
    rows.append(
      (
        run.label,
        f"{run.steps:,}",
        f"{run.seconds / 3600:.2f}",
        "n/a" if rate is None else f"{rate:.4g}",
        "n/a" if num is None else f"{num:,}",
        "n/a" if step is None else f"{step:,}",
      )
    )
  return "\n".join([table.text_of(rows), *warnings(runs)])
