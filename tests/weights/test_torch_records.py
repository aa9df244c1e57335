"""Records of the allow-list: views inside their storage, plain numbers."""

import io
import struct

import pytest
from made_weights import (
  called,
  dictionary,
  number,
  numbers,
  pickled,
  several,
  storage,
  tensor,
  text,
  zip_file,
)

from pose_jax.weights import torch_pickle, torch_records
from pose_jax.weights.torch_files import TorchFileError, read


def view(**change):
  args = {"part": storage(), "offset": 0, "shape": (4,), "strides": (1,)}
  return dictionary((text("w"), tensor(**{**args, **change})))


def rebuilt(*args):
  name = "torch._utils._rebuild_tensor_v2"
  return dictionary((text("w"), called(name, *args)))


NONE = (b"N", b"N")
OUTSIDE = {
  "offset": (view(offset=1), "reaches element 4 of 4"),
  "negative offset": (view(offset=-1), "offset or strides that are no sizes"),
  "stride": (view(strides=(2,)), "reaches element 6 of 4"),
  "negative stride": (view(strides=(-1,)), "that are no sizes"),
  "no stride": (view(strides=()), "that are no sizes"),
  "side": (view(shape=(5,)), "reaches element 4 of 4"),
  "negative side": (view(shape=(-1,)), "sizes of 0 or more"),
  "repeated": (view(shape=(10**6,), strides=(0,)), "repeats numbers"),
  "overflow": (view(shape=(2**32, 2**32), strides=(0, 0)), "no memory can"),
  "wraps to fit": (view(shape=(2**62 + 4,)), "no memory can hold"),
  "wraps back": (view(shape=(2,), strides=(2**64,)), "reaches element 1844"),
  "hollow": (view(shape=(0, 2**61), strides=(1, 1)), "no memory can hold"),
  "many sides": (view(shape=(1,) * 33, strides=(1,) * 33), "up to 32 sizes"),
  "true side": (
    rebuilt(storage(), b"\x88", numbers(4), numbers(1), *NONE),
    "that are no sizes",
  ),
  "text side": (
    rebuilt(storage(), number(0), several(text("4")), numbers(1), *NONE),
    "sizes of 0 or more",
  ),
  "float side": (
    rebuilt(
      storage(),
      number(0),
      several(b"G" + struct.pack(">d", 4)),
      numbers(1),
      *NONE,
    ),
    "sizes of 0 or more",
  ),
  "no storage": (
    rebuilt(text("0"), number(0), numbers(4), numbers(1), *NONE),
    "something that is no storage",
  ),
  "too few": (rebuilt(storage()), "arguments it cannot have"),
  "long storage": (view(part=storage(numel=5)), "cut short or damaged"),
  "short storage": (view(part=storage(numel=3)), "cut short or damaged"),
  "huge storage": (view(part=storage(numel=2**62)), "cut short or damaged"),
  "negative storage": (view(part=storage(numel=-4)), "by reference"),
  "wider storage": (
    view(part=storage(kind="torch.DoubleStorage")),
    "cut short or damaged",
  ),
  "absent storage": (view(part=storage("1")), "lacks the storage '1'"),
  "storage elsewhere": (view(part=storage("../0")), "lacks the storage '../0'"),
  "storage of no type": (
    view(part=storage(kind="torch.Size")),
    "no storage of numbers",
  ),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_views_outside_their_storage_are_refused(tmp_path, name):
  body, message = OUTSIDE[name]
  with pytest.raises(TorchFileError, match=message):
    read(zip_file(tmp_path / "w.pth", body))


@pytest.mark.parametrize(
  ("order", "code", "bits", "value"),
  [
    ("<", "f8", struct.pack("<d", 0.1), 0.1),
    (">", "f4", struct.pack(">f", 0.25), 0.25),
    (">", "i8", struct.pack(">q", -5), -5),
    ("|", "b1", b"\1", True),
  ],
)
def test_numpy_numbers_become_ours(order, code, bits, value):
  content = several(number(3), text(order), b"NNN", *map(number, (-1, -1, 0)))
  kind = called("numpy.dtype", text(code)) + content + b"b"
  encoded = called(
    "_codecs.encode", text(bits.decode("latin1")), text("latin1")
  )
  body = called("numpy.core.multiarray.scalar", kind, encoded)
  content = pickled(body)
  assert torch_pickle.load(io.BytesIO(content), len(content)) == value


def test_names_of_the_allow_list_are_never_imported_or_called():
  ours = [builder.function for builder in torch_records.BUILDERS.values()]
  assert all(
    function is bytes or function.__module__ == torch_records.__name__
    for function in ours
  )
  assert torch_records.find("torch", "FloatStorage").name.endswith("Storage")


def test_a_side_of_one_may_have_any_stride(tmp_path):
  body = view(shape=(1, 4, 1), strides=(2**100, 1, 2**62))
  tensors = read(zip_file(tmp_path / "w.pth", body)).tensors
  assert tensors["w"].tolist() == [[[0], [1], [2], [3]]]
