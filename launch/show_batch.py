"""Shows a training batch: `python -m launch.show_batch --config=FILE`.

Writes a picture with three views of each person: the crop without
augmentation, the crop as the network gets it (warped, colours changed, partly
covered) with its keypoints, and its target heatmaps; of a network with
skeletal heatmaps a fourth, the targets of its links, physical ones orange and
virtual ones blue. A network that regresses coordinates has no such targets: it
learns the keypoints of the second view. Below stands what was drawn. It is the
batch that `launch.train` takes at that step, or, of a data set with too few
people for one, a batch of all there are; the network computes nothing, so a
laptop without a GPU is enough.
"""

import math
import pathlib
import tempfile
from collections.abc import Mapping

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from ml_collections import ConfigDict, config_flags

from launch import doorway
from launch.check import check_config
from launch.experiment import (
  Experiment,
  describe,
  make_experiment,
  make_prepare,
  make_target,
  open_part,
)
from launch.mistakes import ConfigError, wanted_folder
from pose_jax import draw
from pose_jax.data.augment import Augmentation, Warp
from pose_jax.data.epochs import num_samples
from pose_jax.data.people import Dataset
from pose_jax.data.pipeline import Samples, steps_per_epoch, training_batches
from pose_jax.draw_scale import text_strip
from pose_jax.models import regresses
from pose_jax.skeleton import Skeleton

_CONFIG = config_flags.DEFINE_config_file(
  "config", None, "Experiment, configs/NAME.py[:variant].", lock_config=True
)
_OUTPUT = flags.DEFINE_string(
  "output", "sheet.jpg", "Picture to write, .jpg or .png."
)
_STEP = flags.DEFINE_integer(
  "step", 0, "Which training batch, from 0.", lower_bound=0
)
_PEOPLE = flags.DEFINE_integer(
  "people", 12, "How many of the batch, from its first.", lower_bound=1
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "Where drawn people without a root lie; else drawn anew."
)
_TILE_HEIGHT = 256  # pixels of each view
_PEOPLE_PER_ROW = 2
_NAMES = (
  "without augmentation",
  "network input",
  "targets",
  "targets of links",
)
_LINK_COLORS = {"physical": (255, 150, 30), "virtual": (60, 150, 255)}
_LINK_COVER = 0.5  # where links cross, both are seen

Batch = Mapping[str, np.ndarray]


def main() -> None:
  """Checks, opens, draws one batch."""
  if _CONFIG.value is None:
    doorway.fail(
      "--config=configs/NAME.py must be given, for example "
      "--config=configs/quickstart.py:debug"
    )
  config, output = _CONFIG.value, pathlib.Path(_OUTPUT.value)
  if output.suffix.lower() not in (".jpg", ".jpeg", ".png"):
    raise ConfigError(f"--output is {output}: it must end in .jpg or .png")
  check_config(config, parts=("train",))
  experiment = make_experiment(config)
  with tempfile.TemporaryDirectory() as temporary:
    folder = wanted_folder("workdir", _WORKDIR.value or temporary)
    _say_what_is_opened(config)
    dataset = open_part(experiment, "train", folder)
    print(f"training: {describe(dataset)}", flush=True)
    rows = rows_of_batch(experiment, dataset)
    if rows < config.schedule.batch_size:
      print(
        f"too few people for schedule.batch_size {config.schedule.batch_size}, "
        f"which launch.train will refuse: shown is a batch of {rows}",
        flush=True,
      )
    sheet = make_sheet(
      experiment, dataset, step=_STEP.value, num_people=_PEOPLE.value
    )
  output.parent.mkdir(parents=True, exist_ok=True)
  _, data = cv2.imencode(output.suffix, sheet[..., ::-1])
  output.write_bytes(data.tobytes())
  print(f"{output}: batch {_STEP.value} of {config.name}", flush=True)


def _say_what_is_opened(config: ConfigDict) -> None:
  train = config.data.train
  drawn = f"; {train.num_images:,} pictures are drawn unless they are there"
  print(
    f"opening data.train, {train.name}{drawn * ('drawn' in train.name)}",
    flush=True,
  )


def rows_of_batch(experiment: Experiment, dataset: Dataset) -> int:
  """The config's batch, or as many people as an epoch shows; at least 1."""
  there_are = num_samples(dataset.people.usable())
  return max(1, min(experiment.config.schedule.batch_size, there_are))


def make_sheet(
  experiment: Experiment, dataset: Dataset, *, step: int, num_people: int
) -> draw.Picture:
  """The contact sheet of a training batch.

  Args:
    experiment: of a checked config.
    dataset: its training data.
    step: which batch of the run.
    num_people: of the batch, from its first.
  Raises:
    ConfigError: if the run is shorter than that, or nobody is usable.
  """
  config, rows = experiment.config, rows_of_batch(experiment, dataset)
  try:
    per_epoch = steps_per_epoch(dataset, batch_size=rows)
  except ValueError as error:
    raise ConfigError(f"data.train: {error}") from error
  num_steps = sum(
    schedule.num_steps or schedule.num_epochs * per_epoch
    for schedule in (config.schedule, config.second_phase.schedule)
  )
  if step >= num_steps:
    raise ConfigError(
      f"--step is {step}: the run has {num_steps} steps, from 0"
    )
  source = training_batches(
    dataset,
    experiment.frames,
    batch_size=rows,  # of all processes
    seed=config.seed,
    augmentation=Augmentation(**config.data.augmentation.to_dict()),
    num_steps=num_steps,
    start_step=step,
    reduce=config.data.reduced_decoding,
  )
  drawn = _first(source.samples(0), num_people)
  warped = source.crops.batch(
    drawn.rows, drawn.warps, (drawn.center_xy_img, drawn.size_wh_img)
  ) | {"sample_seed": drawn.sample_seed}
  plain = source.crops.batch(drawn.rows, [Warp()] * len(drawn.rows))
  pixels, targets = _on_device(experiment, warped)
  tiles = []
  for i, (row, warp) in enumerate(zip(drawn.rows, drawn.warps, strict=True)):
    tile = _views(experiment, plain, warped, pixels, targets, i)
    who = source.crops.dataset.describe(row)
    tiles.append(draw.caption(draw.caption(tile, told(warp)), who, scale=0.36))
  return draw.contact_sheet(tiles, columns=_PEOPLE_PER_ROW, gap=10)


