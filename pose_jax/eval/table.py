"""Several measurements of one pass, side by side."""

from collections.abc import Sequence

from pose_jax import protocol as protocol_lib
from pose_jax.eval.evaluation import Evaluation


def rows_of(found: Sequence[Evaluation]) -> list[tuple[str, ...]]:
  """A heading, then one row per measurement.

  Columns are what the protocols differ in, and every score that all have.
  """
  protocols = [dict(evaluation.protocol.rows()) for evaluation in found]
  names = dict.fromkeys(name for rows in protocols for name in rows)

  def num_different(*rows_named):
    return len({tuple(p.get(n, "") for n in rows_named) for p in protocols})

  differing = [name for name in names if num_different(name) > 1]
  both = "boxes", protocol_lib.BOX_FILE
  if num_different(*both) == num_different("boxes"):  # no two files of a name
    differing = [name for name in differing if name != protocol_lib.BOX_FILE]
  shared = [
    name
    for name in found[0].headline
    if all(name in evaluation.scores for evaluation in found)
  ]
  rows = [(*differing, *shared)]
  for evaluation, protocol in zip(found, protocols, strict=True):
    how = [protocol.get(name, "") for name in differing]
    values = [_text(evaluation.scores[name]) for name in shared]
    rows.append((*how, *values))
  return rows


def text_of(rows: Sequence[Sequence[str]]) -> str:
  """The rows as lines of aligned columns."""
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  return "\n".join(
    "  ".join(
      cell.ljust(width) for cell, width in zip(row, widths, strict=True)
    ).rstrip()
    for row in rows
  )


def _text(value: float | None) -> str:
  return "n/a" if value is None else f"{value:.3f}"
