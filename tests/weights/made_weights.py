"""Files of weights made by hand, and what those of `files/` should hold.

Pickles are put together from their operations, so that each can be wrong in
one place: `dictionary((text("w"), tensor()))` is the state dict of one tensor.
"""

import pathlib
import pickle
import struct
import zipfile

import ml_dtypes
import numpy as np

FILES = pathlib.Path(__file__).parent / "files"
NUMBERS = np.arange(4, dtype=np.float32)  # storage "0" unless said otherwise


def mixed():
  """The tensors of `files/mixed_*`, by the formulas of make_files.py."""
  base = np.arange(24, dtype=np.float32) / 8 - 1
  bfloat16 = np.arange(6, dtype=np.float32).astype(ml_dtypes.bfloat16)
  return {
    "whole": base.reshape(2, 3, 4),
    "permuted": base.reshape(2, 3, 4).transpose(2, 0, 1),
    "part": base[5:11:2],
    "parameter": np.arange(3, dtype=np.float32),
    "scalar": np.array(7.5, np.float32),
    "empty": np.zeros((0, 3), np.float32),
    "float64": np.arange(3) / 3,
    "float16": (np.arange(3) / 4).astype(np.float16),
    "bfloat16": bfloat16.reshape(2, 3).T,
    "int64": np.arange(3) - 2**40,
    "int32": (np.arange(3) - 2**20).astype(np.int32),
    "int16": (np.arange(3) - 300).astype(np.int16),
    "int8": (np.arange(3) - 2).astype(np.int8),
    "uint8": (np.arange(3) + 253).astype(np.uint8),
    "uint16": np.array([0, 65535], np.uint16),
    "bool": np.array([True, False, True]),
  }


def checkpoint():
  """The weights of `files/checkpoint_*`; batch norm has seen one batch."""
  seen = np.array([1, 4, 7], np.float32)  # the convolution of ones
  return {
    "module.0.weight": np.arange(6, dtype=np.float32).reshape(3, 2, 1, 1),
    "module.0.bias": -np.arange(3, dtype=np.float32),
    "module.1.weight": np.ones(3, np.float32),
    "module.1.bias": np.zeros(3, np.float32),
    "module.1.running_mean": np.float32(0.1) * seen,
    "module.1.running_var": np.full(3, 0.9, np.float32),
    "module.1.num_batches_tracked": np.array(1),
  }


def text(content):
  content = content.encode()
  return b"X" + struct.pack("<I", len(content)) + content


def number(value):
  content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
  return b"\x8a" + bytes([len(content)]) + content


def several(*items):
  return b"(" + b"".join(items) + b"t"


def numbers(*values):
  return several(*map(number, values))


def named(dotted):
  module, _, name = dotted.rpartition(".")
  return f"c{module}\n{name}\n".encode()


def called(dotted, *args):
  return named(dotted) + several(*args) + b"R"


def dictionary(*pairs):
  return b"}(" + b"".join(key + value for key, value in pairs) + b"u"


def storage(key="0", kind="torch.FloatStorage", numel=4, *view):
  identity = (text("storage"), named(kind), text(key), text("cpu"))
  return several(*identity, number(numel), *view) + b"Q"


def tensor(part=None, offset=0, shape=(4,), strides=(1,)):
  return called(
    "torch._utils._rebuild_tensor_v2",
    storage() if part is None else part,
    number(offset),
    numbers(*shape),
    numbers(*strides),
    b"\x89",
    called("collections.OrderedDict"),
  )


def pickled(body):
  return b"\x80\x02" + body + b"."


def saved(path, tensors, form):
  """Writes a state dict as torch.save does; form is "zip" or "legacy".

  Arrays are float32 or int64, each in a storage of its own.
  """
  kinds = {"float32": "torch.FloatStorage", "int64": "torch.LongStorage"}
  view = (b"N",) if form == "legacy" else ()
  pairs, storages = [], {}
  for index, (name, array) in enumerate(tensors.items()):
    key = str(index)
    storages[key] = np.ascontiguousarray(array)
    part = storage(key, kinds[array.dtype.name], array.size, *view)
    strides = [
      int(np.prod(array.shape[axis + 1 :])) for axis in range(array.ndim)
    ]
    pairs.append((text(name), tensor(part, 0, array.shape, strides)))
  body = dictionary(*pairs)
  if form == "legacy":
    return legacy_file(path, body, storages)
  return zip_file(path, body, {k: v.tobytes() for k, v in storages.items()})


STATE_DICT = dictionary((text("w"), tensor()))


def zip_file(path, body, storages=None, *, byte_order=b"little", extra=()):
  """Writes an archive as torch.save does; `extra` are (name, bytes)."""
  storages = {"0": NUMBERS.tobytes()} if storages is None else storages
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("a/data.pkl", pickled(body))
    if byte_order is not None:
      archive.writestr("a/byteorder", byte_order)
    for key, content in storages.items():
      archive.writestr(f"a/data/{key}", content)
    for name, content in extra:
      archive.writestr(name, content)
  return path


def legacy_file(path, body, storages=None, *, facts=None, keys=None):
  """Writes a legacy file; storages are arrays by key."""
  storages = {"0": NUMBERS} if storages is None else storages
  facts = {"little_endian": True} if facts is None else facts
  parts = [
    pickle.dumps(0x1950A86A20F9469CFC6C, 2),
    pickle.dumps(1001, 2),
    pickle.dumps(facts, 2),
    pickled(body),
    pickle.dumps(list(storages) if keys is None else keys, 2),
  ]
  for array in storages.values():
    parts += [struct.pack("<q", array.size), array.tobytes()]
  path.write_bytes(b"".join(parts))
  return path
