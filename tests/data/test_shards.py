"""Shards: whole or not there, kept where good, and never half written."""

import json
import resource

import cv2
import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordReader

from pose_jax.data import shards
from pose_jax.data.images import DataError, FolderImages, decode
from pose_jax.data.shards import checked_images, write_shards

NUM = 10


@pytest.fixture(autouse=True)
def four_a_shard(monkeypatch):
  monkeypatch.setattr(shards, "IMAGES_PER_SHARD", 4)


class Records:
  """Records of rows; row `broken` is skipped, row `deadly` ends the run."""

  def __init__(self, broken=(), deadly=None):
    self.broken, self.deadly, self.asked = broken, deadly, []

  def __call__(self, rows, skipped):
    for row in rows:
      self.asked.append(row)
      if row == self.deadly:
        raise KeyboardInterrupt
      if row in self.broken:
        skipped.append((row, f"row {row} is broken"))
      else:
        yield b"record %d" % row * 100


def read(folder, written):
  found = []
  for shard in written:
    reader = ArrayRecordReader(str(folder / shard.file))
    assert reader.num_records() == shard.num_images
    found += reader.read_all()
    reader.close()
  return [int(record.split()[1].removesuffix(b"record")) for record in found]


def write(folder, records, max_skipped=0.5, progress=None):
  return write_shards(
    records, NUM, folder, max_skipped=max_skipped, progress=progress
  )


def test_rows_come_in_order_and_progress_is_told(tmp_path):
  told = []
  written = write(
    tmp_path, Records(), progress=lambda done, total: told.append((done, total))
  )
  assert read(tmp_path, written) == list(range(NUM))
  assert [shard.num_images for shard in written] == [4, 4, 2]
  assert [done for done, _ in told] == sorted(done for done, _ in told)
  assert told[-1] == (NUM, NUM) and {total for _, total in told} == {NUM}


def test_a_run_goes_on_behind_the_shards_that_are_finished(tmp_path):
  with pytest.raises(KeyboardInterrupt):
    write(tmp_path, Records(deadly=6))
  again = Records()
  written = write(tmp_path, again)
  assert again.asked == list(range(4, NUM))
  assert read(tmp_path, written) == list(range(NUM))
  nothing = Records()
  assert write(tmp_path, nothing) == written and not nothing.asked


@pytest.mark.parametrize("what", ["shard", "json", "cut", "no json"])
def test_a_damaged_shard_is_written_again(tmp_path, what):
  written = write(tmp_path, Records())
  path = tmp_path / written[1].file
  if what == "shard":
    path.unlink()
  elif what == "cut":
    path.write_bytes(path.read_bytes()[:-1])
  elif what == "json":
    path.with_suffix(".json").write_text("{")
  else:
    path.with_suffix(".json").unlink()
  again = Records()
  assert write(tmp_path, again) == written
  assert again.asked == [4, 5, 6, 7]
  assert read(tmp_path, written) == list(range(NUM))


def test_shards_with_broken_images_are_tried_again(tmp_path):
  written = write(tmp_path, Records(broken=(5,)))
  assert written[1].skipped == [(5, "row 5 is broken")]
  assert read(tmp_path, written) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
  mended = Records()
  assert read(tmp_path, write(tmp_path, mended)) == list(range(NUM))
  assert mended.asked == [4, 5, 6, 7]


def test_too_many_broken_images_end_the_run_early(tmp_path):
  records = Records(broken=(0, 2, 9))
  with pytest.raises(
    DataError,
    match="^2 of the first 4 images are broken, 1 of all 10 may be .*"
    "the first: row 0 is broken",
  ):
    write(tmp_path, records, max_skipped=0.19)
  assert records.asked == [0, 1, 2, 3]
  write(tmp_path, Records(broken=(0,)), max_skipped=0.0)  # one always may
  with pytest.raises(DataError, match="10 of the first 10"):
    write(tmp_path / "none", Records(broken=range(NUM)), max_skipped=1.0)


def test_a_full_disk_is_said_and_leaves_no_shard(tmp_path):
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (1500, hard))
  try:
    with pytest.raises(
      DataError, match=r"cannot write .*000000000.partial: .*too large"
    ):
      write(tmp_path, Records())
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert not list(tmp_path.glob("*.json"))
  again = Records()
  assert read(tmp_path, write(tmp_path, again)) == again.asked


def test_what_vouches_for_a_shard_is_plain_json(tmp_path):
  written = write(tmp_path, Records(broken=(1,)))
  content = json.loads((tmp_path / "000000000.json").read_text())
  assert content == {
    "file": "000000000",
    "num_images": 3,
    "file_bytes": written[0].file_bytes,
    "skipped": [[1, "row 1 is broken"]],
  }


def test_images_are_checked_by_decoding(tmp_path):
  names = []
  for i in range(9):
    picture = np.random.default_rng(i).integers(0, 255, (30 + i, 40, 3))
    cv2.imwrite(str(tmp_path / f"{i}.jpg"), picture.astype(np.uint8))
    names.append(f"{i}.jpg")
  truncated = (tmp_path / "2.jpg").read_bytes()[:300]
  (tmp_path / "2.jpg").write_bytes(truncated)
  (tmp_path / "5.jpg").write_text("<html>not found</html>")
  (tmp_path / "7.jpg").unlink()
  source, skipped = FolderImages(tmp_path, tuple(names)), []
  found = list(checked_images(source, range(9), skipped, num_threads=2))
  assert [row for row, _, _ in found] == [0, 1, 3, 4, 6, 8]
  for row, data, hw in found:
    assert data == source.read(row) and hw == decode(data, "").shape[:2]
    assert hw == (30 + row, 40)
  assert [row for row, _ in skipped] == [2, 5, 7]
  reasons = " ".join(reason for _, reason in skipped)
  assert "ends early" in reasons and "damaged or no JPEG" in reasons
  assert "No such file" in reasons
