"""Sources of encoded images, and their decoding.

A source hands out the bytes of image i; it never decodes. Decoding ignores
the EXIF orientation, because annotations refer to the stored pixels.
"""

import dataclasses
import os
import pathlib
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import UInt8

Row = int | np.integer
REDUCTIONS = (1, 2, 4, 8)

# libjpeg halves, quarters, ... the picture while decoding. The names say
# GRAYSCALE, but that bit only sets the size; IMREAD_COLOR_RGB sets the colour.
_REDUCED = {
  1: 0,
  2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
  4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
  8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_JPEG = b"\xff\xd8"
_END = b"\xff\xd9"
_SCAN = b"\xff\xda"
_HEAD_BYTES = 1 << 16
ADVICE = "; replace the file or take its annotations out"  # of an error


class DataError(ValueError):
  """Data on disk is not as it should be; the message names the culprit."""


@runtime_checkable
class ImageSource(Protocol):
  """Encoded images by index."""

  def __len__(self) -> int: ...

  def name(self, i: Row) -> str:
    """What messages call image i."""

  def read(self, i: Row) -> bytes:
    """The encoded bytes of image i; DataError names an unreadable one."""


@dataclasses.dataclass(frozen=True)
class FolderImages:
  """Images in a folder, by file name (which may contain sub-folders)."""

  root: pathlib.Path
  names: tuple[str, ...]

  def __len__(self) -> int:
    return len(self.names)

  def name(self, i: Row) -> str:
    return self.names[i]

  def read(self, i: Row) -> bytes:
    return self._bytes(i, -1)

  def hw(self, i: Row) -> tuple[int, int]:
    """Height and width of image i, from its first bytes where possible."""
    head = self._bytes(i, _HEAD_BYTES)
    size = _jpeg_hw(head)
    if size is None:
      size = decode(self.read(i), self.name(i)).shape[:2]
    return size

  def check(self) -> None:
    """Raises DataError if a file is missing; lists folders, reads none."""
    if not self.root.is_dir():
      raise DataError(
        f"the image folder {self.root} does not exist: give the folder that "
        "holds the images the annotations name"
      )
    folders = {os.path.dirname(name) for name in self.names}
    present = {
      os.path.join(folder, entry.name)
      for folder in folders
      if (self.root / folder).is_dir()
      for entry in os.scandir(self.root / folder)
    }
    missing = [name for name in self.names if name not in present]
    if missing:
      raise DataError(
        f"{len(missing)} of {len(self)} annotated images are missing from "
        f"{self.root}, the first is {missing[0]!r}"
      )

  def _bytes(self, i: Row, limit: int) -> bytes:
    try:
      with open(os.path.join(self.root, self.names[i]), "rb") as file:
        return file.read(limit)
    except OSError as error:
      raise DataError(
        f"cannot read image {self.root / self.names[i]}: {error.strerror}"
      ) from None


@dataclasses.dataclass(frozen=True)
class ConcatenatedImages:
  """The images of several sources, one after the other.

  Attributes:
    titles: what messages call each source, where their images may have the
      same names: "lsp train: images/im0001.jpg".
  """

  sources: tuple[ImageSource, ...]
  titles: tuple[str, ...] = ()

  def __len__(self) -> int:
    return sum(len(source) for source in self.sources)

  def name(self, i: Row) -> str:
    place, i = self._locate(i)
    name = self.sources[place].name(i)
    return f"{self.titles[place]}: {name}" if self.titles else name

  def read(self, i: Row) -> bytes:
    place, i = self._locate(i)
    return self.sources[place].read(i)

  def _locate(self, i: Row) -> tuple[int, Row]:
    """Which source image i is of, and its row there."""
    for place, source in enumerate(self.sources):
      if i < len(source):
        return place, i
      i -= len(source)
    raise IndexError(f"image index beyond the {len(self)} images")


def decode(
  data: bytes, name: str, reduce: int = 1
) -> UInt8[np.ndarray, "H W 3"]:
  """Pixels of an encoded image, RGB, whatever its EXIF orientation says.

  With `reduce` r, pixel i of the result covers pixels r*i .. r*i + r - 1 of
  the photograph (the last one may cover fewer), so x_img = r*x + (r - 1)/2.
  A JPEG is reduced inside its inverse cosine transform, which is faster than
  decoding it in full; other formats are averaged afterwards.

  Args:
    data: the file's bytes.
    name: what the error calls the image.
    reduce: 1, 2, 4 or 8.
  Returns:
    uint8 [ceil(height / reduce), ceil(width / reduce), 3].
  Raises:
    DataError: if the bytes are no image or end early.
  """
  if reduce not in REDUCTIONS:
    raise ValueError(f"reduce must be one of {REDUCTIONS}, got {reduce}")
  is_jpeg = data.startswith(_JPEG)
  # Older OpenCV fills a truncated JPEG up with grey without a word.
  if is_jpeg and not data.endswith(_END) and not _has_end(data):
    raise _unreadable(name, data, "the JPEG ends early")
  flags = _RGB | (_REDUCED[reduce] if is_jpeg else 0)
  image = None
  if data:
    try:
      image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # what OpenCV throws on some broken headers
      pass
  if image is None:
    raise _unreadable(name, data, "it is damaged or no JPEG or PNG")
  return image if is_jpeg or reduce == 1 else _average_blocks(image, reduce)


def _has_end(jpeg: bytes) -> bool:
  """Whether the last scan ends; bytes behind it do no harm."""
  return jpeg.rfind(_END) > jpeg.rfind(_SCAN)


def _unreadable(name: str, data: bytes, why: str) -> DataError:
  return DataError(
    f"cannot decode image {name!r} ({len(data)} bytes): {why}{ADVICE}"
  )


def _average_blocks(image: np.ndarray, reduce: int) -> np.ndarray:
  height, width = image.shape[:2]
  padded = cv2.copyMakeBorder(
    image, 0, -height % reduce, 0, -width % reduce, cv2.BORDER_REPLICATE
  )
  size_wh = (padded.shape[1] // reduce, padded.shape[0] // reduce)
  return cv2.resize(padded, size_wh, interpolation=cv2.INTER_AREA)


def _jpeg_hw(head: bytes) -> tuple[int, int] | None:
  """Size in a JPEG's frame header; None if `head` does not reach that far."""
  if not head.startswith(_JPEG):
    return None
  at = 2
  while at + 9 <= len(head) and head[at] == 0xFF:
    marker = head[at + 1]
    if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
      height, width = head[at + 5 : at + 7], head[at + 7 : at + 9]
      return int.from_bytes(height, "big"), int.from_bytes(width, "big")
    at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
  return None
