import re

import cv2
import numpy as np
import pytest

from pose_jax.data.images import (
  ConcatenatedImages,
  DataError,
  FolderImages,
  ImageSource,
  decode,
)

HW = (75, 101)  # odd, so that reduced images have a part-covered border


def picture(hw=HW):
  y, x = np.mgrid[: hw[0], : hw[1]]
  return np.stack([x * 2, y * 3, (x + y) % 256], -1).astype(np.uint8)


def encoded(image, kind=".jpg", *options):
  return cv2.imencode(kind, image[..., ::-1], list(options))[1].tobytes()


def with_orientation(jpeg, orientation):
  """The JPEG with an EXIF header that asks for a rotation."""
  tiff = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01"
  tiff += bytes([0, orientation, 0, 0, 0, 0, 0, 0])
  body = b"Exif\x00\x00" + tiff
  size = (len(body) + 2).to_bytes(2, "big")
  return jpeg[:2] + b"\xff\xe1" + size + body + jpeg[2:]


def test_decode_gives_rgb_of_a_lossless_image():
  np.testing.assert_array_equal(
    decode(encoded(picture(), ".png"), "a"), picture()
  )


def test_decode_gives_rgb_of_a_jpeg():
  image = decode(encoded(picture(), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 95), "a")
  assert image.shape == (*HW, 3)
  assert np.abs(image.astype(int) - picture()).mean() < 4


@pytest.mark.parametrize("reduce", [2, 4, 8])
@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_reduced_pixel_is_the_mean_of_the_pixels_it_covers(kind, reduce):
  smooth = cv2.GaussianBlur(picture(), (0, 0), 2)
  data = encoded(smooth, kind)
  full, reduced = decode(data, "a"), decode(data, "a", reduce)
  rows, columns = -(-HW[0] // reduce), -(-HW[1] // reduce)
  assert reduced.shape == (rows, columns, 3)
  for y in range(HW[0] // reduce):
    for x in range(HW[1] // reduce):
      block = full[y * reduce : (y + 1) * reduce, x * reduce : (x + 1) * reduce]
      # libjpeg reduces inside its transform: a mean up to rounding and ringing
      tolerance = 0.51 if kind == ".png" else 12
      assert np.abs(reduced[y, x] - block.mean((0, 1))).max() <= tolerance
  corner = full[(rows - 1) * reduce :, (columns - 1) * reduce :]
  assert np.abs(reduced[-1, -1] - corner.mean((0, 1))).max() <= 12


@pytest.mark.parametrize("reduce", [1, 2])
def test_decode_ignores_the_orientation_tag(reduce):
  jpeg = encoded(picture())
  turned = with_orientation(jpeg, 6)
  plain = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
  assert plain.shape[:2] == HW[::-1], "the tag must work for this test to count"
  np.testing.assert_array_equal(
    decode(turned, "a", reduce), decode(jpeg, "a", reduce)
  )


def test_truncated_or_damaged_images_are_named():
  jpeg, png = encoded(picture()), encoded(picture(), ".png")
  for data in (jpeg[: len(jpeg) // 2], jpeg[:-10], png[: len(png) // 2], b""):
    with pytest.raises(DataError, match=r"cannot decode image 'im7\.jpg'"):
      decode(data, "im7.jpg")
  with pytest.raises(DataError, match="'x.jpg'.*no JPEG or PNG"):
    decode(b"<html>not found</html>", "x.jpg")
  with pytest.raises(DataError, match="the JPEG ends early"):
    decode(jpeg[:-10], "x.jpg")


def test_bytes_after_the_end_of_a_jpeg_do_no_harm():
  jpeg = encoded(picture())
  np.testing.assert_array_equal(
    decode(jpeg + b"\x00\n", "a"), decode(jpeg, "a")
  )


def test_an_odd_reduction_is_refused():
  with pytest.raises(ValueError, match=r"reduce must be one of .*, got 3"):
    decode(encoded(picture()), "a", 3)


def test_folder_reads_names_and_sizes(tmp_path):
  (tmp_path / "sub").mkdir()
  files = {
    "a.jpg": encoded(picture()),
    "sub/b.jpg": encoded(picture((30, 40)), ".jpg", 2, 1),  # progressive
    "c.png": encoded(picture((8, 9)), ".png"),
    "d.jpg": with_orientation(encoded(picture()), 6),
  }
  for name, data in files.items():
    (tmp_path / name).write_bytes(data)
  source = FolderImages(tmp_path, tuple(files))
  source.check()
  assert isinstance(source, ImageSource)
  assert len(source) == 4 and source.name(1) == "sub/b.jpg"
  assert [source.read(i) for i in range(4)] == list(files.values())
  sizes = [source.hw(i) for i in range(4)]
  assert sizes == [HW, (30, 40), (8, 9), HW]


def test_missing_files_and_folders_are_named(tmp_path):
  (tmp_path / "a.jpg").write_bytes(b"")
  source = FolderImages(tmp_path, ("a.jpg", "gone/b.jpg", "c.jpg"))
  message = f"2 of 3 annotated images are missing from {tmp_path}"
  with pytest.raises(DataError, match=re.escape(message) + ".*'gone/b.jpg'"):
    source.check()
  with pytest.raises(DataError, match="cannot read image .*c.jpg: No such"):
    source.read(2)
  with pytest.raises(DataError, match="image folder .*nowhere does not exist"):
    FolderImages(tmp_path / "nowhere", ()).check()


def test_concatenated_images_keep_their_order(tmp_path):
  for name in "abc":
    (tmp_path / name).write_bytes(name.encode())
  joined = ConcatenatedImages(
    (FolderImages(tmp_path, ("a", "b")), FolderImages(tmp_path, ("c",)))
  )
  assert len(joined) == 3
  assert [joined.name(i) for i in range(3)] == ["a", "b", "c"]
  assert [joined.read(i) for i in range(3)] == [b"a", b"b", b"c"]
  with pytest.raises(IndexError):
    joined.read(3)
