"""Config to evaluator: how an experiment's checkpoints are measured."""

import dataclasses
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

import pose_jax
from launch.experiment import (
  Experiment,
  colours,
  describe_plug_ins,
  make_forward,
)
from launch.progress import ProgressBar
from launch.ways import make_plan
from pose_jax import parallel
from pose_jax.data.eval_batches import make_eval_batches
from pose_jax.data.images import decode as decode_image
from pose_jax.data.people import Dataset
from pose_jax.data.people_file import digest
from pose_jax.eval import scoring
from pose_jax.eval.baseline import mean_pose
from pose_jax.eval.evaluator import Evaluator
from pose_jax.eval.predict import TestTime, make_predict, scales_of
from pose_jax.models import (
  attention_of,
  attention_options,
  regresses,
  says_presence,
  stage_hw,
)
from pose_jax.protocol import COORDINATES, Protocol


def code_version() -> str:
  """Version of pose_jax, and the git revision where it is a checkout."""
  folder = pathlib.Path(pose_jax.__file__).parents[1]
  version = f"pose_jax {pose_jax.__version__}"
  if not (folder / ".git").exists() or not shutil.which("git"):
    return version
  done = subprocess.run(
    ["git", "-C", folder, "describe", "--always", "--dirty", "--exclude=*"],
    capture_output=True,
    text=True,
  )
  return f"{version} ({done.stdout.strip()})" if done.stdout else version


def measured_on(dataset: Dataset, config: ConfigDict) -> dict[str, Any]:
  """The fields of a protocol that say who was measured."""
  people = dataset.people
  return {
    "num_people": int(people.is_usable().sum()),
    "num_images": len(people.image_names),
    "annotations_sha256": digest(people),
    "area_source": people.area_source if "coco" in config.eval.metrics else "",
  }


def make_protocol(
  experiment: Experiment, dataset: Dataset, num_parameters: int | None
) -> Protocol:
  """What every measurement of this config has in common."""
  config, settings = experiment.config, experiment.config.eval
  return Protocol(
    dataset=dataset.name,
    split=dataset.split,
    box_source=dataset.people.box_source,
    flip_test=settings.flip_test,
    flip_shift=experiment.frames.flip_shift,
    alignment=config.data.alignment,
    **_targets(experiment),
    decoder=None,
    presence_threshold=(
      settings.presence_threshold if says_presence(experiment.model) else None
    ),
    **measured_on(dataset, config),
    num_parameters=num_parameters,
    code_version=code_version(),
    network=config.name,
    attention=attention_options.describe(attention_of(experiment.model)),
    plug_in=describe_plug_ins(experiment),
    crop_hw=tuple(config.data.crop_hw),
    stretched=not config.data.keep_aspect,
    stage=settings.stage,
    reduced_decoding=config.data.reduced_decoding,
  )


def weights_in_words(origin: Mapping[str, Any] | None, step: int) -> str:
  """A protocol's `weights`, from what a checkpoint's meta has as "start".

  A run that weights were imported to has them, as they are, at step 0.
  """
  if origin is None:
    return ""
  label = pathlib.PurePath(origin["weights"]).name
  if ", step " in origin["format"]:  # of a run: its config and step
    label = f"the run {origin['format']}"
  text = f"{label}, sha256 {origin['sha256'][:12]}"
  is_untouched = step == 0 and origin["part"] == "all"
  return text if is_untouched else f"started from {text}"


def _targets(experiment: Experiment) -> dict[str, Any]:
  """The fields of a protocol that say what the network was trained on."""
  loss = experiment.config.loss
  if regresses(experiment.model):
    return {
      "codec": COORDINATES,
      "sigma_hm": None,
      "coordinate_loss": loss.coordinates,
    }
  return {
    "codec": "unbiased" if loss.unbiased else "truncated",
    "sigma_hm": _decoded_sigma(experiment),
  }


def _decoded_sigma(experiment: Experiment) -> float:
  """Deviation of the targets of the maps that are decoded; lifted: doubled."""
  crop_hw = experiment.frames.crop_hw
  lift = experiment.frames.map_hw[0] / stage_hw(experiment.model, crop_hw)[0]
  return lift * experiment.config.loss.sigma_hm


def make_evaluator(
  experiment: Experiment,
  dataset: Dataset,
  *,
  num_parameters: int,
  training_people: Any = None,
) -> Evaluator:
  """The evaluator of a config.

  Args:
    num_parameters: of the network, for the protocol.
    training_people: table to take PCK's mean-pose baseline from, or None.
  """
  config = experiment.config
  plan = make_plan(
    experiment, dataset, make_protocol(experiment, dataset, num_parameters)
  )
  for note in plan.notes:
    if parallel.process()[0] == 0:
      print(note, flush=True)
  crops = dataclasses.replace(dataset, people=plan.crops)
  scales = scales_of(plan.ways)
  return Evaluator(
    make_predictor(experiment, plan.ways),
    dataset.people,
    plan.boxes,
    lambda: make_eval_batches(
      crops,
      experiment.frames,
      batch_size=config.eval.batch_size,
      scales=scales,
      process=parallel.process(),
      num_workers=config.data.num_workers,
      num_threads=config.data.num_threads or None,
      reduce=config.data.reduced_decoding,
    ),
    measurements=plan.measurements,
    settings=make_settings(config),
    gather=parallel.gather_rows,
    heatmaps_fn=make_predictor(experiment, plan.ways, with_heatmaps=True),
    shown_scale=scales.index(1.0),
    baseline_xy_img=_mean_pose(experiment, dataset, training_people),
    progress=ProgressBar("evaluating", "people"),
    seed=config.seed,
  )


def make_settings(config: ConfigDict) -> scoring.Settings:
  """What is computed besides the scores."""
  return scoring.Settings(
    pckh_variant=config.eval.pckh_variant,
    num_samples=config.eval.bootstrap_samples,
    seed=config.seed,
    with_keypoint_ap=config.eval.diagnosis,
    with_diagnosis=config.eval.diagnosis,
    presence_threshold=config.eval.presence_threshold,
  )


def make_predictor(
  experiment: Experiment,
  ways: Sequence[TestTime],
  *,
  with_heatmaps: bool = False,
) -> Callable[[Any, parallel.Rows], parallel.Rows]:
  """(replicated variables, host batch) -> arrays, see `make_predict`.

  Args:
    ways: of testing.
    with_heatmaps: also heatmaps, attention and its steps: to look at a few.
  """
  config = experiment.config
  return parallel.parallel_predict(
    make_predict(
      make_forward(experiment),
      experiment.frames,
      ways,
      permutation=experiment.skeleton.flip_permutation,
      **colours(config),
      with_heatmaps=with_heatmaps,
      shown_forward=make_forward(experiment, with_steps=True),
    )
  )


def _mean_pose(experiment: Experiment, dataset: Dataset, training_people):
  """PCK's baseline: the mean training pose in everybody's box."""
  if training_people is None or "pck" not in experiment.config.eval.metrics:
    return None
  known = training_people.usable()
  return mean_pose(
    known.kpts_xy_img,
    known.vis > 0,
    known.box_xywh_img,
    dataset.people.usable().box_xywh_img,
  )


def image_reader(dataset: Dataset) -> Callable[[int], np.ndarray]:
  """Row of the image table -> RGB picture, for the report."""

  def read(i: int) -> np.ndarray:
    return decode_image(dataset.images.read(i), dataset.images.name(i))

  return read
