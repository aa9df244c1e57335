"""Images are read once; bad ones are told, not raised."""

import cv2
import numpy as np

from pose_jax.data.image_facts import THUMBNAIL, read_facts
from pose_jax.data.images import FolderImages


def test_good_missing_and_broken_images(tmp_path):
  rng = np.random.default_rng(0)
  picture = rng.integers(0, 255, (40, 60, 3), np.uint8)
  for name in ("a.jpg", "same.jpg", "cut.jpg"):
    cv2.imwrite(str(tmp_path / name), picture)
  whole = (tmp_path / "cut.jpg").read_bytes()
  (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
  (tmp_path / "text.png").write_bytes(b"no picture")
  names = ("a.jpg", "gone.jpg", "cut.jpg", "text.png", "same.jpg")
  seen = []
  facts = read_facts(
    FolderImages(tmp_path, names),
    progress=lambda done, total: seen.append((done, total)),
  )
  assert facts.fault == ("", "missing", "broken", "broken", "")
  assert facts.image_hw.tolist() == [[40, 60], [0, 0], [0, 0], [0, 0], [40, 60]]
  assert facts.why[0] == "" and "gone.jpg" in facts.why[1]
  assert "cut.jpg" in facts.why[2] and "ends early" in facts.why[2]
  assert facts.digest[0] == facts.digest[4] != facts.digest[2]
  assert seen == [(i, 5) for i in range(1, 6)]
  assert (facts.thumbnails[1:4] == 0).all()
  assert (facts.thumbnails[0] == facts.thumbnails[4]).all()


def test_thumbnail_is_the_grey_picture_made_small(tmp_path):
  """Blocks of one colour each, so that averaging changes nothing."""
  rng = np.random.default_rng(1)
  blocks = rng.integers(0, 255, (THUMBNAIL, THUMBNAIL, 3)).astype(np.uint8)
  cv2.imwrite(
    str(tmp_path / "a.png"), np.repeat(blocks, 3, 0).repeat(2, 1)[..., ::-1]
  )
  got = read_facts(FolderImages(tmp_path, ("a.png",))).thumbnails[0]
  wanted = blocks @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
  assert np.abs(got - wanted).max() <= 1


def test_no_images_are_no_problem(tmp_path):
  facts = read_facts(FolderImages(tmp_path, ()))
  assert facts.image_hw.shape == (0, 2)
  assert facts.thumbnails.shape == (0, THUMBNAIL, THUMBNAIL)
