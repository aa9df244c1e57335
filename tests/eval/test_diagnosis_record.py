"""Tests of diagnosis_record.py: a diagnosis kept and shown."""

import json

import numpy as np
import pytest

from pose_jax.eval import diagnosis, diagnosis_record, predictions
from pose_jax.eval.diagnosis import errors
from pose_jax.pages import page


@pytest.fixture
def found(make_people):
  people = make_people(6)
  kpts = people.kpts_xy_img.astype(np.float64)
  kpts[0, :9] += 500.0
  kpts[1, :3] += 500.0
  table = predictions.Predictions(
    image_ids=people.image_ids[people.image_index],
    kpts_xys_img=np.concatenate([kpts, np.full((6, 17, 1), 0.7)], -1),
    score=np.linspace(0.2, 0.9, 6),
    person_ids=people.person_ids,
  )
  return people, table, diagnosis.diagnose(people, table)


def _read_image(index):
  return np.full((400, 400, 3), 100 + index, np.uint8)


def test_numbers_survive_json(found):
  people, _, diagnosed = found
  numbers = diagnosis_record.to_json(diagnosed, people)
  again = json.loads(json.dumps(numbers, allow_nan=False))
  assert again == numbers
  assert numbers["keypoints"]["nose"]["miss"] == 2
  assert numbers["keypoints"]["left_ankle"]["good"] == 6
  assert numbers["ap"] == diagnosed.ap
  assert [c["error"] for c in numbers["costs"]] == [
    *("miss", "swap", "inversion", "jitter"),
    *("score", "false positive", "false negative"),
  ]
  sizes = numbers["conditions"]["size: side of a square of the same area"]
  assert sum(b["num_people"] for b in sizes) == 6
  assert any(b["mean_oks"] is None for b in sizes)


def test_the_worst_have_most_errors_of_the_kind(found):
  _, _, diagnosed = found
  rows = diagnosis_record.worst(diagnosed, errors.MISS, 4)
  assert diagnosed.errors.person[rows].tolist() == [0, 1]
  assert len(diagnosis_record.worst(diagnosed, errors.JITTER, 4)) == 0


@pytest.mark.parametrize("read_image, pictures", [(None, 0), (_read_image, 2)])
def test_sections_show_pictures_only_with_photographs(
  found, read_image, pictures
):
  people, table, diagnosed = found
  sections = diagnosis_record.sections(
    diagnosed,
    people,
    table,
    read_image=read_image,
    box_noise=[(0.0, {"AP": 1.0}), (0.2, {"AP": 0.5})],
  )
  text = page.render(page.Page("title", "", (), (), sections=sections))
  assert text.count("<img") == pictures
  assert "Sensitivity to box noise" in text
  if pictures:
    assert "image0, person 1000: 9 keypoints, OKS 0.47" in text
