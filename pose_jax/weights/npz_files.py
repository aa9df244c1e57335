"""NumPy's .npz archives, without its pickled objects."""

import io
import re
import struct
import zipfile
import zlib

import numpy as np

from pose_jax.weights.file_bytes import TorchFileError, check_shape, shown, take
from pose_jax.weights.torch_records import NUMPY_CODES
from pose_jax.weights.zip_files import FAULTS, content_start

_SUFFIX = ".npy"
_MAX_RATIO = 20  # of all numbers to the file's size; weights hardly shrink
_SLACK_BYTES = 2**24
_CHUNK_BYTES = 2**20
_MAGIC = b"\x93NUMPY"
_LENGTHS = {b"\x01\0": "<H", b"\x02\0": "<I"}  # by version of the format
_MAX_HEADER_BYTES = 10_000
_HEADER = re.compile(  # as numpy.save writes it; L is Python 2's
  rb"\{'descr': '(?P<code>[<>|=][A-Za-z]\w{0,4})', "
  rb"'fortran_order': (?P<is_fortran>True|False), "
  rb"'shape': \((?P<shape>(\d{1,19}L?(, ?|(?=\))))*)\), *\} *\n"
)


def is_npz(names: list[str]) -> bool:
  """Whether an archive of these members is NumPy's."""
  return bool(names) and all(name.endswith(_SUFFIX) for name in names)


def load(
  file: io.BufferedIOBase, size: int, found: dict[str, zipfile.ZipInfo]
) -> dict[str, np.ndarray]:
  """The arrays by name, in this machine's byte order.

  Raises:
    TorchFileError: for arrays that are no numbers, and archives that are
      damaged or unpack to far more than their size.
  """
  total = sum(info.file_size for info in found.values())
  if total > _MAX_RATIO * size + _SLACK_BYTES:
    raise TorchFileError(
      f"unpacks from {size} to {total} bytes, far more than weights do"
    )
  arrays = {}
  with zipfile.ZipFile(file) as archive:
    for name, info in found.items():
      if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise TorchFileError(f"holds {shown(name)} in a packing NumPy lacks")
      content_start(file, info, size)
      try:
        with archive.open(info) as member:
          array = _read_array(member, info.file_size, name)
      except TorchFileError:
        raise
      except (*FAULTS, zlib.error):
        raise TorchFileError(
          f"is cut short or damaged: member {shown(name)} cannot be read; "
          "fetch it again"
        ) from None
      arrays[name.removesuffix(_SUFFIX)] = array
  return arrays


def _read_array(member, size, name):
  shape, is_fortran, dtype = _read_header(member, size, name)
  count = check_shape(shape, dtype.itemsize, shown(name))
  left = size - member.tell()
  if count * dtype.itemsize != left:
    raise TorchFileError(
      f"is damaged: {shown(name)} needs {count * dtype.itemsize} bytes and has "
      f"{left}"
    )
  raw = np.empty(left, np.uint8)
  view = memoryview(raw)
  done = 0
  while done < left:
    num = member.readinto(view[done : done + _CHUNK_BYTES])
    if not num:
      raise EOFError
    done += num
  if dtype == np.bool_ and left and raw.max() > 1:
    raise TorchFileError(f"is damaged: {shown(name)} is bool but not 0 or 1")
  flat = raw.view(dtype).astype(dtype.newbyteorder("="), copy=False)
  return flat.reshape(shape[::-1]).T if is_fortran else flat.reshape(shape)


def _read_header(member, size, name):
  """(shape, Fortran order, dtype) of an array; a text of one form only."""
  what = f"member {shown(name)}"
  magic = take(member, len(_MAGIC) + 2, size, what)
  form = _LENGTHS.get(magic[-2:])
  if not magic.startswith(_MAGIC) or form is None:
    raise TorchFileError(f"is damaged: {what} is no array of NumPy's")
  (length,) = struct.unpack(
    form, take(member, struct.calcsize(form), size, what)
  )
  if length > _MAX_HEADER_BYTES:
    raise TorchFileError(
      f"is damaged: {what} states a header of {length} bytes"
    )
  text = take(member, length, size, what)
  match = _HEADER.fullmatch(text)
  if match is None:
    raise TorchFileError(f"holds {what}, which is no plain array of numbers")
  code = match["code"].decode()
  if code[1:] not in NUMPY_CODES:
    raise TorchFileError(
      f"holds {what} of dtype {shown(code, 20)}, wanted numbers only"
    )
  shape = tuple(int(side) for side in re.findall(rb"\d+", match["shape"]))
  return shape, match["is_fortran"] == b"True", np.dtype(code)
