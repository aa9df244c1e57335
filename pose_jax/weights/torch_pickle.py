"""Reads a pickle of weights without executing anything of it.

A pickle is a program for a small stack machine. This is a machine of our own
for the few operations that torch.save writes: it cannot import, call or set
attributes, because it has no operation that does. A global becomes a record
of the allow-list of `torch_records`, a call becomes one of our own functions
there, and everything else ends in one sentence. It does not recurse, and it
stops after `MAX_OPERATIONS`.
"""

import io
import struct
from collections.abc import Callable
from typing import Any

from pose_jax.weights.file_bytes import TorchFileError, cut_short, take
from pose_jax.weights.torch_records import (
  STORAGE_DTYPES,
  Global,
  Storage,
  call,
  find,
  insert,
  set_state,
)

MAX_OPERATIONS = 3_000_000  # a checkpoint of HRNet with Adam has 300,000
_MAX_NAME = 200
_MAX_INT_BYTES = 16
_SLACK_WORK = 2**20
_WHAT = "its pickle"


def load(
  file: io.BufferedIOBase,
  size: int,
  find_storage: Callable[..., Storage] | None = None,
) -> Any:
  """The object of the pickle at the place where `file` stands.

  Args:
    file: a binary file; left behind the pickle's last byte.
    size: bytes of the file from its start that the pickle may lie in.
    find_storage: (key, dtype, numel, view) -> the storage that a persistent
      id names; view is None but in the oldest files.
  Raises:
    TorchFileError: for whatever torch.save does not write.
  """
  machine = _Machine(file, size - file.tell(), find_storage)
  try:
    return machine.run()
  except IndexError:
    raise TorchFileError(
      f"is damaged: {_WHAT} takes more than it has put down"
    ) from None


class _Machine:
  """Stack, memo and unread bytes of one pickle."""

  def __init__(self, file, left, find_storage):
    self.file = file
    self.left = left
    self.work = left + _SLACK_WORK  # no text is used twice to make new ones
    self.find_storage = find_storage
    self.stack = []
    self.below = []  # the stacks under the marks
    self.memo = {}

  def run(self):
    for _ in range(MAX_OPERATIONS):
      code = self.take(1)
      if code == b".":
        result = self.stack.pop()
        if self.stack or self.below:
          raise TorchFileError(f"is damaged: {_WHAT} leaves something over")
        return result
      step = _OPERATIONS.get(code)
      if step is None:
        raise TorchFileError(
          f"uses the pickle operation {code!r}, which torch.save does not "
          "write, so nothing of it was run"
        )
      step(self)
    raise TorchFileError(
      f"holds a pickle of more than {MAX_OPERATIONS} operations, far more than "
      "weights need"
    )

  def take(self, num_bytes):
    content = take(self.file, num_bytes, self.left, _WHAT)
    self.left -= num_bytes
    return content

  def number(self, form):
    return struct.unpack(form, self.take(struct.calcsize(form)))[0]

  def sized(self, form):
    size = self.number(form)
    if size < 0:
      raise cut_short(_WHAT, size, self.left)
    return self.take(size)

  def line(self):
    text = self.file.readline(min(_MAX_NAME, self.left))
    self.left -= len(text)
    if not text.endswith(b"\n"):
      raise TorchFileError(f"is damaged: a name in {_WHAT} has no end")
    return _utf8(text[:-1])

  def push(self, value):
    self.stack.append(value)

  def pop_to_mark(self):
    items, self.stack = self.stack, self.below.pop()
    return items

  def pop_last(self, num):
    if num > len(self.stack):
      raise IndexError
    split = len(self.stack) - num
    items = tuple(self.stack[split:])
    del self.stack[split:]
    return items

  def mark(self):
    self.below.append(self.stack)
    self.stack = []

  def remember(self, place):
    self.memo[place] = self.stack[-1]

  def recall(self, place):
    if place not in self.memo:
      raise TorchFileError(f"is damaged: {_WHAT} recalls what it never kept")
    self.push(self.memo[place])

  def protocol(self):
    version = self.number("<B")
    if not 2 <= version <= 5:
      raise TorchFileError(f"has a pickle of protocol {version}, wanted 2 to 5")

  def integer(self, form):
    content = self.sized(form)
    if len(content) > _MAX_INT_BYTES:
      raise TorchFileError(f"holds a whole number of {len(content)} bytes")
    self.push(int.from_bytes(content, "little", signed=True))

  def global_on_stack(self):
    module, name = self.pop_last(2)
    if type(module) is not str or type(name) is not str:
      raise TorchFileError(f"is damaged: {_WHAT} names a global by no text")
    self.push(find(module, name))

  def insert_all(self, items):
    target = self.stack[-1]
    if type(target) is not dict or len(items) % 2:
      raise TorchFileError(f"is damaged: {_WHAT} puts items in no dictionary")
    for key, value in zip(items[::2], items[1::2], strict=True):
      insert(target, key, value)

  def append_all(self, items):
    target = self.stack[-1]
    if type(target) is not list:
      raise TorchFileError(f"is damaged: {_WHAT} appends to what is no list")
    target.extend(items)

  def reduce(self):
    function, args = self.pop_last(2)
    if isinstance(args, tuple):
      self.work -= sum(
        len(arg) for arg in args if isinstance(arg, _SIZED_TYPES)
      )
    if self.work < 0:
      raise TorchFileError("makes far more of its pickle than weights need")
    self.push(call(function, args))

  def build(self):
    state = self.stack.pop()
    set_state(self.stack[-1], state)

  def persistent(self):
    """A storage by torch's ("storage", type, key, location, numel[, view])."""
    identity = self.stack.pop()
    if isinstance(identity, tuple) and 5 <= len(identity) <= 6:
      word, kind, key, _, numel, *view = identity
      name = kind.name if isinstance(kind, Global) else ""
      is_number = type(numel) is int and numel >= 0
      if (
        self.find_storage
        and (type(word), type(key)) == (str, str)
        and word == "storage"
        and name in STORAGE_DTYPES
        and is_number
      ):
        dtype = STORAGE_DTYPES[name]
        self.push(self.find_storage(key, dtype, numel, *view))
        return
    raise TorchFileError(
      "holds something by reference that is no storage of numbers: save the "
      "model's state_dict(), not the model"
    )


