"""Skeletons, heatmaps and contact sheets as pictures (NumPy and OpenCV).

Pictures are uint8 RGB [H, W, 3]; no function changes the one it is given.
Colours: the person's left is blue, the right orange, the middle green, so a
mirrored prediction shows at once; the true pose is thin and white. Every
line has a dark rim and every dot a white one, to be seen on any background.
Small pictures are enlarged before they are drawn on.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, Integer, UInt8

from pose_jax.skeleton import Skeleton

Picture = UInt8[np.ndarray, "H W 3"]
Other = UInt8[np.ndarray, "_ _ 3"]  # a picture of another size

LEFT = (46, 134, 255)
RIGHT = (255, 138, 31)
MIDDLE = (64, 217, 120)
TRUTH = (255, 255, 255)
RIM = (16, 18, 24)
MARK = (255, 64, 96)
_SHIFT = 4  # OpenCV draws at 1/16 pixel


def side(name: str) -> tuple[int, int, int]:
  """Colour of a keypoint: its name says left, right or neither."""
  lowered = name.lower()
  if lowered.startswith(("left", "l_")):
    return LEFT
  return RIGHT if lowered.startswith(("right", "r_")) else MIDDLE


def _bone_color(skeleton: Skeleton, bone: tuple[int, int]):
  """The side both ends share, or that of the one end that has a side."""
  ends = {side(skeleton.keypoints[i]) for i in bone} - {MIDDLE}
  return ends.pop() if len(ends) == 1 else MIDDLE


def _line(image, start_xy, end_xy, color, width):
  a, b = (
    np.round(np.asarray(p) * 2**_SHIFT).astype(int) for p in (start_xy, end_xy)
  )
  cv2.line(image, a, b, color, width, cv2.LINE_AA, _SHIFT)


def _dot(image, center_xy, radius, color, width=-1):
  center = np.round(np.asarray(center_xy) * 2**_SHIFT).astype(int)
  cv2.circle(
    image,
    center,
    round(radius * 2**_SHIFT),
    color,
    width,
    cv2.LINE_AA,
    _SHIFT,
  )


def draw_skeleton(
  image: Picture,
  kpts_xy: Float[np.ndarray, "K 2"],
  skeleton: Skeleton,
  *,
  shown: Bool[np.ndarray, "K"] | None = None,
  hidden: Bool[np.ndarray, "K"] | None = None,
  width: float | None = None,
) -> Picture:
  """A copy of the picture with one person's bones and keypoints on it.

  Args:
    kpts_xy: pixels of `image`; may lie outside it.
    shown: keypoints to draw (default: all finite); a bone needs both its ends.
    hidden: keypoints drawn hollow (labelled, but covered).
    width: of a bone, pixels; default follows the picture's size.
  """
  image = image.copy()
  points = _drawable(kpts_xy, image)
  shown = np.isfinite(kpts_xy).all(1) if shown is None else shown
  hidden = np.zeros(len(points), bool) if hidden is None else hidden
  width = width or max(2.0, min(image.shape[:2]) / 110)
  bones = [b for b in skeleton.bones if shown[b[0]] and shown[b[1]]]
  for rim, grow in ((True, 2), (False, 0)):
    for bone in bones:
      color = RIM if rim else _bone_color(skeleton, bone)
      _line(image, *points[list(bone)], color, round(width + grow))
  radius = 1.1 * width + 0.5
  for k in np.flatnonzero(shown):
    color = side(skeleton.keypoints[k])
    _dot(image, points[k], radius + 2.2, RIM)
    _dot(image, points[k], radius + 1.2, TRUTH)
    _dot(image, points[k], radius, color)
    if hidden[k]:
      _dot(image, points[k], max(radius - 1.5, 1), RIM)
  return image


def draw_truth(
  image: Picture,
  kpts_xy: Float[np.ndarray, "K 2"],
  skeleton: Skeleton,
  *,
  shown: Bool[np.ndarray, "K"],
) -> Picture:
  """A copy of the picture with the true pose, thin and white, on it."""
  image = image.copy()
  points = _drawable(kpts_xy, image)
  bones = [b for b in skeleton.bones if shown[b[0]] and shown[b[1]]]
  for color, width in ((RIM, 3), (TRUTH, 1)):
    for bone in bones:
      _line(image, *points[list(bone)], color, width)
  for k in np.flatnonzero(shown):
    _dot(image, points[k], 3.0, RIM)
    _dot(image, points[k], 2.2, TRUTH)
  return image


def draw_box(image: Picture, corners_xy: Float[np.ndarray, "2 2"]) -> Picture:
  """A copy with a thin white box, given by top left and bottom right."""
  image = image.copy()
  (x0, y0), (x1, y1) = _drawable(corners_xy, image)
  corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
  for color, width in ((RIM, 3), (TRUTH, 1)):
    for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
      _line(image, a, b, color, width)
  return image


def mark(image: Picture, points_xy: Float[np.ndarray, "n 2"]) -> Picture:
  """A copy with a ring round each point."""
  image = image.copy()
  for point in _drawable(points_xy, image):
    for color, width in ((RIM, 4), (MARK, 2)):
      _dot(image, point, 8.5, color, width)
  return image


def _drawable(kpts_xy, image):
  """Points as float64, kept within reach of OpenCV's fixed-point numbers."""
  reach = 4 * max(image.shape[:2])
  points = np.nan_to_num(np.asarray(kpts_xy, np.float64))
  return np.clip(points, -reach, reach)


