"""The files that torch.save wrote before version 1.6 (and still can).

Pickles of a magic number, a protocol number, facts of the machine, the object
itself and a list of storage keys follow each other; then, in the order of that
list, each storage: its length as 8 bytes and its numbers. Lengths and numbers
are little-endian; a file that states another machine is refused.
"""

import io
from typing import Any

from pose_jax.weights import torch_pickle
from pose_jax.weights.file_bytes import (
  TorchFileError,
  cut_short,
  read_raw,
  shown,
)
from pose_jax.weights.torch_records import Pickled, Storage

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_LENGTH_BYTES = 8


def load(file: io.BufferedIOBase, size: int) -> Pickled:
  """The pickled object of a legacy file, its storages not yet read.

  Raises:
    TorchFileError: for pickles that are not torch's, storages that are not
      all there, and everything that `torch_pickle.load` refuses.
  """
  file.seek(0)
  _check_header(file, size)
  named: dict[str, Storage] = {}

  def find_storage(key, dtype, numel, view=None):
    if numel * dtype.itemsize > size:
      raise cut_short(f"storage {shown(key, 20)}", numel * dtype.itemsize, size)
    whole = named.setdefault(key, Storage(key, dtype, numel))
    if whole.dtype != dtype or whole.numel != numel:
      raise TorchFileError(f"gives storage {shown(key, 20)} two lengths")
    return whole if view is None else _part(whole, view)

  value = torch_pickle.load(file, size, find_storage)
  keys = torch_pickle.load(file, size)
  starts = _find_starts(file, size, keys, named)

  def read_storage(key):
    storage = named[key]
    num_bytes = storage.numel * storage.dtype.itemsize
    what = f"storage {shown(key, 20)}"
    return read_raw(file, starts[key], num_bytes, size, what)

  return Pickled(value, read_storage, False)


def _check_header(file, size):
  magic = torch_pickle.load(file, size)
  if type(magic) is not int or magic != _MAGIC:
    raise TorchFileError(
      "is a pickle, but none that torch.save wrote: open it with what made it "
      "and save the state_dict() with torch"
    )
  version = torch_pickle.load(file, size)
  if type(version) is not int or version != _PROTOCOL:
    raise TorchFileError("is of a version of torch.save that nobody knows")
  machine = torch_pickle.load(file, size)
  if type(machine) is not dict or machine.get("little_endian") is not True:
    raise TorchFileError(
      "was not written on a little-endian machine, or does not say so: save it "
      "again with torch 1.6 or later"
    )


def _part(whole: Storage, view: Any) -> Storage:
  """A view of a storage: (key, offset, length), from before torch 0.4."""
  if isinstance(view, tuple) and len(view) == 3:
    _, start, numel = view
    if (
      type(start) is type(numel) is int
      and min(start, numel) >= 0
      and start + numel <= whole.numel
    ):
      return Storage(whole.key, whole.dtype, numel, start)
  raise TorchFileError(
    f"is damaged: a view of storage {shown(whole.key, 20)} is not inside it"
  )


def _find_starts(file, size, keys, named):
  """Where each storage's numbers begin; every one must be there, once."""
  is_list = isinstance(keys, list) and all(type(key) is str for key in keys)
  if not is_list or sorted(keys) != sorted(named):
    raise TorchFileError("is damaged: its list of storages is another's")
  starts = {}
  position = file.tell()
  for key in keys:
    what = f"storage {shown(key, 20)}"
    storage = named[key]
    length = read_raw(file, position, _LENGTH_BYTES, size, what)
    if int(length.view("<i8")[0]) != storage.numel:
      raise TorchFileError(f"is damaged: {what} has another length than stated")
    position += _LENGTH_BYTES
    starts[key] = position
    num_bytes = storage.numel * storage.dtype.itemsize
    if position + num_bytes > size:
      raise cut_short(what, num_bytes, max(size - position, 0))
    position += num_bytes
  return starts


def begins(head: bytes) -> bool:
  """Whether a file that begins with these bytes may be a legacy one."""
  return len(head) >= 2 and head[0] == 0x80 and 2 <= head[1] <= 5
