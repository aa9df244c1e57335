"""Which torch module is which of ours, one row per module.

A row is (torch name, our path, kind); the kind says which tensors the module
has, what we call them and how their axes are ordered. Torch stores kernels
OIHW, those of transposed convolutions IOHW; we store both HWIO, unflipped.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pose_jax.models.resnet import STAGES, BasicBlock


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
  "head": {
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
  *, depth: int = 50, deconv_filters: Sequence[int] = (256, 256, 256), **_
) -> list[Row]:
  """Returns the rows of SimpleBaseline's `pose_resnet` for config options."""
  rows = resnet_rows(depth)
  for index in range(len(deconv_filters)):
    # Its deconv_layers are conv, norm, ReLU, conv, norm, ReLU, ...
    rows += [
      Row(f"deconv_layers.{3 * index}", (f"deconv{index}",), "deconv"),
      Row(f"deconv_layers.{3 * index + 1}", (f"deconv{index}_norm",), "norm"),
    ]
  return [*rows, Row("final_layer", ("head",), "head")]


TABLES: dict[str, Callable[..., list[Row]]] = {
  "pose_resnet": pose_resnet_rows,
}
