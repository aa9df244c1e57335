"""Every architecture whose torch weights are known: its rows, and what of its
config decides which rows there are.
"""

from collections.abc import Callable

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
SURPLUS = {  # what classifiers have among a backbone's modules, ours have not
  "hrnet": hrnet_surplus_rows,
}
