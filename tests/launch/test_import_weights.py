"""Files of weights become runs, and runs files; what a user may get wrong."""

import gzip
import importlib.util
import json
import pathlib

import jax
import numpy as np
import pytest
from commands import ROOT, TINY, run, sentence

from configs import coco_resnet50_256x192, mpii_hourglass2_256x256, quickstart
from launch.experiment import make_experiment
from launch.exported import export_weights
from launch.imported import import_weights
from launch.mistakes import ConfigError
from launch.run_config import read_config
from pose_jax.train.checkpoint import Checkpoints
from pose_jax.train.state import abstract_variables
from pose_jax.weights import WeightsError, export, safetensors
from pose_jax.weights.torch_files import TorchFileError, read

FILES = ROOT / "tests" / "weights" / "files"


def load_module(path):
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def unlocked(config, **model):
  with config.unlocked():
    config.model.update(model)
  return config


def hourglass_config(**model):
  tiny = {"num_stacks": 1, "num_features": 8, "depth": 1}
  return unlocked(mpii_hourglass2_256x256.get_config(), **tiny | model)


def resnet_config(**model):
  return unlocked(coco_resnet50_256x192.get_config(), **model)


def restored(workdir):
  """(experiment, variables, meta) of a run's newest checkpoint."""
  config = read_config(workdir)
  experiment = make_experiment(config)
  checkpoints = Checkpoints(
    workdir / "checkpoints", best_metric="AP", read_only=True
  )
  like = abstract_variables(experiment.model, tuple(config.data.crop_hw))
  variables, meta = checkpoints.restore(checkpoints.resolve("latest"), like)
  checkpoints.close()
  return experiment, variables, meta


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
  assert len(said.splitlines()) == 5 and len(said) < 1500
  assert "note10 and 29 more\n" in said


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
def test_imported_goldens_give_the_reference_outputs(tmp_path, goldens, name):
  state, arrays = golden_state(goldens, name), goldens / f"net_{name}.npz"
  if name == "pose_resnet18":
    source, config = tmp_path / "weights.npz", resnet_config(depth=18)
    np.savez(source, **state)
  else:
    source = tmp_path / "weights.safetensors"
    config = mpii_hourglass2_256x256.get_config()
    safetensors.write(source, state)
  import_weights(source, config, tmp_path / "run")
  experiment, variables, _ = restored(tmp_path / "run")
  with np.load(arrays) as golden:
    images = golden["input"].transpose(0, 2, 3, 1).astype(np.float32)
    apply = jax.jit(lambda v, x: experiment.model.apply(v, x).stages)
    for index, maps in enumerate(apply(variables, images)):
      wanted = golden[f"eval_out{index}"].transpose(0, 2, 3, 1)
      assert np.abs(maps - wanted).max() < 1e-5 * np.abs(wanted).max()


ANOTHER_FILE = r"has sha256 [0-9a-f]{64}, wanted deadbeef: it is another file"


@pytest.mark.parametrize(
  ("sha256", "message"),
  [("deadbeef", ANOTHER_FILE), ("dead", "wanted the first 8 to 64"), ("", "8")],
)
def test_a_wrong_hash_is_told(tmp_path, sha256, message):
  source = FILES / "hourglass_legacy.pth"
  with pytest.raises(ConfigError, match=message):
    import_weights(source, hourglass_config(), tmp_path / "r", sha256=sha256)
  assert not list(tmp_path.iterdir())


def test_a_right_hash_passes_in_capitals_and_in_part(tmp_path):
  source = FILES / "hourglass_legacy.pth"
  sha256 = read(source).sha256[:9].upper()
  import_weights(source, hourglass_config(), tmp_path / "r", sha256=sha256)


def test_sources_that_are_no_files_of_weights_are_told(tmp_path):
  text = tmp_path / "text.pth"
  text.write_text("hello")
  for source, kind, message in (
    (tmp_path / "none.pth", ConfigError, "none.pth is not there: wanted"),
    (tmp_path, ConfigError, "is a folder: wanted a file of weights"),
    (text, TorchFileError, "text.pth is no file of weights"),
    (FILES / "mixed_zip.pth", WeightsError, "weights of no network that is kn"),
  ):
    with pytest.raises(kind, match=message):
      import_weights(source, hourglass_config(), tmp_path / "run")
  assert not (tmp_path / "run").exists()


def test_an_output_that_holds_something_is_left_as_it_is(tmp_path):
  source, output = FILES / "hourglass_legacy.pth", tmp_path / "run"
  output.mkdir()  # an empty one is taken
  import_weights(source, hourglass_config(), output)
  before = (output / "config.json").read_bytes()
  with pytest.raises(
    ConfigError, match="run holds a run already: give another"
  ):
    import_weights(source, hourglass_config(), output)
  assert (output / "config.json").read_bytes() == before
  (tmp_path / "notes").mkdir()
  (tmp_path / "notes" / "a.txt").touch()
  with pytest.raises(ConfigError, match="notes is not empty: give another"):
    import_weights(source, hourglass_config(), tmp_path / "notes")


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


