"""Files that torch wrote are read as they are; all others get a sentence."""

import hashlib
import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from made_weights import (
  FILES,
  NUMBERS,
  STATE_DICT,
  checkpoint,
  dictionary,
  mixed,
  number,
  storage,
  tensor,
  text,
  zip_file,
)

from pose_jax.weights import safetensors
from pose_jax.weights.torch_files import TorchFileError, read


def assert_same(tensors, wanted):
  assert set(tensors) == set(wanted)
  for name, array in wanted.items():
    assert tensors[name].dtype == array.dtype, name
    np.testing.assert_array_equal(tensors[name], array, err_msg=name)
    assert tensors[name].shape == array.shape, name


def refusal(path):
  """The sentence with which a file is refused."""
  with pytest.raises(TorchFileError) as error:
    read(path)
  message = str(error.value)
  assert "\n" not in message and len(message) < 400, message
  assert str(path) in message
  return message


@pytest.mark.parametrize(
  ("name", "form"),
  [
    ("mixed_zip.pth", "zip"),
    ("mixed_legacy.pth", "legacy"),
    ("mixed.safetensors", "safetensors"),
  ],
)
def test_every_dtype_and_view_of_torch_is_read(name, form):
  found = read(FILES / name)
  assert_same(found.tensors, mixed())
  assert found.format == form
  assert found.sha256 == hashlib.sha256((FILES / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_a_checkpoint_is_unwrapped_and_its_plain_values_kept(form):
  found = read(FILES / f"checkpoint_{form}.pth")
  assert_same(found.tensors, checkpoint())
  assert list(found.tensors) == list(checkpoint())
  schedule = found.others.pop("schedule")
  assert schedule["milestones"] == {60: 1, 90: 1}
  assert found.others == {
    "epoch": 12,
    "arch": "hg",
    "history": [0.25, None, (True, "x")],
    "best_acc": -3.0,
  }
  assert found.left_out == ("best", "optimizer")


def test_a_later_protocol_of_pickle_is_read():
  tensors = read(FILES / "norm_protocol4_zip.pth").tensors
  assert list(tensors)[0] == "weight"
  np.testing.assert_array_equal(tensors["running_var"], np.ones(2))


def test_the_format_is_found_by_content_and_not_by_name(tmp_path):
  for name in ("mixed_zip.pth", "mixed_legacy.pth", "mixed.safetensors"):
    path = tmp_path / "weights.npz"
    path.write_bytes((FILES / name).read_bytes())
    assert_same(read(str(path)).tensors, mixed())


@pytest.mark.parametrize(
  "length", [0x0280, 0x0380, int.from_bytes(b"PK\0\0", "little")]
)
def test_a_header_whose_length_looks_like_another_format_is_safetensors(
  tmp_path, length
):
  path = tmp_path / "w"
  safetensors.write(path, {"w": NUMBERS}, {"n": "x"})
  content = path.read_bytes()
  old = int.from_bytes(content[:8], "little")
  header = content[8 : 8 + old].ljust(length)
  path.write_bytes(length.to_bytes(8, "little") + header + content[8 + old :])
  assert_same(read(path).tensors, {"w": NUMBERS})


def test_views_share_memory_that_nobody_can_write_to():
  tensors = read(FILES / "mixed_zip.pth").tensors
  assert np.shares_memory(tensors["whole"], tensors["part"])
  with pytest.raises(ValueError, match="read-only"):
    tensors["whole"][0, 0, 0] = 1
  assert jnp.asarray(tensors["permuted"]).shape == (4, 2, 3)


@pytest.mark.parametrize(
  "name",
  [
    "mixed_zip.pth",
    "mixed_legacy.pth",
    "mixed.safetensors",
    "checkpoint_zip.pth",
    "checkpoint_legacy.pth",
  ],
)
def test_a_file_cut_at_any_length_is_refused(
  tmp_path, name, no_annotation_checks
):
  content = (FILES / name).read_bytes()
  path = tmp_path / "cut"
  lengths = itertools.chain(range(200), range(200, len(content), 13))
  for length in (*lengths, *range(len(content) - 40, len(content))):
    path.write_bytes(content[:length])
    refusal(path)


@pytest.mark.parametrize("name", ["mixed_zip.pth", "mixed_legacy.pth"])
def test_damaged_bytes_are_refused_or_change_numbers_only(
  tmp_path, name, no_annotation_checks
):
  content = (FILES / name).read_bytes()
  rng = np.random.default_rng(0)
  path = tmp_path / "damaged"
  wanted = mixed()
  is_zip = name == "mixed_zip.pth"
  for _ in range(300):
    damaged = bytearray(content)
    for place in rng.integers(len(content), size=rng.integers(1, 4)):
      damaged[place] ^= 1 << rng.integers(8)
    path.write_bytes(damaged)
    try:
      tensors = read(path).tensors
    except TorchFileError:
      continue
    if is_zip and set(tensors) == set(wanted):  # checksums guard the numbers
      for key in wanted:
        np.testing.assert_array_equal(tensors[key], wanted[key])


def test_what_is_no_file_of_weights_is_named(tmp_path):
  path = tmp_path / "w.pth"
  path.write_bytes(b"<!DOCTYPE html><html>")
  assert "begins with b'<!DOCTYPE html><'" in refusal(path)
  path.write_bytes(b"")
  assert refusal(path).endswith("and it is empty")
  assert "is no file" in refusal(tmp_path)
  assert "cannot read" in refusal(tmp_path / "absent.pth")
  path.write_bytes(b"\x80\x02}.")
  assert "none that torch.save wrote" in refusal(path)


@pytest.mark.parametrize(
  ("body", "message"),
  [
    (tensor(), "holds a single tensor"),
    (number(3), "holds a value of type int, wanted a dictionary of weights"),
    (dictionary(), "it has nothing"),
    (dictionary((text("epoch"), number(3))), "it has 'epoch'"),
    (dictionary((number(3), tensor())), "something that is no text"),
    (
      dictionary((text("state_dict"), STATE_DICT), (text("model"), STATE_DICT)),
      "under state_dict and model",
    ),
    (
      dictionary((text("w"), storage())),
      "holds no weights at its top",
    ),
  ],
)
def test_files_without_one_state_dict_are_refused(tmp_path, body, message):
  assert message in refusal(zip_file(tmp_path / "w.pth", body))


def test_a_text_under_the_name_of_weights_is_no_second_state_dict(tmp_path):
  body = dictionary(
    (text("model"), text("pose_hrnet")), (text("state_dict"), STATE_DICT)
  )
  found = read(zip_file(tmp_path / "w.pth", body))
  assert_same(found.tensors, {"w": NUMBERS})
  assert found.others == {"model": "pose_hrnet"}


def test_values_deep_in_one_another_are_left_out_in_no_time(tmp_path):
  twice = b"]q\x00" + b"h\x00\x86q\x00" * 60  # 2**60 lists, if walked
  deep = b"]" * 5000 + b"a" * 4999
  body = dictionary(
    (text("w"), tensor()), (text("twice"), twice), (text("deep"), deep)
  )
  found = read(zip_file(tmp_path / "w.pth", body))
  assert found.left_out == ("twice", "deep")


def test_only_storages_of_the_weights_are_read(tmp_path):
  body = dictionary(
    (text("state_dict"), STATE_DICT),
    (text("optimizer"), dictionary((text("m"), tensor(storage("1"))))),
  )
  path = zip_file(
    tmp_path / "w.pth", body, {"0": bytes(16), "1": b"moments" * 2 + b"!!"}
  )
  content = path.read_bytes()
  path.write_bytes(content.replace(b"momentsmoments", b"MOMENTSMOMENTS"))
  assert_same(read(path).tensors, {"w": np.zeros(4, np.float32)})


def test_tensors_that_share_numbers_far_too_often_are_refused(tmp_path):
  big = np.zeros(2**16, np.float32)
  part = storage("0", numel=big.size)
  names = [text(f"w{i}") for i in range(20)]
  body = dictionary(*((name, tensor(part, 0, big.shape)) for name in names))
  path = zip_file(tmp_path / "w.pth", body, {"0": big.tobytes()})
  assert "share the same numbers more often" in refusal(path)


def test_a_list_that_is_held_again_and_again_is_not_copied_each_time(tmp_path):
  held = b"](" + b"K\x01" * 2000 + b"eq\x00"
  pairs = [(text(f"x{i}"), b"h\x00") for i in range(2000)]
  body = dictionary((text("w"), tensor()), (text("x"), held), *pairs)
  found = read(zip_file(tmp_path / "w.pth", body))
  copied = sum(len(value) for value in found.others.values())
  assert 2000 < copied <= 100_000
  assert len(found.others) + len(found.left_out) == 2001


def test_what_is_no_tensor_inside_a_state_dict_keeps_its_place(tmp_path):
  inner = dictionary((text("w"), tensor()), (text("epoch"), number(2)))
  body = dictionary((text("epoch"), number(1)), (text("state_dict"), inner))
  found = read(zip_file(tmp_path / "w.pth", body))
  assert found.others == {"epoch": 1, "state_dict.epoch": 2}
