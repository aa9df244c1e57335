"""What EXIF says of a photograph's orientation."""

import cv2
import numpy as np
import pytest
from made_photographs import turned

from pose_jax.data.orientation import exif_orientation


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("value", range(1, 9))
def test_the_tag_is_found_in_either_byte_order(value, order):
  data = turned(value, order)
  assert exif_orientation(data) == value
  # Written as cameras do: OpenCV, which turns by it, agrees on the shape.
  shape = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape
  assert shape[:2] == ((6, 8) if value >= 5 else (8, 6))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_bytes_that_fill_up_before_a_marker_are_skipped(count):
  data = turned(6)
  assert data[2:4] == b"\xff\xe1"
  comment = b"\xff\xfe\x00\x04ab"
  fill = count * b"\xff"
  filled = data[:2] + fill + comment + fill + data[2:]
  assert exif_orientation(filled) == 6
  shape = cv2.imdecode(np.frombuffer(filled, np.uint8), 1).shape
  assert shape[:2] == (6, 8)  # OpenCV finds it too
  assert exif_orientation(data[:2] + 99 * b"\xff") == 1


def test_files_that_do_not_say_are_upright():
  plain = np.zeros((8, 6, 3), np.uint8)
  for suffix in (".jpg", ".png"):
    assert exif_orientation(cv2.imencode(suffix, plain)[1].tobytes()) == 1
  assert exif_orientation(b"") == exif_orientation(b"\xff\xd8\xff") == 1
  assert exif_orientation(turned(77)) == 1


@pytest.mark.parametrize("length", range(4, 50, 3))
def test_a_file_cut_short_is_upright(length):
  assert exif_orientation(turned(6)[:length]) in (1, 6)
