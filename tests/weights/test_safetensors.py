"""Safetensors: written as the format says, read only if all of it is so."""

import json
import struct

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pose_jax.weights import safetensors
from pose_jax.weights.torch_files import TorchFileError, read

ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def save(path, header, data=bytes(8)):
  text = header if isinstance(header, bytes) else json.dumps(header).encode()
  path.write_bytes(struct.pack("<Q", len(text)) + text + data)
  return path


def test_the_bytes_are_those_of_the_format(tmp_path):
  path = tmp_path / "w.safetensors"
  tensors = {
    "b": np.array([1, 2], np.int8),
    "a": np.array([[1.5, -2.0]], np.float32),
  }
  safetensors.write(path, tensors, {"format": "pt"})
  content = path.read_bytes()
  (length,) = struct.unpack("<Q", content[:8])
  assert (8 + length) % 8 == 0
  assert json.loads(content[8 : 8 + length]) == {
    "__metadata__": {"format": "pt"},
    "a": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]},
    "b": {"dtype": "I8", "shape": [2], "data_offsets": [8, 10]},
  }
  assert content[8 + length :] == struct.pack("<2f2b", 1.5, -2.0, 1, 2)
  assert read(path).others == {"format": "pt"}


@settings(max_examples=30, deadline=None)
@given(
  st.dictionaries(
    st.text(max_size=10).filter(lambda name: name != "__metadata__"),
    st.sampled_from(list(safetensors.DTYPES.values())).flatmap(
      lambda dtype: arrays.arrays(
        "u1",
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
        elements=st.integers(0, 1),
      ).map(lambda array: array.astype(dtype))
    ),
    max_size=5,
  )
)
def test_what_is_written_is_read_bit_for_bit(tmp_path_factory, tensors):
  path = tmp_path_factory.mktemp("w") / "w.safetensors"
  safetensors.write(path, tensors)
  found = read(path).tensors
  assert set(found) == set(tensors)
  for name, array in tensors.items():
    assert found[name].dtype == array.dtype
    assert found[name].shape == array.shape
    assert found[name].flags.aligned
    assert found[name].tobytes() == array.tobytes()


def test_views_and_foreign_byte_orders_are_written_in_order(tmp_path):
  path = tmp_path / "w.safetensors"
  base = np.arange(6).reshape(2, 3)
  tensors = {
    "transposed": base.T,
    "strided": base[:, ::2].astype(np.float16),
    "big": base.astype(">i4"),
    "bfloat16": base.astype(ml_dtypes.bfloat16).T,
    "negative": np.array([-0.0, np.nan, np.inf], np.float32)[::-1],
  }
  safetensors.write(path, tensors)
  for name, array in read(path).tensors.items():
    np.testing.assert_array_equal(array, tensors[name], err_msg=name)
    assert array.dtype.isnative


@pytest.mark.parametrize(
  ("tensors", "metadata", "message"),
  [
    ({"w": np.zeros(2, complex)}, None, "complex128, which safetensors lacks"),
    ({"w": np.array([None])}, None, "object, which safetensors lacks"),
    ({"__metadata__": np.zeros(2)}, None, "cannot be named"),
    ({3: np.zeros(2)}, None, "cannot be named 3"),
    ({"\ud800": np.zeros(2)}, None, r"cannot be named '\\ud800'"),
    ({"w": np.zeros(2)}, {"step": 3}, "must map texts to texts"),
  ],
)
def test_nothing_is_left_behind_of_what_cannot_be_written(
  tmp_path, no_annotation_checks, tensors, metadata, message
):
  with pytest.raises(ValueError, match=message):
    safetensors.write(tmp_path / "w", tensors, metadata)
  assert not list(tmp_path.iterdir())


def changed(**change):
  return {"w": {**ENTRY, **change}}


