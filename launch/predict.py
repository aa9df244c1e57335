"""Predicts in photographs: `python -m launch.predict --checkpoint=WORKDIR`.

    python -m launch.predict --checkpoint=W --input=PICTURES --output=DIR

Writes DIR/predictions.json, in COCO's results format, and a picture with all
skeletons for each photograph. The config is the run's own, and tests as
launch.evaluate does: flip test, decoder, scales; single values can be changed:
`--config.eval.decoder=quarter`. With --attention also where the network looked.
A network that says which keypoints are present leaves the others out of the
pictures; their probabilities are in the results.
"""

import functools
import pathlib
from collections.abc import Iterator

import jax
import numpy as np
from absl import flags
from ml_collections import ConfigDict, config_flags

from launch import doorway
from launch.check import check_config
from launch.command_line import completed
from launch.experiment import Experiment, make_experiment, make_forward
from launch.measure import make_predictor
from launch.mistakes import ConfigError, wanted_folder
from launch.predicted import Folder, make_folder
from launch.progress import ProgressBar
from launch.ways import area_of, make_way
from pose_jax import parallel
from pose_jax.data.eval_batches import make_eval_batches
from pose_jax.data.pictures import Pictures, open_pictures, with_boxes
from pose_jax.eval import nms
from pose_jax.eval.predict import ATTENTION, BATCH_KEYS, scales_of
from pose_jax.eval.predictions import Predictions, rounded
from pose_jax.eval.results import MIN_KEYPOINT_SCORE
from pose_jax.train.checkpoint import CheckpointError, Checkpoints
from pose_jax.train.state import Tree, abstract_variables

