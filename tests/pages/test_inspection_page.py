"""Tests of inspection_page.py and finding_pictures.py."""

import dataclasses
import re

import numpy as np
import pytest

from pose_jax import draw
from pose_jax.data.findings import KINDS, Finding, ordered
from pose_jax.data.images import DataError, FolderImages
from pose_jax.data.people import Dataset, People
from pose_jax.data.survey import Survey
from pose_jax.pages import finding_pictures
from pose_jax.pages import inspection as inspection_page
from pose_jax.skeleton import LSP14

GREY = np.full((120, 100, 3), 128, np.uint8)


def _dataset(tmp_path, split="train", num=3, **changes):
  kpts = np.stack([np.arange(14) * 6.0 + 8, np.arange(14) * 7.0 + 10], 1)
  people = People(
    skeleton=LSP14,
    image_names=tuple(f"images/{split}{i}.jpg" for i in range(num)),
    image_ids=np.arange(num),
    image_hw=np.tile(np.array([120, 100], np.int32), (num, 1)),
    image_index=np.arange(num, dtype=np.int32),
    person_ids=np.arange(num) + 70,
    box_xywh_img=np.tile(np.array([5, 5, 90, 100], np.float32), (num, 1)),
    kpts_xy_img=np.repeat(kpts[None], num, 0).astype(np.float32),
    vis=np.full((num, 14), 2, np.int8),
    area=np.full(num, 9000, np.float32),
    is_crowd=np.zeros(num, bool),
    score=np.ones(num, np.float32),
  )
  people = dataclasses.replace(people, **changes)
  return Dataset(
    "lsp", split, people, FolderImages(tmp_path, people.image_names)
  )


def _one_of_each():
  findings = []
  for kind in KINDS:
    place = {} if kind in ("counts", "flags") else {"image": 1}
    if kind.startswith(("copy", "scene")):
      other = int(kind.endswith("across"))
      place |= {"other_image": 2, "other_part": other}
    elif kind.startswith(("keypoint", "limb", "swap", "place", "box")):
      place |= {"person": 1, "keypoints": (2, 3)}
    elif kind == "duplicate_person":
      place |= {"person": 1, "other_person": 2, "other_image": 1}
    findings.append(Finding(kind, f"text of <{kind}>", 1.5, **place))
  return findings


@pytest.fixture
def survey(tmp_path):
  parts = (_dataset(tmp_path), _dataset(tmp_path, "test"))
  return Survey(parts, 2, tuple(ordered(_one_of_each())))


def _read(part, row):
  return GREY


def _words(text):
  text = re.sub(r"<style>.*?</style>", " ", text, flags=re.S)
  return re.sub(r"<[^>]*>", " ", text)


def test_every_kind_is_on_the_page(survey):
  html = inspection_page.render(survey, _read, seconds=12.34)
  words = _words(html)
  for kind, what in KINDS.items():
    assert what.title.replace("'", "&#x27;") in words
    assert f"text of &lt;{kind}&gt;" in words
  assert "12.3 s" in words and "1,000" in words  # published images
  assert 'src="data:image/jpeg;base64,' in html
  assert "http" not in html
  with_picture = len(KINDS) - 4  # without: missing, broken, counts, flags
  assert html.count("<img ") == with_picture


def test_a_clean_set_has_a_page_too(tmp_path):
  clean = Survey((_dataset(tmp_path),), 1, ())
  words = _words(inspection_page.render(clean, _read, seconds=1.0))
  assert "Inspection of lsp train" in words and "What was found" not in words


def test_what_files_do_not_say_is_not_said(tmp_path):
  vis = np.full((3, 14), 2, np.int8)
  vis[1, 5] = 1
  silent, telling = _dataset(tmp_path), _dataset(tmp_path, "test", vis=vis)
  for parts, wanted in (
    ((silent,), {"not said"}),
    ((telling,), {"0.0", "33.3"}),
    ((silent, telling), {"not said", "0.0", "33.3"}),
  ):
    found = Survey(parts, len(parts), ())
    html = inspection_page.render(found, _read, seconds=1.0)
    table = html.split("Labelled keypoints</h2>")[1].split("</table>")[0]
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", table)
    assert wanted == set(cells) - {"3"} - {
      name.replace("_", " ") for name in LSP14.keypoints
    }
    (hidden,) = re.findall(r"hidden keypoints(.*?)</tr>", html)
    assert ("not said" in hidden) == ("not said" in wanted)


