"""The table of people as one .npz file, bit for bit; no image is read.

The file holds one array for each array of `People`, the image names as UTF-8
joined by NUL, and a header in JSON: the skeleton by content, so that a user's
own one survives, and the table's texts. Its parts carry checksums.
"""

import dataclasses
import hashlib
import json
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from pose_jax.data.images import DataError
from pose_jax.data.people import People
from pose_jax.skeleton import Link, Skeleton

_HEADER, _NAMES = "header", "image_names"


def write_people(path: pathlib.Path, people: People) -> None:
  """Writes the table; the path must end in .npz."""
  np.savez(path, **_parts(people))


def read_people(path: pathlib.Path) -> People:
  """The table that `write_people` wrote.

  Raises:
    DataError: if the file cannot be read, is damaged, or has other columns.
  """
  try:
    with open(path, "rb") as file, np.load(file) as content:
      parts = dict(content)
    header = json.loads(parts.pop(_HEADER).tobytes())
    names = parts.pop(_NAMES).tobytes().decode("utf-8", "surrogatepass")
    skeleton = _skeleton(header.pop("skeleton"))
    return People(
      skeleton=skeleton,
      image_names=tuple(names.split("\0")) if len(parts["image_ids"]) else (),
      **parts,
      **header,
    )
  except FileNotFoundError:
    raise DataError(f"there is no table of people {path}") from None
  except OSError as error:
    raise DataError(f"cannot read {path}: {error.strerror or error}") from None
  except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as e:
    raise DataError(
      f"the table of people {path} is damaged, or another version of pose_jax "
      f"wrote it: {e}"
    ) from None


def digest(people: People) -> str:
  """SHA-256 of everything the table holds; equal only for equal tables."""
  found = hashlib.sha256()
  for name, array in sorted(_parts(people).items()):
    found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
    found.update(np.ascontiguousarray(array).data)
  return found.hexdigest()


def _parts(people: People) -> dict[str, np.ndarray]:
  values = {f.name: getattr(people, f.name) for f in dataclasses.fields(people)}
  skeleton, names = values.pop("skeleton"), values.pop(_NAMES)
  header = {"skeleton": dataclasses.asdict(skeleton)}
  parts = {}
  for name, value in values.items():
    if isinstance(value, np.ndarray):
      parts[name] = value
    else:
      header[name] = value
  joined = "\0".join(names).encode("utf-8", "surrogatepass")
  text = json.dumps(header, sort_keys=True).encode()
  return parts | {
    _HEADER: np.frombuffer(text, np.uint8),
    _NAMES: np.frombuffer(joined, np.uint8),
  }


def _skeleton(content: Mapping[str, Any]) -> Skeleton:
  links = tuple(Link(**link) for link in content["links"])
  values = {name: _tuples(value) for name, value in content.items()}
  return Skeleton(**(values | {"links": links}))


def _tuples(value: Any) -> Any:
  """JSON's lists as the tuples that a skeleton has."""
  return tuple(map(_tuples, value)) if isinstance(value, list) else value
