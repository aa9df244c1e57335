"""The safetensors format: names, dtypes and shapes as JSON, then the numbers.

8 bytes give the length of the JSON header, little-endian. Each of its entries
has `dtype`, `shape` and `data_offsets` [begin, end) counted from behind the
header; the tensors lie behind one another without holes and fill the file.
`__metadata__` maps texts to texts. Numbers are little-endian, C order.
Source: https://github.com/huggingface/safetensors, section "Format".
"""

import io
import json
import os
import pathlib
import struct
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np

from pose_jax.weights.file_bytes import (
  TorchFileError,
  check_shape,
  cut_short,
  is_text,
  read_raw,
  shown,
  take,
)

MAX_HEADER_BYTES = 100_000_000
DTYPES = {
  "F64": np.dtype(np.float64),
  "F32": np.dtype(np.float32),
  "F16": np.dtype(np.float16),
  "BF16": np.dtype(ml_dtypes.bfloat16),
  "I64": np.dtype(np.int64),
  "I32": np.dtype(np.int32),
  "I16": np.dtype(np.int16),
  "I8": np.dtype(np.int8),
  "U64": np.dtype(np.uint64),
  "U32": np.dtype(np.uint32),
  "U16": np.dtype(np.uint16),
  "U8": np.dtype(np.uint8),
  "BOOL": np.dtype(np.bool_),
}
_METADATA = "__metadata__"
_LENGTH_BYTES = 8
_ALIGNMENT = 8  # of the first tensor; the largest come first


def write(
  path: str | pathlib.Path,
  tensors: Mapping[str, np.ndarray],
  metadata: Mapping[str, str] | None = None,
) -> None:
  """Writes tensors, whole or not at all; dtypes stay as they are.

  Raises:
    ValueError: for names or metadata that are no texts, and dtypes that the
      format does not have.
  """
  path = pathlib.Path(path)
  codes = {dtype: code for code, dtype in DTYPES.items()}
  header: dict[str, Any] = {}
  if metadata:
    if any(type(text) is not str for item in metadata.items() for text in item):
      raise ValueError("metadata of safetensors must map texts to texts")
    header[_METADATA] = dict(metadata)
  for name, array in tensors.items():
    if type(name) is not str or name == _METADATA or not is_text(name):
      raise ValueError(f"a tensor cannot be named {name!r}")
    if array.dtype.newbyteorder("=") not in codes:
      raise ValueError(
        f"tensor {name!r} has dtype {array.dtype}, which safetensors lacks: "
        f"use one of {', '.join(map(str, codes))}"
      )
  order = sorted(tensors, key=lambda name: -tensors[name].dtype.itemsize)
  end = 0
  for name in order:
    array = tensors[name]
    begin, end = end, end + array.nbytes
    header[name] = {
      "dtype": codes[array.dtype.newbyteorder("=")],
      "shape": list(array.shape),
      "data_offsets": [begin, end],
    }
  text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
  text += b" " * (-len(text) % _ALIGNMENT)
  unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
  try:
    with unfinished.open("wb") as file:
      file.write(struct.pack("<Q", len(text)) + text)
      for name in order:
        file.write(_little_endian_bytes(tensors[name]))
    unfinished.replace(path)
  finally:
    unfinished.unlink(missing_ok=True)


def _little_endian_bytes(array: np.ndarray) -> np.ndarray:
  """The array's bytes, not copied where they lie in order already."""
  flat = np.ascontiguousarray(array).reshape(-1)
  if array.dtype.kind in "fiu":
    flat = flat.astype(array.dtype.newbyteorder("<"), copy=False)
  return flat.view(np.uint8)


def begins(head: bytes) -> bool:
  """Whether a file that begins with these bytes may be safetensors."""
  return len(head) > _LENGTH_BYTES and head[_LENGTH_BYTES] == ord("{")


