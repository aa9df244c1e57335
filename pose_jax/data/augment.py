"""Random scale, rotation, translation and flip, in one affine warp.

What is drawn is a `Warp`; geometry turns it into the matrix
`crop_from_img = mirror @ crop_from_img(centre + shift, size * scale, angle)`,
and the image is resampled once. Colour is not touched here: that happens on
the device.
"""

import dataclasses
import math
import statistics
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, Int8, UInt8

from pose_jax.data.images import REDUCTIONS, decode
from pose_jax.geometry import Frames, compose, transform

DISTRIBUTIONS = ("uniform", "clipped_normal", "truncated_normal")
SCALE_DISTRIBUTIONS = (*DISTRIBUTIONS, "power_of_two")
ROTATION_DISTRIBUTIONS = (*DISTRIBUTIONS, "one_sided")
TRANSLATION_DISTRIBUTIONS = ("uniform", "truncated_normal")
Number = float | int

# The share of N(0, 1) below 1 / 2: how often HRNet's half-body coin, which is
# a normal draw compared with 0.5, shows the upper half.
HRNET_UPPER_PROBABILITY = statistics.NormalDist().cdf(0.5)


@dataclasses.dataclass(frozen=True)
class Augmentation:
  """How far crops may vary; the default does not vary them at all.

  A distribution says how scale, rotation and shift fill their range:
    uniform           U(1 - s, 1 + s), U(-r, r), U(-t, t).
    clipped_normal    HRNet's: clip(N(1, s), 1 - s, 1 + s), which puts 32 % of
                      the scales on a bound, and clip(N(0, r), -2r, 2r).
    truncated_normal  mmpose's: N(0, 1) drawn again until it is in [-1, 1],
                      times s, r or t.
    power_of_two      of the scale, Newell's: 2^clip(N(0, s), -2s, 2s).
    one_sided         of the rotation, U(0, r), as a DeepPose port has it.

  Attributes:
    scale_factor: s, the size of the crop relative to the padded box.
    scale_distribution: one of SCALE_DISTRIBUTIONS.
    rotation_deg: r.
    rotation_distribution: one of ROTATION_DISTRIBUTIONS.
    rotation_probability: share of samples that are rotated.
    translation_fraction: t, the shift in units of the padded box's width and
      height.
    translation_distribution: one of TRANSLATION_DISTRIBUTIONS.
    translation_probability: share of samples that are shifted.
    flip_probability: share of samples that are mirrored.
    flip_per_batch: one draw mirrors all samples of a step or none, as Chu et
      al.'s code does.
    half_body_probability: share of the people with enough keypoints that are
      cropped to their upper or lower half (see `half_body.py`).
    half_body_min_keypoints: labelled keypoints a person needs for that.
    half_body_upper_probability: share of them where the upper half comes
      first; HRNET_UPPER_PROBABILITY repeats HRNet's.
    half_body_padding: growth of the half's box, in place of `Frames.padding`.
  Raises:
    ValueError: on values outside their range.
  """

  scale_factor: Number = 0.0
  scale_distribution: str = "uniform"
  rotation_deg: Number = 0.0
  rotation_distribution: str = "uniform"
  rotation_probability: Number = 0.0
  translation_fraction: Number = 0.0
  translation_distribution: str = "uniform"
  translation_probability: Number = 0.0
  flip_probability: Number = 0.0
  flip_per_batch: bool = False
  half_body_probability: Number = 0.0
  half_body_min_keypoints: int = 9
  half_body_upper_probability: Number = 0.5
  half_body_padding: Number = 1.5

  def __post_init__(self):
    self._check_choices()
    for name in (
      *("rotation", "translation", "flip"),
      *("half_body", "half_body_upper"),
    ):
      probability = getattr(self, f"{name}_probability")
      if not 0 <= probability <= 1:
        raise ValueError(
          f"{name}_probability must be in [0, 1], got {probability}"
        )
    if not 0 <= self.scale_factor < 1:
      raise ValueError(
        f"scale_factor must be in [0, 1), got {self.scale_factor}: 0.3 draws "
        "scales between 0.7 and 1.3"
      )
    if not 0 <= self.rotation_deg <= 180 or self.translation_fraction < 0:
      raise ValueError(
        f"rotation_deg must be in [0, 180], got {self.rotation_deg}, and "
        f"translation_fraction at least 0, got {self.translation_fraction}"
      )
    if self.half_body_min_keypoints < 2 or self.half_body_padding <= 0:
      raise ValueError(
        "half_body_min_keypoints must be at least 2, got "
        f"{self.half_body_min_keypoints}, and half_body_padding above 0, got "
        f"{self.half_body_padding}"
      )

  def _check_choices(self):
    for name, known in (
      ("scale_distribution", SCALE_DISTRIBUTIONS),
      ("rotation_distribution", ROTATION_DISTRIBUTIONS),
      ("translation_distribution", TRANSLATION_DISTRIBUTIONS),
    ):
      if getattr(self, name) not in known:
        raise ValueError(
          f"{name} must be one of {', '.join(known)}, got "
          f"{getattr(self, name)!r}"
        )


