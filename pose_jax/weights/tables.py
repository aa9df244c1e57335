"""Every architecture whose torch weights are known: its rows, and what of its
config decides which rows there are.
"""

import inspect
from collections.abc import Callable

from pose_jax.models import MODELS
from pose_jax.weights.classic_names import alexnet_rows, vgg_rows
from pose_jax.weights.hrnet_names import hrnet_rows, hrnet_surplus_rows
from pose_jax.weights.names import Row, hourglass_rows, pose_resnet_rows

TABLES: dict[str, Callable[..., list[Row]]] = {
  "pose_resnet": pose_resnet_rows,
  "hourglass": hourglass_rows,
  "hrnet": hrnet_rows,
  "alexnet": alexnet_rows,
  "vgg": vgg_rows,
}
SIZES = {  # options that say which rows there are
  "pose_resnet": ("depth", "deconv_filters"),
  "hourglass": ("num_stacks", "num_blocks", "depth"),
  "hrnet": ("width", "stem_width", "num_modules", "num_blocks"),
  "alexnet": ("deconv_filters",),
  "vgg": ("depth", "use_batch_norm", "deconv_filters"),
}
_OF_NO_ARRAY = ("dtype", "sync_batch_norm", "batch_norm_momentum")
SURPLUS = {  # what classifiers have among a backbone's modules, ours have not
  "hrnet": hrnet_surplus_rows,
}


def sizes_of(name: str) -> tuple[str, ...]:
  """Options of an architecture that say which arrays there are.

  Of one whose torch weights are not known all that are not about computing.
  """
  if name in SIZES:
    return SIZES[name]
  options = list(inspect.signature(MODELS[name]).parameters)[1:]
  return tuple(key for key in options if key not in _OF_NO_ARRAY)
