"""Nothing of a hostile pickle is executed: each is refused in a sentence."""

import builtins
import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from made_weights import (
  FILES,
  STATE_DICT,
  called,
  dictionary,
  legacy_file,
  named,
  number,
  several,
  tensor,
  text,
  zip_file,
)

from pose_jax.weights import torch_pickle
from pose_jax.weights.torch_files import TorchFileError, read


class Attack:
  """Pickles as a call of `function`; with a state, if there is one."""

  def __init__(self, function, *args, state=None):
    self.reduced = (
      (function, args) if state is None else (function, args, state)
    )

  def __reduce__(self):
    return self.reduced


def attacks(canary):
  """Objects whose unpickling makes the file `canary`."""
  touch = f"touch '{canary}'"
  write = f"open({str(canary)!r}, 'w').close()"
  return {
    "system": Attack(os.system, touch),
    "eval": Attack(eval, write),
    "exec": Attack(exec, write),
    "open": Attack(open, str(canary), "w"),
    "getattr": Attack(getattr, Attack(__import__, "os"), "system"),
    "chain": Attack(builtins.map, os.system, [touch]),
    "in_state": Attack(OrderedDict, state={"a": Attack(os.system, touch)}),
    "as_key": {Attack(os.system, touch): 1},
    "loads": Attack(pickle.loads, pickle.dumps(Attack(os.system, touch))),
  }


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", list(attacks("x")))
def test_nothing_is_executed(tmp_path, name, protocol):
  canary = tmp_path / "canary"
  content = pickle.dumps(attacks(canary)[name], protocol)
  if name in ("system", "eval", "loads"):  # the canary would sing
    pickle.loads(content)
    assert canary.exists()
    canary.unlink()
  for place in ("beside", "alone"):
    body = content[2:-1]
    if place == "beside":
      body = dictionary((text("w"), tensor()), (text("epoch"), body))
    for write in (zip_file, legacy_file):
      with pytest.raises(TorchFileError, match="so nothing of it was run"):
        read(write(tmp_path / "w.pth", body))
  bare = tmp_path / "bare.pth"
  bare.write_bytes(content)
  with pytest.raises(TorchFileError):
    read(bare)
  assert not canary.exists()


def test_the_globals_are_named_in_the_sentence(tmp_path):
  body = pickle.dumps(Attack(os.system, "true"), 2)[2:-1]
  with pytest.raises(TorchFileError, match=r"asks for '(posix|nt)\.system'"):
    read(zip_file(tmp_path / "w.pth", body))
  body = named("models.hourglass.HourglassNet")
  with pytest.raises(TorchFileError, match=r"save its state_dict\(\) alone"):
    read(zip_file(tmp_path / "w.pth", body))


def dtype(code):
  args = (text(code), b"\x89", b"\x88")
  state = several(number(3), text("<"), b"NNN", *map(number, (-1, -1, 0)))
  return called("numpy.dtype", *args) + state + b"b"


def scalar(code, content):
  encoded = called("_codecs.encode", text(content), text("latin1"))
  return called("numpy._core.multiarray.scalar", dtype(code), encoded)