@dataclasses.dataclass(frozen=True)
class Warp:
  """What one sample drew; the default leaves the crop alone."""

  scale: float = 1.0
  rotation_rad: float = 0.0
  translation_fraction_xy: tuple[float, float] = (0.0, 0.0)
  flip: bool = False
  half: str | None = None  # "upper" or "lower": wanted in place of the body


def sample(augmentation: Augmentation, rng: np.random.Generator) -> Warp:
  """Draws a warp; always takes the same amount of randomness from `rng`.

  So turning one augmentation off leaves the others' draws as they were. New
  augmentations draw behind the older ones, for the same reason.
  """
  scale_normal, rotation_normal = rng.standard_normal(2)
  uniform = rng.random(7)
  half_coin, upper_coin = rng.random(2)
  a = augmentation
  angle = _spread(a.rotation_distribution, rotation_normal, uniform[1], 2)
  angle_deg = angle * a.rotation_deg
  is_rotated = uniform[2] < a.rotation_probability
  is_shifted = uniform[3] < a.translation_probability
  shift_x, shift_y = (
    _spread(a.translation_distribution, 0.0, u, 1) * a.translation_fraction
    for u in uniform[4:6]
  )
  half = "upper" if upper_coin < a.half_body_upper_probability else "lower"
  return Warp(
    scale=float(_scale(a, scale_normal, uniform[0])),
    rotation_rad=math.radians(angle_deg) if is_rotated else 0.0,
    translation_fraction_xy=(
      (float(shift_x), float(shift_y)) if is_shifted else (0.0, 0.0)
    ),
    flip=bool(uniform[6] < a.flip_probability),
    half=half if half_coin < a.half_body_probability else None,
  )


def _scale(a: Augmentation, normal, uniform) -> Number:
  if a.scale_distribution == "power_of_two":
    return 2 ** (_spread("clipped_normal", normal, uniform, 2) * a.scale_factor)
  spread = _spread(a.scale_distribution, normal, uniform, 1)
  return 1 + spread * a.scale_factor


_NORMAL = statistics.NormalDist()


def _spread(distribution: str, normal, uniform, bound: Number) -> Number:
  """Unit deviate: see Augmentation; `bound` is clipped_normal's."""
  if distribution == "uniform":
    return 2 * uniform - 1
  if distribution == "one_sided":
    return uniform
  if distribution == "truncated_normal":  # by the inverse of its distribution
    low, high = _NORMAL.cdf(-1), _NORMAL.cdf(1)
    return _NORMAL.inv_cdf(low + (high - low) * uniform)
  return min(max(normal, -bound), bound)


