"""Config to evaluator: how an experiment's checkpoints are measured."""

import pathlib
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np

import pose_jax
from launch.check import make_decoder
from launch.experiment import Experiment
from launch.progress import ProgressBar
from pose_jax import parallel
from pose_jax.data.eval_batches import make_eval_batches
from pose_jax.data.images import decode as decode_image
from pose_jax.data.people import Dataset
from pose_jax.eval import pck
from pose_jax.eval.evaluator import Evaluator
from pose_jax.eval.predict import make_predict
from pose_jax.protocol import Protocol


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


def make_protocol(
  experiment: Experiment, dataset: Dataset, num_parameters: int | None
) -> Protocol:
  """How this config measures."""
  config, settings = experiment.config, experiment.config.eval
  is_dark, is_weighted = (settings.decoder == n for n in ("dark", "weighted"))
  return Protocol(
    dataset=dataset.name,
    split=dataset.split,
    box_source=dataset.people.box_source,
    flip_test=settings.flip_test,
    flip_shift=experiment.frames.flip_shift,
    alignment=config.data.alignment,
    codec="unbiased" if config.loss.unbiased else "truncated",
    sigma_hm=config.loss.sigma_hm,
    decoder=settings.decoder,
    blur_kernel=settings.blur_kernel if is_dark else None,
    decoder_n=settings.weighted_n if is_weighted else None,
    decoder_window=(settings.weighted_window or None) if is_weighted else None,
    num_parameters=num_parameters,
    code_version=code_version(),
    network=config.name,
    crop_hw=tuple(config.data.crop_hw),
    reduced_decoding=config.data.reduced_decoding,
  )


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
  config, model = experiment.config, experiment.model

  def forward(variables, images):
    return model.apply(variables, images, train=False)

  def predict(with_heatmaps):
    return parallel.parallel_predict(
      make_predict(
        forward,
        experiment.frames,
        permutation=experiment.skeleton.flip_permutation,
        decoder=make_decoder(config.eval),
        flip_test=config.eval.flip_test,
        mean=tuple(config.data.mean_rgb),
        std=tuple(config.data.std_rgb),
        with_heatmaps=with_heatmaps,
      )
    )

  baseline = None
  if training_people is not None and "pck" in config.eval.metrics:
    known = training_people.usable()
    baseline = pck.mean_pose(
      known.kpts_xy_img,
      known.vis > 0,
      known.box_xywh_img,
      dataset.people.usable().box_xywh_img,
    )
  return Evaluator(
    predict(False),
    dataset.people,
    lambda: make_eval_batches(
      dataset,
      experiment.frames,
      batch_size=config.eval.batch_size,
      process=parallel.process(),
      num_workers=config.data.num_workers,
      num_threads=config.data.num_threads or None,
      reduce=config.data.reduced_decoding,
    ),
    protocol=make_protocol(experiment, dataset, num_parameters),
    metrics=tuple(config.eval.metrics),
    gather=parallel.gather_rows,
    heatmaps_fn=predict(True),
    baseline_xy_img=baseline,
    progress=ProgressBar("evaluating", "people"),
    seed=config.seed,
  )


def image_reader(dataset: Dataset) -> Callable[[int], np.ndarray]:
  """Row of the image table -> RGB picture, for the report."""

  def read(i: int) -> np.ndarray:
    return decode_image(dataset.images.read(i), dataset.images.name(i))

  return read
