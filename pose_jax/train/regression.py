"""Losses of presence and of regressed coordinates, and what both learn.

Coordinates are in units of the crop (`ops.coordinates`). Every loss is a mean
over persons and keypoints, those that do not count included, as the heatmaps'
`losses.mse` is; so devices that hold equally many rows can be averaged.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util
from jaxtyping import Array, Bool, Float

from pose_jax.models.output import PoseOutput, Truth
from pose_jax.ops.coordinates import units_from_crop
from pose_jax.train.frozen import is_frozen

Number = float | int
Points = Float[Array | np.ndarray, "B K 2"]
Mask = Bool[Array | np.ndarray, "B K"]
Density = Callable[[Any], Any]
NEAR = 1 / 12  # of the crop's sides: what counts as located while training


def presence_loss(
  logits: Float[Array | np.ndarray, "B K"], is_present: Mask
) -> Float[Array, ""]:
  """Binary cross-entropy, mean over persons and keypoints.

  Source: Chen et al., "Human Pose Estimation", Eq. 5, where presence is -1 or
  1 and here False or True; written by log-sigmoids, so that no logit is too
  large.
  """
  logits = jnp.asarray(logits, jnp.float32)
  chosen = jnp.where(is_present, logits, -logits)
  return -jax.nn.log_sigmoid(chosen).mean()


def l2(coordinates: Points, truth: Points, counts: Mask) -> Float[Array, ""]:
  """Squared distance. Source: Chen et al., Eq. 6, of keypoints that count.

  D: those are the labelled ones, where Eq. 6 has those that are present
  (`is_present`): where one lies is known outside the crop too.
  """
  errors = _errors(coordinates, truth, counts)
  return jnp.square(errors).sum(-1).mean()


def l1(coordinates: Points, truth: Points, counts: Mask) -> Float[Array, ""]:
  """Absolute error of x plus that of y, as Sun et al. 2018 have it."""
  return jnp.abs(_errors(coordinates, truth, counts)).sum(-1).mean()


def smooth_l1(
  coordinates: Points, truth: Points, counts: Mask, *, beta: Number = 1.0
) -> Float[Array, ""]:
  """Huber's loss of x plus that of y, over beta: torch's SmoothL1Loss."""
  size = jnp.abs(_errors(coordinates, truth, counts))
  each = jnp.where(size < beta, 0.5 * size**2 / beta, size - 0.5 * beta)
  return each.sum(-1).mean()


def rle(
  coordinates: Points,
  truth: Points,
  counts: Mask,
  *,
  sigmas: Points,
  density: Density,
) -> Float[Array, ""]:
  """Residual log-likelihood: a Laplace distribution times a learnt density.

  Source: Li et al. 2021 (arXiv 2107.11291), in mmpose's form: the flow's
  log-density counts once for each of the two coordinates, and the logarithm of
  sigma once in either factor. (In the authors' code the Laplace distribution
  is wider by the root of 2.)

  Args:
    sigmas: [B, K, 2] above 0, deviations that the network says.
    density: errors over sigmas [B, K, 2] -> log-density [B, K].
  """
  errors = _errors(coordinates, truth, counts) / (sigmas + 1e-9)
  log_sigma = jnp.log(sigmas + 1e-9)
  flow = log_sigma - density(errors)[..., None]
  laplace = log_sigma + np.log(2.0) + jnp.abs(errors)
  return jnp.where(counts, (flow + laplace).sum(-1), 0.0).mean()


LOSSES = {"l2": l2, "l1": l1, "smooth_l1": smooth_l1, "rle": rle}


@dataclasses.dataclass(frozen=True)
class RegressionRule:
  """What presence and coordinates are compared with, and how they count.

  Attributes:
    coordinates: a name of LOSSES.
    stages: factor of each stage of coordinates, first to last; () for 1.
    presence_weight, coordinates_weight: factors; 0 leaves a part out.
  """

  coordinates: str = "l2"
  stages: tuple[Number, ...] = ()
  presence_weight: Number = 1.0
  coordinates_weight: Number = 1.0

  def loss(
    self, output: PoseOutput, truth: Truth, density: Density | None = None
  ) -> tuple[Number | Float[Array, ""], dict[str, Float[Array, ""]]]:
    """The weighted sum of what the output has, and its parts unweighted.

    Args:
      density: see `rle`, for which alone it is wanted.
    Returns:
      0 for an output without presence and coordinates; loss_presence,
      loss_coordinates (of all stages together).
    """
    total, parts = 0.0, {}
    if output.presence_logits is not None:
      value = presence_loss(output.presence_logits, is_present(truth))
      parts["loss_presence"] = value
      if self.presence_weight:
        total += self.presence_weight * value
    if output.coordinate_stages:
      options = {}
      if self.coordinates == "rle":
        options = {"sigmas": output.coordinate_sigmas, "density": density}
      factors = self.stages or (1.0,) * len(output.coordinate_stages)
      value = sum(
        factor
        * LOSSES[self.coordinates](
          stage, truth.coordinates, truth.is_labelled, **options
        )
        for factor, stage in zip(factors, output.coordinate_stages, strict=True)
      )
      parts["loss_coordinates"] = value
      if self.coordinates_weight:
        total += self.coordinates_weight * value
    return total, parts


PLAIN = RegressionRule()


def truth_of(batch: Mapping[str, Array]) -> Truth:
  """What a batch's keypoints say, in units of its crops."""
  return Truth(
    coordinates=units_from_crop(
      batch["kpts_xy_crop"], batch["image"].shape[1:3]
    ),
    is_labelled=batch["vis"] > 0,
    seed=batch["sample_seed"],
  )