def crop_from_img(
  frames: Frames,
  center_xy_img: Float[np.ndarray, "B 2"],
  size_wh_img: Float[np.ndarray, "B 2"],
  warps: Sequence[Warp],
) -> Float[np.ndarray, "B 2 3"]:
  """Matrices of a batch of warped crops; a flip comes last."""
  shift = np.array([w.translation_fraction_xy for w in warps])
  scale = np.array([[w.scale] for w in warps])
  rotation_rad = np.array([w.rotation_rad for w in warps])
  matrix = frames.crop_from_img(
    center_xy_img + shift * size_wh_img,
    size_wh_img * scale,
    rotation_rad=rotation_rad,
  )
  flip = np.array([w.flip for w in warps])
  return np.where(flip[:, None, None], compose(frames.mirror, matrix), matrix)


def warp_keypoints(
  kpts_xy_img: Float[np.ndarray, "B K 2"],
  vis: Int8[np.ndarray, "B K"],
  matrix: Float[np.ndarray, "B 2 3"],
  warps: Sequence[Warp],
  permutation: tuple[int, ...],
) -> tuple[Float[np.ndarray, "B K 2"], Int8[np.ndarray, "B K"]]:
  """Keypoints in the crop's frame; in a mirror image left becomes right.

  Args:
    kpts_xy_img: image pixels.
    vis: travels with its keypoint.
    matrix: the batch's `crop_from_img`.
    warps: say which samples are flipped.
    permutation: keypoint k of the mirror image is `permutation[k]`.
  """
  kpts_xy_crop = transform(kpts_xy_img, matrix)
  flip = np.array([w.flip for w in warps])[:, None]
  swapped = list(permutation)
  vis_crop = np.where(flip, vis[:, swapped], vis)
  return np.where(
    flip[..., None], kpts_xy_crop[:, swapped], kpts_xy_crop
  ), vis_crop


def crop_person(
  data: bytes,
  name: str,
  matrix: Float[np.ndarray, "2 3"],
  crop_hw: tuple[int, int],
  *,
  reduce: bool = True,
) -> UInt8[np.ndarray, "H W 3"]:
  """The crop of one person: one decode, one bilinear warp, zeros outside.

  Where the crop samples only every second image pixel or fewer, the image is
  decoded at half (a quarter, an eighth of) its size. That is faster, and the
  crop is made of averages of pixels where the reference codes skip them.

  Args:
    data: the encoded image.
    name: what errors call it.
    matrix: crop_from_img.
    crop_hw: size of the crop.
    reduce: False decodes every image in full, as the reference codes do.
  Returns:
    uint8 RGB.
  Raises:
    DataError: if the image cannot be decoded.
  """
  factor = reduction(matrix) if reduce else 1
  return warp_image(decode(data, name, factor), factor, matrix, crop_hw)


def warp_image(
  image: UInt8[np.ndarray, "h w 3"],
  factor: int,
  matrix: Float[np.ndarray, "2 3"],
  crop_hw: tuple[int, int],
) -> UInt8[np.ndarray, "H W 3"]:
  """The crop of an image that was decoded at 1 / factor of its size.

  Args:
    image: `decode(data, name, factor)`.
    factor: one of REDUCTIONS.
    matrix: crop_from_img, of pixels of the full image.
    crop_hw: size of the crop.
  """
  # x_img = factor * x_reduced + (factor - 1) / 2, see `decode`.
  crop_from_reduced = matrix.copy()
  crop_from_reduced[:, 2] += matrix[:, :2].sum(1) * (factor - 1) / 2
  crop_from_reduced[:, :2] *= factor
  return cv2.warpAffine(
    image, crop_from_reduced, crop_hw[::-1], flags=cv2.INTER_LINEAR
  )


def reduction(matrix: Float[np.ndarray, "2 3"]) -> int:
  """Largest reduction not above the image pixels per crop pixel.

  Of a stretched crop, along the axis that has fewer of them.
  """
  (a, b), (c, d) = matrix[:, :2].tolist()
  step = 1 / max(math.hypot(a, b), math.hypot(c, d))
  return max(r for r in REDUCTIONS if r <= max(step, 1))
