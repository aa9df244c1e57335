"""Archives that torch.save does not write are refused before they are read."""

import struct
import zipfile

import numpy as np
import pytest
from made_weights import FILES, NUMBERS, STATE_DICT, mixed, pickled, zip_file

from pose_jax.weights.torch_files import TorchFileError, read


def refuses(path, message):
  with pytest.raises(TorchFileError, match=message) as error:
    read(path)
  assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
  ("members", "message"),
  [
    ([("b/data.pkl", b"")], "with 2 members NAME/data.pkl"),
    ([("a/data.pkl", b"")], "holds the member 'a/data.pkl' twice"),
    ([("a/data/0", bytes(16))], "holds the member 'a/data/0' twice"),
    ([("a/../data/1", b"")], "bad name 'a/../data/1'"),
    ([("/etc/passwd", b"")], "bad name '/etc/passwd'"),
    ([("a\\..\\b", b"")], "bad name"),
    ([("a/constants.pkl", b"")], "is a TorchScript program"),
  ],
)
def test_members_that_mislead_are_refused(tmp_path, members, message):
  refuses(zip_file(tmp_path / "w.pth", STATE_DICT, extra=members), message)


def test_an_archive_of_something_else_is_named(tmp_path):
  path = tmp_path / "w.pth"
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("readme.txt", "hello")
  refuses(path, "0 members NAME/data.pkl")
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("data.pkl", pickled(STATE_DICT))
  refuses(path, "0 members NAME/data.pkl")
  with zipfile.ZipFile(path, "w"):
    pass
  refuses(path, "0 members NAME/data.pkl")


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path):
  path = tmp_path / "bomb.pth"
  with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("a/data.pkl", pickled(STATE_DICT))
    archive.writestr("a/data/0", bytes(2**26))
  assert path.stat().st_size < 2**17
  refuses(path, "holds the compressed member 'a/data.pkl'")


def test_members_on_top_of_one_another_are_refused(tmp_path):
  content = np.arange(2**12, dtype=np.float32).tobytes()
  names = {str(i): content for i in range(1, 4)}
  path = zip_file(tmp_path / "w.pth", STATE_DICT, {"0": bytes(16), **names})
  with zipfile.ZipFile(path) as archive:
    first = archive.getinfo("a/data/1").header_offset
    end = archive.getinfo("a/data/2").header_offset
    directory = path.read_bytes()[archive.start_dir :]
    offsets = [archive.getinfo(f"a/data/{i}").header_offset for i in (2, 3)]
  data = path.read_bytes()
  for offset in offsets:
    directory = directory.replace(
      struct.pack("<L", offset), struct.pack("<L", first)
    )
  # The end of the directory says where it starts; the rest stays the same.
  directory = directory[:-6] + struct.pack("<L", end) + directory[-2:]
  path.write_bytes(data[:end] + directory)
  refuses(path, "cut short or damaged: all its members")


def test_a_wrong_checksum_is_refused_and_an_absent_one_is_not(tmp_path):
  path = zip_file(tmp_path / "w.pth", STATE_DICT)
  content = path.read_bytes()
  assert content.count(NUMBERS.tobytes()) == 1
  path.write_bytes(content.replace(NUMBERS.tobytes(), bytes(16)))
  refuses(path, "the checksum of member 'a/data/0' is wrong")
  with zipfile.ZipFile(path) as archive:
    checksum = struct.pack("<L", archive.getinfo("a/data/0").CRC)
  path.write_bytes(content.replace(checksum, bytes(4)))
  np.testing.assert_array_equal(read(path).tensors["w"], NUMBERS)


def test_both_byte_orders_are_read(tmp_path):
  path = tmp_path / "w.pth"
  swapped = NUMBERS.astype(">f4").tobytes()
  zip_file(path, STATE_DICT, {"0": swapped}, byte_order=b"big")
  np.testing.assert_array_equal(read(path).tensors["w"], NUMBERS)
  assert read(path).tensors["w"].dtype == np.float32
  zip_file(path, STATE_DICT, byte_order=None)  # before torch 2.1
  np.testing.assert_array_equal(read(path).tensors["w"], NUMBERS)
  zip_file(path, STATE_DICT, byte_order=b"middle")
  refuses(path, "no byte order that we know")


def test_every_dtype_is_swapped(tmp_path):
  """A file of torch, each storage rewritten as a big-endian machine would."""
  widths = {
    name: array.dtype.itemsize
    for name, array in mixed().items()
    if name not in ("uint16", "empty", "permuted", "part")
  }
  source = zipfile.ZipFile(FILES / "mixed_zip.pth")
  path = tmp_path / "w.pth"
  # Storages are numbered in the order in which tensors need a new one; the
  # empty tensor has one too, and uint16's is untyped.
  order = [name for name in mixed() if name not in ("permuted", "part")]
  with source, zipfile.ZipFile(path, "w") as archive:
    for name in source.namelist():
      content = source.read(name)
      if name.startswith("mixed_zip/data/"):
        width = widths.get(order[int(name.rsplit("/", 1)[1])], 2)
        content = np.frombuffer(content, f"u{width}").byteswap().tobytes()
      elif name == "mixed_zip/byteorder":
        content = b"big"
      archive.writestr(name, content)
  tensors = read(path).tensors
  for name, array in mixed().items():
    assert tensors[name].dtype == array.dtype
    np.testing.assert_array_equal(tensors[name], array, err_msg=name)


def test_half_a_surrogate_is_no_name_of_a_member(tmp_path):
  path = zip_file(tmp_path / "w.pth", STATE_DICT, extra=[("a/\u20ac", b"")])
  content = path.read_bytes()
  assert content.count("\u20ac".encode()) == 2
  path.write_bytes(content.replace("\u20ac".encode(), b"\xed\xa0\x80"))
  refuses(path, "its zip directory cannot be read")


def test_encrypted_members_are_refused(tmp_path):
  path = zip_file(tmp_path / "w.pth", STATE_DICT)
  content = bytearray(path.read_bytes())
  place = content.index(b"PK\x01\x02")  # of the directory's first member
  content[place + 8] |= 1
  path.write_bytes(content)
  refuses(path, "holds the encrypted member 'a/data.pkl'")


def test_numbers_of_a_truth_must_be_0_or_1(tmp_path):
  body = STATE_DICT.replace(b"FloatStorage", b"BoolStorage")
  path = zip_file(tmp_path / "w.pth", body, {"0": b"\0\1\1\2"})
  refuses(path, "a tensor of bool is not 0 or 1")
  path = zip_file(tmp_path / "w.pth", body, {"0": b"\0\1\1\0"})
  assert read(path).tensors["w"].tolist() == [False, True, True, False]
