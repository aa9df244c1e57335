"""Files made by hand say what torch's own do, as pickle itself reads them."""

import dataclasses
import io
import pickle
import struct
import zipfile

import pytest
from hourglass_state import TINY, hourglass_state
from made_weights import FILES, saved


@dataclasses.dataclass(frozen=True)
class Named:
  """A global of a pickle; what it is called with is kept."""

  name: str

  def __call__(self, *args):
    return dict(*args) if "OrderedDict" in self.name else (self, args)


class Recorder(pickle.Unpickler):
  """The object of a pickle, storages numbered in the order they come in."""

  def __init__(self, file):
    super().__init__(file)
    self.keys = []

  def find_class(self, module, name):
    return Named(f"{module}.{name}")

  def persistent_load(self, identity):
    word, kind, key, *rest = identity
    if key not in self.keys:
      self.keys.append(key)
    return word, kind, self.keys.index(key), *rest


def of_zip(path):
  """(object, bytes of its storages)."""
  with zipfile.ZipFile(path) as archive:
    (folder,) = {name.split("/")[0] for name in archive.namelist()}
    assert archive.read(f"{folder}/byteorder") == b"little"
    recorder = Recorder(io.BytesIO(archive.read(f"{folder}/data.pkl")))
    value = recorder.load()
    storages = [archive.read(f"{folder}/data/{key}") for key in recorder.keys]
  return value, storages


def of_legacy(path):
  with path.open("rb") as file:
    header = [pickle.load(file) for _ in range(3)]
    assert header[:2] == [0x1950A86A20F9469CFC6C, 1001]
    assert header[2]["little_endian"] is True
    recorder = Recorder(file)
    value = recorder.load()
    found = {}
    widths = {}
    for _, ((_, kind, index, *_), *_) in value.values():
      widths[index] = 4 if kind == Named("torch.FloatStorage") else 8
    for key in pickle.load(file):
      (numel,) = struct.unpack("<q", file.read(8))
      found[key] = file.read(numel * widths[recorder.keys.index(key)])
    assert not file.read()
  return value, [found[key] for key in recorder.keys]


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_a_made_file_says_what_torchs_says(tmp_path, form):
  state = hourglass_state(TINY)
  if form == "zip":
    wanted, storages = of_zip(FILES / "hourglass.pth.tar")
    wanted = wanted["state_dict"]
    state = {f"module.{name}": value for name, value in state.items()}
  else:
    wanted, storages = of_legacy(FILES / "hourglass_legacy.pth")
  read = of_zip if form == "zip" else of_legacy
  made, bytes_made = read(saved(tmp_path / "w", state, form))
  assert list(made.items()) == list(wanted.items())
  assert bytes_made == storages
