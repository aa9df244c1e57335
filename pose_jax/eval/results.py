"""Predictions as a list in COCO's results format, made, read and checked.

One entry per person: image_id, category_id 1, keypoints (x, y, score) * K in
image pixels, score; and `person_id`, the annotation the prediction belongs to
(top-down evaluation in ground truth boxes). COCO's loader ignores the extra
key; PCK, which compares person with person, needs it. Networks that say which
keypoints are present add `presence`, K probabilities.
"""

import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

PERSON_CATEGORY = 1
MIN_KEYPOINT_SCORE = 0.2  # HRNet's in_vis_thre


class ResultsError(ValueError):
  """A results file or list that cannot be scored; names the entry."""


class MetricError(ValueError):
  """A metric that this ground truth cannot be measured by."""


@runtime_checkable
class PeopleTable(Protocol):
  """What evaluation reads of a table of people (pose_jax.data.people).

  N people in M images; see there for shapes and frames.
  """

  skeleton: Any
  image_names: Any
  image_ids: Any
  image_index: Any
  person_ids: Any
  box_xywh_img: Any
  kpts_xy_img: Any
  vis: Any
  area: Any
  is_crowd: Any
  score: Any
  head_size: Any

  def __len__(self) -> int: ...

  def usable(self) -> Any: ...


def instance_score(
  box_score: Float[np.ndarray, "N"], keypoint_score: Float[np.ndarray, "N K"]
) -> Float[np.ndarray, "N"]:
  """Box score times the mean of the keypoint scores above 0.2.

  Zero where no keypoint score exceeds 0.2, as in HRNet's evaluation.
  """
  counts = keypoint_score > MIN_KEYPOINT_SCORE
  total = np.where(counts, keypoint_score, 0).sum(1)
  return box_score * total / np.maximum(counts.sum(1), 1)


def number(value: Any) -> float | None:
  """A float, or None for nan: JSON has no nan, a reader no use for it."""
  return None if math.isnan(value) else float(value)


def read_results(path: str | pathlib.Path) -> Any:
  """What a JSON file holds; ResultsError names the file if it is not JSON."""
  try:
    return json.loads(pathlib.Path(path).read_text())
  except OSError as error:
    raise ResultsError(
      f"cannot read the results file {path}: {error.strerror}"
    ) from error
  except ValueError as error:
    raise ResultsError(f"{path} is not a JSON file: {error}") from error


def check_results(
  results: Any, people: PeopleTable, *, source: str = "results"
) -> None:
  """Refuses what COCO's evaluation would misread or crash on.

  Raises:
    ResultsError: one sentence that names the first bad entry.
  """
  if not isinstance(results, list):
    raise ResultsError(
      f"{source}: a list of COCO results was expected, got "
      f"{type(results).__name__}; an annotation file is not a results file"
    )
  image_ids = set(np.asarray(people.image_ids).tolist())
  num_values = 3 * people.skeleton.num_keypoints
  for i, entry in enumerate(results):
    problem = _problem(entry, image_ids, num_values)
    if problem:
      raise ResultsError(f"{source}: entry {i} {problem}")


def _problem(entry: Any, image_ids: set[int], num_values: int) -> str:
  """What is wrong with one entry, as the end of a sentence; "" if nothing."""
  if not isinstance(entry, dict):
    return f"must be an object, got {type(entry).__name__}"
  for key in ("image_id", "category_id", "keypoints", "score"):
    if key not in entry:
      return f"has no {key!r}"
  if not _is_number(entry["image_id"]) or entry["image_id"] not in image_ids:
    return (
      f"has image_id {entry['image_id']!r}, which is not among the "
      f"{len(image_ids)} images of the ground truth"
    )
  if entry["category_id"] != PERSON_CATEGORY:
    return (
      f"has category_id {entry['category_id']!r}; people are category "
      f"{PERSON_CATEGORY}"
    )
  values = entry["keypoints"]
  if not isinstance(values, list) or len(values) != num_values:
    got = len(values) if isinstance(values, list) else type(values).__name__
    return (
      f"must have {num_values} numbers in 'keypoints' (x, y, score of each), "
      f"got {got}"
    )
  for value in (*values, entry["score"]):
    if not _is_number(value) or not math.isfinite(value):
      return f"holds {value!r} where a finite number was expected"
  if not isinstance(entry.get("person_id", 0), int):
    return f"has person_id {entry['person_id']!r}; an annotation id is an int"
  if "presence" in entry:
    return _presence_problem(entry["presence"], num_values // 3)
  return ""


def _presence_problem(values: Any, num: int) -> str:
  if not isinstance(values, list) or len(values) != num:
    got = len(values) if isinstance(values, list) else type(values).__name__
    return f"must have {num} probabilities in 'presence', got {got}"
  for value in values:
    if not _is_number(value) or not 0 <= value <= 1:
      return f"holds {value!r} in 'presence'; a probability is in 0 to 1"
  return ""


def _is_number(value: Any) -> bool:
  return isinstance(value, int | float) and not isinstance(value, bool)


def keypoints_of_people(
  results: Sequence[dict[str, Any]],
  people: PeopleTable,
  *,
  source: str = "results",
) -> Float[np.ndarray, "N K 3"]:
  """The prediction (x, y, score) of each person, matched by `person_id`.

  Raises:
    ResultsError: if an entry has no person_id, one that the table does not
      hold, or one that came before; or if a person has no prediction.
  """
  order = _entries_of_people(results, people, source)
  found = [results[i]["keypoints"] for i in order]
  shape = (len(people), people.skeleton.num_keypoints, 3)
  return np.reshape(np.array(found, np.float64), shape)


def presence_of_people(
  results: Sequence[dict[str, Any]],
  people: PeopleTable,
  *,
  source: str = "results",
) -> Float[np.ndarray, "N K"]:
  """The probability of each person's keypoints, matched by `person_id`.

  Raises:
    ResultsError: if an entry does not say it, or as `keypoints_of_people`.
  """
  without = [i for i, entry in enumerate(results) if "presence" not in entry]
  if without:
    raise ResultsError(
      f"{source}: metrics asks for presence, but entry {without[0]} has no "
      "'presence': only networks that say which keypoints are present can be "
      "measured by it (config.model.presence)"
    )
  order = _entries_of_people(results, people, source)
  found = [results[i]["presence"] for i in order]
  shape = (len(people), people.skeleton.num_keypoints)
  return np.reshape(np.array(found, np.float64), shape)


def _entries_of_people(results, people, source) -> list[int]:
  """Index of each person's entry."""
  row_of = {p: i for i, p in enumerate(np.asarray(people.person_ids).tolist())}
  found = np.full(len(people), -1)
  for i, entry in enumerate(results):
    if "person_id" not in entry:
      raise ResultsError(
        f"{source}: entry {i} has no 'person_id' (the annotation id of the "
        "person), and PCK compares person with person: predict in ground "
        "truth boxes, or ask for COCO's AP alone"
      )
    person_id = entry["person_id"]
    row = row_of.get(person_id)
    if row is None or found[row] >= 0:
      what = "which is not a person to evaluate"
      if row is not None:
        what = "which an earlier entry has too"
      raise ResultsError(
        f"{source}: entry {i} has person_id {person_id!r}, {what}"
      )
    found[row] = i
  is_found = found >= 0
  if not is_found.all():
    first = people.person_ids[np.argmin(is_found)]
    raise ResultsError(
      f"{source}: only {is_found.sum()} of {len(people)} people have a "
      f"prediction, person_id {first} has none: PCK needs every person"
    )
  return found.tolist()
