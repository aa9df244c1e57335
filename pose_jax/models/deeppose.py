"""DeepPose: a cascade of regressors, each looking closer than the one before.

Source: Toshev and Szegedy 2014 (arXiv 1312.4659), sections 3.1 and 3.2; what
differs or is decided here is marked D. Stage 1 regresses all keypoints from the
whole crop. Every later stage cuts a square out of it round each keypoint i of
the stage before, of side sub_crop_size (their sigma) times the pose's diameter,
and regresses by how much i is off, in units of that square; one network sees
the squares of all keypoints and i reads the i-th of its K pairs (Eq. 6).

The diameter is the distance from the left shoulder to the right hip, where the
skeleton has both, or D its own pair of PCK, or D, without such a pair, the
diagonal of the box round the pose. D: it is at least a tenth of the crop's
longer side, since an untrained stage's pose is a point. D: squares are cut out
of the crop, not of the photograph, so they are as sharp as the crop is.

D: stages train together, on one loss with a term for each. The gradient of a
stage does not reach the one before: where the squares lie and how large they
are are constants for it. As in the paper (section 3.2.1) later stages train on
simulated predictions: squares lie round annotated keypoints that noise has
moved. D: noise of one deviation, simulated_std, in diameters, for all keypoints
and stages, where the paper fits mean and covariance of the errors of the stage
before; one draw whenever a person is seen, where the paper lists 40. Keypoints
without annotation keep the prediction of the stage before.
"""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from pose_jax.models.output import PoseOutput, Truth
from pose_jax.models.regressor import make_regressor
from pose_jax.models.trunks import DEPTH
from pose_jax.ops import draws
from pose_jax.ops.coordinates import crop_from_units, size_xy
from pose_jax.ops.crops import crop_round
from pose_jax.skeleton import Skeleton

SMALLEST_DIAMETER = 0.1  # of the crop's longer side

Points = Float[Array, "B K 2"]


class DeepPose(nn.Module):
  """Regressors in a row: "stage1" of the crop, "stage2" and on of squares.

  Attributes:
    stages: what makes the network of each (called with its name): a module
      of images and `train` that gives `coordinates` of K keypoints, in units
      of its images, and has `crop_step` and `map_hw`.
    sub_crop_hw: what squares are resized to, pixels.
    sub_crop_size: side of a square, in diameters of the pose.
    diameter_pair: the two keypoints whose distance the diameter is, or None.
    simulated_std: deviation of simulated predictions, in diameters; 0: stages
      train on predictions of the one before.
    says_presence: whether the first stage says which keypoints are present.
  """

  stages: Sequence[Callable[..., nn.Module]]
  sub_crop_hw: tuple[int, int]
  sub_crop_size: float = 1.0
  diameter_pair: tuple[int, int] | None = None
  simulated_std: float = 0.2
  says_presence: bool = False
  gives_coordinates = True

  @nn.compact
  def __call__(
    self,
    images: Float[Array | np.ndarray, "B H W 3"],
    train: bool = False,
    truth: Truth | None = None,
  ) -> PoseOutput:
    """Returns `coordinates`, those of all stages, and the first's presence.

    Those of a later stage are the middle of its square plus what it regresses,
    so their error is the regression's, be the middle predicted or simulated.

    Args:
      images: [B, H, W, 3] float32, normalised.
      train: as of the stages.
      truth: what predictions are simulated from, in training; without it, as
        in prediction, stages start from what the one before says.
    Raises:
      ValueError: for a crop that the first stage cannot take.
    """
    images, crop_hw = jnp.asarray(images), images.shape[1:3]
    stages = [
      make(name=f"stage{number}") for number, make in enumerate(self.stages, 1)
    ]
    first = stages[0](images, train)
    coordinates = [first.coordinates]
    for number, stage in enumerate(stages[1:], 2):
      starts, diameter = starts_of(
        lax.stop_gradient(coordinates[-1]),
        truth if train and self.learns_from_truth else None,
        stage=number,
        crop_hw=crop_hw,
        diameter_pair=self.diameter_pair,
        simulated_std=self.simulated_std,
      )
      side = self.sub_crop_size * diameter[:, None, None]
      squares = crop_round(
        images,
        crop_from_units(starts, crop_hw),
        jnp.broadcast_to(side, starts.shape),
        self.sub_crop_hw,
      )
      off = _own_pairs(stage, squares, train)
      coordinates.append(starts + off * side / size_xy(3, crop_hw))
    return first.replace(
      coordinates=coordinates[-1], coordinate_stages=tuple(coordinates)
    )

  @property
  def learns_from_truth(self) -> bool:
    """Whether it wants to be told the truth in training."""
    return self.simulated_std > 0

  @property
  def crop_step(self) -> int:
    """Sides of a crop are multiples of it."""
    return self.stages[0](parent=None).crop_step

  @nn.nowrap
  def map_hw(self, crop_hw: Sequence[int]) -> tuple[int, int]:
    """Returns `crop_hw`: coordinates are of the crop, there is no heatmap.

    Raises:
      ValueError: for a crop that the first stage cannot take.
    """
    return self.stages[0](parent=None).map_hw(crop_hw)


