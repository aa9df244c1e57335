"""What `config.eval` says is checked as a whole, before anything runs."""

import functools
from collections.abc import Callable, Iterator, Sequence

import jax
from ml_collections import ConfigDict

from launch.check_loss import num_stages
from launch.choices import choices, is_of_people, moved_by
from launch.mistakes import suggest
from pose_jax.codec.decode import DECODERS
from pose_jax.eval import bootstrap, coco, limbs, located, pckh, presence
from pose_jax.eval.pck import PCKH_VARIANTS, PCP_RULES
from pose_jax.eval.scoring import METRICS, OF_ANYBODY, PCK_NAME
from pose_jax.models import (
  WITHOUT_HEATMAPS,
  build,
  map_hw,
  regresses,
  says_presence,
  stage_hw,
)
from pose_jax.protocol import COORDINATES
from pose_jax.skeleton import Skeleton

DECODER_NAMES = (*DECODERS, COORDINATES)  # the last one decodes nothing
_IS_ALIKE = {  # what eval.sweep's values must be
  "flip_test": lambda value: isinstance(value, bool),
  "scales": lambda value: (
    isinstance(value, tuple) and all(isinstance(s, int | float) for s in value)
  ),
  "boxes": lambda value: isinstance(value, str),
}

_DECODER_KEYS = {  # what a decoder's mistakes are about
  "dark": "blur_kernel",
  "weighted": "weighted_n",
  ("weighted", "window"): "weighted_window",  # by their first word
}


def eval_mistakes(
  config: ConfigDict,
  skeleton: Skeleton,
  *,
  is_training: bool = True,
  with_network: bool = True,
) -> Iterator[str]:
  """One sentence for each mistake in `config.eval`.

  Only training must measure what decides which checkpoint is best.

  Args:
    with_network: whether the network will be run, which can then be built.
  """
  settings = config.eval
  if not settings.metrics or not set(settings.metrics) <= set(METRICS):
    yield (
      f"eval.metrics is {tuple(settings.metrics)}: it can hold "
      f"{', '.join(METRICS)}"
    )
  elif is_training and config.checkpoint.best_metric not in best_names(config):
    yield (
      f"checkpoint.best_metric is {config.checkpoint.best_metric!r}: "
      f"{suggest(config.checkpoint.best_metric, best_names(config))}"
    )
  elif PCKH_VARIANTS[settings.pckh_variant].on_heatmaps:
    yield (
      f"eval.pckh_variant is {settings.pckh_variant!r}, which is counted on "
      "heatmaps while training, not in pictures"
    )
  if "pck" in settings.metrics and skeleton.pck_pair is None:
    yield f"eval.metrics has pck, but {skeleton.name} has no reference pair"
  mistakes = tuple(_measuring_mistakes(settings))
  yield from mistakes
  if mistakes:
    return
  if with_network:
    mistakes = tuple(_network_mistakes(config, skeleton))
    yield from mistakes
  if mistakes:
    return
  for name in (settings.decoder, *settings.sweep.decoder):
    try:
      _decode(config, skeleton, name)
    except ValueError as error:
      word = str(error).split()[0]
      key = _DECODER_KEYS.get((name, word)) or _DECODER_KEYS.get(name)
      yield f"eval.{key or 'decoder'}: {error}"


def _measuring_mistakes(settings: ConfigDict) -> Iterator[str]:
  """What the ways of measuring say together."""
  for name in settings.sweep.decoder:
    if name not in DECODER_NAMES:
      yield f"eval.sweep.decoder has {name!r}: {suggest(name, DECODER_NAMES)}"
  for key, is_alike in _IS_ALIKE.items():
    for value in settings.sweep[key]:
      if not is_alike(value):
        yield (
          f"eval.sweep.{key} has {value!r}: it must hold values like "
          f"{settings[key]!r}, that of eval.{key}"
        )
        return
  if 0 < settings.bootstrap_samples < bootstrap.FEWEST:
    yield (
      f"eval.bootstrap_samples is {settings.bootstrap_samples}: it must be 0, "
      f"for no intervals, or at least {bootstrap.FEWEST}"
    )
  if not 0 <= settings.presence_threshold <= 1:
    yield (
      f"eval.presence_threshold is {settings.presence_threshold}: it is a "
      "probability, from 0 to 1"
    )
  for choice in choices(settings):
    scales = choice.scales
    if not scales or min(scales) <= 0 or len(set(scales)) < len(scales):
      yield f"eval.scales is {scales}: it must hold each scale, above 0, once"
    if is_of_people(choice.boxes):
      if not 0 <= moved_by(choice.boxes) < 1:
        yield (
          f"eval.boxes is {choice.boxes!r}: the number says by which share of "
          "its size a box is moved, from 0 to below 1"
        )
    elif not set(settings.metrics) & set(OF_ANYBODY):
      yield (
        f"eval.metrics {tuple(settings.metrics)} compare person with person, "
        f"and the boxes of {choice.boxes} are nobody's: add coco, or take "
        "eval.boxes=ground_truth"
      )
  if settings.nms == "soft_oks" and settings.nms_threshold == 0:
    yield "eval.nms_threshold is 0: soft_oks divides by it, so above 0"
  if settings.nms != "none" and not set(settings.metrics) <= set(OF_ANYBODY):
    yield (
      f"eval.nms is {settings.nms!r}, which drops people, and of eval.metrics "
      f"{tuple(settings.metrics)} some need all of them: take nms none, or "
      f"only {', '.join(OF_ANYBODY)}"
    )


