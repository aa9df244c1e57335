"""Which torch module of an AlexNet or a VGG is which of ours.

The trunk's names are torchvision's: `features.N`, N counting convolutions,
norms, ReLUs and pools alike. Of a classifier's file that leaves `classifier`
over. The head has SimpleBaseline's names.

A pose network of AlexNet has a prefix before these: mmpose's has the same
names, but other padding and targets stretched over its map, so that in ours
its head would give keypoints in the wrong places. (Its trunk can be a start.)
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pose_jax.models.vgg import STAGES
from pose_jax.weights.names import Row, check_form, deconv_head_rows

ALEXNET_HEAD = "whole_map_head."
_ALEXNET_CONVS = (0, 3, 6, 8, 10)  # of torchvision's features


def alexnet_backbone_rows() -> list[Row]:
  """Returns the rows of torchvision's AlexNet without its classifier."""
  return [
    Row(f"features.{n}", ("backbone", f"conv{index}"), "biased_conv")
    for index, n in enumerate(_ALEXNET_CONVS, start=1)
  ]


def vgg_backbone_rows(
  *, depth: int = 16, use_batch_norm: bool = True
) -> list[Row]:
  """Returns the rows of torchvision's VGG without its classifier."""
  rows, n = [], 0
  for block, num_convs in enumerate(STAGES[depth], start=1):
    for index in range(1, num_convs + 1):
      ours = f"block{block}_conv{index}"
      rows.append(Row(f"features.{n}", ("backbone", ours), "biased_conv"))
      if use_batch_norm:
        norm = f"block{block}_norm{index}"
        rows.append(Row(f"features.{n + 1}", ("backbone", norm), "norm"))
      n += 3 if use_batch_norm else 2  # a ReLU
    n += 1  # the block's pool
  return rows


def alexnet_rows(
  *, deconv_filters: Sequence[int] = (256, 256, 256), **options: Any
) -> list[Row]:
  """Returns the rows of a pose network of AlexNet for config options.

  Raises:
    FormError: for a head that SimpleBaseline does not have.
  """
  _check_head("an AlexNet", options, deconv_filters)
  head = deconv_head_rows(len(deconv_filters), ALEXNET_HEAD)
  return alexnet_backbone_rows() + head


def vgg_rows(
  *,
  depth: int = 16,
  use_batch_norm: bool = True,
  deconv_filters: Sequence[int] = (256, 256, 256),
  **options: Any,
) -> list[Row]:
  """Returns the rows of a pose network of VGG for config options.

  Raises:
    FormError: for a head that SimpleBaseline does not have.
  """
  _check_head("a VGG", options, deconv_filters)
  rows = vgg_backbone_rows(depth=depth, use_batch_norm=use_batch_norm)
  return rows + deconv_head_rows(len(deconv_filters))


def _check_head(
  whose: str, options: Mapping[str, Any], filters: Sequence[int]
) -> None:
  check_form(
    f"{whose} have SimpleBaseline's head",
    options,
    deconv_strides=(2,) * len(filters),
  )
