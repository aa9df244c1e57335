"""What a pickle of weights may name, as inert records and pure functions.

`BUILDERS` is the allow-list: for each global that may be called, a function
of ours that checks its arguments and returns a record, a dict, a number or a
text. Nothing here calls torch, and no object of a file is ever called.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from pose_jax.weights.file_bytes import TorchFileError, check_shape, shown


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Global:
  """A global of the allow-list, by its dotted name."""

  name: str


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Storage:
  """Bytes of the file by key, from element `start`, `numel` of `dtype`."""

  key: str
  dtype: np.dtype
  numel: int
  start: int = 0


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Tensor:
  """A view of a storage, inside it; offset and strides in elements."""

  storage: Storage
  dtype: np.dtype
  offset: int
  shape: tuple[int, ...]
  strides: tuple[int, ...]


@dataclasses.dataclass(slots=True, eq=False)
class NumpyDtype:
  """NumPy's dtype: a code of `NUMPY_CODES` and a byte order."""

  code: str
  order: str = "<"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Opaque:
  """Something allowed that no weights are made of; it holds nothing."""

  name: str


class Pickled(NamedTuple):
  """A file's pickled object, with records, and where its numbers are.

  `read_storage` gives the bytes of a storage by key.
  """

  value: Any
  read_storage: Callable[[str], np.ndarray]
  is_big_endian: bool


class Builder(NamedTuple):
  """What stands for a global that is called, and how many arguments fit."""

  function: Callable[..., Any]
  fewest: int
  most: int


NUMPY_CODES = tuple("f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1".split())
_DTYPES = {  # torch's name of the dtype, of its storage, ours
  ("float32", "Float"): np.float32,
  ("float64", "Double"): np.float64,
  ("float16", "Half"): np.float16,
  ("bfloat16", "BFloat16"): ml_dtypes.bfloat16,
  ("int64", "Long"): np.int64,
  ("int32", "Int"): np.int32,
  ("int16", "Short"): np.int16,
  ("int8", "Char"): np.int8,
  ("uint8", "Byte"): np.uint8,
  ("bool", "Bool"): np.bool_,
}
TORCH_DTYPES = {
  **{f"torch.{name}": np.dtype(ours) for (name, _), ours in _DTYPES.items()},
  **{f"torch.uint{n}": np.dtype(f"u{n // 8}") for n in (16, 32, 64)},
}
STORAGE_DTYPES = {
  **{
    f"{module}.{name}Storage": np.dtype(ours)
    for module in ("torch", "torch.cuda")
    for (_, name), ours in _DTYPES.items()
  },
  "torch.storage.UntypedStorage": np.dtype(np.uint8),
  "torch.UntypedStorage": np.dtype(np.uint8),
}


def tensor(
  storage: Any, offset: Any, shape: Any, strides: Any, *unused: Any
) -> Tensor:
  """Torch's `_rebuild_tensor` and `_rebuild_tensor_v2`, in bounds."""
  if not isinstance(storage, Storage):
    raise TorchFileError("makes a tensor of something that is no storage")
  return _view(storage, storage.dtype, storage.numel, offset, shape, strides)


def _typed_tensor(storage, offset, shape, strides, grad, hooks, dtype, *rest):
  """Torch's `_rebuild_tensor_v3`: an untyped storage, the dtype beside it."""
  ours = TORCH_DTYPES.get(getattr(dtype, "name", ""))
  if not isinstance(storage, Storage) or storage.dtype != np.uint8 or not ours:
    raise TorchFileError("makes a tensor of a storage or dtype of wrong kind")
  numel = storage.numel // ours.itemsize
  return _view(storage, ours, numel, offset, shape, strides)


def _view(storage, dtype, numel, offset, shape, strides):
  what = f"the tensor in storage {shown(storage.key, 20)}"
  count = check_shape(shape, dtype.itemsize, what)
  if (
    not isinstance(strides, tuple | list)
    or len(strides) != len(shape)
    or any(type(n) is not int or n < 0 for n in (offset, *strides))
  ):
    raise TorchFileError(f"gives {what} an offset or strides that are no sizes")
  last = offset
  for side, stride in zip(shape, strides, strict=True):
    last += (side - 1) * stride
  if count and last >= numel:
    raise TorchFileError(
      f"is damaged: {what} reaches element {last} of {numel}"
    )
  if count > numel:
    raise TorchFileError(
      f"repeats numbers in {what}, {count} out of {numel}: save it after "
      ".contiguous()"
    )
  return Tensor(storage, dtype, offset, tuple(shape), tuple(strides))


def _parameter(data, *unused):
  if not isinstance(data, Tensor):
    raise TorchFileError("makes a parameter of something that is no tensor")
  return data


def _subclassed_tensor(function, kind, args, *unused):
  """A tensor with attributes of its own, which are dropped."""
  name = getattr(function, "name", "")
  if name not in _TENSORS or not isinstance(args, tuple):
    raise TorchFileError("makes a tensor with something that makes none")
  return call(function, args)


def _dictionary(items=()):
  """An OrderedDict; Python 2 gave it a list of [key, value]."""
  if type(items) is dict:
    return dict(items)
  result: dict[Any, Any] = {}
  if not isinstance(items, tuple | list) or any(
    not isinstance(item, tuple | list) or len(item) != 2 for item in items
  ):
    raise TorchFileError("makes a dictionary of something that is no pairs")
  for key, value in items:
    insert(result, key, value)
  return result


def _default_dictionary(factory=None, items=()):
  return _dictionary(items)


