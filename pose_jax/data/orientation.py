"""How a camera held a photograph, which decoding leaves aside.

Annotations refer to the stored pixels, so `images.decode` ignores what EXIF
says of their orientation. Where there are no annotations, whoever predicts
should know that a picture lies on its side.
"""

import struct

_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112  # the tag


def exif_orientation(head: bytes) -> int:
  """1 for upright, 2 to 8 for mirrored and turned, by EXIF's numbers.

  1 too where a JPEG does not say, or the file is no JPEG.

  Args:
    head: the first bytes of a file; EXIF stands within the first 64 KiB.
  """
  if not head.startswith(b"\xff\xd8"):
    return 1
  at = 2
  while at + 4 <= len(head) and head[at] == 0xFF:
    if head[at + 1] == 0xFF:  # any number of these may stand before a marker
      at += 1
      continue
    marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
    if marker == 0xE1 and head[at + 4 :].startswith(_EXIF):
      tiff = head[at + 4 + len(_EXIF) : at + 2 + length]
      try:
        return _from_tiff(tiff)
      except struct.error:  # cut short
        return 1
    at += 2 + length
  return 1


def _from_tiff(tiff: bytes) -> int:
  """The tag's value in the first directory."""
  order = "<" if tiff.startswith(b"II") else ">"
  (start,) = struct.unpack_from(f"{order}I", tiff, 4)
  (count,) = struct.unpack_from(f"{order}H", tiff, start)
  for i in range(count):
    tag, _, _, value = struct.unpack_from(
      f"{order}HHIH", tiff, start + 2 + 12 * i
    )
    if tag == _ORIENTATION:
      return value if 1 <= value <= 8 else 1
  return 1
