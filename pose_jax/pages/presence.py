"""Presence and location of keypoints, as parts of the report."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from pose_jax.pages import chart, page


@dataclasses.dataclass(frozen=True, eq=False)
class Presence:
  """What was measured of presence, as plain arrays.

  Attributes:
    threshold: from which probability on a keypoint is said to be present.
    advice: which threshold is best, and how to use it; may be "".
    probability, present, share: of each bin that is not empty the mean
      probability, the share that was present, and its share of all pairs.
    total: share present, accuracy, majority and balanced accuracy over all.
  """

  threshold: float | int
  advice: str
  probability: Float[np.ndarray, "bins"]
  present: Float[np.ndarray, "bins"]
  share: Float[np.ndarray, "bins"]
  total: tuple[float | None, ...]


_COLUMNS = {  # of the table, and what rows of keypoints call them
  "share present": "present",
  "accuracy": "presence_accuracy",
  "majority": "presence_majority",
  "balanced": "presence_balanced_accuracy",
}


def presence_section(
  found: Presence, keypoints: tuple[dict[str, Any], ...]
) -> page.Section:
  """How far the probabilities of presence can be believed, and used.

  Args:
    keypoints: rows, see `keypoint_rows`.
  """
  rows = [
    (_words(row["name"]), *(_percent(row[key]) for key in _COLUMNS.values()))
    for row in keypoints
  ]
  rows.append(("all together", *map(_percent, found.total)))
  return page.Section(
    "Presence",
    "Present is a keypoint that is annotated; the network gives a probability "
    f"of it and says yes from {found.threshold:g} on. Majority: what is right "
    "without a look at the picture, with each keypoint's more frequent answer. "
    "Balanced: the mean of the shares of present and of absent keypoints that "
    "were recognised, 50 for whoever does not look; n/a where a keypoint is "
    f"always present or never. {_sentence(found.advice)}".rstrip(),
    left=(
      page.Table(
        "Presence of each keypoint, percent",
        ("keypoint", *_COLUMNS),
        tuple(rows),
        decimals=1,
      ),
    ),
    right=(_reliability(found),),
  )


def _sentence(advice: str) -> str:
  return advice[:1].upper() + advice[1:]


def _reliability(found: Presence) -> chart.Chart:
  def line(name, values, strong=False):
    x, y = found.probability.tolist(), values.tolist()
    return chart.Line(name, tuple(x), tuple(y), strong=strong)

  return chart.Chart(
    "Reliability of the probability",
    "probability, as the network says it",
    "share",
    (
      chart.Line("as it should be", (0.0, 1.0), (0.0, 1.0)),
      line("share of all pairs", found.share),
      line("present", found.present, strong=True),
    ),
    mark_x=float(found.threshold),
    note="Pairs of a person and a keypoint in bins of equal width. Below the "
    "diagonal the network promises too much. Where few of all pairs lie, the "
    "curve is noise. The dashed line is the threshold.",
  )


def location_section(
  *,
  curves: Mapping[str, Float[np.ndarray, "T"]],
  thresholds: Float[np.ndarray, "T"],
  threshold: float,
  name: str,
  deviation: Float[np.ndarray, "K"],
  keypoints: tuple[dict[str, Any], ...],
  pictures: tuple[page.Picture, ...],
) -> page.Section:
  """How far from the truth keypoints are, and where that lets them be.

  Args:
    curves: share of located keypoints over the thresholds, "all" first.
    threshold, name: where the score is read, and what it is called.
    deviation: of each keypoint, in units of the box; nan: never labelled.
    keypoints: rows, see `keypoint_rows`.
    pictures: sheets of densities.
  """
  rows = tuple(
    (_words(row["name"]), _percent(row[name]), _percent(_known(error)))
    for row, error in zip(keypoints, deviation.tolist(), strict=True)
  )
  return page.Section(
    "One density per keypoint",
    "A coordinate that was trained with squared error is the mean of a "
    "Gaussian: the density here has the keypoint's root mean square error over "
    "all these people as its deviation, in widths and heights of the box. It "
    "tells how far off the keypoint usually is, not how sure the network was "
    "in this picture. White dot: the annotation.",
    left=(
      page.Table(
        "Located keypoints and their deviation, percent",
        ("keypoint", name, "deviation"),
        rows,
        "Deviation: of one coordinate, percent of the box's side. A few lost "
        "keypoints make it large.",
        decimals=1,
      ),
    ),
    right=(
      chart.Chart(
        "Located keypoints over the threshold",
        "threshold, in sides of the box",
        "share of located keypoints",
        tuple(
          chart.Line(
            _words(part),
            tuple(thresholds.tolist()),
            tuple(values.tolist()),
            strong=part == "all",
          )
          for part, values in curves.items()
        ),
        x_range=(0.0, float(thresholds[-1])),
        mark_x=threshold,
        note="x is divided by the box's width, y by its height. The dashed "
        "line is where the score is read.",
      ),
    ),
    galleries=(page.Gallery("", "", pictures),),
  )


def _words(name: str) -> str:
  return name.replace("_", " ")


def _known(value: float) -> float | None:
  return None if np.isnan(value) else value


def _percent(value: float | None) -> float | None:
  return None if value is None else 100 * value
