"""JSON annotation files as arrays: one column of all entries at a time.

A file like COCO's is a list of objects. These functions take one key of every
object, check it, and name the object at fault by its id. Kinds are checked on
the set of types of a whole column: a look at each value in turn happens only
once something is known to be wrong, for the sentence.
"""

import contextlib
import gc
import itertools
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from pose_jax.data.images import DataError


def load(path: pathlib.Path, what: str) -> Any:
  """The content of a JSON file; `what` is what messages call the file.

  Raises:
    DataError: if it cannot be read or is no JSON.
  """
  try:
    text = path.read_bytes()
    text = text.decode(json.detect_encoding(text))  # lets go of the bytes
    with collector_off():
      return json.loads(text)
  except OSError as error:
    raise DataError(f"cannot read {what} {path}: {error.strerror}") from None
  except ValueError as error:
    raise DataError(f"{what} {path} is no valid JSON: {error}") from None


@contextlib.contextmanager
def collector_off():
  """No garbage collection inside.

  A large JSON file becomes millions of lists, none of them garbage, and the
  collector would walk them all again and again (half the time of loading).
  """
  was_on = gc.isenabled()
  gc.disable()
  try:
    yield
  finally:
    if was_on:
      gc.enable()


def column(
  entries: Sequence[Any], kind: str, key: str, path: pathlib.Path
) -> list:
  """Value `key` of every entry; `kind` is what messages call an entry."""
  try:
    return [entry[key] for entry in entries]
  except (KeyError, TypeError):
    row = next(
      i
      for i, entry in enumerate(entries)
      if not isinstance(entry, dict) or key not in entry
    )
    raise faulty(entries, kind, row, f"has no {key!r}", path) from None


def texts(
  entries: Sequence[Any], kind: str, key: str, path: pathlib.Path
) -> tuple[str, ...]:
  """Column `key`, which must be text."""
  values = column(entries, kind, key, path)
  if set(map(type, values)) - {str}:
    row = next(i for i, v in enumerate(values) if not isinstance(v, str))
    fault = f"has {key} {values[row]!r}, wanted a text"
    raise faulty(entries, kind, row, fault, path)
  return tuple(values)


def ints(
  entries: Sequence[Any], kind: str, key: str, path: pathlib.Path
) -> Int64[np.ndarray, "N"]:
  """Column `key`, which must be whole numbers of 64 bits."""
  values = column(entries, kind, key, path)
  if not set(map(type, values)) - {int, bool}:
    with contextlib.suppress(OverflowError):
      return np.array(values, np.int64)
  row = next(
    i
    for i, v in enumerate(values)
    if not isinstance(v, int) or not -(2**63) <= v < 2**63
  )
  fault = f"has {key} {values[row]!r}, wanted a whole number"
  raise faulty(entries, kind, row, fault, path)


def numbers(
  entries: Sequence[Any], kind: str, key: str, path: pathlib.Path
) -> Float64[np.ndarray, "N"]:
  """Column `key`, which must be finite numbers."""
  values = column(entries, kind, key, path)
  array = _as_floats(values)
  if array is None:
    row = [_is_number(value) for value in values].index(False)
    fault = f"has {key} {values[row]!r}, wanted a number"
    raise faulty(entries, kind, row, fault, path)
  if not np.isfinite(array).all():
    row = int(np.flatnonzero(~np.isfinite(array))[0])
    fault = f"has {key} {values[row]!r}, wanted a finite number"
    raise faulty(entries, kind, row, fault, path)
  return array


def vectors(
  entries: Sequence[Any], kind: str, key: str, num: int, path: pathlib.Path
) -> Float64[np.ndarray, "N num"]:
  """Column `key`, which must be lists of `num` finite numbers."""
  values = column(entries, kind, key, path)
  if set(map(type, values)) - {list} or set(map(len, values)) - {num}:
    for row, value in enumerate(values):
      length = len(value) if isinstance(value, list) else 1
      if length != num or not isinstance(value, list):
        fault = f"has {length} numbers in {key}, wanted {num}"
        raise faulty(entries, kind, row, fault, path)
  array = _as_floats(list(itertools.chain.from_iterable(values)))
  if array is None:
    row = [all(map(_is_number, value)) for value in values].index(False)
    fault = f"has {key} {values[row]!r}, wanted numbers"
    raise faulty(entries, kind, row, fault, path)
  array = array.reshape(len(values), num)
  is_good = np.isfinite(array).all(1)
  if not is_good.all():
    row = int(np.flatnonzero(~is_good)[0])
    fault = f"has {key} {values[row]!r}, wanted finite numbers"
    raise faulty(entries, kind, row, fault, path)
  return array


def faulty(
  entries: Sequence[Any], kind: str, row: int, fault: str, path: pathlib.Path
) -> DataError:
  """ "FILE: annotation 17 has ...", by id where the entry has one."""
  entry = entries[row]
  number = entry.get("id") if isinstance(entry, dict) else None
  which = f"{kind} {number}" if number is not None else f"{kind} entry {row}"
  return DataError(f"{path}: {which} {fault}")


def _as_floats(values: list) -> np.ndarray | None:
  """[N] float64; None if a value is no number."""
  if set(map(type, values)) - {int, float}:
    return None
  try:
    return np.fromiter(values, np.float64, len(values))
  except OverflowError:  # an integer of hundreds of digits
    return None


def _is_number(value: Any) -> bool:
  return type(value) is float or (type(value) is int and abs(value) < 2**1023)
