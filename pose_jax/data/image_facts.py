"""Every image of a source read once: is it whole, how large, what does it show.

Only a small grey thumbnail of each image is kept, so that sets of any size
fit into memory.
"""

import dataclasses
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from jaxtyping import Int32, UInt8

from pose_jax.data.images import DataError, ImageSource, decode

THUMBNAIL = 32  # pixels a side


@dataclasses.dataclass(frozen=True, eq=False)
class ImageFacts:
  """What M images are like.

  Attributes:
    image_hw: true height and width; (0, 0) where there is no picture.
    fault: "" for a good image, "missing" for one that cannot be read,
      "broken" for one that cannot be decoded.
    why: what went wrong, a sentence; "" for a good image.
    digest: of the file's bytes; the same for the same file.
    thumbnails: grey, stretched to a square; 0 where there is no picture.
  """

  image_hw: Int32[np.ndarray, "M 2"]
  fault: tuple[str, ...]
  why: tuple[str, ...]
  digest: tuple[bytes, ...]
  thumbnails: UInt8[np.ndarray, "M s s"]


def read_facts(
  images: ImageSource,
  *,
  num_threads: int = 2,
  progress: Callable[[int, int], None] | None = None,
) -> ImageFacts:
  """Reads and decodes every image once; a bad one does not stop it.

  Args:
    images: where the encoded images come from.
    num_threads: threads that read and decode.
    progress: called with images done and wanted.
  """
  rows = []
  with ThreadPoolExecutor(num_threads) as pool:
    for row in pool.map(lambda i: _look_at(images, i), range(len(images))):
      rows.append(row)
      if progress:
        progress(len(rows), len(images))
  hw, fault, why, digest, thumbnails = (
    zip(*rows, strict=True) if rows else (((),) * 5)
  )
  return ImageFacts(
    image_hw=np.array(hw, np.int32).reshape(-1, 2),
    fault=fault,
    why=why,
    digest=digest,
    thumbnails=np.array(thumbnails, np.uint8).reshape(-1, THUMBNAIL, THUMBNAIL),
  )


def _look_at(images: ImageSource, i: int):
  """Size, fault, reason, digest and thumbnail of image i."""
  nothing = np.zeros((THUMBNAIL, THUMBNAIL), np.uint8)
  try:
    data = images.read(i)
  except DataError as error:
    return (0, 0), "missing", str(error), b"", nothing
  digest = hashlib.sha256(data).digest()
  try:
    image = decode(data, images.name(i))
  except DataError as error:
    return (0, 0), "broken", str(error), digest, nothing
  small = cv2.resize(
    image, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA
  )
  grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
  return image.shape[:2], "", "", digest, grey