def _first(drawn: Samples, num: int) -> Samples:
  return Samples(
    drawn.rows[:num],
    drawn.warps[:num],
    drawn.center_xy_img[:num],
    drawn.size_wh_img[:num],
    drawn.sample_seed[:num],
  )


def _on_device(
  experiment: Experiment, batch: Batch
) -> tuple[np.ndarray, list[np.ndarray]]:
  """The network's input as uint8 pictures; target heatmaps, those of links.

  There are none for networks that regress coordinates.
  """
  config, targets = experiment.config, []
  on_device = {key: jnp.asarray(value) for key, value in batch.items()}
  inputs = jax.jit(make_prepare(config))(on_device)
  if not regresses(experiment.model):
    target = make_target(experiment)
    targets.append(target(on_device))
    if config.model.get("skeletal", False):
      targets.append(target.links(on_device))
  pixels = 255 * (
    np.asarray(inputs) * config.data.std_rgb + config.data.mean_rgb
  )
  if config.data.channel_order == "bgr":
    pixels = pixels[..., ::-1]
  return (
    np.round(pixels.clip(0, 255)).astype(np.uint8),
    [
      np.asarray(maps * (weight > 0)[:, None, None]) / config.loss.target_scale
      for maps, weight in targets
    ],
  )


def _views(
  experiment: Experiment,
  plain: Batch,
  warped: Batch,
  pixels: np.ndarray,
  targets: list[np.ndarray],
  i: int,
) -> draw.Other:
  """Person i without augmentation, as the network gets it, and its targets."""
  skeleton = experiment.skeleton
  views: list[np.ndarray] = []
  for image, batch in ((plain["image"][i], plain), (pixels[i], warped)):
    enlarged, factor = _enlarged(image)
    vis = batch["vis"][i]
    kpts_xy = (batch["kpts_xy_crop"][i] + 0.5) * factor - 0.5
    views.append(
      draw.draw_skeleton(
        enlarged, kpts_xy, skeleton, shown=vis > 0, hidden=vis == 1
      )
    )
  if targets:
    hm_from_crop = make_target(experiment).hm_from_crop
    keypoints, *links = (maps[i] for maps in targets)
    glow = draw.overlay_heatmap(pixels[i], keypoints.max(-1), hm_from_crop)
    views.append(_enlarged(glow)[0])
    for maps in links:
      views.append(_drawn_links(pixels[i], maps, skeleton, hm_from_crop))
  named = [
    np.concatenate([text_strip(name, view.shape[1]), view])
    for name, view in zip(_NAMES, views, strict=False)
  ]
  return draw.contact_sheet(named, columns=len(named))


def _drawn_links(
  crop: np.ndarray,
  maps: np.ndarray,
  skeleton: Skeleton,
  hm_from_crop: np.ndarray,
) -> np.ndarray:
  """Each link's map [h, w, L] by itself, with an outline, on the grey crop."""
  enlarged, factor = _enlarged(crop)
  height, width = enlarged.shape[:2]
  offset = 0.5 / factor - 0.5  # of a crop's pixel from an enlarged one's
  crop_from_view = np.array(
    [[1 / factor, 0, offset], [0, 1 / factor, offset], [0, 0, 1]]
  )
  drawn = enlarged.mean(-1, keepdims=True) * 0.55 + enlarged * 0.1
  outlines = []
  for k, link in enumerate(skeleton.links):
    spread = cv2.warpAffine(
      np.asarray(maps[..., k], np.float32),
      hm_from_crop @ crop_from_view,
      (width, height),
      flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    alpha = _LINK_COVER * np.clip(spread, 0, 1)[..., None]
    drawn = drawn * (1 - alpha) + np.array(_LINK_COLORS[link.kind]) * alpha
    is_inside = (spread > 0.5).astype(np.uint8)
    outlines += [
      (outline, _LINK_COLORS[link.kind])
      for outline in cv2.findContours(
        is_inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
      )[0]
    ]
  picture = np.round(drawn).astype(np.uint8)
  for outline, color in outlines:
    cv2.drawContours(picture, [outline], -1, color, 1, cv2.LINE_AA)
  return picture


def _enlarged(image: np.ndarray) -> tuple[np.ndarray, float]:
  factor = _TILE_HEIGHT / image.shape[0]
  size_wh = round(image.shape[1] * factor), _TILE_HEIGHT
  how = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
  return cv2.resize(image, size_wh, interpolation=how), factor


def told(warp: Warp) -> str:
  """What was drawn, on a line; clockwise turns of the picture are positive."""
  words = [f"scale {warp.scale:.2f}"]
  if warp.rotation_rad:
    # The crop turns against its box, and a mirror turns that round.
    angle = warp.rotation_rad if warp.flip else -warp.rotation_rad
    words.append(f"turned {math.degrees(angle):+.0f} deg")
  if any(warp.translation_fraction_xy):
    x, y = warp.translation_fraction_xy
    words.append(f"shift {x:+.2f} {y:+.2f}")
  words += ["flipped"] * warp.flip
  words += [f"{warp.half} half"] if warp.half else []
  return ", ".join(words)


if __name__ == "__main__":
  doorway.run(main)
