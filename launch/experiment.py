"""Config to objects: the one place where a config's sections are taken apart.

Everything below this room takes plain arguments.
"""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from launch.mistakes import ConfigError
from launch.progress import ProgressBar
from pose_jax import parallel
from pose_jax.data.augment import Augmentation
from pose_jax.data.datasets import open_dataset
from pose_jax.data.people import Dataset, People
from pose_jax.data.pipeline import (
  make_batches,
  steps_per_epoch,
)
from pose_jax.geometry import LIFTED_FROM_HM, Frames, compose
from pose_jax.models import (
  attention_of,
  attention_options,
  heads,
  make_model,
  map_hw,
  plug_in_of,
  poserenet_options,
  stage_hw,
)
from pose_jax.models.attention_steps import apply_with_steps
from pose_jax.models.output import PoseOutput, maps_to_look_at
from pose_jax.skeleton import Skeleton
from pose_jax.skeleton_file import find_skeleton
from pose_jax.train.frozen import optimize_the_rest
from pose_jax.train.losses import LOSSES
from pose_jax.train.optimizer import make_optimizer, make_schedule
from pose_jax.train.regression import RegressionRule
from pose_jax.train.step import prepare_images, train_step
from pose_jax.train.supervision import LossWeights, TargetRule


@dataclasses.dataclass(frozen=True)
class Experiment:
  """What training and evaluation share."""

  config: ConfigDict
  skeleton: Skeleton
  frames: Frames
  model: nn.Module


def make_experiment(config: ConfigDict) -> Experiment:
  """Skeleton, geometry and network of a (checked) config."""
  skeleton = find_skeleton(config.data.skeleton)
  crop_hw = tuple(config.data.crop_hw)
  frames = Frames(
    crop_hw=crop_hw,
    map_hw=map_hw(config.model, crop_hw),
    alignment=config.data.alignment,
    padding=config.data.padding,
    keep_aspect=config.data.keep_aspect,
  )
  model = make_model(config.model, skeleton)
  return Experiment(config, skeleton, frames, model)


def open_part(
  experiment: Experiment, part: str, workdir: pathlib.Path
) -> Dataset:
  """The data set of `config.data.train` or `.eval`.

  Drawn people that are given no root are drawn below the workdir.

  Raises:
    DataError: if files are missing or faulty.
    ConfigError: if the data set does not go with the rest of the config.
  """
  section = experiment.config.data[part].to_dict()
  if section["name"] == "drawn" and section["root"] is None:
    section["root"] = str(workdir / "drawn")
  section["progress"] = ProgressBar("drawing", "pictures")
  try:
    return open_dataset(section, skeleton=experiment.skeleton)
  except ValueError as error:
    if type(error) is not ValueError:
      raise
    raise ConfigError(f"data.{part}: {error}") from error


def describe(dataset: Dataset, *, with_boxes: bool = True) -> str:
  """What was opened, what is left out and why, on a line.

  Args:
    with_boxes: whether the table's own boxes are the ones that count.
  """
  people = dataset.people
  left_out, is_used = people.unusable(), people.is_usable()
  total, num = len(people.image_names), len(set(people.image_index[is_used]))
  return (
    f"{dataset.name} {dataset.split}, {is_used.sum()} people in "
    + (f"{num} of {total} pictures" if num < total else f"{total} pictures")
    + (f", boxes: {people.box_source}; " if with_boxes else "; ")
    + f"{len(left_out)} rows left out"
    + (f" (the first: {left_out[0]})" if left_out else "")
  )


def describe_network(experiment: Experiment, num_parameters: int) -> str:
  """Name, size, attention and plug-ins of the network, on a line."""
  attention = attention_options.describe(attention_of(experiment.model))
  plug_ins = describe_plug_ins(experiment)
  return (
    f"{experiment.config.model.name}: {num_parameters / 1e6:.2f} M parameters"
    + (f", attention: {attention}" if attention else "")
    + (f", {plug_ins}" if plug_ins else "")
  )


