"""A run made of a file of weights."""

import json
import pathlib
import re
import shutil

import numpy as np
from ml_collections import ConfigDict

from launch import nearest_config
from launch.experiment import Plan, make_run_optimizer
from launch.mistakes import ConfigError
from launch.run_config import keep_skeleton
from pose_jax.models.cost import count_parameters
from pose_jax.train.checkpoint import Checkpoints
from pose_jax.train.logbook import write_json
from pose_jax.train.state import init_state
from pose_jax.weights import load, torch_files
from pose_jax.weights.assemble import Tree, cleaned, plain
from pose_jax.weights.file_bytes import listed
from pose_jax.weights.recognise import recognise
from pose_jax.weights.start import known_or_told

_MOST_BESIDE = 12  # names of a file that are listed, and not used
_UNFINISHED = ".unfinished"  # in an empty output, which may be a mount point
_STEPS_PER_EPOCH = 10_000  # only shapes of the optimiser's state are wanted


def import_weights(
  source: pathlib.Path,
  config: ConfigDict,
  output: pathlib.Path,
  *,
  sha256: str | None = None,
) -> str:
  """Makes a run at step 0 of a file of weights; it appears whole or not at all.

  Args:
    config: checked.
    sha256: what the file's must begin with.
  Returns:
    what was read, what of it was used, and where it lies.
  Raises:
    ConfigError: if source and output are not as they must be, or the weights
      do not fit the config; then with the config that they fit.
    WeightsError, TorchFileError: if the file has no known network's weights.
  """
  if not source.is_file():
    what = "a folder" if source.is_dir() else "not there"
    raise ConfigError(f"--source={source} is {what}: wanted a file of weights")
  place = output.resolve()  # "." and ".." have no name of their own
  if place.exists() and any(p.name != _UNFINISHED for p in place.iterdir()):
    is_run = (place / "config.json").exists()
    what = "holds a run already" if is_run else "is not empty"
    raise ConfigError(f"--output={output} {what}: give another folder")
  file = torch_files.read(source)
  _check_hash(file.sha256, sha256, source)
  variables = _loaded(file.tensors, config, str(source))
  network = known_or_told(file.tensors, str(source)).describe()
  record = {
    "weights": str(source),
    "part": "all",
    "network": network,
    "format": file.format,
    "sha256": file.sha256,
  }
  _write(place, config, variables, record)
  summary = _summary(source, file, network, variables, config, output)
  return summary + _hint(config)


def _hint(config: ConfigDict) -> str:
  """A line on what no file tells and a wrong guess costs points by."""
  if config.data.channel_order == "bgr":
    return (
      "\ncolours: this run reads pictures blue first, as SimpleBaseline's, "
      "HRNet's and DARK's authors trained their ResNets: weights that were "
      "trained otherwise, import with --config.data.channel_order=rgb"
    )
  if config.model.name != "pose_resnet":
    return ""
  return (
    "\ncolours: this run reads RGB; the ResNets that SimpleBaseline's, HRNet's "
    "and DARK's authors published were trained with blue first: for one of "
    "them import with --config.data.channel_order=bgr"
  )


def _how(config: ConfigDict) -> str:
  """How a config reads pictures and heatmaps."""
  height, width = config.data.crop_hw
  return (
    f"crops of {height}x{width}, alignment {config.data.alignment}, decoder "
    f"{config.eval.decoder}"
  )


def _check_hash(found: str, wanted: str | None, source: pathlib.Path) -> None:
  if wanted is None:
    return
  if not re.fullmatch("[0-9a-fA-F]{8,64}", wanted):
    raise ConfigError(
      f"--sha256={wanted}: wanted the first 8 to 64 hexadecimal digits"
    )
  if not found.startswith(wanted.lower()):
    raise ConfigError(
      f"--source={source} has sha256 {found}, wanted {wanted}: it is another "
      "file, or damaged on its way"
    )


def _loaded(tensors: dict, config: ConfigDict, label: str) -> Tree:
  """Variables of the config's network.

  Raises:
    ConfigError: naming the config that fits, if this one does not.
  """
  try:
    variables = load(tensors, config.model)
  except ValueError as error:
    raise ConfigError(_why(error, tensors, config, label)) from error
  known = known_or_told(tensors, label)
  if known.num_keypoints != nearest_config.num_maps(config):
    raise ConfigError(
      f"{label} has {known.num_keypoints} heatmaps, {config.name} wants "
      f"{nearest_config.num_maps(config)} for skeleton {config.data.skeleton}: "
      + nearest_config.advice(known, config)
    )
  return variables


