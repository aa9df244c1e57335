"""Legacy files: every storage is where its length says, or the file is not."""

import pickle
import struct

import numpy as np
import pytest
from made_weights import (
  NUMBERS,
  STATE_DICT,
  dictionary,
  legacy_file,
  number,
  several,
  storage,
  tensor,
  text,
)

from pose_jax.weights.torch_files import TorchFileError, read


def refuses(path, message):
  with pytest.raises(TorchFileError, match=message) as error:
    read(path)
  assert "\n" not in str(error.value)


def test_storages_are_found_in_the_order_of_their_list(tmp_path):
  body = dictionary(
    (text("a"), tensor(storage("x"))), (text("b"), tensor(storage("y")))
  )
  storages = {"y": NUMBERS + 10, "x": NUMBERS}
  tensors = read(legacy_file(tmp_path / "w", body, storages)).tensors
  np.testing.assert_array_equal(tensors["a"], NUMBERS)
  np.testing.assert_array_equal(tensors["b"], NUMBERS + 10)


def test_views_of_storages_as_old_torch_wrote_them(tmp_path):
  def body(start, numel):
    view = several(text("v"), number(start), number(numel))
    part = storage("0", "torch.FloatStorage", 4, view)
    return dictionary((text("w"), tensor(part, 1, (2,))))

  path = tmp_path / "w"
  tensors = read(legacy_file(path, body(1, 3))).tensors
  np.testing.assert_array_equal(tensors["w"], [2, 3])
  refuses(legacy_file(path, body(1, 2)), "reaches element 2 of 2")
  refuses(legacy_file(path, body(2, 3)), "a view of storage '0' is not inside")
  refuses(legacy_file(path, body(-1, 3)), "a view of storage '0' is not inside")


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"facts": {"little_endian": False}}, "little-endian machine"),
    ({"facts": {}}, "little-endian machine"),
    ({"facts": [1]}, "little-endian machine"),
    ({"keys": []}, "its list of storages is another's"),
    ({"keys": ["1"]}, "its list of storages is another's"),
    ({"keys": ["0", "0"]}, "its list of storages is another's"),
    ({"keys": [0]}, "its list of storages is another's"),
    ({"keys": "0"}, "its list of storages is another's"),
    ({"storages": {"0": NUMBERS[:3]}}, "another length than stated"),
    ({"storages": {"0": np.zeros(5, np.float32)}}, "another length than"),
  ],
)
def test_facts_that_do_not_fit_are_refused(tmp_path, change, message):
  refuses(legacy_file(tmp_path / "w", STATE_DICT, **change), message)


def test_lengths_beyond_the_file_are_refused_before_memory_is_taken(tmp_path):
  for numel in (2**20, 2**40, 2**62):
    body = dictionary((text("w"), tensor(storage("0", numel=numel))))
    path = legacy_file(tmp_path / "w", body)
    path.write_bytes(
      path.read_bytes().replace(struct.pack("<q", 4), struct.pack("<q", numel))
    )
    refuses(path, "cut short or damaged: storage '0'")


def test_one_storage_cannot_have_two_dtypes(tmp_path):
  body = dictionary(
    (text("a"), tensor()),
    (text("b"), tensor(storage(kind="torch.IntStorage"))),
  )
  refuses(legacy_file(tmp_path / "w", body), "storage '0' two lengths")


def test_other_pickles_are_not_torchs(tmp_path):
  path = tmp_path / "w"
  path.write_bytes(pickle.dumps({"w": [1.0]}, 2))
  refuses(path, "is a pickle, but none that torch.save wrote")
  magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
  path.write_bytes(magic + pickle.dumps(1002, 2))
  refuses(path, "a version of torch.save that nobody knows")
