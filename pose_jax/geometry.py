"""Frames, boxes and the 2x3 matrices between frames (NumPy, float64).

Three frames, always in pixels: `_img` the photograph, `_crop` the network's
input, `_hm` the heatmap. Integer coordinates are pixel centres; (0, 0) is the
centre of the top-left pixel. Points are (x, y). Frames are linked only by 2x3
matrices `b_from_a`, so that a chain reads `compose(hm_from_crop,
crop_from_img)`. `Frames` holds the one alignment rule that crop, encoder,
decoder and flip test share:

  corner  HRNet's: box width w goes to crop width W by the factor W / w, and
          heatmap coordinate = crop coordinate * (map width / crop width). The
          mirror images of crop and heatmap then differ by almost a heatmap
          pixel, hence a flip shift of one column.
  unit    DARK's: distances between pixel centres go to distances between
          pixel centres, (W - 1) / (w - 1), about the frames' centres. No flip
          shift.
  udp     UDP's: crop and heatmap are measured as in "unit", a box is not: its
          width goes to W - 1 and its height to H - 1, each by a factor of its
          own. So x and y scale apart, by 1 in 764 in a crop of 256x192, by 1
          in 188 on its heatmap; and a box reaches a pixel farther than in
          "unit". No flip shift.

The first two scale x and y alike, by the widths: a box grows to the crop's
aspect. A box that is stretched to the crop instead (`keep_aspect` False) has
x and y scaled apart under every rule, in the crop by the box's aspect, and
between crop and heatmap by width and height each for itself. Its sides go to
the crop's sides: in "corner" to 0 and W, in the others to 0 and W - 1.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

ALIGNMENTS = ("corner", "unit", "udp")
# From a heatmap to one of twice its size whose 2x2 cells lie on its pixels.
LIFTED_FROM_HM = np.array([[2, 0, 0.5], [0, 2, 0.5]])


@dataclasses.dataclass(frozen=True)
class Frames:
  """Sizes of crop and heatmap and the rule that aligns them.

  Attributes:
    crop_hw: network input (height, width), pixels.
    map_hw: heatmap (height, width), pixels.
    alignment: "corner" (HRNet), "unit" (DARK) or "udp" (Huang et al. 2020,
      arXiv 1911.07524; their code's get_warp_matrix).
    padding: factor by which a box grows before it is cropped.
    keep_aspect: False stretches the box to the crop, which then shows people
      thinner or wider than they are; its shorter side does not grow.
  Raises:
    ValueError: on an unknown alignment, sizes below 2, or a heatmap whose
      aspect is not the crop's.
  """

  crop_hw: tuple[int, int]
  map_hw: tuple[int, int]
  alignment: str = "corner"
  padding: float | int = 1.25
  keep_aspect: bool = True

  def __post_init__(self):
    if self.alignment not in ALIGNMENTS:
      raise ValueError(
        f"alignment must be one of {', '.join(ALIGNMENTS)}, got "
        f"{self.alignment!r}"
      )
    if min(*self.crop_hw, *self.map_hw) < 2 or self.padding <= 0:
      raise ValueError(
        f"crop_hw {self.crop_hw} and map_hw {self.map_hw} must be at least 2 "
        f"pixels and padding {self.padding} above 0"
      )
    (crop_h, crop_w), (map_h, map_w) = self.crop_hw, self.map_hw
    if crop_h * map_w != crop_w * map_h:
      raise ValueError(
        f"map_hw {self.map_hw} must have the aspect of crop_hw "
        f"{self.crop_hw}: choose a crop that the network's stride divides"
      )

  @property
  def _inset(self) -> int:
    """Pixels by which a frame's extent is less than its pixel count."""
    return 0 if self.alignment == "corner" else 1

  @property
  def box_inset(self) -> int:
    """Pixels by which a box's extent is less than its width or height."""
    return 1 if self.alignment == "unit" else 0

  def center_size(
    self, box_xywh_img: Float[np.ndarray, "*n 4"]
  ) -> tuple[Float[np.ndarray, "*n 2"], Float[np.ndarray, "*n 2"]]:
    """Centre and padded (width, height) of boxes, at the crop's aspect.

    The shorter side grows until the aspect is the crop's; both are then
    padded. HRNet's `scale` is this size / 200. Boxes that are stretched to
    the crop are only padded.

    Args:
      box_xywh_img: top-left corner and size, image pixels.
    Returns:
      center_xy_img and size_wh_img, float64.
    """
    box = np.asarray(box_xywh_img, np.float64)
    corner_xy, box_wh = box[..., :2], box[..., 2:]
    center_xy = corner_xy + (box_wh - self.box_inset) / 2
    if not self.keep_aspect:
      return center_xy, box_wh * self.padding
    aspect = self.crop_hw[1] / self.crop_hw[0]
    width = np.maximum(box_wh[..., 0], box_wh[..., 1] * aspect)
    return center_xy, np.stack([width, width / aspect], -1) * self.padding

  def crop_from_img(
    self,
    center_xy_img: Float[np.ndarray, "*n 2"],
    size_wh_img: Float[np.ndarray, "*n 2"],
    *,
    rotation_rad: float | int | Float[np.ndarray, "*n"] = 0.0,
  ) -> Float[np.ndarray, "*n 2 3"]:
    """Matrix that takes image pixels to crop pixels.

    A positive rotation turns the box clockwise as seen on the screen, and the
    picture inside the crop the other way (HRNet's sign; UDP's code has the
    other). What is scaled apart are the crop's axes, whatever the rotation: of
    a turned and stretched box the sides still go to the crop's.
    """
    return self._frame_from_img(
      self.crop_hw, center_xy_img, size_wh_img, rotation_rad
    )

  def img_from_hm(
    self,
    center_xy_img: Float[np.ndarray, "*n 2"],
    size_wh_img: Float[np.ndarray, "*n 2"],
  ) -> Float[np.ndarray, "*n 2 3"]:
    """Matrix that takes heatmap pixels back to image pixels (no rotation)."""
    return invert(
      compose(self.hm_from_crop, self.crop_from_img(center_xy_img, size_wh_img))
    )

  def _frame_from_img(self, frame_hw, center_xy, size_wh, rotation_rad):
    center_xy = np.asarray(center_xy, np.float64)
    size_wh = np.asarray(size_wh, np.float64)
    rotation_rad = np.asarray(rotation_rad, np.float64)
    factor_xy = self._factor_xy(frame_hw, size_wh - self.box_inset)
    cos = factor_xy * np.cos(rotation_rad)[..., None]
    sin = factor_xy * np.sin(rotation_rad)[..., None]
    rows = [cos[..., 0], sin[..., 0]], [-sin[..., 1], cos[..., 1]]
    linear = np.stack([np.stack(row, -1) for row in rows], -2)
    offset = self._center(frame_hw) - (linear @ center_xy[..., None])[..., 0]
    return np.concatenate([linear, offset[..., None]], -1)

  def _factor_xy(
    self, frame_hw: tuple[int, int], extent_wh: Float[np.ndarray, "*n 2"]
  ) -> Float[np.ndarray, "*n 2"]:
    """Pixels of a frame per pixel of what fills it, along x and along y."""
    factor_xy = (np.array(frame_hw[::-1]) - self._inset) / extent_wh
    if self.alignment == "udp" or not self.keep_aspect:
      return factor_xy
    return np.repeat(factor_xy[..., :1], 2, -1)

  def _center(self, frame_hw: tuple[int, int]) -> Float[np.ndarray, "2"]:
    return (np.array(frame_hw[::-1], np.float64) - self._inset) / 2

  @property
  def hm_from_crop(self) -> Float[np.ndarray, "2 3"]:
    """Matrix that takes crop pixels to heatmap pixels; the same for all."""
    extent_wh = np.array(self.crop_hw[::-1], np.float64) - self._inset
    factor_xy = self._factor_xy(self.map_hw, extent_wh)
    offset = self._center(self.map_hw) - factor_xy * self._center(self.crop_hw)
    return np.concatenate([np.diag(factor_xy), offset[:, None]], 1)

  def scaled_size(
    self, size_wh_img: Float[np.ndarray, "*n 2"], scale: float | int
  ) -> Float[np.ndarray, "*n 2"]:
    """Size of a crop in which the person appears `scale` times as large."""
    return (size_wh_img - self.box_inset) / scale + self.box_inset

  def scaled_from_hm(self, scale: float | int) -> Float[np.ndarray, "2 3"]:
    """Matrix from the heatmap of a crop to that of its `scaled_size`.

    The same for everybody: crops of a test pyramid share their centre.
    """
    offset = (1 - scale) * self._center(self.map_hw)
    return np.concatenate([scale * np.eye(2), offset[:, None]], 1)

  @property
  def mirror(self) -> Float[np.ndarray, "2 3"]:
    """Matrix that mirrors the crop left-right about its centre."""
    return np.array([[-1, 0, 2 * self._center(self.crop_hw)[0]], [0, 1, 0]])

  @property
  def flip_shift(self) -> int:
    """Columns by which a mirrored heatmap must move right in the flip test.

    Mirroring pixels sends crop column x to W - 1 - x and heatmap column m to
    w - 1 - m. What the first sends a heatmap coordinate to, less what the
    second does, in whole columns: 1 - w / W rounded for "corner", 0 for
    "unit" and "udp".
    """
    factor, _, offset = self.hm_from_crop[0]
    mirrored_crop = factor * (self.crop_hw[1] - 1) + 2 * offset
    return round(mirrored_crop - (self.map_hw[1] - 1))


def compose(
  outer: Float[np.ndarray, "*n 2 3"], inner: Float[np.ndarray, "*m 2 3"]
) -> Float[np.ndarray, "*k 2 3"]:
  """The matrix that applies `inner`, then `outer`; leading axes broadcast."""
  linear = outer[..., :2] @ inner[..., :2]
  offset = outer[..., :2] @ inner[..., 2:] + outer[..., 2:]
  return np.concatenate([linear, offset], -1)


def invert(matrix: Float[np.ndarray, "*n 2 3"]) -> Float[np.ndarray, "*n 2 3"]:
  """The matrix of the way back."""
  linear = np.linalg.inv(matrix[..., :2])
  return np.concatenate([linear, -linear @ matrix[..., 2:]], -1)


def transform(points_xy, matrix):
  """Points [..., N, 2] through matrices [..., 2, 3]; NumPy or JAX arrays.

  Written out, because accelerators round the factors of matrix products.
  """
  x, y = points_xy[..., 0:1], points_xy[..., 1:2]
  columns = [matrix[..., None, :, i] for i in range(3)]
  return x * columns[0] + y * columns[1] + columns[2]


def box_from_keypoints(
  kpts_xy_img: Float[np.ndarray, "K 2"], labelled: Bool[np.ndarray, "K"]
) -> Float[np.ndarray, "4"]:
  """Smallest (x, y, w, h) box round the labelled keypoints; zeros if none."""
  points = kpts_xy_img[labelled]
  if not len(points):
    return np.zeros(4)
  low, high = points.min(0), points.max(0)
  return np.concatenate([low, high - low])
