"""The page that compares runs: how they trained, what they score, what it cost.

Takes plain values (`Run`) and lays them out on a `page.Page`.
"""

from collections.abc import Iterator, Sequence

from pose_jax.pages import page, training_charts
from pose_jax.pages.compared_run import (
  MEASURED,
  Run,
  common_rows,
  differing_rows,
  warnings,
)


def render(
  runs: Sequence[Run], names: Sequence[str], *, num_averaged: int = 1
) -> str:
  """The page as HTML without outside references.

  Args:
    names: of the logged values to show.
    num_averaged: each point of a line is the mean of this many log lines.
  """
  told = warnings(runs) or (
    ["All were measured on the same people in the same way."]
    if len(runs) > 1
    else []
  )
  return page.render(
    page.Page(
      title="Comparison of runs",
      subtitle=" ".join([", ".join(run.label for run in runs) + ".", *told]),
      headline=(),
      protocol=tuple(common_rows(runs)),
      tables=tuple(_tables(runs)),
      sections=(
        training_charts.progress(runs, names, num_averaged),
        *training_charts.speed(runs),
        *_pictures(runs),
      ),
      reading=tuple(_reading()),
    )
  )


def _tables(runs: Sequence[Run]) -> Iterator[page.Table]:
  labels = tuple(run.label for run in runs)
  # Scores of single limbs, "PCP_strict@0.5 upper arm", are on their own pages.
  scores = dict.fromkeys(name for run in runs for name in run.scores)
  rows = [
    (f"{name}, %", *(_percent(run.scores.get(name)) for run in runs))
    for name in scores
    if " " not in name
  ]
  rows += [
    ("step of the evaluation", *(run.evaluated_step for run in runs)),
    ("parameters", *(run.num_parameters for run in runs)),
    ("steps trained", *(run.steps for run in runs)),
    ("people per second", *(run.people_per_second for run in runs)),
    ("hours", *(run.seconds / 3600 for run in runs)),
  ]
  yield page.Table(
    "Last evaluation of each run, and what it cost",
    ("", *labels),
    tuple(rows),
    "People per second: median while training. Hours: of all starts, with "
    "the evaluations in between.",
    decimals=2,
    wide=True,
  )
  if differing := differing_rows(runs):
    yield page.Table(
      "In what the evaluations differ",
      ("", *labels),
      tuple(
        (
          f"{name} (!)" if name in MEASURED else name,
          *(dict(r.protocol).get(name, "") for r in runs),
        )
        for name in differing
      ),
      "(!): scores measured in different ways cannot be compared. The other "
      "rows say what the runs are.",
      wide=True,
    )


def _percent(share: float | None) -> float | None:
  return None if share is None else 100 * share


def _pictures(runs: Sequence[Run]) -> Iterator[page.Section]:
  pictures = tuple(
    page.Picture(run.picture, run.label, wide=True)
    for run in runs
    if run.picture is not None
  )
  if pictures:
    yield page.Section(
      "Predicted people",
      "The same random people for all runs that were evaluated on the same "
      "data. Left of each pair the annotation, right the prediction over the "
      "annotation in white.",
      galleries=(page.Gallery("", "", pictures),),
    )


def _reading() -> Iterator[str]:
  yield (
    "Time runs on when a run is resumed: its starts are laid end to end, and "
    "what a killed start did behind its last checkpoint is time that was "
    "spent, but no progress. Steps that were taken again are drawn once."
  )
  yield (
    "Training values are of single batches of augmented people; the scores at "
    "the top are of an evaluation, and a difference between two of them is "
    "one only beside what another seed would make."
  )