def test_the_config_that_fits_is_named(tmp_path):
  """Published sizes by shape alone: numbers do not matter here."""
  model = {"name": "pose_resnet", "depth": 50}
  source = tmp_path / "weights.npz"

  def refusal(config, num_keypoints, **changes):
    np.savez(source, **zeros(model | changes, num_keypoints))
    with pytest.raises(ConfigError, match="^[^\n]*$") as error:
      import_weights(source, config, tmp_path / "run")
    return str(error.value).removeprefix(f"{source} ")

  assert refusal(hourglass_config(), 17).startswith(
    "holds pose_resnet (depth 50), 17 keypoints, which is not the network of "
    "mpii_hourglass2_256x256 (config.model's name): use "
    "configs/coco_resnet50_"
  )
  assert refusal(resnet_config(depth=18), 17).endswith(
    "use configs/coco_resnet50_256x192.py (or "
    "configs/coco_resnet50_128x96.py, configs/coco_resnet50_384x288.py)"
  )
  assert refusal(resnet_config(), 16).startswith(
    "has 16 heatmaps, coco_resnet50_256x192 wants 17 for skeleton coco17: use "
    "configs/mpii_resnet50_"
  )
  assert refusal(resnet_config(), 17, width=32).endswith(
    "no file in configs/ is of such a network: set --config.model.width=32"
  )
  assert refusal(hourglass_config(), 5, width=32).endswith(
    "write one, with its model section and skeleton"
  )


def zeros(model, num_keypoints):
  config = quickstart.get_config()
  with config.unlocked():
    config.model.update(depth=50, width=64, deconv_filters=(256,) * 3)
    config.model.update({k: v for k, v in model.items() if k != "name"})
  like = abstract_variables(
    make_experiment(config).model.clone(num_keypoints=num_keypoints), (64, 64)
  )
  arrays = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), like)
  return export(arrays, config.model)


def test_a_classifier_and_a_network_with_plug_ins_are_sent_to_training(
  tmp_path,
):
  tensors = zeros({"depth": 18, "width": 8}, 17)
  source = tmp_path / "weights.npz"
  np.savez(source, **tensors)
  config = resnet_config(depth=18, width=8)
  with config.unlocked():
    config.model.attention.holistic = "crf"
  with pytest.raises(
    ConfigError,
    match=r"model.attention.holistic is 'none', got 'crf': set it so; or start "
    r".*--config.init.weights=.*weights.npz --config.init.part=all$",
  ):
    import_weights(source, config, tmp_path / "run")
  tensors["bn1.running_var"][0] = np.nan  # now a training would fail alike
  np.savez(source, **tensors)
  for model in (config, resnet_config(depth=18, width=8)):
    with pytest.raises(ConfigError, match="weights.npz: .*") as error:
      import_weights(source, model, tmp_path / "run")
    assert "init.part" not in str(error.value)
  heads = ("deconv_layers.", "final_layer.")
  backbone = {k: v for k, v in tensors.items() if not k.startswith(heads)}
  np.savez(source, **backbone, **{"fc.weight": np.zeros((3, 64))})
  with pytest.raises(
    ConfigError,
    match=r"holds the backbone of pose_resnet \(depth 18, width 8\); beside it "
    r"fc \(1\), no network for poses: .*--config.init.weights=.*weights.npz$",
  ):
    import_weights(source, resnet_config(depth=18, width=8), tmp_path / "run")


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


def test_a_network_that_torch_does_not_have_is_not_sent_to_training(tmp_path):
  config = hourglass_config(skip="hru")
  with pytest.raises(ConfigError, match="'residual', got 'hru': set it so$"):
    import_weights(FILES / "hourglass_legacy.pth", config, tmp_path / "run")


def test_what_export_refuses(tmp_path):
  import_weights(
    FILES / "hourglass_legacy.pth", hourglass_config(), tmp_path / "run"
  )
  taken = tmp_path / "taken.safetensors"
  taken.touch()
  for output, message in (
    (tmp_path / "a.pth", "name must end in .safetensors"),
    (taken, "taken.safetensors is there already"),
  ):
    with pytest.raises(ConfigError, match=message):
      export_weights(tmp_path / "run", output)
  with pytest.raises(ConfigError, match="holds no config.json"):
    export_weights(tmp_path, tmp_path / "a.safetensors")
  saved = json.loads((tmp_path / "run" / "config.json").read_text())
  saved["model"]["skip"] = "hru"
  (tmp_path / "run" / "config.json").write_text(json.dumps(saved))
  with pytest.raises(
    ConfigError, match=r"run: torch .*'residual', got 'hru': there is nothing"
  ):
    export_weights(tmp_path / "run", tmp_path / "a.safetensors")


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
  run("evaluate", f"--workdir={workdir}", environment=environment)
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
