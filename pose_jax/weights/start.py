"""Fresh variables that start from weights somebody has trained.

A part of them (PARTS) is taken from a torch file or from variables of ours;
what plugs into the network (attention, skeletal heatmaps, PoseReNet, a presence
head) may be there on one side alone, and stays random if it is ours.
"""

import dataclasses
import hashlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from pose_jax.models import MODELS
from pose_jax.models.trunks import TRUNKS
from pose_jax.weights.assemble import (
  Flat,
  Path,
  Tree,
  WeightsError,
  cleaned,
  flatten,
  from_torch,
  grouped,
  named,
  option,
  plain,
  shapes_of,
)
from pose_jax.weights.outline import PARTS, Outline, is_of, outline_of
from pose_jax.weights.recognise import Known, describe, recognise
from pose_jax.weights.tables import SIZES, sizes_of

_BASE = "base"  # what PoseReNet stands behind, and heads are wrapped around
_REGRESSOR = "regressor"  # whose trunks are those of other networks
_TRUNK_SIZES = {"depth", "width", "use_batch_norm"}


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
  """Trained weights, as arrays of ours.

  Attributes:
    label: what messages call them, a path.
    network: which network's they are, in words.
    model: what is known of that network's model section.
    arrays: of the network without plug-ins, or of its backbone alone.
    plug_ins: what else of ours there is.
    left_out: torch's names of what no network of ours has.
  """

  label: str
  network: str
  model: Mapping[str, Any]
  arrays: Flat
  plug_ins: Flat
  left_out: tuple[str, ...] = ()

  def sha256(self) -> str:
    """Stands for all arrays and where they belong."""
    digest = hashlib.sha256()
    for path, array in sorted((self.arrays | self.plug_ins).items()):
      digest.update("/".join(path).encode() + b"\0")
      digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
  """Variables to start from.

  Attributes:
    variables: as fresh ones, some of them replaced.
    used: paths of these; random: paths of the others.
    left_out: names of what the source has beside.
  """

  variables: Tree
  used: tuple[Path, ...]
  random: tuple[Path, ...]
  left_out: tuple[str, ...]

  def describe(self) -> str:
    """What was used, what is left out and what stays random, on a line."""
    arrays = flatten(self.variables)
    text = f"{len(self.used)} arrays of " + millions(
      arrays[path].size for path in self.used if path[0] == "params"
    )
    outside = grouped(self.left_out, ".") or "nothing"
    text += f"; left out of it: {outside}; random here: "
    if not self.random:
      return text + "nothing"
    ours = grouped([_module(path) for path in self.random], "/")
    return (
      text
      + f"{ours}, "
      + millions(
        arrays[path].size for path in self.random if path[0] == "params"
      )
    )


def millions(sizes: Iterable[int]) -> str:
  """A number of parameters in words."""
  return f"{sum(sizes) / 1e6:.2f} M parameters"


def known_or_told(tensors: Mapping[str, Any], label: str) -> Known:
  """The network that tensors are the weights of.

  Raises:
    WeightsError: if they are of none that is known, naming the nearest.
  """
  known = recognise(tensors)
  if known is None:
    raise WeightsError(
      f"{label} holds weights of no network that is known "
      f"({named(tensors, 3)}): wanted those of one of {', '.join(SIZES)}, or "
      "its backbone's, with the names of their authors or of torchvision"
    )
  if not known.fits:
    raise WeightsError(
      f"{label} fits no network that is known; the nearest is "
      f"{known.describe()}, but for this: {known.problems()}"
    )
  return known


def source_from_torch(tensors: Mapping[str, Any], label: str) -> Source:
  """Weights of a torch file, whichever known network they are of.

  Raises:
    WeightsError: if they are of none.
  """
  known = known_or_told(tensors, label)
  shapes = shapes_of(known.model, known.num_keypoints or 1)
  try:
    arrays = from_torch(cleaned(tensors), known.rows(), shapes)
  except WeightsError as error:
    raise WeightsError(f"{label}: {error}") from error
  return Source(
    label=label,
    network=known.describe(),
    model=known.model,
    arrays=arrays,
    plug_ins={},
    left_out=known.left_out,
  )


def source_from_variables(
  variables: Tree, model_config: Any, label: str
) -> Source:
  """Weights of ours, of a network with its plug-ins."""
  flat, model = _of_base(variables), plain(model_config)
  inside = outline_of(model)
  return Source(
    label=label,
    network=_described(model, inside.num_keypoints(flat)),
    model=model,
    arrays={path: flat[path] for path in flat if path in inside.one},
    plug_ins={path: flat[path] for path in flat if path not in inside.one},
  )