def test_numbers_are_published_only_of_published_splits(tmp_path):
  def has_column(name, *splits):
    parts = tuple(
      dataclasses.replace(_dataset(tmp_path, split), name=name)
      for split in splits
    )
    found = Survey(parts, len(parts), ())
    html = inspection_page.render(found, _read, seconds=1.0)
    return ">published</th>" in html

  assert has_column("lsp", "train") and has_column("lsp", "mine", "test")
  assert not has_column("lsp", "mine")
  assert has_column("lspet", "all") and not has_column("lspet", "train")


def test_boxes_are_told_by_part_where_they_differ(tmp_path):
  parts = (
    _dataset(tmp_path),
    _dataset(tmp_path, "test", box_source="ground truth, centre estimated"),
  )
  for shown, wanted in (
    (parts[:1] * 2, "ground truth"),
    (
      parts,
      "lsp train: ground truth; lsp test: ground truth, centre estimated",
    ),
  ):
    found = Survey(shown, 2, ())
    html = inspection_page.render(found, _read, seconds=1.0)
    assert f"<dt>boxes</dt><dd>{wanted}</dd>" in html


def test_what_a_file_has_besides_is_told(tmp_path):
  dataset = dataclasses.replace(_dataset(tmp_path), left_out="9 dogs")
  assert inspection_page.describe(dataset).endswith("; left out: 9 dogs")
  (part,) = Survey((dataset,), 1, ()).as_json()["parts"]
  assert part["left_out"] == "9 dogs"


def test_many_findings_are_cut_and_the_rest_counted(tmp_path):
  findings = tuple(
    Finding("limb", f"number {i}", 9.0 - i, image=0, person=0) for i in range(5)
  )
  many = Survey((_dataset(tmp_path),), 1, findings)
  html = inspection_page.render(many, _read, seconds=1.0, most=2)
  assert html.count("<img ") == 2 and "3 more" in html
  assert "number 1" in html and "number 2" not in html


def test_a_picture_that_cannot_be_read_is_left_out(survey):
  def broken(part, row):
    raise DataError("gone")

  html = inspection_page.render(survey, broken, seconds=1.0)
  assert "<img " not in html


def test_keypoints_concerned_have_a_ring_outside_the_image_too(tmp_path):
  dataset = _dataset(tmp_path, num=1)
  dataset.people.kpts_xy_img[0, 13] = 120, 101  # 20 px right of the image
  found = Survey((dataset,), 1, ())
  finding = Finding("limb", "", image=0, person=0, keypoints=(13,))
  picture = finding_pictures.draw_finding(found, finding, _read)
  is_ring = (np.abs(picture.astype(int) - draw.MARK) < 12).all(-1)
  rows, columns = np.nonzero(is_ring)
  assert len(rows) > 20
  # To the right of the image lies the grey border: the ring is upon it.
  around = picture[rows.min() : rows.max(), columns.min() : columns.max()]
  assert (around == 96).all(-1).any()
  plain = finding_pictures.draw_finding(
    found, Finding("limb", "", image=0, person=0), _read
  )
  assert not (np.abs(plain.astype(int) - draw.MARK) < 12).all(-1).any()


def test_pairs_lie_side_by_side(survey):
  def read(part, row):
    return np.full((120, 100, 3), 250 if part else 5, np.uint8)

  finding = Finding("copy_across", "", image=0, other_image=1, other_part=1)
  picture = finding_pictures.draw_finding(survey, finding, read)
  middle = picture.shape[1] // 2
  left, right = picture[2:8, 2 : middle - 8], picture[2:8, middle + 8 : -2]
  assert (left == 5).all() and (right == 250).all()


def test_narrow_pictures_get_room_for_a_caption(survey):
  def read(part, row):
    return np.full((300, 20, 3), 200, np.uint8)

  finding = Finding("image_size", "", image=0)
  picture = finding_pictures.draw_finding(survey, finding, read)
  assert picture.shape[1] >= 170
