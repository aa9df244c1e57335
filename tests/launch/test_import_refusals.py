"""What a user may get wrong with files of weights, in sentences."""

import errno
import json
import os
import pathlib

import numpy as np
import pytest
from imported_runs import FILES, hourglass_config, resnet_config, zeros

from launch.exported import export_weights
from launch.imported import import_weights
from launch.mistakes import ConfigError
from pose_jax.weights import WeightsError
from pose_jax.weights.torch_files import TorchFileError

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
  (output / ".unfinished").mkdir(parents=True)  # of an import that was killed
  (output / ".unfinished" / "config.json").touch()
  import_weights(source, hourglass_config(), output)
  assert {p.name for p in output.iterdir()} == {"checkpoints", "config.json"}
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


def test_an_empty_output_may_be_a_mount_point(tmp_path, monkeypatch):
  output, rename = tmp_path / "run", pathlib.Path.replace
  output.mkdir()

  def replace(path, target):
    if output in target.parents and output not in path.parents:
      raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(path))
    return rename(path, target)

  monkeypatch.setattr(pathlib.Path, "replace", replace)
  import_weights(FILES / "hourglass_legacy.pth", hourglass_config(), output)
  assert (output / "config.json").is_file()


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
    "configs/coco_resnet50_128x96.py, configs/coco_resnet50_384x288.py): the "
    "one they were trained with, for weights tell neither the crops' size nor "
    "alignment and decoder"
  )
  assert refusal(resnet_config(), 16).startswith(
    "has 16 heatmaps, coco_resnet50_256x192 wants 17 for skeleton coco17: use "
    "configs/mpii_resnet50_"
  )
  assert refusal(resnet_config(), 17, width=32).endswith(
    "no file in configs/ is of such a network: set --config.model.width=32"
  )
  assert refusal(resnet_config(), 13).startswith(
    "has 13 heatmaps, coco_resnet50_256x192 wants 17 for skeleton coco17: no "
    "file in configs/ is of such a network: set --config.data.skeleton="
    "FILE.toml, 13 keypoints as configs/skeletons/coco17.toml explains"
  )
  assert refusal(resnet_config(), 13, width=32).endswith(
    "set --config.model.width=32 --config.data.skeleton=FILE.toml, 13 keypoints"
    " as configs/skeletons/coco17.toml explains"
  )
  assert refusal(hourglass_config(), 5, width=32).endswith(
    "write one, with its model section and skeleton"
  )


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
  np.savez(source, **tensors, extra=np.zeros(3))
  with pytest.raises(
    ConfigError, match=r"nearly pose_resnet .*, 17 .*: unexpected extra: a tra"
  ):
    import_weights(source, resnet_config(depth=18, width=8), tmp_path / "run")
  heads = ("deconv_layers.", "final_layer.")
  backbone = {k: v for k, v in tensors.items() if not k.startswith(heads)}
  np.savez(source, **backbone, **{"fc.weight": np.zeros((3, 64))})
  with pytest.raises(
    ConfigError,
    match=r"holds the backbone of pose_resnet \(depth 18, width 8\); beside it "
    r"fc \(1\), no network for poses: .*--config.init.weights=.*weights.npz$",
  ):
    import_weights(source, resnet_config(depth=18, width=8), tmp_path / "run")


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