def window(
  box_xywh_img: Float[np.ndarray, "4"],
  image_hw: tuple[int, int],
  *,
  margin: float = 0.2,
) -> tuple[int, int, int, int]:
  """Rows and columns (top, bottom, left, right) round a box, in the picture.

  The box grows by `margin` of its longer side on every side; at least one
  pixel remains.
  """
  x, y, w, h = (float(v) for v in box_xywh_img)
  grow = margin * max(w, h)
  (height, width) = image_hw
  top = int(np.clip(np.floor(y - grow), 0, height - 1))
  left = int(np.clip(np.floor(x - grow), 0, width - 1))
  bottom = int(np.clip(np.ceil(y + h + grow), top + 1, height))
  right = int(np.clip(np.ceil(x + w + grow), left + 1, width))
  return top, bottom, left, right


def cut(
  image: Picture,
  box_xywh_img: Float[np.ndarray, "4"],
  *,
  height: int = 270,
  max_width: int = 270,
) -> tuple[Other, Float[np.ndarray, "2 3"]]:
  """The surroundings of a box, resized, and the matrix image -> cut.

  Returns:
    The cut, `height` pixels high or `max_width` wide, whichever is less, and
    the matrix that takes image pixels to its pixels (2x3).
  """
  top, bottom, left, right = window(box_xywh_img, image.shape[:2])
  part = image[top:bottom, left:right]
  factor = min(height / (bottom - top), max_width / (right - left))
  size_hw = [max(1, round(n * factor)) for n in part.shape[:2]]
  how = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
  resized = cv2.resize(part, (size_hw[1], size_hw[0]), interpolation=how)
  factor_xy = np.array(size_hw[::-1]) / np.array(part.shape[1::-1])
  # Pixel centres: the middle of the first pixel goes to (factor - 1) / 2.
  offset = (factor_xy - 1) / 2 - factor_xy * np.array([left, top])
  return resized, np.concatenate([np.diag(factor_xy), offset[:, None]], 1)


def person(
  image: Picture,
  box_xywh_img: Float[np.ndarray, "4"],
  skeleton: Skeleton,
  *,
  kpts_xy_img: Float[np.ndarray, "K 2"],
  true_xy_img: Float[np.ndarray, "K 2"],
  vis: Integer[np.ndarray, "K"],
  height: int = 270,
) -> Other:
  """One person twice: left the annotation, right the prediction.

  The right picture also shows the annotation, thin and white. Hollow: on the
  left hidden keypoints, on the right those that are not annotated. A
  prediction of nan is not drawn.
  """
  small, cut_from_img = cut(image, box_xywh_img, height=height)
  true_xy = _moved(true_xy_img, cut_from_img)
  kpts_xy = _moved(kpts_xy_img, cut_from_img)
  labelled = vis > 0
  left = draw_skeleton(
    small, true_xy, skeleton, shown=labelled, hidden=vis == 1
  )
  right = draw_truth(small, true_xy, skeleton, shown=labelled)
  right = draw_skeleton(right, kpts_xy, skeleton, hidden=~labelled)
  gap = np.full((small.shape[0], 4, 3), 255, np.uint8)
  return np.concatenate([left, gap, right], 1)