def start(
  variables: Tree, source: Source, model_config: Any, *, part: str
) -> Start:
  """Fresh variables with a part of them replaced by a source's.

  Args:
    variables: fresh ones of the network of `model_config`.
    part: one of PARTS.
  Raises:
    WeightsError: if the source lacks the part, or has it in another form.
  """
  fresh, model = _of_base(variables), plain(model_config)
  inside = outline_of(model)
  wanted = inside.paths(part)
  chosen = _chosen(source, inside, part)
  network = _described(model, inside.num_keypoints(fresh))
  if not wanted:
    raise WeightsError(
      f"a network {network} has no backbone by itself: set init.part to "
      "'body' (all but the head) or 'all'"
    )
  if part == "all":
    shared = source.plug_ins.keys() & fresh.keys()
    chosen |= {path: source.plug_ins[path] for path in shared}
    wanted |= shared
  if differing := _differing(chosen, wanted, fresh):
    less = [
      p for p in PARTS[: PARTS.index(part)] if _fills(source, fresh, inside, p)
    ]
    raise WeightsError(_refusal(differing, source, model, network, part, less))
  rest = [p for p in (*source.arrays, *source.plug_ins) if p not in chosen]

  def replaced(path, leaf):
    return chosen.get(_below_base(tuple(key.key for key in path)), leaf)

  return Start(
    variables=jax.tree_util.tree_map_with_path(replaced, variables),
    used=tuple(
      path for path in flatten(variables) if _below_base(path) in chosen
    ),
    random=tuple(
      path for path in flatten(variables) if _below_base(path) not in chosen
    ),
    left_out=(
      *source.left_out,
      *dict.fromkeys(".".join(path[1:]) for path in rest),
    ),
  )


def _chosen(source: Source, inside: Outline, part: str) -> Flat:
  """What of a source without plug-ins a part takes, or should have had."""
  wanted = inside.paths(part)
  return {
    path: array
    for path, array in source.arrays.items()
    if path in wanted or (path not in inside.one and is_of(part, path))
  }


def _differing(given: Flat, wanted: set[Path], fresh: Flat) -> set[Path]:
  """Where an array is missing, is one too many or has another shape."""
  return (given.keys() ^ wanted) | {
    path
    for path in given.keys() & wanted
    if given[path].shape != fresh[path].shape
  }


def _fills(source: Source, fresh: Flat, inside: Outline, part: str) -> bool:
  """Whether a source has all of a part that is not empty."""
  wanted = inside.paths(part)
  return bool(wanted) and not _differing(
    _chosen(source, inside, part), wanted, fresh
  )


def _refusal(
  differing: set[Path],
  source: Source,
  model: Tree,
  network: str,
  part: str,
  less: Sequence[str],
) -> str:
  """Why a source does not fill a part, and what to do.

  Args:
    less: parts that it would fill.
  """
  why = _unlike(source.model, model, part)
  if not why:
    names = named(("/".join(path[1:]) for path in differing), 3)
    why = f"{names} differ"
  return (
    f"{source.label} holds {source.network}, which cannot fill this config's "
    f"{network}: {why}; give weights of such a network, or set config.model to "
    "theirs" + (f", or init.part to {' or '.join(less)}" if less else "")
  )


def _unlike(
  theirs: Mapping[str, Any], ours: Mapping[str, Any], part: str
) -> str:
  """Where two model sections are of other networks, by the sections' keys."""
  if part == "backbone" and _REGRESSOR in (theirs["name"], ours["name"]):
    theirs, ours = _trunk(theirs), _trunk(ours)
  if theirs["name"] != ours["name"]:
    return f"{theirs['name']} is not {ours['name']}"
  values = (
    (key, option(theirs, key), option(ours, key)) for key in _sizes(theirs)
  )
  return ", ".join(
    f"their {key} is {t}, the config's {o}" for key, t, o in values if t != o
  )


def _trunk(model: Mapping[str, Any]) -> Mapping[str, Any]:
  """A network's trunk in a regressor's words; other networks as they are."""
  name = model["name"]
  backbone = {"pose_resnet": "resnet"}.get(name, name)
  if name == _REGRESSOR:
    backbone = option(model, "backbone")
  if backbone not in TRUNKS:
    return model
  sizes = inspect.signature(MODELS[name]).parameters.keys() & _TRUNK_SIZES
  return {
    "name": _REGRESSOR,
    "backbone": "alexnet" if backbone == "alexnet_paper" else backbone,
    **{key: option(model, key) for key in sizes},
  }


def _of_base(variables: Tree) -> Flat:
  """Arrays as they are called where nothing stands behind the network."""
  return {_below_base(path): leaf for path, leaf in flatten(variables).items()}


def _below_base(path: Path) -> Path:
  while path[1] == _BASE:
    path = (path[0], *path[2:])
  return path


def _module(path: Path) -> str:
  return "/".join(_below_base(path)[1:])


def _described(model: Tree, num_keypoints: int) -> str:
  """A network in the words that a file's is described in."""
  sizes = {key: option(model, key) for key in _sizes(model)}
  text = describe({"name": model["name"]} | sizes)
  return f"{text}, {num_keypoints} keypoints"


def _sizes(model: Mapping[str, Any]) -> list[str]:
  """Keys of a model section that say which arrays there are, of what shape."""
  widths = [key for key in ("width", "num_features") if key in model]
  return list(dict.fromkeys((*sizes_of(model["name"]), *widths)))
