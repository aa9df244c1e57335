"""Photographs with EXIF, in bytes laid out by hand."""

import struct

import cv2
import numpy as np


def turned(value, order=">", picture=None):
  """A JPEG whose EXIF names another tag and then the orientation."""
  if picture is None:
    picture = np.zeros((8, 6, 3), np.uint8)
  data = cv2.imencode(".jpg", picture)[1].tobytes()
  mark = b"MM" if order == ">" else b"II"
  directory = struct.pack(f"{order}H", 2)
  directory += struct.pack(f"{order}HHII", 0x010F, 4, 1, 7)
  directory += struct.pack(f"{order}HHIHH", 0x0112, 3, 1, value, 0)
  tiff = mark + struct.pack(f"{order}HI", 42, 8) + directory + bytes(4)
  segment = b"Exif\0\0" + tiff
  return (
    b"\xff\xd8\xff\xe1"
    + struct.pack(">H", len(segment) + 2)
    + (segment + data[2:])
  )
