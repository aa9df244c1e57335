"""Bytes of files of weights: bounded reading and the error that says no.

Sentences are written as what follows the file's name ("is cut short: ...");
`torch_files.read` puts the path in front. Nothing is allocated before its
size is known to be in the file.
"""

import io
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import UInt8

MAX_DIMS = 32
MAX_SHARING = 8  # all tensors together, in sizes of the file
_SLACK_BYTES = 2**20


class TorchFileError(ValueError):
  """A file of weights is not as it should be; one sentence says how."""


def take(
  file: io.BufferedIOBase, num_bytes: int, left: int, what: str
) -> bytes:
  """Exactly `num_bytes` of `file`, of whose part `left` bytes are unread."""
  if num_bytes > left:
    raise cut_short(what, num_bytes, left)
  content = file.read(num_bytes)
  if len(content) != num_bytes:
    raise cut_short(what, num_bytes, len(content))
  return content


def read_raw(
  file: io.BufferedIOBase, start: int, num_bytes: int, size: int, what: str
) -> UInt8[np.ndarray, " bytes"]:
  """Bytes [start, start + num_bytes) of a file of `size` bytes, not copied."""
  if start < 0 or num_bytes < 0 or start + num_bytes > size:
    raise cut_short(what, num_bytes, max(size - start, 0))
  raw = np.empty(num_bytes, np.uint8)
  view = memoryview(raw)
  file.seek(start)
  done = 0
  while done < num_bytes:
    count = file.readinto(view[done:])  # type: ignore[attr-defined]
    if not count:
      raise cut_short(what, num_bytes, done)
    done += count
  return raw


def cut_short(what: str, wanted: int, left: int) -> TorchFileError:
  """The error of a file that ends too early."""
  return TorchFileError(
    f"is cut short or damaged: {what} takes {wanted} bytes, {left} are left; "
    "fetch it again"
  )


def check_shape(shape: Any, itemsize: int, what: str) -> int:
  """Number of elements of a shape read from a file.

  Raises:
    TorchFileError: if it is no tuple or list of sizes, or of a size that no
      array can have.
  """
  is_shape = isinstance(shape, tuple | list) and len(shape) <= MAX_DIMS
  if not is_shape or any(type(side) is not int or side < 0 for side in shape):
    raise TorchFileError(
      f"gives {what} a shape that is not up to {MAX_DIMS} sizes of 0 or more"
    )
  count = extent = 1
  for side in shape:
    count *= side
    extent *= max(side, 1)
  if extent * itemsize >= 2**62:
    raise TorchFileError(f"gives {what} a shape that no memory can hold")
  return count


def check_total(total: int, size: int) -> None:
  """Refuses tensors of `total` bytes that share the file's far too often."""
  if total > MAX_SHARING * size + _SLACK_BYTES:
    raise TorchFileError(
      f"holds tensors of {total} bytes together in a file of {size}: they "
      "share the same numbers more often than weights do"
    )


def listed(names: Iterable[Any], most: int, length: int = 80) -> str:
  """A few names from a file and how many more there are.

  Plain ones stand as they are, others as `shown` has them.
  """
  names = list(names)
  texts = [
    name
    if isinstance(name, str) and re.fullmatch(rf"[\w./-]{{1,{length}}}", name)
    else shown(name, length)
    for name in names[:most]
  ]
  more = f" and {len(names) - most} more" if len(names) > most else ""
  return ", ".join(texts) + more


def is_text(text: str) -> bool:
  """Whether it can be printed and written: it has no half of a surrogate."""
  try:
    text.encode()
  except UnicodeEncodeError:
    return False
  return True


def shown(text: Any, most: int = 80) -> str:
  """A name from a file as messages show it: quoted, on one line, short."""
  if not isinstance(text, str):
    return f"a {type(text).__name__}"
  return repr(text if len(text) <= most else text[:most] + "...")
