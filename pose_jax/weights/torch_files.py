"""Reads files of weights: torch's two formats, safetensors and .npz.

Neither torch nor any code of the file is run. The format is found by what the
file begins with, never by its name. Every size is checked against the file
before memory is taken, and only the storages of the weights are read: the
moments of an optimiser beside them stay on disk.
"""

import dataclasses
import hashlib
import io
import math
import os
import pathlib
from typing import Any

import numpy as np

from pose_jax.weights import legacy_files, npz_files, safetensors, zip_files
from pose_jax.weights.file_bytes import TorchFileError, check_total, shown
from pose_jax.weights.torch_records import Pickled, Tensor

STATE_DICTS = ("state_dict", "model_state_dict", "model")
_MAX_DEPTH = 8
_MAX_VALUES = 100_000


@dataclasses.dataclass(frozen=True)
class TorchFile:
  """What a file of weights holds.

  tensors: arrays by torch's names, in the file's order and dtypes (bfloat16
    is that of ml_dtypes). They cannot be written to, and may share memory or
    be in another than C order, as they were saved.
  others: plain values beside the weights (epoch, arch, ...; the metadata of
    safetensors).
  left_out: names beside the weights that are neither (optimizer, ...).
  format: "zip" or "legacy" of torch, "safetensors" or "npz".
  sha256: of the file, in hex.
  """

  tensors: dict[str, np.ndarray]
  others: dict[str, Any]
  left_out: tuple[str, ...]
  format: str
  sha256: str


def read(path: str | os.PathLike) -> TorchFile:
  """The weights in a file, without running anything of it.

  A checkpoint that holds its weights under one of `STATE_DICTS` is unwrapped.

  Raises:
    TorchFileError: in one sentence, for files that are no such, damaged, or
      ask for anything but numbers.
  """
  path = pathlib.Path(path)
  if path.exists() and not path.is_file():
    raise TorchFileError(f"{path} is no file")
  try:
    with path.open("rb") as file:
      size = os.fstat(file.fileno()).st_size
      found = _read(file, size)
      file.seek(0)
      sha256 = hashlib.file_digest(file, "sha256").hexdigest()
  except TorchFileError as error:
    raise TorchFileError(f"{path} {error}") from None
  except OSError as error:
    raise TorchFileError(f"cannot read {path}: {error.strerror}") from None
  for array in found[0].values():
    array.flags.writeable = False
  return TorchFile(*found, sha256)


def _read(file: io.BufferedIOBase, size: int):
  """(tensors, others, left_out, format) of a file."""
  head = file.read(16)
  # First: a header's length may begin as a zip archive or a pickle does.
  if safetensors.begins(head):
    tensors, metadata = safetensors.load(file, size)
    return tensors, metadata, (), "safetensors"
  if head.startswith(b"PK"):
    members = zip_files.members(file)
    if npz_files.is_npz(list(members)):
      return npz_files.load(file, size, members), {}, (), "npz"
    return *_unwrap(zip_files.load(file, size, members), size), "zip"
  if legacy_files.begins(head):
    return *_unwrap(legacy_files.load(file, size), size), "legacy"
  found = f"begins with {head!r}" if head else "is empty"
  raise TorchFileError(
    "is no file of weights: wanted .pth of torch, safetensors or .npz, and it "
    + found
  )


def _unwrap(pickled: Pickled, size: int):
  """(tensors, others, left_out) of the dictionary that torch saved."""
  top = pickled.value
  if type(top) is not dict:
    raise TorchFileError(
      f"holds {_kind(top)}, wanted a dictionary of weights: save the model's "
      "state_dict()"
    )
  places = [name for name in STATE_DICTS if _has_tensors(top.get(name))]
  if len(places) > 1:
    raise TorchFileError(
      f"holds weights under {' and '.join(places)}: save the one you want alone"
    )
  beside: dict[Any, Any] = {}
  weights = top
  if places:
    beside = {key: top[key] for key in top if key != places[0]}
    weights = top[places[0]]
  elif not _has_tensors(top):
    names = ", ".join(shown(str(key), 30) for key in list(top)[:5])
    raise TorchFileError(
      f"holds no weights at its top, nor under {', '.join(STATE_DICTS)}: it "
      f"has {names or 'nothing'}"
    )
  views = {k: v for k, v in weights.items() if isinstance(v, Tensor)}
  for name in weights:
    if name not in views:
      beside[f"{places[0]}.{name}" if places else name] = weights[name]
  others, left_out = _split(beside)
  return _arrays(pickled, views, size), others, left_out


def _split(beside):
  """(plain values by name, names of all others)."""
  budget = [_MAX_VALUES]
  values = {name: _plain(value, budget) for name, value in beside.items()}
  others = {
    name: value
    for name, value in values.items()
    if type(name) is str and value is not _NO
  }
  return others, tuple(str(name) for name in values if name not in others)


def _arrays(pickled, views, size):
  """The tensors as arrays; what they take together is checked first."""
  total = 0
  for name, view in views.items():
    if type(name) is not str:
      raise TorchFileError("names a tensor by something that is no text")
    total += math.prod(view.shape) * view.dtype.itemsize
  check_total(total, size)
  raws: dict[str, np.ndarray] = {}
  return {name: _as_array(pickled, v, raws) for name, v in views.items()}


def _kind(value):
  if isinstance(value, Tensor):
    return "a single tensor"
  return f"a value of type {type(value).__name__}"


def _has_tensors(value):
  return type(value) is dict and any(
    isinstance(item, Tensor) for item in value.values()
  )


def _as_array(pickled, tensor, raws):
  """The tensor as a view of its storage's bytes, each read once."""
  storage = tensor.storage
  dtype = tensor.dtype
  if 0 in tensor.shape:
    return np.empty(tensor.shape, dtype)
  if storage.key not in raws:
    raws[storage.key] = pickled.read_storage(storage.key)
  array = np.ndarray(
    tensor.shape,
    f"u{dtype.itemsize}",
    buffer=raws[storage.key],
    offset=storage.start * storage.dtype.itemsize
    + tensor.offset * dtype.itemsize,
    strides=[
      stride * dtype.itemsize if side > 1 else 0  # torch keeps any there
      for side, stride in zip(tensor.shape, tensor.strides, strict=True)
    ],
  )
  if pickled.is_big_endian:
    array = array.byteswap()
  if dtype == np.bool_ and array.max() > 1:
    raise TorchFileError("is damaged: a tensor of bool is not 0 or 1")
  return array.view(dtype)


_NO = object()  # a value that is not plain


def _plain(value, budget, depth=0):
  """A copy of numbers, texts and what is made of them, or `_NO`.

  `budget` counts the values that may still be copied of the whole file, as a
  pickle can hold the same list any number of times.
  """
  budget[0] -= 1
  if type(value) in (str, int, float, bool, type(None)):
    return value
  if type(value) not in (dict, list, tuple):
    return _NO
  if depth > _MAX_DEPTH or len(value) > budget[0]:
    return _NO
  if type(value) is dict:
    copy = {k: _plain(v, budget, depth + 1) for k, v in value.items()}
    return _NO if any(v is _NO for v in copy.values()) else copy
  items = [_plain(item, budget, depth + 1) for item in value]
  return _NO if any(item is _NO for item in items) else type(value)(items)