def _network_mistakes(config: ConfigDict, skeleton: Skeleton) -> Iterator[str]:
  """What the network cannot do."""
  settings, model = config.eval, build(config.model, 1)
  if config.model.name in WITHOUT_HEATMAPS and not regresses(model):
    yield (
      "the network says of no keypoint where it is, which evaluation needs: "
      "set model.coordinate_layers=(), and loss.coordinates_weight=0 to train "
      "presence alone"
    )
    return
  yield from _stage_mistakes(config, skeleton)
  does_regress = regresses(model)
  for key, names in (
    ("eval.decoder", (settings.decoder,)),
    ("eval.sweep.decoder", settings.sweep.decoder),
  ):
    others = [n for n in names if does_regress and n != COORDINATES]
    if others:
      remedy = {
        "eval.decoder": "take --config.eval.decoder=coordinates",
        "eval.sweep.decoder": "leave it empty, and decoder out of --sweep",
      }
      yield (
        f"{key} has {', '.join(others)}, of heatmaps, and the network "
        f"regresses coordinates: {remedy[key]}"
      )
    if COORDINATES in names and not does_regress:
      yield (
        f"{key} has {COORDINATES}, and the network gives heatmaps: take "
        f"{', '.join(DECODERS)}, or a network that regresses coordinates, as "
        "any does with --config.model.soft_argmax=True"
      )
  if does_regress and settings.clip_negative:
    yield (
      "eval.clip_negative is True, which is of heatmaps, and the network "
      "regresses coordinates: set it to False"
    )
  if "presence" in settings.metrics and not says_presence(model):
    yield (
      f"eval.metrics {tuple(settings.metrics)} has presence, which the network "
      "does not say: leave it out, or take a network that says it "
      "(--config.model.presence=True)"
    )


def _stage_mistakes(config: ConfigDict, skeleton: Skeleton) -> Iterator[str]:
  stage, model = config.eval.stage, build(config.model, 1)
  if not stage:
    return
  total = num_stages(config, skeleton)
  if not 1 <= stage <= total:
    yield (
      f"eval.stage is {stage}: it must be 0, for the last, or one of the "
      f"network's stages, 1 to {total}"
    )
  crop_hw = tuple(config.data.crop_hw)
  if not regresses(model) and stage_hw(model, crop_hw) != model.map_hw(crop_hw):
    yield (
      f"eval.stage is {stage}, but of this network lifted maps are decoded, "
      "which no stage has: set model.poserenet.decode to 'aggregate'"
    )


def score_names(config: ConfigDict) -> tuple[str, ...]:
  """Scores that the config's evaluation gives, in its own boxes."""
  names = {
    "coco": coco.NAMES,
    "pck": (PCK_NAME,),
    "pckh": pckh.names(config.eval.pckh_variant),
    "pcp": tuple(f"PCP_{rule}@{limbs.THRESHOLD:g}" for rule in PCP_RULES),
    "located": (located.NAME, f"{located.NAME}_mean"),
    "presence": presence.NAMES,
  }
  metrics = metrics_in(config.eval.metrics, config.eval.boxes)
  return tuple(name for m in metrics for name in names[m])


def best_names(config: ConfigDict) -> tuple[str, ...]:
  """Scores that the best checkpoint can have most of."""
  unfit = ("presence_ece", "presence_majority")  # an error; the same for all
  return tuple(name for name in score_names(config) if name not in unfit)


def metrics_in(metrics: Sequence[str], boxes: str) -> tuple[str, ...]:
  """A detector's boxes are nobody's: what compares people is left out."""
  return tuple(m for m in metrics if m in OF_ANYBODY or is_of_people(boxes))


def _decode(config: ConfigDict, skeleton: Skeleton, name: str) -> None:
  """Decodes maps of the config's size, without computing anything."""
  decoder = make_decoder(config.eval, name)
  if decoder is None:
    return
  hw = map_hw(config.model, tuple(config.data.crop_hw))
  maps = jax.ShapeDtypeStruct((1, *hw, skeleton.num_keypoints), "float32")
  jax.eval_shape(decoder, maps)


def make_decoder(settings: ConfigDict, name: str) -> Callable | None:
  """heatmaps -> (kpts_xy_hm, score), with the options of an eval section.

  None for COORDINATES (`predict.TestTime.decoder`).
  """
  if name == COORDINATES:
    return None
  options = {
    "dark": {"blur_kernel": settings.blur_kernel},
    "weighted": {
      "n": settings.weighted_n,
      "window": settings.weighted_window or None,
    },
  }
  return functools.partial(DECODERS[name], **options.get(name, {}))
