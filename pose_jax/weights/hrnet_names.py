"""Which torch module of an HRNet is which of ours, one row per module.

The names are those of the authors' code. Their pose networks and their
ImageNet classification networks share the names of the backbone; what the
latter have beside is `HRNET_CLASSIFIER`.
"""

from collections.abc import Sequence
from typing import Any

from pose_jax.weights.names import Row, check_form

STEM_BLOCKS = 4
HRNET_CLASSIFIER = (  # first parts of the names that a backbone leaves over
  "incre_modules",
  "downsamp_modules",
  "final_layer",
  "classifier",
)


def hrnet_backbone_rows(
  *,
  num_modules: Sequence[int] = (1, 4, 3),
  num_blocks: int = 4,
) -> list[Row]:
  """Returns the rows of stem and stages, ours below "backbone".

  A classification network has `HRNET_CLASSIFIER` beside them, and those of
  `hrnet_surplus_rows`.
  """
  rows = _pair("conv1", "stem_conv1", "bn1", "stem_norm1")
  rows += _pair("conv2", "stem_conv2", "bn2", "stem_norm2")
  for index in range(STEM_BLOCKS):
    torch, ours = f"layer1.{index}", f"stage1_block{index}"
    rows += _block(torch, (ours,), num_convs=3)
    if index == 0:
      rows += [
        _row(f"{torch}.downsample.0", (ours, "shortcut_conv"), "conv"),
        _row(f"{torch}.downsample.1", (ours, "shortcut_norm"), "norm"),
      ]
  rows += _conv_norm("transition1.0", "transition1_branch0")
  for n in range(1, 4):
    rows += _conv_norm(f"transition{n}.{n}.0", f"transition{n}_branch{n}")
  for stage, count in enumerate(num_modules, start=2):
    for module in range(count):
      torch, ours = f"stage{stage}.{module}", f"stage{stage}_module{module}"
      for branch in range(stage):
        for block in range(num_blocks):
          rows += _block(
            f"{torch}.branches.{branch}.{block}",
            (ours, f"branch{branch}_block{block}"),
            num_convs=2,
          )
      is_end = stage == 4 and module == count - 1
      rows += _fusion(torch, ours, stage, range(1 if is_end else stage))
  return rows


def hrnet_surplus_rows(
  *, num_modules: Sequence[int] = (1, 4, 3), **_: Any
) -> list[Row]:
  """Returns rows of what only a classification network has in stage 4.

  Its last module fuses to every branch, ours to the finest alone: their
  `ours` names nothing.
  """
  last = num_modules[-1] - 1
  return _fusion(f"stage4.{last}", f"stage4_module{last}", 4, range(1, 4))


def hrnet_rows(
  *,
  num_modules: Sequence[int] = (1, 4, 3),
  num_blocks: int = 4,
  **options: Any,
) -> list[Row]:
  """Returns the rows of the authors' `pose_hrnet` for config options.

  Raises:
    FormError: for forms of the network that its authors do not have.
  """
  check_form("an HRNet are its authors'", options, skeletal=False)
  rows = hrnet_backbone_rows(num_modules=num_modules, num_blocks=num_blocks)
  return [*rows, Row("final_layer", ("head",), "biased_conv")]


def _row(torch: str, ours: tuple[str, ...], kind: str) -> Row:
  return Row(torch, ("backbone", *ours), kind)


def _pair(conv: str, our_conv: str, norm: str, our_norm: str) -> list[Row]:
  return [_row(conv, (our_conv,), "conv"), _row(norm, (our_norm,), "norm")]


def _conv_norm(torch: str, *ours: str) -> list[Row]:
  """A `ConvNorm`: entries 0 and 1 of a torch Sequential."""
  return [
    _row(f"{torch}.0", (*ours, "conv"), "conv"),
    _row(f"{torch}.1", (*ours, "norm"), "norm"),
  ]


def _block(torch: str, ours: tuple[str, ...], num_convs: int) -> list[Row]:
  rows = []
  for n in range(1, num_convs + 1):
    rows += [
      _row(f"{torch}.conv{n}", (*ours, f"conv{n}"), "conv"),
      _row(f"{torch}.bn{n}", (*ours, f"norm{n}"), "norm"),
    ]
  return rows


def _fusion(
  torch: str, ours: str, num_branches: int, outputs: Sequence[int]
) -> list[Row]:
  """Everything that brings branch j to output i."""
  rows = []
  for i in outputs:
    for j in range(num_branches):
      theirs, name = f"{torch}.fuse_layers.{i}.{j}", f"fuse{i}_from{j}"
      if j > i:
        rows += _conv_norm(theirs, ours, name)
      for step in range(i - j):
        rows += _conv_norm(f"{theirs}.{step}", ours, f"{name}_step{step}")
  return rows