def describe_plug_ins(experiment: Experiment) -> str:
  """What the network has in it, behind it and around it; "" if nothing."""
  links, parts = experiment.skeleton.links, []
  if experiment.config.model.get("skeletal", False):
    parts.append(f"skeletal heatmaps ({len(links)} links)")
  parts.append(poserenet_options.describe(plug_in_of(experiment.model)))
  parts.append(heads.describe(experiment.model))
  return ", ".join(part for part in parts if part)


def fingerprint(people: People) -> str:
  """Stands for the usable people, their boxes, order and weights."""
  usable = people.usable()
  digest = hashlib.sha256("\n".join(usable.image_names).encode())
  for array in (
    *(usable.image_index, usable.person_ids),
    *(usable.kpts_xy_img, usable.box_xywh_img),
  ):
    digest.update(np.ascontiguousarray(array).tobytes())
  if (usable.repeats != 1).any():  # weights change the order of samples
    digest.update(usable.repeats.tobytes())
  return digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class Plan:
  """Lengths of a run, in steps."""

  num_steps: int
  steps_per_epoch: int
  rows_per_process: int


def make_plan(config: ConfigDict, dataset: Dataset) -> Plan:
  """How many steps, and how many rows of a step are this process's.

  Raises:
    ConfigError: if processes or devices cannot share the batch, or the data
      set is smaller than a batch.
  """
  total, processes = config.schedule.batch_size, parallel.process()[1]
  devices = parallel.num_devices()
  if total % (processes * devices):
    raise ConfigError(
      f"schedule.batch_size is {total}, which {processes} processes of "
      f"{devices} devices cannot share: make it a multiple of "
      f"{processes * devices}"
    )
  try:
    per_epoch = steps_per_epoch(
      dataset, batch_size=total // processes, num_processes=processes
    )
  except ValueError as error:
    raise ConfigError(f"schedule.batch_size: {error}") from error
  num_steps = config.schedule.num_steps or (
    config.schedule.num_epochs * per_epoch
  )
  return Plan(num_steps, per_epoch, total // processes)


def make_training_batches(
  experiment: Experiment, dataset: Dataset, plan: Plan, start_step: int
) -> Iterator[Mapping[str, np.ndarray]]:
  """Host batches from `start_step` to the end of the run."""
  data = experiment.config.data
  return make_batches(
    dataset,
    experiment.frames,
    batch_size=plan.rows_per_process,
    seed=experiment.config.seed,
    augmentation=Augmentation(**data.augmentation.to_dict()),
    num_steps=plan.num_steps,
    start_step=start_step,
    process=parallel.process(),
    num_workers=data.num_workers,
    num_threads=data.num_threads or None,
    reduce=data.reduced_decoding,
  )


def schedule_options(config: ConfigDict, plan: Plan) -> dict[str, Any]:
  """Arguments of `make_schedule`: the config's, in steps of this run."""
  schedule = config.schedule
  return dict(
    name=schedule.name,
    learning_rate=config.optimizer.learning_rate,
    num_steps=plan.num_steps,
    boundaries_steps=tuple(
      schedule.boundaries_steps
      or (n * plan.steps_per_epoch for n in schedule.boundaries_epochs)
    ),
    factor=schedule.factor,
    warmup_steps=schedule.warmup_steps,
  )


def make_run_optimizer(config: ConfigDict, plan: Plan):
  """The optimiser with its schedule in steps of this run, and the schedule.

  Raises:
    ConfigError: if the warm-up does not fit.
  """
  options = config.optimizer.to_dict()
  del options["learning_rate"]
  frozen = options.pop("frozen")
  try:
    schedule = make_schedule(**schedule_options(config, plan))
  except ValueError as error:
    raise ConfigError(f"schedule: {error}") from error
  optimizer = make_optimizer(options.pop("name"), schedule, **options)
  return optimize_the_rest(optimizer, frozen), schedule


def make_target(experiment: Experiment) -> TargetRule:
  """How the config's keypoints become target maps, of whatever kind."""
  loss, frames = experiment.config.loss, experiment.frames
  # Not those of `frames`, which are the maps that are decoded.
  size_hw = stage_hw(experiment.model, frames.crop_hw)
  hm_from_crop = dataclasses.replace(frames, map_hw=size_hw).hm_from_crop
  # What is not decoded lies where its 2x2 mean meets the stages' pixels.
  lifted_from_crop = compose(LIFTED_FROM_HM, hm_from_crop)
  if plug_in_of(experiment.model).decode == "lifted":
    lifted_from_crop = frames.hm_from_crop
  return TargetRule(
    hm_from_crop=hm_from_crop,
    map_hw=size_hw,
    sigma_hm=loss.sigma_hm,
    unbiased=loss.unbiased,
    scale=loss.target_scale,
    background=loss.background,
    lifted_from_crop=lifted_from_crop,
    pairs=tuple((link.start, link.end) for link in experiment.skeleton.links),
    link_sigma_hm=loss.link_sigma_hm,
  )


def make_forward(
  experiment: Experiment, *, with_steps: bool = False
) -> Callable[[Any, Any], PoseOutput]:
  """(variables, images [B, H, W, 3]) -> what the network says, not training.

  Heatmaps to decode are in units of a target's peak, so that scores lie in
  0..1 whatever loss.target_scale is.

  Args:
    with_steps: also how mean fields came about, in `attention`, and what the
      network says of links and at twice the size; to look at.
  """
  model, config = experiment.model, experiment.config
  scale, stage = config.loss.target_scale, config.eval.stage

  def forward(variables, images):
    if with_steps:
      output = apply_with_steps(model, variables, images)
      output = output.replace(attention=maps_to_look_at(output))
    else:
      output = model.apply(variables, images, train=False)
    output = of_stage(output, stage)
    if scale == 1 or output.heatmaps is None:
      return output
    return output.replace(heatmaps=output.heatmaps / scale)

  return forward


def of_stage(output: PoseOutput, stage: int) -> PoseOutput:
  """With what stage `stage`, counted from 1, says; 0: the last as it is."""
  if not stage:
    return output
  if output.heatmaps is None:
    return output.replace(coordinates=output.coordinate_stages[stage - 1])
  return output.replace(heatmaps=output.stages[stage - 1])


def colours(config: ConfigDict) -> dict[str, Any]:
  """How a picture becomes a network's input; arguments of `color.normalize`."""
  return {
    "mean": tuple(config.data.mean_rgb),
    "std": tuple(config.data.std_rgb),
    "channel_order": config.data.channel_order,
  }


def make_prepare(config: ConfigDict) -> Callable:
  """`prepare_images` of a training batch, with the config's colours."""
  return functools.partial(
    prepare_images,
    **colours(config),
    jitter=config.data.jitter.to_dict(),
    covers=config.data.occlusion.to_dict(),
  )


def make_step(experiment: Experiment, optimizer) -> Callable:
  """`train_step` with everything bound but state, batch and axis name."""
  config = experiment.config
  loss = LOSSES[config.loss.name]
  if config.loss.name == "ohkm":
    loss = functools.partial(loss, top_k=config.loss.ohkm_top_k)
  return functools.partial(
    train_step,
    model=experiment.model,
    optimizer=optimizer,
    loss=loss,
    target=make_target(experiment),
    images=make_prepare(config),
    weights=LossWeights(
      stages=tuple(config.loss.stage_weights),
      lifted=config.loss.lifted_weight,
      links=config.loss.link_weight,
    ),
    rule=RegressionRule(
      coordinates=config.loss.coordinates,
      stages=tuple(config.loss.stage_weights),
      presence_weight=config.loss.presence_weight,
      coordinates_weight=config.loss.coordinates_weight,
    ),
    frozen=tuple(config.optimizer.frozen),
    weight_penalty=config.loss.weight_penalty,
  )
