""".npz archives are read without pickles, and not beyond their size."""

import io
import zipfile

import ml_dtypes
import numpy as np
import pytest

from pose_jax.weights.torch_files import TorchFileError, read

ARRAYS = {
  "big": np.arange(6, dtype=">f4").reshape(2, 3),
  "fortran": np.asfortranarray(np.arange(24, dtype="<i2").reshape(2, 3, 4)),
  "module.scalar": np.array(2.5, np.float16),
  "empty": np.zeros((0, 3), np.int64),
  "truth": np.array([True, False]),
  "vector": np.arange(3, dtype=np.uint8),
}


def refuses(path, message):
  with pytest.raises(TorchFileError, match=message) as error:
    read(path)
  assert "\n" not in str(error.value)


def npy(array):
  file = io.BytesIO()
  np.save(file, array)
  return file.getvalue()


def archive(path, content, name="w.npy", packing=zipfile.ZIP_STORED):
  with zipfile.ZipFile(path, "w", packing) as file:
    file.writestr(name, content)
  return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back_in_our_byte_order(tmp_path, save):
  save(tmp_path / "w.npz", **ARRAYS)
  found = read(tmp_path / "w.npz")
  assert found.format == "npz"
  assert list(found.tensors) == list(ARRAYS)
  for name, array in ARRAYS.items():
    assert found.tensors[name].dtype == array.dtype.newbyteorder("=")
    assert found.tensors[name].shape == array.shape
    np.testing.assert_array_equal(found.tensors[name], array)


@pytest.mark.parametrize(
  ("array", "message"),
  [
    (np.array([{}]), r"dtype '\|O', wanted numbers only"),
    (np.array(["a"]), "dtype '<U1', wanted numbers only"),
    (np.zeros(2, complex), "dtype '<c16', wanted numbers only"),
    (np.zeros(2, ml_dtypes.bfloat16), "wanted numbers only"),
    (np.zeros(2, [("a", "f4")]), "no plain array of numbers"),
  ],
)
def test_arrays_of_anything_but_numbers_are_refused(tmp_path, array, message):
  np.savez(tmp_path / "w.npz", w=array)
  refuses(tmp_path / "w.npz", message)


@pytest.mark.parametrize(
  ("old", "new", "message"),
  [
    (b"(4,)", b"(9,)", "needs 36 bytes and has 16"),
    (b"(4,)", b"(3,)", "needs 12 bytes and has 16"),
    (b"(4,), }", b"(4, -1), }", "no plain array of numbers"),
    (b"(4,), }", b"(9999999999, 9999999999), }", "no memory can hold"),
    (b"NUMPY\1", b"NUMPY\7", "is no array of NumPy's"),
    (b"NUMPY", b"DUMPY", "is no array of NumPy's"),
    (b"'<f4'", b"f()  ", "no plain array of numbers"),
  ],
)
def test_headers_that_lie_are_refused(tmp_path, old, new, message):
  content = npy(np.arange(4, dtype=np.float32))
  old += b" " * (len(new) - len(old))
  assert old in content
  refuses(archive(tmp_path / "w.npz", content.replace(old, new)), message)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
  content = npy(np.zeros(2**25, np.uint8))
  path = archive(tmp_path / "w.npz", content, packing=zipfile.ZIP_DEFLATED)
  assert path.stat().st_size < 2**16
  refuses(path, "unpacks from .* bytes, far more than weights do")


def test_other_packings_and_damaged_members_are_refused(tmp_path):
  content = npy(np.arange(4, dtype=np.float32))
  path = archive(tmp_path / "w.npz", content, packing=zipfile.ZIP_BZIP2)
  refuses(path, "in a packing NumPy lacks")
  archive(path, content)
  path.write_bytes(path.read_bytes().replace(content, content[:-1] + b"x"))
  refuses(path, "member 'w.npy' cannot be read")


def test_a_file_cut_at_any_length_is_refused(tmp_path):
  np.savez_compressed(tmp_path / "w.npz", **ARRAYS)
  content = (tmp_path / "w.npz").read_bytes()
  for length in range(0, len(content), 11):
    (tmp_path / "w.npz").write_bytes(content[:length])
    refuses(tmp_path / "w.npz", "is cut short|is no file of weights")