def _why(
  error: ValueError, tensors: dict, config: ConfigDict, label: str
) -> str:
  """Why weights do not load, and what to do."""
  known = known_or_told(tensors, label)
  train = f"launch.train --config.init.weights={label}"
  if known.num_keypoints is None:
    whole = recognise(tensors, whole=True)
    what = (
      f"nearly {whole.describe()}, but for this: {whole.problems()}"
      if whole
      else "no network for poses"
    )
    return (
      f"{label} holds {known.describe()}, {what}: a training starts from the "
      f"backbone with {train}"
    )
  if keys := nearest_config.differing(config, known):
    return (
      f"{label} holds {known.describe()}, which is not the network of "
      f"{config.name} (config.model's {', '.join(keys)}): "
      + nearest_config.advice(known, config)
    )
  if _loads(tensors, plain(config.model)):
    section = config.model.get("poserenet", {})
    wrapped = section.get("aggregation", "none") != "none"
    same = " --config.model.poserenet.identity_init=True" if wrapped else ""
    return (
      f"{label}: {error}; or start a training of the network as it is with "
      f"{train} --config.init.part=all{same}"
    )
  return f"{label}: {error}"


def _loads(tensors: dict, model: Tree) -> bool:
  """Whether weights are those of a plain model section."""
  try:
    load(tensors, model)
  except ValueError:
    return False
  return True


def _write(
  output: pathlib.Path, config: ConfigDict, variables: Tree, record: dict
) -> None:
  """A run at step 0, elsewhere on its file system first.

  Args:
    output: resolved.
  """
  beside = output.with_name(f".{output.name}{_UNFINISHED}")
  folder = output / _UNFINISHED if output.exists() else beside
  shutil.rmtree(folder, ignore_errors=True)
  folder.mkdir(parents=True)
  try:
    plain_config = json.loads(config.to_json_best_effort())
    write_json(folder / "config.json", plain_config)
    keep_skeleton(folder, config)
    epochs = config.schedule.num_epochs
    steps = config.schedule.num_steps or epochs * _STEPS_PER_EPOCH
    optimizer, _ = make_run_optimizer(config, Plan(steps, _STEPS_PER_EPOCH, 0))
    checkpoints = Checkpoints(
      folder / "checkpoints", best_metric=config.checkpoint.best_metric
    )
    meta = {"config": plain_config, "num_steps": 0, "data": None, "step": 0}
    state = init_state({"batch_stats": {}, **variables}, optimizer)
    checkpoints.save(0, state, meta | {"start": record})
    checkpoints.close()
    _move(folder, output)
  finally:
    shutil.rmtree(folder, ignore_errors=True)


def _move(folder: pathlib.Path, output: pathlib.Path) -> None:
  """Puts a run where it belongs; an empty folder there stays the same one.

  It may be the one that the user is in. What makes it a run comes last.
  """
  if not output.exists():
    folder.replace(output)
    return
  for child in sorted(folder.iterdir(), key=lambda p: p.name == "config.json"):
    child.replace(output / child.name)


def _summary(
  source: pathlib.Path,
  file: torch_files.TorchFile,
  network: str,
  variables: Tree,
  config: ConfigDict,
  output: pathlib.Path,
) -> str:
  """What was read, what of it was used, and where it lies."""
  total, used = len(file.tensors), len(cleaned(file.tensors))
  numbers = sum(np.size(value) for value in cleaned(file.tensors).values())
  beside = listed((*file.others, *file.left_out), _MOST_BESIDE)
  lines = [
    f"{source}: {file.format} format, sha256 {file.sha256}",
    f"network: {network}; "
    f"{count_parameters(variables['params']) / 1e6:.2f} M parameters",
    f"tensors: {total}, of which {used} ({numbers:,} numbers) are used, each "
    f"once, and {total - used} are step counts (num_batches_tracked)",
    *([f"beside them, not used: {beside}"] if beside else []),
    f"it is used with what {config.name} says and weights do not tell: "
    f"{_how(config)}",
    f"{output}: a run at step 0; launch.evaluate takes it as --workdir, "
    "launch.predict as --checkpoint, launch.train as --workdir with this "
    "--config",
  ]
  return "\n".join(lines)