def is_present(truth: Truth) -> Bool[Array, "B K"]:
  """Labelled and inside the crop: what Eq. 2 calls present in the image."""
  inside = (jnp.abs(truth.coordinates) <= 0.5).all(-1)
  return inside & truth.is_labelled


def counts_to_log(
  output: PoseOutput, truth: Truth, *, was_told: bool = False
) -> dict[str, tuple[Float[Array, ""], Float[Array, ""]]]:
  """name -> (right, counted), whole numbers to be summed over devices.

  presence_accuracy: keypoints whose presence is right. located: labelled ones
  within a twelfth of the crop's sides (`NEAR`).

  Args:
    was_told: stages behind the first began with the truth: what they say is
      near it from the start, so the first one's coordinates are counted.
  """
  found = {}
  if output.presence_logits is not None:
    right = (output.presence_logits > 0) == is_present(truth)
    counted = jnp.ones_like(right)
    found["presence_accuracy"] = (right, counted)
  if output.coordinates is not None:
    counts = truth.is_labelled
    found_BK2 = output.coordinate_stages[0] if was_told else output.coordinates
    errors = _errors(found_BK2, truth.coordinates, counts)
    is_near = jnp.linalg.norm(errors, axis=-1) <= NEAR
    found["located"] = (is_near & counts, counts)
  return {
    name: tuple(part.astype(jnp.float32).sum() for part in pair)
    for name, pair in found.items()
  }


def kernels_squared(
  params: Any, frozen: Sequence[str] = ()
) -> Float[Array, ""]:
  """Sum of the squares of all weights that train, no biases and no norms.

  Weights are called "kernel", or "column" and "row" where one is separable.

  Source: Chen et al., Eq. 4, the norm that beta weighs.
  """
  flat = traverse_util.flatten_dict(params)
  kernels = [
    kernel
    for path, kernel in flat.items()
    if path[-1] in ("kernel", "column", "row") and not is_frozen(path, frozen)
  ]
  return sum(jnp.square(kernel).sum() for kernel in kernels)


def _errors(
  coordinates: Points, truth: Points, counts: Mask
) -> Float[Array, "B K 2"]:
  """Found less true; 0 where nothing counts, whose place may be anything."""
  errors = jnp.asarray(coordinates, jnp.float32) - jnp.asarray(
    truth, jnp.float32
  )
  return jnp.where(jnp.asarray(counts)[..., None], errors, 0.0)
