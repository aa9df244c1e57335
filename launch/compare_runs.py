"""Lays runs side by side: how they trained, what they score, what they draw.

  python -m launch.compare_runs --workdirs=A,B,C --labels=a,b,c --output=DIR

Reads what `launch.train` and `launch.evaluate` wrote and runs no network.
Writes `comparison.html`, one page with curves over time and over steps,
training speed, scores of each run's last evaluation and its drawn people, and
`comparison.json`, all numbers of it.
"""

import pathlib

from absl import flags

from launch import doorway
from launch.mistakes import wanted_folder
from launch.side_by_side import compare, summary

_WORKDIRS = flags.DEFINE_list(
  "workdirs", [], "Folders of the runs, between commas."
)
_LABELS = flags.DEFINE_list(
  "labels", [], "What to call them, one each; their folders' names if left out."
)
_VALUES = flags.DEFINE_list(
  "values",
  [],
  "Logged values to draw, such as train/presence_accuracy; loss and accuracies "
  "that all runs log if left out.",
)
_SMOOTH = flags.DEFINE_integer(
  "smooth", 1, "Draw means of this many log lines.", lower_bound=1
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to.")


def main() -> None:
  """Reads all runs, then writes, and says in short what they are."""
  if not _WORKDIRS.value or not _OUTPUT.value:
    doorway.fail(
      "--workdirs=A,B and --output=FOLDER must be given: the runs, and where "
      "to write"
    )
  runs = compare(
    [pathlib.Path(text) for text in _WORKDIRS.value],
    wanted_folder("output", _OUTPUT.value),
    labels=_LABELS.value,
    names=_VALUES.value,
    num_averaged=_SMOOTH.value,
  )
  print(summary(runs), flush=True)
  page = pathlib.Path(_OUTPUT.value) / "comparison.html"
  print(f"page: {page}", flush=True)


if __name__ == "__main__":
  doorway.run(main)