def load(
  file: io.BufferedIOBase, size: int
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
  """Tensors by name in the order of the file's bytes, and the metadata.

  Raises:
    TorchFileError: for everything that the format does not allow.
  """
  file.seek(0)
  what = "its header"
  (length,) = struct.unpack("<Q", take(file, _LENGTH_BYTES, size, what))
  if length > MAX_HEADER_BYTES:
    raise TorchFileError(
      f"states a header of {length} bytes, safetensors allows "
      f"{MAX_HEADER_BYTES}"
    )
  start = _LENGTH_BYTES + length
  header = _parse(take(file, length, size - _LENGTH_BYTES, what))
  metadata = header.pop(_METADATA, {})
  if not isinstance(metadata, dict) or any(
    type(value) is not str for value in metadata.values()
  ):
    raise TorchFileError("has metadata that does not map texts to texts")
  rows = sorted(
    (_row(name, entry) for name, entry in header.items()),
    key=lambda row: row[3:],
  )
  position = 0
  for name, *_, begin, end in rows:
    if begin != position:
      raise TorchFileError(
        f"is damaged: tensor {shown(name)} begins at {begin}, wanted "
        f"{position}, where the one before ends"
      )
    position = end
  if start + position > size:
    raise cut_short("all its tensors", position, size - start)
  if start + position < size:
    raise TorchFileError(
      f"is damaged: {size - start - position} bytes follow its last tensor"
    )
  tensors = {}
  for name, dtype, shape, begin, end in rows:
    raw = read_raw(file, start + begin, end - begin, size, shown(name))
    tensors[name] = as_array(raw, dtype, shape, shown(name))
  return tensors, metadata


def as_array(
  raw: np.ndarray, dtype: np.dtype, shape: tuple[int, ...], what: str
) -> np.ndarray:
  """Little-endian bytes as an array; numbers of a bool must be 0 or 1."""
  if dtype == np.bool_ and raw.size and raw.max() > 1:
    raise TorchFileError(f"is damaged: {what} is of bool but not 0 or 1")
  return raw.view(dtype).reshape(shape)


def _parse(text):
  try:
    header = json.loads(
      text.decode("utf-8"),
      object_pairs_hook=_no_duplicates,
      parse_constant=_no_constants,
    )
  except TorchFileError:
    raise
  except (ValueError, RecursionError):
    raise TorchFileError("is damaged: its header is no JSON") from None
  if not isinstance(header, dict):
    raise TorchFileError("is damaged: its header is no JSON object")
  return header


def _no_duplicates(pairs):
  found: dict[str, Any] = {}
  for name, value in pairs:
    if name in found:
      raise TorchFileError(f"has the key {shown(name)} twice in its header")
    for text in (name, value):
      if isinstance(text, str) and not is_text(text):
        raise TorchFileError(
          f"is damaged: {shown(text)} in its header is no Unicode text"
        )
    found[name] = value
  return found


def _no_constants(name):
  raise TorchFileError(f"is damaged: its header holds {name}")


def _row(name, entry):
  """(name, dtype, shape, begin, end) of an entry of the header."""
  keys = {"dtype", "shape", "data_offsets"}
  if not isinstance(entry, dict) or set(entry) != keys:
    raise TorchFileError(
      f"is damaged: {shown(name)} must have dtype, shape and data_offsets only"
    )
  code = entry["dtype"]
  dtype = DTYPES.get(code) if type(code) is str else None
  if dtype is None:
    raise TorchFileError(
      f"holds tensor {shown(name)} of dtype {shown(code, 20)}, which is not "
      f"one of {', '.join(DTYPES)}"
    )
  offsets = entry["data_offsets"]
  if not isinstance(offsets, list) or [type(n) for n in offsets] != [int, int]:
    raise TorchFileError(f"is damaged: {shown(name)} has no [begin, end)")
  begin, end = offsets
  count = check_shape(entry["shape"], dtype.itemsize, shown(name))
  if not 0 <= begin <= end or count * dtype.itemsize != end - begin:
    raise TorchFileError(
      f"is damaged: {shown(name)} of {count * dtype.itemsize} bytes is said to "
      f"lie in [{begin}, {end})"
    )
  return name, dtype, tuple(entry["shape"]), begin, end
