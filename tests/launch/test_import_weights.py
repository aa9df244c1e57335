"""Files of weights become runs, and runs files."""

import gzip
import json
import pathlib

import jax
import numpy as np
import pytest
from commands import TINY, run, sentence
from imported_runs import (
  FILES,
  hourglass_config,
  load_module,
  resnet_config,
  restored,
  zeros,
)

from configs import mpii_hourglass2_256x256
from launch.exported import export_weights
from launch.imported import import_weights
from launch.mistakes import ConfigError
from launch.run_config import read_config
from pose_jax.train.checkpoint import Checkpoints
from pose_jax.weights import export, safetensors
from pose_jax.weights.torch_files import read


def assert_same_bits(given, wanted):
  assert set(given) == set(wanted)
  for name, value in wanted.items():
    assert given[name].dtype == value.dtype, name
    assert given[name].shape == value.shape, name
    assert given[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize(
  ("name", "form"),
  [("hourglass.pth.tar", "zip"), ("hourglass_legacy.pth", "legacy")],
)
def test_a_file_of_torch_becomes_a_run_and_a_file_again(tmp_path, name, form):
  state = load_module(FILES.parent / "hourglass_state.py")
  tensors = state.hourglass_state(state.TINY)
  workdir, back = tmp_path / "deep" / "run", tmp_path / "back.safetensors"
  config = hourglass_config()
  said = import_weights(FILES / name, config, workdir)
  learnt = sum(
    value.size
    for key, value in tensors.items()
    if key.rsplit(".", 1)[-1] in ("weight", "bias")
  )
  counts = sum(key.endswith("tracked") for key in tensors)
  assert f"{form} format" in said and read(FILES / name).sha256 in said
  assert f"{learnt / 1e6:.2f} M parameters" in said
  assert f"tensors: {len(tensors)}, of which {len(tensors) - counts} (" in said
  assert ("beside them, not used: epoch, arch" in said) == (form == "zip")

  _, variables, meta = restored(workdir)
  assert_same_bits(export(variables, config.model), tensors)
  assert meta["step"] == 0 and meta["start"]["format"] == form
  assert read_config(workdir).to_dict() == config.to_dict()
  export_weights(workdir, back)
  assert_same_bits(read(back).tensors, tensors)
  assert read(back).others["step"] == "0"
  import_weights(back, config, tmp_path / "again")
  jax.tree.map(
    np.testing.assert_array_equal, restored(tmp_path / "again")[1], variables
  )
  assert [p.name for p in workdir.parent.iterdir()] == ["run"]


def test_what_lies_beside_weights_is_listed_short(tmp_path):
  tensors = read(FILES / "hourglass_legacy.pth").tensors
  source = tmp_path / "w.safetensors"
  notes = {"\n" * 200: "", **{f"note{n}": "" for n in range(40)}}
  safetensors.write(source, tensors, notes)
  said = import_weights(source, hourglass_config(), tmp_path / "run")
  assert len(said.splitlines()) == 6 and len(said) < 1500
  assert "note10 and 29 more\n" in said
  assert "crops of 256x256, alignment corner, decoder " in said


def golden_state(folder, name):
  with gzip.open(folder / "net_state_dicts.json.gz") as file:
    rows = json.load(file)[name]
  state = load_module(folder / "weights.py").state_dict(
    7, [r[:2] for r in rows]
  )
  return {
    key: value.astype(np.float32 if value.dtype == np.float64 else np.int64)
    for key, value in state.items()
  }


@pytest.mark.parametrize("name", ["pose_resnet18", "hourglass_s2_b1"])
def test_goldens_in_both_formats_of_torch_give_the_reference_outputs(
  tmp_path, goldens, name
):
  made = load_module(FILES.parent / "made_weights.py")
  state, arrays = golden_state(goldens, name), goldens / f"net_{name}.npz"
  found = {}
  for form in ("legacy", "zip"):
    config = resnet_config(depth=18)
    if name == "hourglass_s2_b1":
      config = mpii_hourglass2_256x256.get_config()
    source = made.saved(tmp_path / f"{form}.pth", state, form)
    assert f"{form} format" in import_weights(source, config, tmp_path / form)
    experiment, found[form], _ = restored(tmp_path / form)
  jax.tree.map(np.testing.assert_array_equal, found["legacy"], found["zip"])
  with np.load(arrays) as golden:
    images = golden["input"].transpose(0, 2, 3, 1).astype(np.float32)
    apply = jax.jit(lambda v, x: experiment.model.apply(v, x).stages)
    for index, maps in enumerate(apply(found["zip"], images)):
      wanted = golden[f"eval_out{index}"].transpose(0, 2, 3, 1)
      assert np.abs(maps - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_a_right_hash_passes_in_capitals_and_in_part(tmp_path):
  source = FILES / "hourglass_legacy.pth"
  sha256 = read(source).sha256[:9].upper()
  import_weights(source, hourglass_config(), tmp_path / "r", sha256=sha256)


@pytest.mark.parametrize("name", [".", "../here", "run/..", "new/..", "link"])
def test_an_output_may_have_any_name(tmp_path, monkeypatch, name):
  here = tmp_path / "here"
  here.mkdir()
  monkeypatch.chdir(here)
  place = here
  if name == "link":
    (here / "link").symlink_to(tmp_path / "there")
    place = tmp_path / "there"
  source, output = FILES / "hourglass_legacy.pth", pathlib.Path(name)
  assert f"\n{name}: a run at" in import_weights(
    source, hourglass_config(), output
  )
  assert {"config.json", "checkpoints"} <= {p.name for p in place.iterdir()}
  assert pathlib.Path.cwd() == here and here.samefile(".")
  assert restored(place)[2]["step"] == 0
  assert not list(tmp_path.glob("*.unfinished"))
  with pytest.raises(ConfigError, match="holds a run already"):
    import_weights(source, hourglass_config(), output)
  export_weights(place, pathlib.Path("gone/../back.safetensors"))
  assert (here / "back.safetensors").is_file()
  assert not (here / "gone").exists()
  for wrong in (".", "..", "back.safetensors/.."):
    with pytest.raises(ConfigError, match="must end in .safetensors"):
      export_weights(place, pathlib.Path(wrong))


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
  monkeypatch.setattr(Checkpoints, "save", lambda *_, **__: 1 / 0)
  source = FILES / "hourglass_legacy.pth"
  with pytest.raises(ZeroDivisionError):
    import_weights(source, hourglass_config(), tmp_path / "run")
  assert not list(tmp_path.iterdir())


def test_an_imported_resnet_says_in_which_order_it_reads_colours(tmp_path):
  source = tmp_path / "weights.npz"
  np.savez(source, **zeros({"depth": 18, "width": 8}, 17))
  config = resnet_config(depth=18, width=8)
  said = import_weights(source, config, tmp_path / "authors")
  assert "reads pictures blue first" in said and "channel_order=rgb" in said
  with config.unlocked():
    config.data.channel_order = "rgb"
  said = import_weights(source, config, tmp_path / "red")
  assert "reads RGB" in said and "channel_order=bgr" in said
  red = hourglass_config()  # pytorch-pose's, which reads red first
  said = import_weights(FILES / "hourglass_legacy.pth", red, tmp_path / "hg")
  assert "colours" not in said


@pytest.mark.slow
def test_the_result_is_a_run_like_any_other(
  tmp_path, finished, pictures, environment
):
  """Weights of a run go to torch's names and back, and it goes on."""
  file, workdir = tmp_path / "f.safetensors", tmp_path / "run"
  run(
    "export_weights",
    f"--workdir={finished[0]}",
    f"--output={file}",
    environment=environment,
  )
  command = (f"--source={file}", f"--output={workdir}")
  out = run("import_weights", *TINY, *command, environment=environment)
  assert "each once" in out
  said = sentence("import_weights", *TINY, *command, environment=environment)
  assert "holds a run already" in said
  watch = (f"--workdir={workdir}", "--watch")
  out = run("evaluate", *watch, environment=environment)
  assert "watching ends: these are imported weights, not yet trained on" in out
  first = finished[0] / "evaluation/9/predictions.json"
  again = workdir / "evaluation/0/predictions.json"
  assert json.loads(again.read_text()) == json.loads(first.read_text())
  run(
    "predict",
    f"--checkpoint={workdir}",
    f"--input={pathlib.Path(pictures) / 'images'}",
    f"--output={tmp_path / 'out'}",
    environment=environment,
  )
  assert json.loads((tmp_path / "out" / "predictions.json").read_text())
  out = run("train", *TINY, f"--workdir={workdir}", environment=environment)
  assert f"started from all of {file} (safetensors, sha256" in out
  assert "steps 0 to 9" in out and "step 9/9" in out