def _moved(points_xy, matrix):
  return np.asarray(points_xy, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def overlay_heatmap(
  crop: Picture,
  heatmap: Float[np.ndarray, "h w"],
  hm_from_crop: Float[np.ndarray, "2 3"],
  *,
  peak: float = 1.0,
) -> Picture:
  """A crop, greyed, with a heatmap glowing on it.

  Args:
    heatmap: heatmap frame; `peak` is shown at full strength, values of 0 and
      below leave the picture alone.
    hm_from_crop: takes crop pixels to heatmap pixels (Frames.hm_from_crop).
  """
  height, width = crop.shape[:2]
  spread = cv2.warpAffine(
    np.asarray(heatmap, np.float32),
    np.asarray(hm_from_crop, np.float64),
    (width, height),
    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    borderMode=cv2.BORDER_REPLICATE,
  )
  strength = np.clip(spread / max(peak, 1e-6), 0, 1)
  level = np.round(255 * strength).astype(np.uint8)
  colors = cv2.applyColorMap(level, cv2.COLORMAP_INFERNO)[..., ::-1]
  grey = crop.mean(-1, keepdims=True) * 0.55 + crop * 0.1
  alpha = np.sqrt(strength)[..., None] * 0.9
  return np.round(grey * (1 - alpha) + colors * alpha).astype(np.uint8)


def caption(image: Picture, text: str, *, scale: float = 0.4) -> Other:
  """The picture with a dark strip below that carries a line of text."""
  strip = np.full((round(44 * scale), image.shape[1], 3), 24, np.uint8)
  cv2.putText(
    strip,
    text,
    (4, round(30 * scale)),
    cv2.FONT_HERSHEY_SIMPLEX,
    scale,
    (235, 235, 235),
    1,
    cv2.LINE_AA,
  )
  return np.concatenate([image, strip])


def contact_sheet(
  pictures: Sequence[np.ndarray], *, columns: int, gap: int = 4
) -> Other:
  """Pictures side by side in rows of `columns`, on dark ground.

  Raises:
    ValueError: if there is no picture.
  """
  if not pictures:
    raise ValueError("pictures is empty: a contact sheet needs at least one")
  rows = [pictures[i : i + columns] for i in range(0, len(pictures), columns)]
  heights = [max(p.shape[0] for p in row) for row in rows]
  widths = [sum(p.shape[1] + gap for p in row) - gap for row in rows]
  sheet = np.full(
    (sum(heights) + gap * (len(rows) - 1), max(widths), 3), 24, np.uint8
  )
  y = 0
  for row, height in zip(rows, heights, strict=True):
    x = 0
    for picture in row:
      h, w = picture.shape[:2]
      top = y + (height - h) // 2
      sheet[top : top + h, x : x + w] = picture
      x += w + gap
    y += height + gap
  return sheet


def heatmap_sheet(
  crop: Picture,
  heatmaps: Float[np.ndarray, "h w K"],
  skeleton: Skeleton,
  hm_from_crop: Float[np.ndarray, "2 3"],
  *,
  columns: int = 10,
  tile_height: int = 144,
) -> Other:
  """The crop, all heatmaps at once, then each alone with its peak below.

  The view of all takes the maximum over keypoints. Every view is scaled to its
  own peak, so that weak maps can be seen; the number is the peak.
  """
  tile_w = round(tile_height * crop.shape[1] / crop.shape[0])
  peaks = heatmaps.max((0, 1))
  everything = heatmaps.max(-1)
  views = [
    ("crop", crop),
    (
      "all keypoints",
      overlay_heatmap(
        crop, everything, hm_from_crop, peak=float(everything.max())
      ),
    ),
  ]
  for k, name in enumerate(skeleton.keypoints):
    view = overlay_heatmap(
      crop, heatmaps[..., k], hm_from_crop, peak=float(peaks[k])
    )
    short = name.replace("left_", "l ").replace("right_", "r ")
    views.append((f"{short} {peaks[k]:.2f}", view))
  tiles = [
    caption(
      cv2.resize(view, (tile_w, tile_height), interpolation=cv2.INTER_AREA),
      text.replace("_", " "),
      scale=0.36,
    )
    for text, view in views
  ]
  return contact_sheet(tiles, columns=columns)
