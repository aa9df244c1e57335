"""Which network a file's tensors are the weights of, by names and shapes.

Each architecture says what of its config can be read off a file; the network
of that config is then compared with the file, tensor by tensor.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pose_jax.models.resnet import STAGES
from pose_jax.models.vgg import STAGES as VGG_STAGES
from pose_jax.weights.assemble import (
  Shapes,
  WeightsError,
  cleaned,
  first_size,
  grouped,
  named,
  option,
  shapes_of,
  tensors_of,
  torch_shape,
)
from pose_jax.weights.classic_names import ALEXNET_HEAD
from pose_jax.weights.names import Row
from pose_jax.weights.tables import SIZES, SURPLUS, TABLES, sizes_of

# Published networks have up to 8 stacks; names alone must not make one of
# thousands, nor one of far more modules than the file has tensors.
_MOST_PARTS = 16
_FREE_ROWS = 1000
_ROWS_PER_TENSOR = 10


@dataclasses.dataclass(frozen=True)
class Known:
  """The known network that is nearest to a file.

  Attributes:
    model: a plain model section, with what could be read off the file.
    num_keypoints: of its head; None where only the backbone is known.
    left_out: tensors that are not of this network, and of no module of it.
    missing, unexpected, misshapen: why the file does not fit; empty if it does.
  """

  model: Mapping[str, Any]
  num_keypoints: int | None
  left_out: tuple[str, ...]
  missing: tuple[str, ...]
  unexpected: tuple[str, ...]
  misshapen: tuple[str, ...]

  @property
  def fits(self) -> bool:
    return self.num_problems == 0

  @property
  def num_problems(self) -> int:
    return len(self.missing) + len(self.unexpected) + len(self.misshapen)

  def rows(self) -> list[Row]:
    """Of everything that is known of the file."""
    return rows_of(self.model, backbone_only=self.num_keypoints is None)

  def describe(self) -> str:
    """The network in words: "hrnet (width 48, ...), 17 keypoints"."""
    text = describe(self.model)
    if self.num_keypoints is not None:
      return f"{text}, {self.num_keypoints} keypoints"
    beside = grouped(self.left_out, ".") if self.left_out else "nothing"
    return f"the backbone of {text}; beside it {beside}"

  def problems(self) -> str:
    """What is wrong, a few names of each kind."""
    kinds = {
      "missing": self.missing,
      "unexpected": self.unexpected,
      "of another shape": self.misshapen,
    }
    return "; ".join(
      f"{k} {named(names)}" for k, names in kinds.items() if names
    )


def describe(model: Mapping[str, Any]) -> str:
  """A plain model section in words: its size, and what is not the default."""
  name = model["name"]
  others = (key for key in model if key != "name")
  keys = list(dict.fromkeys((*sizes_of(name), *others)))
  values = [
    f"{key} {_text(model[key])}"
    for key in keys
    if key in model
    and (key == keys[0] or option(model, key) != option({"name": name}, key))
  ]
  return f"{name} ({', '.join(values)})"


def _text(value: Any) -> str:
  if isinstance(value, tuple) and value:
    return " ".join(map(str, value))
  return str(value)


def rows_of(
  model: Mapping[str, Any], *, backbone_only: bool = False
) -> list[Row]:
  """Rows of a plain model section's network, or of its backbone alone."""
  name = model["name"]
  rows = TABLES[name](**{k: model[k] for k in SIZES[name] if k in model})
  if backbone_only:
    return [row for row in rows if row.ours[0] == "backbone"]
  return rows


def recognise(
  tensors: Mapping[str, Any], *, whole: bool = False
) -> Known | None:
  """The network that a file's tensors fit, or fit best; None if it is unknown.

  Of a network whose head is not known (a classifier, say) it is the backbone.

  Args:
    tensors: torch names to arrays.
    whole: do not take it for a backbone with something beside it.
  Raises:
    WeightsError: if the file holds two networks, or its names count more parts
      than a network has.
  """
  shapes = {name: np.shape(v) for name, v in cleaned(tensors).items()}
  found = []
  for name, guess in GUESSES.items():
    options = guess(shapes)
    if options is not None:
      found += _compared({"name": name, **options}, shapes)
  if whole:
    found = [known for known in found if known.num_keypoints is not None]
  return min(found, key=lambda known: known.num_problems, default=None)


def _compared(model: dict[str, Any], given: Shapes) -> list[Known]:
  """The whole network, and its backbone, against the file."""
  rows = rows_of(model)
  if len(rows) > _FREE_ROWS + _ROWS_PER_TENSOR * len(given):
    return []
  head = next(row.torch for row in rows if row.ours[-1] == "head")
  num_keypoints = first_size(given.get(f"{head}.weight", ()))
  try:
    ours = shapes_of(model, max(1, num_keypoints))
  except ValueError:  # sizes that no network of ours can have
    return []
  whole = num_keypoints and _difference(model, num_keypoints, given, ours)
  backbone = rows_of(model, backbone_only=True)
  partly = backbone and _difference(model, None, given, ours)
  return [known for known in (whole, partly) if known]


