"""What a config may say, but hardly means: a line at the start of a run."""

from collections.abc import Iterator
from typing import Any

from ml_collections import ConfigDict

from configs import base
from launch.experiment import Experiment
from pose_jax.models import (
  attention_of,
  attention_options,
  plug_in_of,
  poserenet_options,
  regresses,
  says_presence,
)
from pose_jax.protocol import COORDINATES

_ROWS = {"unit": "DARK", "udp": "UDP"}  # whose rows have which alignment


def training_notes(experiment: Experiment) -> Iterator[str]:
  """Of everything that a training reads."""
  yield from alignment_notes(experiment.config)
  yield from network_notes(experiment)
  yield from _idle_loss(experiment)


def alignment_notes(
  config: ConfigDict, trained: ConfigDict | None = None
) -> Iterator[str]:
  """An alignment without what belongs to it; crops other than were learnt.

  Args:
    config: of a training, or of an evaluation.
    trained: of an evaluation: the run's own.
  """
  alignment, parts = config.data.alignment, []
  if not config.loss.unbiased:
    parts.append("loss.unbiased is False")
  if config.eval.decoder != "dark":
    parts.append(f"eval.decoder is {config.eval.decoder!r}")
  is_of_heatmaps = config.eval.decoder != COORDINATES
  if alignment in _ROWS and parts and is_of_heatmaps:
    yield (
      f"data.alignment is {alignment!r} but {' and '.join(parts)}: "
      f"{_ROWS[alignment]}'s rows set loss.unbiased=True and eval.decoder=dark "
      f"(variant :{_ROWS[alignment].lower()})"
    )
  if trained is None:
    return
  if trained.data.alignment != alignment:
    yield (
      f"data.alignment is {alignment!r} but the run was trained with "
      f"{trained.data.alignment!r}: its keypoints come out displaced"
    )
  if trained.data.keep_aspect != config.data.keep_aspect:
    yield (
      f"data.keep_aspect is {config.data.keep_aspect} but the run was trained "
      f"with {trained.data.keep_aspect}: it sees people thinner or wider than "
      "those it knows"
    )


def network_notes(experiment: Experiment) -> Iterator[str]:
  """Options of a network's parts that it does not have."""
  if idle := attention_options.without_effect(attention_of(experiment.model)):
    yield f"attention: {idle}"
  section = experiment.config.model.get("poserenet", {})
  options = poserenet_options.make_poserenet(section)
  if idle := poserenet_options.without_effect(options):
    yield f"poserenet: {idle}"


def _idle_loss(experiment: Experiment) -> Iterator[str]:
  """What the loss says of maps and heads that the network does not have."""
  model = experiment.model
  plug_in = plug_in_of(model)
  for keys, has_maps, needs in (
    (
      ("link_weight", "link_sigma_hm"),
      experiment.config.model.get("skeletal", False),
      "no links are predicted: they need model.skeletal=True",
    ),
    (
      ("lifted_weight",),
      plug_in.aggregation != "none",
      "there are no lifted maps: they need model.poserenet.aggregation=mean",
    ),
    (
      ("background",),
      getattr(model, "with_background", False),
      "no background is predicted: it needs model.with_background=True or the "
      "pose machine's form of the paper",
    ),
    (
      ("sigma_hm", "unbiased"),
      not regresses(model),
      "coordinates are regressed and compared with no map",
    ),
    (
      ("coordinates", "coordinates_weight"),
      regresses(model),
      "no coordinates are regressed: they need model.soft_argmax=True or a "
      "network without heatmaps",
    ),
    (
      ("presence_weight",),
      says_presence(model),
      "the network does not say presence: it needs model.presence=True",
    ),
  ):
    changed = _changed(experiment.config.loss, base.get_config().loss, keys)
    if changed and not has_maps:
      have = "have" if len(changed) > 1 else "has"
      yield f"loss: {', '.join(changed)} {have} no effect, as {needs}"


def _changed(section: Any, default: Any, keys: tuple[str, ...]) -> list[str]:
  """name=value of the keys that are not at their default."""
  return [f"{k}={section[k]}" for k in keys if section[k] != default[k]]
