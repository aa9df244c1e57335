"""NumPy's .npz archives, without its pickled objects."""

import io
import warnings
import zipfile
import zlib

import numpy as np

from pose_jax.weights.file_bytes import TorchFileError, check_shape, shown
from pose_jax.weights.torch_records import NUMPY_CODES
from pose_jax.weights.zip_files import FAULTS, content_start

_SUFFIX = ".npy"
_MAX_RATIO = 20  # of all numbers to the file's size; weights hardly shrink
_SLACK_BYTES = 2**24
_CHUNK_BYTES = 2**20
_HEADERS = {
  (1, 0): np.lib.format.read_array_header_1_0,
  (2, 0): np.lib.format.read_array_header_2_0,
}


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
  shape, is_fortran, dtype = _read_header(member, name)
  code = f"{dtype.kind}{dtype.itemsize}"
  if dtype.names or dtype.subdtype or code not in NUMPY_CODES:
    raise TorchFileError(
      f"holds {shown(name)} of dtype {shown(str(dtype))}, wanted numbers only"
    )
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
  if code == "b1" and left and raw.max() > 1:
    raise TorchFileError(f"is damaged: {shown(name)} is bool but not 0 or 1")
  flat = raw.view(dtype).astype(dtype.newbyteorder("="), copy=False)
  return flat.reshape(shape[::-1]).T if is_fortran else flat.reshape(shape)


def _read_header(member, name):
  """(shape, Fortran order, dtype) of an array, read by NumPy."""
  try:
    with warnings.catch_warnings():
      warnings.simplefilter("ignore")  # of headers that Python 2 wrote
      version = np.lib.format.read_magic(member)
      return _HEADERS[version](member)
  except (*FAULTS, KeyError, TypeError, SyntaxError, RecursionError):
    raise TorchFileError(
      f"is damaged: member {shown(name)} is no array of NumPy's"
    ) from None
