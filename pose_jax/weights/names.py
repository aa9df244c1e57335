"""Which torch module is which of ours, one row per module.

A row is (torch name, our path, kind); the kind says which tensors the module
has, what we call them and how their axes are ordered. Torch stores kernels
OIHW, those of transposed convolutions IOHW; we store both HWIO, unflipped.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pose_jax.models.heads import KEYS
from pose_jax.models.resnet import STAGES, BasicBlock


class FormError(ValueError):
  """A network of which torch has no weights, for one option of its config."""


class Row(NamedTuple):
  """One module: torch's name, our path below the collection, its kind."""

  torch: str
  ours: tuple[str, ...]
  kind: str


class Tensor(NamedTuple):
  """One tensor of a module: collection, our name, our axes in torch's."""

  collection: str
  name: str
  axes: tuple[int, ...]


_VECTOR = (0,)
KINDS = {
  "conv": {"weight": Tensor("params", "kernel", (2, 3, 1, 0))},
  "deconv": {"weight": Tensor("params", "kernel", (2, 3, 0, 1))},
  "biased_conv": {
    "weight": Tensor("params", "kernel", (2, 3, 1, 0)),
    "bias": Tensor("params", "bias", _VECTOR),
  },
  "norm": {
    "weight": Tensor("params", "scale", _VECTOR),
    "bias": Tensor("params", "bias", _VECTOR),
    "running_mean": Tensor("batch_stats", "mean", _VECTOR),
    "running_var": Tensor("batch_stats", "var", _VECTOR),
  },
}
UNUSED = ("num_batches_tracked",)  # a step count; our momentum is fixed


def resnet_rows(depth: int) -> list[Row]:
  """Returns the rows of torchvision's ResNet without its classifier."""
  rows = [
    Row("conv1", ("backbone", "stem_conv"), "conv"),
    Row("bn1", ("backbone", "stem_norm"), "norm"),
  ]
  block, sizes = STAGES[depth]
  num_convs = 2 if block is BasicBlock else 3
  for stage, size in enumerate(sizes, start=1):
    for index in range(size):
      torch, ours = f"layer{stage}.{index}", f"stage{stage}_block{index}"
      for n in range(1, num_convs + 1):
        rows += [
          Row(f"{torch}.conv{n}", ("backbone", ours, f"conv{n}"), "conv"),
          Row(f"{torch}.bn{n}", ("backbone", ours, f"norm{n}"), "norm"),
        ]
      if index == 0 and (stage > 1 or block.expansion > 1):
        rows += [
          Row(
            f"{torch}.downsample.0", ("backbone", ours, "shortcut_conv"), "conv"
          ),
          Row(
            f"{torch}.downsample.1", ("backbone", ours, "shortcut_norm"), "norm"
          ),
        ]
  return rows


def pose_resnet_rows(
  *,
  depth: int = 50,
  deconv_filters: Sequence[int] = (256, 256, 256),
  **options: Any,
) -> list[Row]:
  """Returns the rows of SimpleBaseline's `pose_resnet` for config options.

  Raises:
    FormError: for forms of the network that SimpleBaseline does not have.
  """
  strides = (2,) * len(deconv_filters)
  check_form(
    "a PoseResNet are SimpleBaseline's", options, deconv_strides=strides
  )
  return [*resnet_rows(depth), *deconv_head_rows(len(deconv_filters))]


def deconv_head_rows(num_deconvs: int, prefix: str = "") -> list[Row]:
  """Returns the rows of SimpleBaseline's head; `prefix` is torch's alone."""
  rows = []
  for index in range(num_deconvs):
    # Its deconv_layers are conv, norm, ReLU, conv, norm, ReLU, ...
    torch, ours = f"{prefix}deconv_layers", f"deconv{index}"
    rows += [
      Row(f"{torch}.{3 * index}", (ours,), "deconv"),
      Row(f"{torch}.{3 * index + 1}", (f"{ours}_norm",), "norm"),
    ]
  return [*rows, Row(f"{prefix}final_layer", ("head",), "biased_conv")]


def hourglass_rows(
  *,
  num_stacks: int = 8,
  num_blocks: int = 1,
  depth: int = 4,
  **options: Any,
) -> list[Row]:
  """Returns the rows of pytorch-pose's `HourglassNet` for config options.

  Ours are below "stem" and "stack0", "stack1", ...; its level n of an
  hourglass is number n - 1 of a list of [skip, down, up(, bottom)].

  Raises:
    FormError: for forms of the network that pytorch-pose does not have.
  """
  # One unit up is what each place has anyway where num_blocks is 1.
  check_form(
    "an hourglass are pytorch-pose's",
    options,
    stem="standard",
    skip="residual",
    neck="residual",
    **({"one_unit_up": False} if num_blocks > 1 else {}),
  )
  rows = [
    Row("conv1", ("stem", "conv"), "biased_conv"),
    Row("bn1", ("stem", "norm"), "norm"),
  ]
  for index in range(3):
    is_projected = index < 2
    rows += _preact_rows(
      f"layer{index + 1}.0", ("stem", f"residual{index}"), is_projected
    )
  for i in range(num_stacks):
    stack = f"stack{i}"
    for block in range(num_blocks):
      for level in range(1, depth + 1):
        places = [f"skip{level}", f"down{level}", f"up{level}"]
        for number, place in enumerate(places + ["bottom"] * (level == 1)):
          rows += _preact_rows(
            f"hg.{i}.hg.{level - 1}.{number}.{block}",
            (stack, "hourglass", f"{place}_{block}"),
          )
      rows += _preact_rows(f"res.{i}.{block}", (stack, f"neck_{block}"))
    rows += [
      Row(f"fc.{i}.0", (stack, "linear0"), "biased_conv"),
      Row(f"fc.{i}.1", (stack, "linear0_norm"), "norm"),
      Row(f"score.{i}", (stack, "head"), "biased_conv"),
    ]
    if i < num_stacks - 1:
      rows += [
        Row(f"fc_.{i}", (stack, "features_back"), "biased_conv"),
        Row(f"score_.{i}", (stack, "heatmaps_back"), "biased_conv"),
      ]
  return rows


def _preact_rows(
  torch: str, ours: tuple[str, ...], is_projected: bool = False
) -> list[Row]:
  rows = []
  for n in (1, 2, 3):
    rows += [
      Row(f"{torch}.bn{n}", (*ours, f"norm{n}"), "norm"),
      Row(f"{torch}.conv{n}", (*ours, f"conv{n}"), "biased_conv"),
    ]
  if is_projected:
    projection = (*ours, "shortcut_conv")
    rows.append(Row(f"{torch}.downsample.0", projection, "biased_conv"))
  return rows


def check_form(
  whose: str, options: Mapping[str, Any], **published: Any
) -> None:
  """Refuses options other than the published; plug-ins never were."""
  attention = options.get("attention") or {}
  given = {name: options.get(name, value) for name, value in published.items()}
  for place in ("holistic", "refined", "part"):
    given[f"attention.{place}"] = attention.get(place, "none")
  plug_in = options.get("poserenet") or {}
  given["poserenet.aggregation"] = plug_in.get("aggregation", "none")
  given |= {key: options.get(key, False) for key in KEYS}
  published = dict.fromkeys(KEYS, False) | published
  for name, value in given.items():
    wanted = published.get(name, "none")
    value = tuple(value) if isinstance(value, list) else value
    if value != wanted:
      raise FormError(
        f"torch weights of {whose}, whose model.{name} is {wanted!r}, got "
        f"{value!r}"
      )