def insert(target: dict[Any, Any], key: Any, value: Any) -> None:
  """Puts a value under a key that is new and cheap to hash."""
  if type(key) is int and abs(key) < 2**60 or type(key) in (bool, type(None)):
    name = str(key)
  elif type(key) is str:
    name = shown(key)
  else:
    raise TorchFileError(f"has {shown(key)} as a key, wanted texts or numbers")
  if key in target:
    raise TorchFileError(f"has the key {name} twice in one dictionary")
  target[key] = value


def _size(sizes=()):
  if not isinstance(sizes, tuple | list):
    raise TorchFileError("makes a torch.Size of something that is no tuple")
  return tuple(sizes)


def _device(kind, index=None):
  if type(kind) is not str or type(index) not in (int, type(None)):
    raise TorchFileError("names a device that is no text")
  return kind if index is None else f"{kind}:{index}"


def _numpy_dtype(code, *unused):
  if type(code) is not str or code not in NUMPY_CODES:
    raise TorchFileError(
      f"holds a NumPy value of dtype {shown(code, 20)}, wanted numbers only"
    )
  return NumpyDtype(code)


def _numpy_scalar(dtype, content=None):
  if not isinstance(dtype, NumpyDtype):
    raise TorchFileError("holds a NumPy number without a dtype")
  ours = np.dtype(dtype.order + dtype.code)
  if isinstance(content, str):  # bytes, as Python 2 wrote them
    content = _encoded(content, "latin1")
  if not isinstance(content, bytes) or len(content) != ours.itemsize:
    raise TorchFileError("holds a NumPy number whose bytes are not its dtype's")
  if ours.kind == "b":
    return content != b"\0"
  return np.frombuffer(content, ours)[0].item()


def _numpy_array(*unused):
  return Opaque("numpy.ndarray")


def _encoded(text, encoding):
  if type(text) is not str or encoding not in ("latin1", "latin-1"):
    raise TorchFileError("encodes something that is no text, or not as latin1")
  try:
    return text.encode("latin1")
  except UnicodeEncodeError:
    raise TorchFileError("holds bytes that are no bytes") from None


_TENSORS = {
  "torch._utils._rebuild_tensor": Builder(tensor, 4, 4),
  "torch._utils._rebuild_tensor_v2": Builder(tensor, 6, 7),
  "torch._utils._rebuild_tensor_v3": Builder(_typed_tensor, 7, 8),
  "torch._utils._rebuild_parameter": Builder(_parameter, 3, 3),
  "torch._utils._rebuild_parameter_with_state": Builder(_parameter, 4, 4),
}
BUILDERS = {
  **_TENSORS,
  "torch._tensor._rebuild_from_type_v2": Builder(_subclassed_tensor, 4, 4),
  "torch.Size": Builder(_size, 0, 1),
  "torch.device": Builder(_device, 1, 2),
  "collections.OrderedDict": Builder(_dictionary, 0, 1),
  "collections.Counter": Builder(_dictionary, 0, 1),
  "collections.defaultdict": Builder(_default_dictionary, 0, 2),
  "numpy.dtype": Builder(_numpy_dtype, 1, 3),
  "numpy.core.multiarray.scalar": Builder(_numpy_scalar, 2, 2),
  "numpy._core.multiarray.scalar": Builder(_numpy_scalar, 2, 2),
  "numpy.core.multiarray._reconstruct": Builder(_numpy_array, 3, 3),
  "numpy._core.multiarray._reconstruct": Builder(_numpy_array, 3, 3),
  "_codecs.encode": Builder(_encoded, 2, 2),
  "builtins.bytes": Builder(bytes, 0, 0),
  "__builtin__.bytes": Builder(bytes, 0, 0),
}
NAMES = {  # all that a file may name
  *BUILDERS,
  *TORCH_DTYPES,
  *STORAGE_DTYPES,
  *("torch.Tensor", "torch.nn.parameter.Parameter", "numpy.ndarray"),
  *(f"{m}.{n}" for m in ("builtins", "__builtin__") for n in ("dict", "list")),
}


def find(module: str, name: str) -> Global:
  """The record of a global, if it is one of the allow-list."""
  dotted = f"{module}.{name}"
  if dotted not in NAMES:
    raise TorchFileError(
      f"asks for {shown(dotted)}, which weights do not need, so nothing of it "
      "was run: if you trust who made it, save its state_dict() alone"
    )
  return Global(dotted)


def call(function: Any, args: Any) -> Any:
  """What our builder for a global makes of the arguments."""
  builder = BUILDERS.get(getattr(function, "name", ""))
  if not isinstance(function, Global) or not builder:
    raise TorchFileError("calls something that may not be called")
  is_fit = isinstance(args, tuple)
  if not is_fit or not builder.fewest <= len(args) <= builder.most:
    raise TorchFileError(f"calls {function.name} with arguments it cannot have")
  return builder.function(*args)


def set_state(target: Any, state: Any) -> None:
  """What pickle's BUILD may do here: next to nothing.

  Attributes of a dictionary (torch's `_metadata`) and the content of a NumPy
  array are dropped; a NumPy dtype gets its byte order.
  """
  if type(target) is dict and type(state) is dict:
    return
  if isinstance(target, Opaque) and isinstance(state, tuple):
    return
  is_dtype = isinstance(target, NumpyDtype) and isinstance(state, tuple)
  if is_dtype and len(state) >= 2 and state[1] in ("<", ">", "|", "="):
    target.order = "<" if state[1] == "=" else state[1]
    return
  raise TorchFileError("sets the state of something that may have none")
