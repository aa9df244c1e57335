"""What MPII's two forms, JSON lists and the release's .mat, have in common.

The person box. HRNet moves the centre down by 15 * scale, grows the scale by
1.25 and crops a square of 200 * scale about the centre. Here the box is the
square of 200 * scale about the moved centre, so that `Frames` with a padding
of 1.25, corner alignment and a square crop gives the same crop. Such boxes
reach beyond the image and are not cut, as that would move the centre.

The area. MPII publishes none, so OKS on MPII is nobody's protocol. As for the
Leeds sets it is the area of the box round the labelled keypoints.

Conventions of the source: MATLAB's 1-based pixels; Andriluka et al., CVPR 2014.
Crop: HRNet's lib/dataset/mpii.py and lib/utils/transforms.py.
"""

import pathlib
from collections.abc import Sequence

import numpy as np
import scipy.io
from jaxtyping import Float32, Float64, Int8

from pose_jax.data.images import DataError
from pose_jax.data.people import People
from pose_jax.skeleton import MPII16

HEAD_SHARE = 0.6  # PCKh's reference length, as a share of the head box
UNKNOWN = -1  # a centre or scale that the annotators did not give
_PERSON_PX = 200  # height of a person of scale 1
_DOWN_PX = 15  # how far HRNet moves the centre of a person of scale 1
_IDS_PER_IMAGE = 1000


def people_from_columns(
  names: Sequence[str],
  *,
  center_xy: Float64[np.ndarray, "N 2"],
  scale: Float64[np.ndarray, "N"],
  kpts_xy: Float64[np.ndarray, "N 16 2"],
  vis: Int8[np.ndarray, "N 16"],
  head_size: Float64[np.ndarray, "N"],
  place: Sequence[int],
  image_hw: np.ndarray,
  origin: pathlib.Path,
  box_source: str = "ground truth",
) -> People:
  """The table of people given as MPII gives them.

  Args:
    names: of the image, for each person; an image becomes one row, where it
      is named first.
    center_xy, kpts_xy: 1-based pixels.
    scale: person height / 200 pixels; the box has no area where this is not
      above 0 or the centre's x is -1, as MPII's lists say "unknown".
    vis: COCO's 0, 1, 2.
    head_size: pixels.
    place: of the person within the image, unique there; becomes part of its
      id.
    image_hw: [N, 2] for each person, (0, 0) where unknown.
    origin: what errors name.
    box_source: for the protocol of a score.
  Raises:
    DataError: as `People`, behind the name of `origin`.
  """
  first = {}
  for row, name in enumerate(names):
    first.setdefault(name, row)
  image_names = tuple(first)
  index = {name: i for i, name in enumerate(image_names)}
  image_index = np.array([index[name] for name in names], np.int32)
  image_ids = _image_ids(image_names)
  person_ids = image_ids[image_index] * _IDS_PER_IMAGE + np.array(place, int)
  is_labelled = vis > 0
  kpts_xy_img = np.where(is_labelled[..., None], kpts_xy - 1, 0)
  try:
    return People(
      skeleton=MPII16,
      image_names=image_names,
      image_ids=image_ids,
      image_hw=image_hw[list(first.values())].astype(np.int32),
      image_index=image_index,
      person_ids=person_ids,
      box_xywh_img=_boxes(center_xy, scale),
      kpts_xy_img=kpts_xy_img.astype(np.float32),
      vis=vis,
      area=_areas(kpts_xy_img, is_labelled),
      is_crowd=np.zeros(len(names), bool),
      score=np.ones(len(names), np.float32),
      box_source=box_source,
      area_source="box round the labelled keypoints",
      head_size=head_size.astype(np.float32),
    )
  except DataError as error:
    raise DataError(f"{origin}: {error}") from None


def read_mat(path: pathlib.Path, **options) -> dict:
  """What scipy reads from a .mat file; DataError if it cannot."""
  try:
    return scipy.io.loadmat(str(path), **options)
  except OSError as error:
    raise DataError(f"cannot read {path}: {error.strerror or error}") from None
  except Exception as error:  # scipy raises many kinds on a damaged file
    raise DataError(f"{path} is no readable .mat file: {error}") from None


def _boxes(
  center_xy: Float64[np.ndarray, "N 2"], scale: Float64[np.ndarray, "N"]
) -> Float32[np.ndarray, "N 4"]:
  """The module docstring's boxes; no area where centre or scale is unknown."""
  side = _PERSON_PX * scale[:, None]
  moved_xy = center_xy - 1 + np.stack([0 * scale, _DOWN_PX * scale], 1)
  box = np.concatenate([moved_xy - side / 2, side, side], 1)
  is_known = (scale > 0) & (center_xy[:, 0] != UNKNOWN)
  return np.where(is_known[:, None], box, 0).astype(np.float32)


def _areas(
  kpts_xy_img: Float64[np.ndarray, "N K 2"], is_labelled: np.ndarray
) -> Float32[np.ndarray, "N"]:
  """Of the box round the labelled keypoints; 0 if there are none."""
  mask = is_labelled[..., None]
  low = np.where(mask, kpts_xy_img, np.inf).min(1)
  high = np.where(mask, kpts_xy_img, -np.inf).max(1)
  extent = np.where(is_labelled.any(1)[:, None], high - low, 0)
  return extent.prod(1).astype(np.float32)


def _image_ids(image_names: tuple[str, ...]) -> np.ndarray:
  """The numbers that the files are called; places from 1 if not all are."""
  stems = [pathlib.PurePath(name).stem for name in image_names]
  if all(s.isdecimal() and s.isascii() and len(s) < 15 for s in stems):
    numbers = [int(stem) for stem in stems]
    if len(set(numbers)) == len(numbers):
      return np.array(numbers, np.int64)
  return np.arange(1, len(image_names) + 1)