def _utf8(content):
  try:
    return content.decode("utf-8")
  except UnicodeDecodeError:
    raise TorchFileError(f"is damaged: a text in {_WHAT} is no UTF-8") from None


_SIZED = {
  b"X": ("<I", _utf8),
  b"\x8c": ("<B", _utf8),
  b"\x8d": ("<Q", _utf8),
  b"U": ("<B", lambda content: content.decode("latin1")),  # Python 2's str
  b"T": ("<i", lambda content: content.decode("latin1")),
  b"C": ("<B", bytes),
  b"B": ("<I", bytes),
  b"\x8e": ("<Q", bytes),
}
_SIZED_TYPES = (str, bytes, tuple, list, dict)
_NUMBERS = {b"J": "<i", b"K": "<B", b"M": "<H", b"G": ">d"}
_CONSTANTS = {b"N": None, b"\x88": True, b"\x89": False, b")": ()}

_OPERATIONS: dict[bytes, Callable[[_Machine], None]] = {
  **{
    code: lambda m, form=form, decode=decode: m.push(decode(m.sized(form)))
    for code, (form, decode) in _SIZED.items()
  },
  **{
    code: lambda m, form=form: m.push(m.number(form))
    for code, form in _NUMBERS.items()
  },
  **{
    code: lambda m, value=value: m.push(value)
    for code, value in _CONSTANTS.items()
  },
  b"\x8a": lambda m: m.integer("<B"),
  b"\x8b": lambda m: m.integer("<i"),
  b"\x80": _Machine.protocol,
  b"\x95": lambda m: m.take(8),  # a frame is a hint for readers
  b"}": lambda m: m.push({}),
  b"]": lambda m: m.push([]),
  b"(": _Machine.mark,
  b"t": lambda m: m.push(tuple(m.pop_to_mark())),
  b"\x85": lambda m: m.push(m.pop_last(1)),
  b"\x86": lambda m: m.push(m.pop_last(2)),
  b"\x87": lambda m: m.push(m.pop_last(3)),
  b"u": lambda m: m.insert_all(m.pop_to_mark()),
  b"s": lambda m: m.insert_all(m.pop_last(2)),
  b"e": lambda m: m.append_all(m.pop_to_mark()),
  b"a": lambda m: m.append_all(m.pop_last(1)),
  b"q": lambda m: m.remember(m.number("<B")),
  b"r": lambda m: m.remember(m.number("<I")),
  b"\x94": lambda m: m.remember(len(m.memo)),
  b"h": lambda m: m.recall(m.number("<B")),
  b"j": lambda m: m.recall(m.number("<I")),
  b"c": lambda m: m.push(find(m.line(), m.line())),
  b"\x93": _Machine.global_on_stack,
  b"R": _Machine.reduce,
  b"b": _Machine.build,
  b"Q": _Machine.persistent,
}
