"""Where each keypoint may be, as a density on the photograph.

Gaussians are drawn as they are given; where their widths come from is the
caller's knowledge. Pictures are uint8 RGB [H, W, 3].
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float

from pose_jax import draw
from pose_jax.skeleton import Skeleton

_WIDTH = 1120  # of a sheet, pixels
_GAP = 4
_IDENTITY = np.eye(2, 3)


def density_sheet(
  image: draw.Picture,
  box_xywh_img: Float[np.ndarray, "4"],
  skeleton: Skeleton,
  *,
  kpts_xy_img: Float[np.ndarray, "K 2"],
  deviation_xy_img: Float[np.ndarray, "K 2"],
  true_xy_img: Float[np.ndarray, "K 2"],
  labelled: Bool[np.ndarray, "K"],
  shown: Bool[np.ndarray, "K"],
  probability: Float[np.ndarray, "K"] | None = None,
  tile: int = 180,
) -> draw.Other:
  """One panel per keypoint, and a last one with all of them and the skeleton.

  Every density is drawn at full strength where it is highest, so a wide one is
  as bright as a narrow one. The white dot is the annotation. A keypoint that
  is not shown leaves the photograph grey.

  Args:
    box_xywh_img: what the panels show, with some of its surroundings.
    kpts_xy_img, deviation_xy_img: means and deviations, image pixels; nan for
      a keypoint that has no density.
    true_xy_img, labelled: annotations and which of them there are.
    shown: keypoints that were said to be there.
    probability: of each being there, written below its panel.
    tile: longer side of a panel, pixels.
  """
  small, cut_from_img = draw.cut(
    image, box_xywh_img, height=tile, max_width=tile
  )
  factor_xy, offset_xy = np.diag(cut_from_img[:, :2]), cut_from_img[:, 2]
  densities = _densities(
    small.shape[:2],
    kpts_xy_img * factor_xy + offset_xy,
    np.maximum(deviation_xy_img * factor_xy, 1.0),  # at least to be seen
  )
  densities[~shown] = 0
  truth = true_xy_img * factor_xy + offset_xy
  tiles = []
  for k, name in enumerate(skeleton.keypoints):
    picture = draw.overlay_heatmap(small, densities[k], _IDENTITY)
    only = labelled & (np.arange(len(labelled)) == k)
    picture = draw.draw_truth(picture, truth, skeleton, shown=only)
    tiles.append(_titled(picture, _title(name, k, shown, probability)))
  everything = draw.overlay_heatmap(small, densities.max(0), _IDENTITY)
  everything = draw.draw_skeleton(
    everything,
    kpts_xy_img * factor_xy + offset_xy,
    skeleton,
    shown=shown & np.isfinite(kpts_xy_img).all(1),
  )
  tiles.append(_titled(everything, "all keypoints"))
  columns = max(1, (_WIDTH + _GAP) // (tiles[0].shape[1] + _GAP))
  return draw.contact_sheet(tiles, columns=columns, gap=_GAP)


def _densities(
  image_hw: tuple[int, int],
  mean_xy: Float[np.ndarray, "K 2"],
  deviation_xy: Float[np.ndarray, "K 2"],
) -> Float[np.ndarray, "K H W"]:
  """Gaussians of height 1; 0 everywhere where a mean or deviation is nan."""
  y, x = (np.arange(n)[None] for n in image_hw)
  along_x, along_y = (
    np.exp(-0.5 * ((p - mean_xy[:, i, None]) / deviation_xy[:, i, None]) ** 2)
    for i, p in ((0, x), (1, y))
  )
  return np.nan_to_num(along_y[:, :, None] * along_x[:, None, :])


def _title(name, k, shown, probability) -> str:
  """Keypoint and probability, in few letters."""
  text = name.replace("left_", "l ").replace("right_", "r ").replace("_", " ")
  if probability is not None:
    text += f" {probability[k]:.2f}"
  return text if shown[k] else f"{text}: absent"


def _titled(picture, text):
  """A narrow panel is widened, so that its line can be read."""
  narrow = 120 - picture.shape[1]
  if narrow > 0:
    picture = cv2.copyMakeBorder(
      picture, 0, 0, narrow // 2, narrow - narrow // 2, 0, value=(24,) * 3
    )
  return draw.caption(picture, text, scale=0.36)
