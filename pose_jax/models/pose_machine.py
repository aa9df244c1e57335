"""Convolutional pose machine: stages that see the picture and the maps before.

Wei et al. 2016 (arXiv 1602.00134) as their release builds it, paper 004's Eq. 8
and Fig. 4; and the form of mmpose, whose numbers are published. Each stage's
belief maps are supervised. With w the width, 128 in both:

    stage 1  9x9 (w) pool 9x9 (w) pool 9x9 (w) pool 5x5 (w/4) 9x9, 1x1 (4w)
    picture  9x9 (w) pool 9x9 (w) pool 9x9 (w) pool, the same for stages 2 on
    stage 2  5x5 (w/4) of the picture, and beside it what the stage before says;
    and on   then 11x11, 11x11, 11x11, 1x1 (w)

each behind a ReLU, then a 1x1 to the maps. Pools are 3x3 with stride 2.

    paper    biases; a map more, where no keypoint is; stages 2 on also see a
             Gaussian in the middle, where the person is
    mmpose   batch norm; neither

D: left out of the paper's form are its release's dropout behind the two widest
layers, and the first stage's learning rate, five times that of the others.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from pose_jax.models.attention_options import (
  NONE,
  PLACES,
  AttentionOptions,
  make_attention,
)
from pose_jax.models.layers import DTYPES, BatchNorm, Conv, check_numerics
from pose_jax.models.output import PoseOutput
from pose_jax.models.pose_machine_parts import Chain, Stage, centre_map

FORMS = ("paper", "mmpose")
STRIDE = 8
WIDTH = 128  # that is published
# Rows that a pool adds before and behind: Caffe rounds sizes up, torch is told.
# So what pixel i of the maps sees has crop pixel 8i + 7, or 8i, in its middle.
_PADS = {"paper": (0, 1), "mmpose": (1, 1)}


class PoseMachine(nn.Module):
  """All stages; the fields are the checked arguments of `make_pose_machine`."""

  num_keypoints: int
  form: str = "paper"
  num_stages: int = 6
  width: int = WIDTH
  attention: AttentionOptions = NONE
  dtype: Any = jnp.float32
  axis_name: str | None = None
  batch_norm_momentum: float = 0.9

  @nn.compact
  def __call__(
    self, images: Float[Array | np.ndarray, "B H W 3"], train: bool = False
  ) -> PoseOutput:
    """Returns stages, heatmaps, backgrounds and attention of all stages.

    Maps are [B, H/8, W/8, K]; names of attention start with "stack0/" etc., as
    those of an hourglass.

    Args:
      images: [B, H, W, 3] float32, normalised, H and W divisible by 8.
      train: use and update batch statistics (mutable=["batch_stats"]).
    Raises:
      ValueError: if H or W is not divisible by 8.
    """
    map_hw, images = self.map_hw(images.shape[1:3]), jnp.asarray(images)
    chain, stage = self._bound(train)
    first, wide = (self.width,) * 3, 4 * self.width
    narrow = (self.width // 4,)
    widths = (*first, *narrow, wide, wide)
    outputs = [
      stage(chain=partial(chain, widths, (9, 9, 9, 5, 9, 1), 3), name="stack0")(
        images
      )
    ]
    if self.num_stages > 1:
      picture = chain(first, (9, 9, 9), 3, name="picture")(images)
    later = partial(chain, (*first, self.width), (11, 11, 11, 1), 0)
    for index in range(1, self.num_stages):
      seen = [chain(narrow, (5,), 0, name=f"picture{index}")(picture)]
      seen.append(outputs[-1][0].astype(self.dtype))
      if self.with_background:
        middle = jnp.asarray(centre_map(map_hw), self.dtype)[None]
        seen.append(jnp.broadcast_to(middle, (len(images), *map_hw, 1)))
      outputs.append(
        stage(chain=later, name=f"stack{index}")(jnp.concatenate(seen, -1))
      )
    return self._output(outputs)

  def _bound(self, train: bool) -> tuple[Any, Any]:
    """Chain and Stage with all that is the same wherever they stand."""
    deviation = 0.001
    if self.form == "paper":
      # D: the published one for the published width, and as much signal in
      # narrower networks, which have no norm to make up for it.
      deviation = 0.01 * (WIDTH / self.width) ** 0.5
    init = nn.initializers.normal(deviation)
    conv = partial(
      Conv, use_bias=self.form == "paper", dtype=self.dtype, kernel_init=init
    )
    norm = None
    if self.form == "mmpose":
      norm = partial(
        BatchNorm,
        use_running_average=not train,
        momentum=self.batch_norm_momentum,
        dtype=self.dtype,
        axis_name=self.axis_name,
      )
    num_maps = self.num_keypoints + self.with_background
    return (
      partial(Chain, pads=_PADS[self.form], conv=conv, norm=norm),
      partial(Stage, num_maps, self.attention, init),
    )

  def _output(self, outputs: Sequence[tuple]) -> PoseOutput:
    """Everything, from what the stages return."""
    num, attention = self.num_keypoints, {}
    for index, (_, gates, _) in enumerate(outputs):
      attention |= {f"stack{index}/{key}": m for key, m in gates.items()}
    all_maps = [maps for maps, _, _ in outputs]
    stages = tuple(maps[..., :num] for maps in all_maps)
    grounds = all_maps if self.with_background else []
    return PoseOutput(
      heatmaps=stages[-1],
      stages=stages,
      backgrounds=tuple(maps[..., num:] for maps in grounds),
      features=outputs[-1][-1],
      attention=attention,
    )

  @property
  def with_background(self) -> bool:
    """Whether each stage has a map more; where it has, the middle is told."""
    return self.form == "paper"

  @property
  def crop_step(self) -> int:
    """Sides of a crop are multiples of it."""
    return STRIDE

  @nn.nowrap
  def map_hw(self, crop_hw: Sequence[int]) -> tuple[int, int]:
    """Returns the belief maps' (height, width) for crops of `crop_hw` pixels.

    Raises:
      ValueError: if a side is not divisible by 8.
    """
    height, width = crop_hw
    if height < 1 or width < 1 or height % STRIDE or width % STRIDE:
      raise ValueError(
        f"crop_hw must be positive multiples of {STRIDE} for a pose machine, "
        f"got ({height}, {width}): choose for example (368, 368)"
      )
    return height // STRIDE, width // STRIDE


def make_pose_machine(
  num_keypoints: int,
  *,
  form: str = "paper",
  num_stages: int = 6,
  width: int = WIDTH,
  attention: Mapping[str, Any] | None = None,
  dtype: str = "float32",
  sync_batch_norm: bool = False,
  batch_norm_momentum: float = 0.9,
) -> PoseMachine:
  """Returns the network for plain config values, each of them checked.

  Args:
    form: paper or mmpose, see the head of this file.
    num_stages: 6 in both.
    width: channels of most layers, a multiple of 4; others have a quarter of
      it, or four times as many.
    attention: options of `make_attention`, in front of every stage's maps;
      there is one level.
    sync_batch_norm: batch statistics over all devices.
  Raises:
    ValueError: naming the value that cannot be built and those that can.
  """
  if form not in FORMS:
    raise ValueError(f"form must be one of {', '.join(FORMS)}, got {form!r}")
  check_numerics(dtype=dtype, batch_norm_momentum=batch_norm_momentum)
  if num_stages < 1 or num_keypoints < 1:
    raise ValueError(
      "num_stages and num_keypoints must be at least 1, got "
      f"{num_stages} and {num_keypoints}"
    )
  if width < 4 or width % 4:
    raise ValueError(
      "width must be a positive multiple of 4 (the narrowest layers have a "
      f"quarter of it), got {width}"
    )
  options = make_attention(attention, num_levels=1)
  kinds = {getattr(options, place) for place in PLACES}
  if form == "paper" and "transformer" in kinds:
    raise ValueError(
      "attention is a 'transformer', which form 'paper' makes no sense with: "
      "where the transformer does not look there is no background to predict; "
      "set form to 'mmpose', or attention to another kind"
    )
  return PoseMachine(
    num_keypoints=num_keypoints,
    form=form,
    num_stages=num_stages,
    width=width,
    attention=options,
    dtype=DTYPES[dtype],
    axis_name="devices" if sync_batch_norm else None,
    batch_norm_momentum=batch_norm_momentum,
  )