MEMO = b"r" + struct.pack("<I", 2**32 - 1)
FORBIDDEN = {
  "numpy object": (scalar("O8", "\0" * 8), "dtype 'O8', wanted numbers only"),
  "numpy void": (scalar("V8", "\0" * 8), "wanted numbers only"),
  "numpy length": (scalar("f8", "\0" * 4), "whose bytes are not its dtype's"),
  "numpy dtype state": (
    called("numpy.dtype", text("f8")) + several(number(3), text("O")) + b"b",
    "sets the state",
  ),
  "hidden encoding": (
    called("_codecs.encode", text("x"), text("rot13")),
    "encodes something",
  ),
  "state of a function": (
    named("torch._utils._rebuild_tensor_v2")
    + b"N"
    + dictionary((text("__defaults__"), several()))
    + b"\x86b",
    "sets the state of something that may have none",
  ),
  "state of a tensor": (tensor() + dictionary() + b"b", "sets the state"),
  "state of a list": (b"]" + dictionary() + b"b", "sets the state"),
  "slots of a dictionary": (b"}N}\x86b", "sets the state"),
  "call of a name": (
    named("numpy.ndarray") + several() + b"R",
    "not be called",
  ),
  "call of a text": (text("os") + several() + b"R", "not be called"),
  "call of an argument": (
    called(
      "torch._tensor._rebuild_from_type_v2",
      *(named("_codecs.encode"), named("torch.Tensor")),
      several(text("x"), text("latin1")),
      b"N",
    ),
    "something that makes none",
  ),
  "extension": (b"\x82\x01", r"operation b'\\x82'"),
  "instance": (b"(cposix\nsystem\no", r"asks for 'posix.system'"),
  "old instance": (b"(iposix\nsystem\n", "operation b'i'"),
  "new object": (named("torch.Size") + several() + b"\x81", r"b'\\x81'"),
  "bytearray": (b"\x96" + struct.pack("<Q", 2**40), r"b'\\x96'"),
  "buffer": (b"\x97", r"b'\\x97'"),
  "text id": (b"P0\n", "operation b'P'"),
  "id of no form": (text("0") + b"Q", "by reference that is no storage"),
  "module by id": (
    several(*map(text, ("module", "a", "b", "c", "d"))) + b"Q",
    "by reference that is no storage",
  ),
  "huge text": (b"\x8d" + struct.pack("<Q", 2**62), "cut short or damaged"),
  "negative text": (b"T" + struct.pack("<i", -4), "cut short or damaged"),
  "huge number": (b"\x8b" + struct.pack("<i", 2**30), "cut short or damaged"),
  "long number": (b"\x8a\xff" + b"\1" * 255, "whole number of 255 bytes"),
  "no utf-8": (b"X\x01\0\0\0\xff", "no UTF-8"),
  "surrogate": (b"X\x03\0\0\0\xed\xa0\x80", "no UTF-8"),
  "long name": (b"c" + b"a" * 300 + b"\nb\n", "has no end"),
  "old protocol": (b"\x80\x01", "protocol 1, wanted 2 to 5"),
  "unknown memo": (b"j" + struct.pack("<I", 7), "recalls what it never kept"),
  "empty stack": (b"a", "takes more than it has put down"),
  "no mark": (b"Nt", "takes more than it has put down"),
  "memo of nothing": (MEMO, "takes more than it has put down"),
  "left over": (b"NN", "leaves something over"),
  "duplicated key": (
    dictionary((text("w"), number(1)), (text("w"), number(2))),
    "has the key 'w' twice",
  ),
  "duplicated ordered key": (
    called("collections.OrderedDict")
    + b"("
    + (text("w") + tensor()) * 2
    + b"u",
    "has the key 'w' twice",
  ),
  "duplicated pair": (
    called("collections.OrderedDict", several(*[several(text("w"), b"N")] * 2)),
    "has the key 'w' twice",
  ),
  "number and truth": (
    dictionary((number(1), b"N"), (b"\x88", b"N")),
    "has the key True twice",
  ),
  "tuple as key": (dictionary((several(), b"N")), "has a tuple as a key"),
  "tensor as key": (dictionary((tensor(), b"N")), "has a Tensor as a key"),
  "odd items": (b"}(Nu", "puts items in no dictionary"),
  "items of a list": (b"](NNu", "puts items in no dictionary"),
  "append to a tuple": (b")Na", "appends to what is no list"),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_torch_never_writes_is_refused(tmp_path, name):
  body, message = FORBIDDEN[name]
  path = tmp_path / "w.pth"
  for content in (body, dictionary((text("w"), tensor()), (text("x"), body))):
    with pytest.raises(TorchFileError, match=message) as error:
      read(zip_file(path, content))
    if name in ("left over", "empty stack", "memo of nothing"):
      break  # inside a dictionary these are something else
  assert "\n" not in str(error.value)


def test_a_place_far_out_in_the_memo_takes_no_memory(tmp_path):
  body = dictionary((text("w") + MEMO, tensor()))
  assert list(read(zip_file(tmp_path / "w.pth", body)).tensors) == ["w"]


def test_a_pickle_of_too_many_operations_is_refused(tmp_path, monkeypatch):
  monkeypatch.setattr(torch_pickle, "MAX_OPERATIONS", 1000)
  with pytest.raises(TorchFileError, match="more than 1000 operations"):
    read(zip_file(tmp_path / "w.pth", b"N" * 1000))


def test_a_text_is_not_made_into_bytes_again_and_again(tmp_path):
  long = text("x" * 10**5) + b"q\x00" + text("latin1") + b"q\x01"
  calls = (named("_codecs.encode") + b"h\x00h\x01\x86R") * 100
  with pytest.raises(TorchFileError, match="far more of its pickle"):
    read(zip_file(tmp_path / "w.pth", long + calls))


def test_our_machine_reads_plain_values_as_python_does():
  value = {
    "a": [1, -1, 255, 256, 65536, -(2**31), 2**40, 2**100, 1.5, True, None],
    "b": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {}, [], "é" * 300),
    3: {"again": [{"x": 1}] * 3},
    "bytes": b"\x00\xff" * 200,
  }
  for protocol in (2, 3, 4, 5):
    content = pickle.dumps(value, protocol)
    file = io.BytesIO(content + b"more")
    assert torch_pickle.load(file, len(content) + 4) == value
    assert file.read() == b"more"


def test_python_2_wrote_texts_and_ordered_dictionaries_in_its_own_way(tmp_path):
  pairs = b"](](U\x01w" + tensor() + b"ee"
  body = named("collections.OrderedDict") + pairs + b"\x85R"
  found = read(zip_file(tmp_path / "w.pth", body, byte_order=None))
  np.testing.assert_array_equal(found.tensors["w"], np.arange(4))


def test_a_real_file_with_one_hostile_line_is_refused(tmp_path):
  path = tmp_path / "w.pth"
  with zipfile.ZipFile(FILES / "mixed_zip.pth") as archive:
    members = {name: archive.read(name) for name in archive.namelist()}
  name = "mixed_zip/data.pkl"
  bad = members[name].replace(b"ctorch\nSize\n", b"cposix\nsystem\n")
  bad = bad.replace(b"ccollections\nOrderedDict\n", b"cposix\nsystem\n")
  assert bad != members[name]
  with zipfile.ZipFile(path, "w") as archive:
    for member, content in {**members, name: bad}.items():
      archive.writestr(member, content)
  with pytest.raises(TorchFileError, match=r"asks for 'posix\.system'"):
    read(path)


def test_the_state_dict_used_here_is_a_good_one(tmp_path):
  for write in (zip_file, legacy_file):
    tensors = read(write(tmp_path / "w.pth", STATE_DICT)).tensors
    np.testing.assert_array_equal(tensors["w"], np.arange(4, dtype=np.float32))