TWO = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
BAD = {
  "hole": ({"a": TWO, "b": {**TWO, "data_offsets": [5, 9]}}, "begins at 5"),
  "overlap": (
    {"a": ENTRY, "b": {**TWO, "data_offsets": [4, 8]}},
    "begins at 4",
  ),
  "surrogate": ({"a\ud800": ENTRY}, r"'a\\ud800' in its header is no Unicode"),
  "metadata surrogate": (
    {"__metadata__": {"a": "\udfff"}},
    r"'\\udfff' in its header is no Unicode",
  ),
  "late": (changed(data_offsets=[1, 9]), "begins at 1, wanted 0"),
  "rest": ({"a": TWO}, "4 bytes follow its last tensor"),
  "beyond": (changed(shape=[4], data_offsets=[0, 16]), "cut short or damaged"),
  "backwards": (changed(data_offsets=[8, 0]), r"lie in \[8, 0\)"),
  "negative": (changed(data_offsets=[-8, 0]), r"lie in \[-8, 0\)"),
  "sizes": (changed(shape=[3]), r"of 12 bytes is said to lie in \[0, 8\)"),
  "shape": (changed(shape=[-2]), "sizes of 0 or more"),
  "huge": (changed(shape=[2**40, 2**40]), "no memory can hold"),
  "hollow": (changed(shape=[0, 2**62], data_offsets=[0, 0]), "no memory can"),
  "wrap": (changed(shape=[2**62 + 2]), "no memory can hold"),
  "truth": (changed(shape=[True]), "sizes of 0 or more"),
  "text": (changed(shape="2"), "sizes of 0 or more"),
  "float": (changed(data_offsets=[0, 8.0]), r"has no \[begin, end\)"),
  "three": (changed(data_offsets=[0, 8, 8]), r"has no \[begin, end\)"),
  "dtype": (changed(dtype="F8_E4M3"), "dtype 'F8_E4M3', which is not one of"),
  "no dtype": (changed(dtype=["F32"]), "dtype a list"),
  "more keys": (changed(more=1), "dtype, shape and data_offsets only"),
  "no entry": ({"w": 3}, "dtype, shape and data_offsets only"),
  "metadata": ({"__metadata__": {"a": 1}, "w": ENTRY}, "texts to texts"),
  "metadata list": ({"__metadata__": [], "w": ENTRY}, "texts to texts"),
  "no JSON": (b'{"w": ', "its header is no JSON"),
  "no UTF-8": (b'{"\xff": 1}', "its header is no JSON"),
  "two values": (b"{}{}", "its header is no JSON"),
  "deep": (b'{"w":' + b"[" * 10**5, "its header is no JSON"),
  "long number": (b'{"w":' + b"1" * 5000 + b"}", "its header is no JSON"),
  "nan": (b'{"w": NaN}', "its header holds NaN"),
}


@pytest.mark.parametrize("name", BAD)
def test_headers_that_break_the_format_are_refused(tmp_path, name):
  header, message = BAD[name]
  with pytest.raises(TorchFileError, match=message) as error:
    read(save(tmp_path / "w", header))
  assert "\n" not in str(error.value)


def test_keys_that_come_twice_are_refused(tmp_path):
  entry = json.dumps(ENTRY)
  twice = f'{{"w": {entry}, "w": {entry}}}'.encode()
  with pytest.raises(TorchFileError, match="has the key 'w' twice"):
    read(save(tmp_path / "w", twice))
  inner = f'{{"w": {entry[:-1]}, "dtype": "F32"}}}}'.encode()
  with pytest.raises(TorchFileError, match="has the key 'dtype' twice"):
    read(save(tmp_path / "w", inner))


def test_the_length_of_the_header_is_limited(tmp_path):
  path = save(tmp_path / "w", {"w": ENTRY})
  content = path.read_bytes()
  for length in (10**8 + 1, 2**63, 2**64 - 1):
    path.write_bytes(struct.pack("<Q", length) + content[8:])
    with pytest.raises(TorchFileError, match="safetensors allows 100000000"):
      read(path)
  path.write_bytes(struct.pack("<Q", 10**8) + content[8:])
  with pytest.raises(TorchFileError, match="its header takes 100000000 bytes"):
    read(path)


def test_truths_are_0_or_1(tmp_path):
  header = changed(dtype="BOOL", shape=[8])
  with pytest.raises(TorchFileError, match="'w' is of bool but not 0 or 1"):
    read(save(tmp_path / "w", header, bytes(7) + b"\2"))
