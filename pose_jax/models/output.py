"""What every network returns.

One container for all architectures, so that any loss, decoder, attention or
drawing works with any backbone: each reads the fields that are there. A field
that a network does not have stays None (or empty).
"""

from collections.abc import Mapping
from typing import Any

from flax import struct


@struct.dataclass
class PoseOutput:
  """Everything that a network says about a batch of crops; a pytree.

  The fields are typed loosely because the same container also carries shapes
  (`jax.eval_shape`), shardings and NumPy arrays.

  Attributes:
    heatmaps: [B, h, w, K] float32, the map to decode, heatmap frame; None for
      networks that give no heatmaps.
    stages: all supervised heatmaps, first to last, each [B, h, w, K] float32;
      the last one is `heatmaps`, unless a lifted map is. One entry for a
      network of one stage; behind PoseReNet the base's, then the aggregates.
    backgrounds: of each of the network's own stages [B, h, w, 1] float32, where
      no keypoint is; empty for networks that do not predict it.
    links: [B, h, w, L] float32 skeletal link maps, or None.
    lifted: [B, 2h, 2w, K] float32 heatmaps at twice the resolution, or None;
      of several refined stages a tuple of them, first to last.
    features: [B, h, w, C] what the heatmaps are read from, before attention;
      of several stages the last one's. None for networks without heatmaps.
    presence_logits: [B, K] float32, before the sigmoid, or None.
    coordinates: [B, K, 2] float32 (x, y), regressed directly, in units of the
      crop (`ops.coordinates`), or None. A network that has them has no
      heatmaps to decode.
    coordinate_stages: all supervised coordinates, first to last; the last one
      is `coordinates`. Empty for networks that regress none.
    coordinate_sigmas: [B, K, 2] float32 in 0..1, deviation of each coordinate
      in units of the crop, or None.
    attention: name -> [B, h', w', P] float32 attention maps, to look at; from
      `attention_steps.apply_with_steps` also "NAME/steps" [B, T + 1, h', w', P]
      of each map that T updates of a mean field end in.
  """

  heatmaps: Any = None
  stages: tuple[Any, ...] = ()
  backgrounds: tuple[Any, ...] = ()
  links: Any = None
  lifted: Any = None
  features: Any = None
  presence_logits: Any = None
  coordinates: Any = None
  coordinate_stages: tuple[Any, ...] = ()
  coordinate_sigmas: Any = None
  attention: Mapping[str, Any] = struct.field(default_factory=dict)


@struct.dataclass
class Truth:
  """What a network may be told while it trains, row for row with the images.

  For networks that learn from simulated predictions (attribute
  `learns_from_truth`): `apply(variables, images, train=True, truth=truth)`.

  Attributes:
    coordinates: [B, K, 2] float32 annotated keypoints, in units of the crop.
    is_labelled: [B, K] bool.
    seed: [B] uint32, for randomness.
  """

  coordinates: Any
  is_labelled: Any
  seed: Any


def maps_to_look_at(output: PoseOutput) -> dict[str, Any]:
  """Returns `attention`, and as "links" and "lifted" what else there is.

  Of several lifted maps only the last.
  """
  lifted = output.lifted
  if isinstance(lifted, tuple):
    lifted = lifted[-1]
  others = {"links": output.links, "lifted": lifted}
  found = {name: maps for name, maps in others.items() if maps is not None}
  return {**output.attention, **found}
