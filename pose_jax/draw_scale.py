"""What colours stand for, with numbers below, and lines of small print.

For maps whose values are not known beforehand: attention, differences.
Pictures are uint8 RGB [H, W, 3].
"""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Float, UInt8

Picture = UInt8[np.ndarray, "H W 3"]
Strip = UInt8[np.ndarray, "_ _ 3"]

GROUND = 24  # grey of what lies behind text
INK = (235, 235, 235)
SOFT = (176, 180, 188)
GAIN = (255, 64, 64)
LOSS = (64, 132, 255)
BAR_HEIGHT = 25  # of a scale bar with its numbers
_RAMP = 9  # of that, the colours
_FIGURES = 0.34  # OpenCV's scale of the numbers
_COVER = 0.6  # share of colour in what is seen
_SIGNED_COVER = 0.85  # at full strength; nothing where nothing changed


@dataclasses.dataclass(frozen=True)
class Scale:
  """What colours say: `low` to `high`, dark to bright.

  Where `is_signed`, red for more and blue for less than 0, the middle; what
  is 0 has no colour. The picture below is darkened evenly, so that pictures of
  both kinds look alike. A flat scale, both ends of which read the same, has
  one colour.
  """

  low: float | int
  high: float | int
  is_signed: bool = False

  @property
  def is_flat(self) -> bool:
    if self.is_signed:
      return self.high <= self.low
    near = self.high - self.low <= 0.01 * max(abs(self.low), abs(self.high))
    return near and number(self.low) == number(self.high)

  def paint(
    self, picture: Picture, values: Float[np.ndarray, "H W"]
  ) -> Picture:
    """The picture, greyed, under the colours of as many values."""
    span = np.inf if self.is_flat else self.high - self.low  # flat: the middle
    middle = (self.low + self.high) / 2
    level = np.clip(0.5 + (values - middle) / span, 0, 1)[..., None]
    grey = picture.mean(-1, keepdims=True)
    if self.is_signed:
      cover = _SIGNED_COVER * np.abs(2 * level - 1) ** 0.7
      color = np.where(level > 0.5, np.array(GAIN), np.array(LOSS))
      grey = grey * (1 - _COVER)
    else:
      cover = _COVER
      color = cv2.applyColorMap(
        np.round(255 * level[..., 0]).astype(np.uint8), cv2.COLORMAP_INFERNO
      )[..., ::-1]
    return np.round(grey * (1 - cover) + color * cover).astype(np.uint8)

  def bar(self, width: int) -> Picture:
    """The colours from left to right, and below the numbers they stand for."""
    ramp = np.linspace(self.low, self.high, width)
    ground = np.full((_RAMP, width, 3), 128, np.uint8)
    bar = self.paint(ground, np.tile(ramp, (_RAMP, 1)))
    low, high = number(self.low), number(self.high)
    if self.is_signed:
      low, high = f"-{number(self.high)}", f"+{number(self.high)}"
    strip = np.full((16, width, 3), GROUND, np.uint8)
    if self.is_flat:
      write(strip, f"flat, {number(self.low)}", 1, 12, _FIGURES, INK)
      return np.concatenate([bar, strip])
    left = 1
    for text in (low, high):
      write(strip, text, left, 12, _FIGURES, INK)
      left = width - 1 - extent(high, _FIGURES)
    return np.concatenate([bar, strip])


def scale_of(*values: np.ndarray) -> Scale:
  """From the least to the greatest of all values."""
  return Scale(
    float(min(v.min() for v in values)), float(max(v.max() for v in values))
  )


def number(value: float | int) -> str:
  """Two or three digits, in few letters."""
  size = abs(value)
  if size == 0 or 1e-4 <= size < 1e3:
    return f"{value:.2g}" if size < 1e-2 else f"{value:.3g}"
  return f"{value:.0f}" if 1e3 <= size < 1e6 else f"{value:.0e}"


def text_strip(
  text: str,
  width: int,
  *,
  scale: float = 0.4,
  color: tuple[int, int, int] = INK,
) -> Picture:
  """Lines of text, broken between words, on dark ground."""
  lines = [""]
  for word in text.split():
    longer = f"{lines[-1]} {word}".strip()
    if lines[-1] and extent(longer, scale) > width - 8:
      lines.append(word)
    else:
      lines[-1] = longer
  height = round(42 * scale)
  strip = np.full((height * len(lines) + 4, width, 3), GROUND, np.uint8)
  for i, line in enumerate(lines):
    write(strip, line, 4, height * i + round(32 * scale), scale, color)
  return strip


def extent(text: str, scale: float) -> int:
  """Width of a line of text, pixels."""
  return cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]


def write(
  picture: np.ndarray,
  text: str,
  x: int,
  y: int,
  scale: float,
  color: tuple[int, int, int],
) -> None:
  """Writes on the picture itself, from (x, y) on its base line."""
  cv2.putText(
    picture,
    text,
    (x, y),
    cv2.FONT_HERSHEY_SIMPLEX,
    scale,
    color,
    1,
    cv2.LINE_AA,
  )


def between(start: str, end: str) -> str:
  """A link in few letters: "l shoulder - elbow", "l - r shoulder"."""
  (start_side, *start_name), (end_side, *end_name) = start.split(), end.split()
  if start_name and start_name == end_name:
    return f"{start_side} - {end}"
  if start_name and end_name and start_side == end_side:
    return f"{start} - {' '.join(end_name)}"
  return f"{start} - {end}"