def make_deeppose(
  num_keypoints: int,
  *,
  num_stages: int = 3,
  backbone: str = "alexnet",
  depth: int = DEPTH,
  width: int = 64,
  use_batch_norm: bool = False,
  pooling: str = "flatten",
  presence_layers: Sequence[int] | None = None,
  coordinate_layers: Sequence[int] = (4096, 4096),
  sub_crop_hw: Sequence[int] = (224, 224),
  sub_crop_size: float = 1.0,
  simulated_std: float = 0.2,
  diameter_pair: Sequence[int] | None = None,
  dtype: str = "float32",
  sync_batch_norm: bool = False,
  batch_norm_momentum: float = 0.9,
) -> DeepPose:
  """Returns the cascade for plain config values, each of them checked.

  Every stage is a `make_regressor` of its own: AlexNet and two dense layers by
  default, as in the paper, whose normalisation and dropout it leaves out and
  whose images have 220 pixels.

  Args:
    num_stages: 1 is the regressor alone.
    backbone, depth, width, use_batch_norm, pooling, coordinate_layers: of all
      stages, see `make_regressor`.
    presence_layers: of the first stage, which sees the whole person; None: the
      network does not say what is present.
    sub_crop_hw: what squares are resized to.
    sub_crop_size: side of a square in diameters; the paper's for FLIC is 1, for
      LSP 2.
    simulated_std: deviation of simulated predictions in diameters; 0: stages
      train on predictions of the one before.
    diameter_pair: two keypoints, of the skeleton (`diameter_pair_of`).
    sync_batch_norm: batch statistics over all devices.
  Raises:
    ValueError: naming the value that cannot be built and those that can.
  """
  if num_stages < 1:
    raise ValueError(f"num_stages must be at least 1, got {num_stages}")
  if sub_crop_size <= 0 or simulated_std < 0:
    raise ValueError(
      "sub_crop_size must be above 0 and simulated_std at least 0 (both in "
      f"diameters of the pose), got {sub_crop_size} and {simulated_std}"
    )
  stages = [
    make_regressor(
      num_keypoints,
      backbone=backbone,
      depth=depth,
      width=width,
      use_batch_norm=use_batch_norm,
      pooling=pooling,
      presence_layers=None if index else presence_layers,
      coordinate_layers=coordinate_layers,
      dtype=dtype,
      sync_batch_norm=sync_batch_norm,
      batch_norm_momentum=batch_norm_momentum,
    )
    for index in range(num_stages)
  ]
  sub_crop_hw, step = tuple(sub_crop_hw), stages[0].crop_step
  if len(sub_crop_hw) != 2 or any(n < 1 or n % step for n in sub_crop_hw):
    raise ValueError(
      f"sub_crop_hw must be two positive multiples of {step} for backbone "
      f"{backbone!r}, got {sub_crop_hw}"
    )
  return DeepPose(
    stages=tuple(_named_later(stage) for stage in stages),
    sub_crop_hw=sub_crop_hw,
    sub_crop_size=sub_crop_size,
    diameter_pair=None if diameter_pair is None else tuple(diameter_pair),
    simulated_std=simulated_std,
    says_presence=presence_layers is not None,
  )


def diameter_pair_of(skeleton: Skeleton) -> tuple[int, int] | None:
  """The ends of the diameter: the paper's, else those of PCK, if any."""
  names = skeleton.keypoints
  if {"left_shoulder", "right_hip"} <= set(names):
    return names.index("left_shoulder"), names.index("right_hip")
  return skeleton.pck_pair


def starts_of(
  before: Points,
  truth: Truth | None,
  *,
  stage: int,
  crop_hw: Sequence[int],
  diameter_pair: tuple[int, int] | None,
  simulated_std: float,
) -> tuple[Points, Float[Array, "B"]]:
  """Returns where a stage starts, and the diameters of the poses.

  Args:
    before: what the stage before says, in units of the crop.
    truth: where given, predictions are simulated: annotated keypoints moved by
      noise. The diameter is then that of the annotated keypoints, and of
      `before` for those without annotation.
    stage: number of the stage, each of which draws for itself.
    crop_hw: size of the crop.
    diameter_pair: see DeepPose.
    simulated_std: deviation of the noise in x and in y, in diameters.
  Returns:
    Middles of the squares, in units of the crop; diameters in its pixels.
  """
  pose = before
  if truth is not None:
    is_labelled = truth.is_labelled[:, :, None]
    pose = jnp.where(is_labelled, truth.coordinates, before)
  diameter = jnp.maximum(
    diameter_of(crop_from_units(pose, crop_hw), diameter_pair),
    SMALLEST_DIAMETER * max(crop_hw),
  )
  if truth is None:
    return before, diameter

  def draw(key):
    return jax.random.normal(jax.random.fold_in(key, stage), before.shape[1:])

  keys = draws.keys(jnp.asarray(truth.seed), "simulated")
  noise = jax.vmap(draw)(keys)
  moved = simulated_std * diameter[:, None, None] * noise
  moved = pose + moved / size_xy(3, crop_hw)
  return jnp.where(is_labelled, moved, before), diameter


def diameter_of(
  xy_crop: Points, pair: tuple[int, int] | None
) -> Float[Array, "B"]:
  """Distance of two keypoints, or the diagonal of the box round all."""
  if pair is None:
    extent_xy = xy_crop.max(1) - xy_crop.min(1)
  else:
    extent_xy = xy_crop[:, pair[0]] - xy_crop[:, pair[1]]
  return jnp.linalg.norm(extent_xy, axis=-1)


def _named_later(module: nn.Module) -> Callable[..., nn.Module]:
  """What makes the module anew; a field that holds it would name it."""
  fields = {
    field.name: getattr(module, field.name)
    for field in dataclasses.fields(module)
    if field.name not in ("name", "parent")
  }
  return partial(type(module), **fields)


def _own_pairs(
  stage: nn.Module, squares: Float[Array, "B K h w C"], train: bool
) -> Points:
  """What a stage says of every keypoint's square, of that keypoint."""
  num_keypoints = squares.shape[1]
  output = stage(squares.reshape(-1, *squares.shape[2:]), train)
  pairs = output.coordinates.reshape(-1, num_keypoints, num_keypoints, 2)
  own = jnp.arange(num_keypoints)
  return pairs[:, own, own]