# People at a time whose attention leaves the device: with its steps some 7 MB
# each of an eight-stack hourglass.
_MOST_SHOWN = 8
_CONFIG = config_flags.DEFINE_config_file(
  "config", None, "Experiment; the run's own if left out.", lock_config=True
)
_CHECKPOINT = flags.DEFINE_string(
  "checkpoint", None, "Folder of the run, as launch.train wrote it."
)
_STEP = flags.DEFINE_string(
  "step", "latest", "Which of its checkpoints: latest, best or a step."
)
_INPUT = flags.DEFINE_string(
  "input", None, "A picture, or a folder of them (not of their folders)."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to.")
_BOXES = flags.DEFINE_string(
  "boxes",
  "whole",
  "Where people are: whole (each picture is one person's box) or a JSON file. "
  "A COCO annotation file names pictures by file_name. A detector's COCO "
  "results name them by image_id: the number that a picture's name is or, if "
  "not all names are numbers, its place in the order of names, from 1.",
)
_MIN_SCORE = flags.DEFINE_float(
  "min_score", 0.0, "Boxes of a detector below this score are left out."
)
_ATTENTION = flags.DEFINE_bool(
  "attention",
  False,
  "Also draw the network's attention maps, for each person a picture; and its "
  "links and lifted maps, where it has them.",
)


def main() -> None:
  """Opens the run and the pictures, predicts, writes."""
  for flag, value, what in (
    ("checkpoint", _CHECKPOINT.value, "the folder of a run"),
    ("input", _INPUT.value, "a picture or a folder of pictures"),
    ("output", _OUTPUT.value, "the folder to write to"),
  ):
    if not value:
      doorway.fail(f"--{flag}=PATH must be given: {what}")
  workdir = pathlib.Path(_CHECKPOINT.value)
  output = wanted_folder("output", _OUTPUT.value)
  if _CONFIG.value is None:
    raise ConfigError(
      f"{workdir} holds no config.json: --checkpoint must be the folder of a "
      "run, which launch.train makes, and launch.import_weights of a file of "
      "weights"
    )
  check_config(_CONFIG.value, parts=())
  experiment = make_experiment(_CONFIG.value)
  like = abstract_variables(
    experiment.model, tuple(experiment.config.data.crop_hw)
  )
  if _ATTENTION.value and not _has_attention(experiment, like):
    raise ConfigError(
      f"--attention: the network of {workdir} has no attention to look at; "
      "leave the flag out, or train one that has, for example with "
      "--config.model.attention.holistic=crf, or with maps that are shown "
      "likewise: --config.model.poserenet.aggregation=mean, "
      "--config.model.soft_argmax=True, or an hrnet with "
      "--config.model.skeletal=True"
    )
  pictures = _pictures(experiment)
  variables, step = _restored(workdir, experiment.config, like)
  print(f"checkpoint of step {step}; {pictures.note}", flush=True)
  for fault in pictures.damaged:
    print(f"left out: {fault}", flush=True)
  if pictures.turned:
    print(
      f"{len(pictures.turned)} of the pictures are stored turned (EXIF "
      f"orientation), the first is {pictures.turned[0]}: they are taken as "
      "they are stored; people who lie on their side are not found well",
      flush=True,
    )
  folder = make_folder(
    output, experiment, pictures, with_attention=_ATTENTION.value
  )
  found = _predictions(experiment, pictures, variables, folder)
  folder.write_results(found)
  num_pictures = folder.write_pictures(found)
  threshold = experiment.config.eval.presence_threshold
  print(_summary(output, found, num_pictures, pictures, threshold), flush=True)


def _has_attention(experiment: Experiment, like: Tree) -> bool:
  """Asked before anything is read or computed."""
  crop_hw = tuple(experiment.config.data.crop_hw)
  images = jax.ShapeDtypeStruct((1, *crop_hw, 3), "float32")
  forward = make_forward(experiment, with_steps=True)
  return bool(jax.eval_shape(forward, like, images).attention)


def _pictures(experiment: Experiment) -> Pictures:
  if not pathlib.Path(_INPUT.value).exists():
    raise ConfigError(f"--input: there is no file or folder {_INPUT.value!r}")
  boxes = _BOXES.value
  if boxes != "whole" and not pathlib.Path(boxes).is_file():
    raise ConfigError(
      f"--boxes: there is no file {boxes!r}; it can be whole, or a JSON file"
    )
  has_min_score = flags.FLAGS["min_score"].present
  mistake = (
    "--min_score is for the boxes of a detector, and --boxes={} has no scores: "
    "leave it out"
  )
  if has_min_score and boxes == "whole":
    raise ConfigError(mistake.format(boxes))
  pictures = open_pictures(_INPUT.value, experiment.skeleton)
  if boxes == "whole":
    return pictures
  pictures = with_boxes(pictures, boxes, min_score=_MIN_SCORE.value)
  if has_min_score and pictures.has_person_ids:  # annotations
    raise ConfigError(mistake.format(boxes))
  return pictures


def _restored(
  workdir: pathlib.Path, config: ConfigDict, like: Tree
) -> tuple[Tree, int]:
  """Variables of --step, on the devices; and the step."""
  checkpoints = Checkpoints(
    workdir / "checkpoints",
    best_metric=config.checkpoint.best_metric,
    read_only=True,
  )
  try:
    step = checkpoints.resolve(_STEP.value)
  except CheckpointError as error:
    # Other commands have other names for the two flags.
    said = str(error).replace("--checkpoint", "--step")
    raise ConfigError(said.replace("--workdir", "--checkpoint")) from error
  variables, _ = checkpoints.restore(step, like)
  checkpoints.close()
  return parallel.replicate(variables), step


def _predictions(
  experiment: Experiment, pictures: Pictures, variables: Tree, folder: Folder
) -> Predictions:
  """People as evaluation would have them; person_ids are rows of the table."""
  settings, people = experiment.config.eval, pictures.dataset.people
  way = make_way(
    settings, settings.flip_test, tuple(settings.scales), settings.decoder
  )
  predict = make_predictor(experiment, (way,), with_heatmaps=_ATTENTION.value)
  shown_scale = scales_of((way,)).index(1.0)
  parts = {"kpts_xy_img": [], "score": [], "presence": []}
  done = 0
  progress = ProgressBar("predicting", "people")
  for batch in _batches(experiment, pictures, scales_of((way,))):
    out = predict(variables, {key: batch[key] for key in BATCH_KEYS})
    is_real = batch["valid"]
    for name in parts.keys() & out.keys():
      parts[name].append(out[name][is_real, 0])
    if _ATTENTION.value:
      for i in np.flatnonzero(is_real):
        maps = {
          name.removeprefix(ATTENTION): values[i]
          for name, values in out.items()
          if name.startswith(ATTENTION)
        }
        crop = batch["images"][i, shown_scale]
        folder.write_attention(int(batch["person"][i]), crop, maps)
    done += int(is_real.sum())
    progress(done, len(people))
  joined = {name: np.concatenate(rows) for name, rows in parts.items() if rows}
  found = rounded(
    image_ids=people.image_ids[people.image_index],
    person_ids=np.arange(len(people)),
    box_score=people.score.astype(np.float64),
    kpts_xy_img=joined["kpts_xy_img"],
    keypoint_score=joined["score"],
    presence=joined.get("presence"),
    presence_threshold=settings.presence_threshold,
  )
  return nms.suppress(
    found,
    area_of(people, experiment.frames, settings),
    kind=settings.nms,
    threshold=settings.nms_threshold,
    sigmas=experiment.skeleton.oks_sigmas,
  )


def _batches(experiment: Experiment, pictures: Pictures, scales) -> Iterator:
  config = experiment.config
  most = config.eval.batch_size
  if _ATTENTION.value:
    most = min(most, _MOST_SHOWN)
  return make_eval_batches(
    pictures.dataset,
    experiment.frames,
    batch_size=min(most, len(pictures.dataset.people)),
    scales=scales,
    num_workers=config.data.num_workers,
    num_threads=config.data.num_threads or None,
    reduce=config.data.reduced_decoding,
  )


def _summary(
  output: pathlib.Path,
  found: Predictions,
  num_pictures: int,
  pictures: Pictures,
  threshold: float,
) -> str:
  """What lies where, and how to read it; `threshold` is presence's."""
  lines = [
    f"{output}/predictions.json: {_count(len(found), 'person', 'people')} in "
    f"{_count(num_pictures, 'picture', 'pictures')}",
    f"{output}/NAME.jpg: their skeletons; the person's left is blue, the right "
    f"orange, hollow is what scores below {MIN_KEYPOINT_SCORE:g}",
  ]
  if found.presence is not None:
    lines.append(
      f"keypoints whose presence is below {threshold:g} are absent: they have "
      "the score 0 and are not drawn"
    )
  if _ATTENTION.value:
    lines.append(
      f"{output}/NAME_attention.jpg, of several people in a picture "
      "NAME_1_attention.jpg, NAME_2_attention.jpg, ...: where the network "
      "looked, in the person's crop at scale 1, not mirrored"
    )
  without = len(pictures.dataset.images) - num_pictures
  if without:
    lines.append(f"{without} without a box, of which nothing is written")
  if pictures.damaged:
    num_damaged = _count(len(pictures.damaged), "picture", "pictures")
    lines.append(f"{num_damaged} left out, named above: damaged")
  return "\n".join(lines)


def _count(number: int, one: str, many: str) -> str:
  return f"{number:,} {one if number == 1 else many}"


if __name__ == "__main__":
  doorway.run(
    main, completed=functools.partial(completed, run_flag="checkpoint")
  )
