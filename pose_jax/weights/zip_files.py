"""The zip archives that torch.save writes since version 1.6.

`NAME/data.pkl` is the pickle, `NAME/data/KEY` the bytes of storage KEY, stored
plainly, and `NAME/byteorder` says "little" or "big".
"""

import io
import struct
import zipfile
import zlib

import numpy as np

from pose_jax.weights import torch_pickle
from pose_jax.weights.file_bytes import (
  TorchFileError,
  cut_short,
  read_raw,
  shown,
)
from pose_jax.weights.torch_records import Pickled, Storage

_HEADER = struct.Struct("<4s22x2H")  # a member's own header, before its name
FAULTS = (  # what zipfile raises over damaged directories
  zipfile.BadZipFile,
  NotImplementedError,  # zipfile's own, over a compression it does not know
  EOFError,
  OverflowError,
  ValueError,
  struct.error,
)


def members(file: io.BufferedIOBase) -> dict[str, zipfile.ZipInfo]:
  """The members of an archive by name, its directory checked.

  Raises:
    TorchFileError: for what is no archive, and names that come twice or lead
      elsewhere.
  """
  try:
    with zipfile.ZipFile(file) as archive:
      infos = archive.infolist()
  except FAULTS:
    raise TorchFileError(
      "is cut short or damaged: its zip directory cannot be read; fetch it "
      "again"
    ) from None
  found: dict[str, zipfile.ZipInfo] = {}
  for info in infos:
    name = info.filename
    if name in found:
      raise TorchFileError(f"holds the member {shown(name)} twice")
    if name.startswith("/") or "\\" in name or ".." in name.split("/"):
      raise TorchFileError(f"holds a member of the bad name {shown(name)}")
    if info.flag_bits & 1:
      raise TorchFileError(f"holds the encrypted member {shown(name)}")
    found[name] = info
  return found


def content_start(
  file: io.BufferedIOBase, info: zipfile.ZipInfo, size: int
) -> int:
  """Where a member's bytes begin, behind its own header."""
  what = f"member {shown(info.filename)}"
  start = info.header_offset
  header = bytes(read_raw(file, start, _HEADER.size, size, what))
  signature, name_bytes, extra_bytes = _HEADER.unpack(header)
  if signature != b"PK\x03\x04":
    raise TorchFileError(f"is damaged: {what} is not where it should be")
  return start + _HEADER.size + name_bytes + extra_bytes


def read_stored(
  file: io.BufferedIOBase, info: zipfile.ZipInfo, size: int
) -> np.ndarray:
  """Bytes of a member that is not compressed, its checksum compared."""
  what = f"member {shown(info.filename)}"
  start = content_start(file, info, size)
  raw = read_raw(file, start, info.file_size, size, what)
  # torch can be told to leave checksums out; it then writes 0.
  if info.CRC and zlib.crc32(raw) != info.CRC:
    raise TorchFileError(
      f"is damaged: the checksum of {what} is wrong; fetch it again"
    )
  return raw


def load(
  file: io.BufferedIOBase, size: int, found: dict[str, zipfile.ZipInfo]
) -> Pickled:
  """The pickled object of torch's archive, its storages not yet read.

  Raises:
    TorchFileError: for archives that are not torch's, and everything that
      `torch_pickle.load` refuses.
  """
  pickles = [n for n in found if n.split("/")[1:] == ["data.pkl"]]
  if len(pickles) != 1:
    raise TorchFileError(
      f"is a zip archive with {len(pickles)} members NAME/data.pkl, wanted the "
      "one that torch.save writes"
    )
  folder = pickles[0].split("/")[0]
  if f"{folder}/constants.pkl" in found:
    raise TorchFileError(
      "is a TorchScript program: open it with torch and save its state_dict()"
    )
  _check_plain(found, size)
  order = found.get(f"{folder}/byteorder")
  word = bytes(read_stored(file, order, size)) if order else b"little"
  if word not in (b"little", b"big"):
    raise TorchFileError("is damaged: it states no byte order that we know")

  def find_storage(key, dtype, numel, view=None):
    info = found.get(f"{folder}/data/{key}")
    if info is None:
      raise TorchFileError(f"lacks the storage {shown(key, 20)}")
    if info.file_size != numel * dtype.itemsize or view is not None:
      raise cut_short(
        f"storage {shown(key, 20)}", numel * dtype.itemsize, info.file_size
      )
    return Storage(key, dtype, numel)

  def read_storage(key):
    return read_stored(file, found[f"{folder}/data/{key}"], size)

  pickle = io.BytesIO(read_stored(file, found[pickles[0]], size))
  total = len(pickle.getbuffer())
  value = torch_pickle.load(pickle, total, find_storage)
  return Pickled(value, read_storage, word == b"big")


def _check_plain(found, size):
  """Members as torch stores them: uncompressed, all inside the file."""
  for info in found.values():
    if info.compress_type != zipfile.ZIP_STORED:
      raise TorchFileError(
        f"holds the compressed member {shown(info.filename)}, while torch.save "
        "stores plainly: save it with torch again"
      )
    if info.file_size != info.compress_size:
      raise TorchFileError(
        f"is damaged: member {shown(info.filename)} states two sizes"
      )
  total = sum(info.file_size for info in found.values())
  if total > size:
    raise cut_short("all its members", total, size)