def _difference(
  model: dict[str, Any], num_keypoints: int | None, given: Shapes, ours
) -> Known:
  """How a file differs from a network, or a backbone, of ours."""
  rows = rows_of(model, backbone_only=num_keypoints is None)
  wanted = {
    name: torch_shape(ours[path], tensor.axes)
    for name, (path, tensor) in tensors_of(rows).items()
  }
  left_out = ()
  unexpected = [name for name in given if name not in wanted]
  if num_keypoints is None:
    surplus = SURPLUS.get(model["name"], lambda **_: [])
    known = tensors_of(
      surplus(**{k: v for k, v in model.items() if k != "name"})
    )
    modules = {name.split(".")[0] for name in wanted}
    left_out = tuple(
      name
      for name in unexpected
      if name in known or name.split(".")[0] not in modules
    )
  return Known(
    model=model,
    num_keypoints=num_keypoints,
    left_out=left_out,
    missing=tuple(name for name in wanted if name not in given),
    unexpected=tuple(name for name in unexpected if name not in left_out),
    misshapen=tuple(
      name for name in wanted if given.get(name, wanted[name]) != wanted[name]
    ),
  )


def _count(shapes: Shapes, pattern: str) -> int:
  """How many different texts a pattern's group finds in the names."""
  found = (re.match(pattern, name) for name in shapes)
  return len({match[1] for match in found if match})


def _parts(shapes: Shapes, pattern: str, what: str) -> int:
  """`_count` of parts that a network of ours would be made of.

  Raises:
    WeightsError: if there are absurdly many.
  """
  return _bounded(_count(shapes, pattern), what)


def _bounded(count: int, what: str) -> int:
  if count > _MOST_PARTS:
    raise WeightsError(
      f"the tensors are named as those of a network with {count} {what}: no "
      f"known one has more than {_MOST_PARTS}; give weights of one that is "
      "known"
    )
  return count


def _pose_resnet(shapes: Shapes) -> dict[str, Any] | None:
  """SimpleBaseline, torchvision's ResNet."""
  if not shapes.get("conv1.weight") or not _count(shapes, r"(layer4)\."):
    return None
  is_bottleneck = "layer1.0.conv3.weight" in shapes
  sizes = [_count(shapes, rf"layer{stage}\.(\d+)\.") for stage in (1, 2, 3, 4)]
  depths = [
    depth
    for depth, (block, _) in STAGES.items()
    if (block.expansion > 1) == is_bottleneck
  ]

  def distance(depth):
    ours = STAGES[depth][1]
    return sum(abs(a - b) for a, b in zip(sizes, ours, strict=True))

  return {
    "depth": min(depths, key=distance),
    "width": first_size(shapes["conv1.weight"]),
    **_deconvs(shapes),
  }


def _deconvs(shapes: Shapes, prefix: str = "") -> dict[str, Any]:
  """Of SimpleBaseline's head; empty if there is none."""
  filters = []
  while shape := shapes.get(
    f"{prefix}deconv_layers.{3 * len(filters)}.weight", ()
  ):
    filters.append(shape[1:2])
    _bounded(len(filters), "deconvolutions")
  if not filters or not all(filters):
    return {}
  return {
    "deconv_filters": tuple(number for (number,) in filters),
    "deconv_strides": (2,) * len(filters),
    "deconv_kernels": (4,) * len(filters),
  }


def _hourglass(shapes: Shapes) -> dict[str, Any] | None:
  """pytorch-pose's."""
  if len(shapes.get("fc.0.0.weight", ())) != 4:
    return None
  return {
    "num_stacks": _parts(shapes, r"fc\.(\d+)\.", "stacks"),
    "num_features": first_size(shapes["fc.0.0.weight"]),
    "num_blocks": _parts(shapes, r"res\.0\.(\d+)\.", "blocks in a row"),
    "depth": _parts(shapes, r"hg\.0\.hg\.(\d+)\.", "levels of an hourglass"),
  }


def _hrnet(shapes: Shapes) -> dict[str, Any] | None:
  """Its authors' pose and classification networks."""
  finest, stem = "transition1.0.0.weight", "conv1.weight"
  if finest not in shapes or "stage4.0.branches.3.0.conv1.weight" not in shapes:
    return None
  return {
    "width": first_size(shapes[finest]),
    "stem_width": first_size(shapes.get(stem, (64,))),
    "num_modules": tuple(
      _parts(shapes, rf"stage{stage}\.(\d+)\.", f"modules in stage {stage}")
      for stage in (2, 3, 4)
    ),
    "num_blocks": _parts(
      shapes, r"stage2\.0\.branches\.0\.(\d+)\.", "blocks in a row"
    ),
  }


def _alexnet(shapes: Shapes) -> dict[str, Any] | None:
  """torchvision's, or a pose network of ours."""
  first = shapes.get("features.0.weight", ())
  if first[2:] != (11, 11):
    return None
  return {"width": first_size(first), **_deconvs(shapes, ALEXNET_HEAD)}


def _vgg(shapes: Shapes) -> dict[str, Any] | None:
  """torchvision's, or a pose network of ours."""
  first = shapes.get("features.0.weight", ())
  if first[2:] != (3, 3):
    return None
  weights = [
    shape
    for name, shape in shapes.items()
    if re.match(r"features\.\d+\.weight$", name)
  ]
  num_convs = sum(len(shape) == 4 for shape in weights)
  return {
    "depth": min(VGG_STAGES, key=lambda d: abs(sum(VGG_STAGES[d]) - num_convs)),
    "width": first_size(first),
    "use_batch_norm": len(weights) > num_convs,
    **_deconvs(shapes),
  }


GUESSES: dict[str, Callable[[Shapes], dict[str, Any] | None]] = {
  "pose_resnet": _pose_resnet,
  "hourglass": _hourglass,
  "hrnet": _hrnet,
  "alexnet": _alexnet,
  "vgg": _vgg,
}
