"""The written set of drawn people: COCO JSON, atomic, reused or refused."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pose_jax.data.drawn import VERSION, open_drawn, write_drawn
from pose_jax.data.drawn.scene import draw_picture
from pose_jax.skeleton import COCO17

ROOT = pathlib.Path(__file__).resolve().parents[2]
NUM = 12
SEED = 21


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  path = tmp_path_factory.mktemp("drawn") / "train"
  write_drawn(path, num_images=NUM, seed=SEED)
  return path


def _content(folder) -> dict:
  return json.loads((folder / "annotations.json").read_text())


def _files(folder) -> dict[str, bytes]:
  images = sorted((folder / "images").iterdir())
  return {p.name: p.read_bytes() for p in images}


def test_same_seed_gives_the_same_bytes(folder, tmp_path):
  write_drawn(tmp_path / "again", num_images=NUM, seed=SEED)
  assert _files(tmp_path / "again") == _files(folder)
  assert _content(tmp_path / "again") == _content(folder)


def test_pictures_do_not_depend_on_how_many_are_drawn(folder, tmp_path):
  write_drawn(tmp_path / "few", num_images=5, seed=SEED)
  few, all_files = _files(tmp_path / "few"), _files(folder)
  assert len(few) == 5
  assert few == {name: all_files[name] for name in few}
  annotations = _content(tmp_path / "few")["annotations"]
  assert annotations == [
    a for a in _content(folder)["annotations"] if a["image_id"] <= 5
  ]


def test_annotations_are_the_people_of_the_pictures(folder):
  content = _content(folder)
  by_image = {}
  for a in content["annotations"]:
    by_image.setdefault(a["image_id"], []).append(a)
  for index in range(NUM):
    people = draw_picture(SEED, index).people
    people = [p for p in people if p.area > 0]
    for person, a in zip(people, by_image[index + 1], strict=True):
      assert a["bbox"] == person.box_xywh_img.tolist()
      assert a["area"] == person.area
      triples = np.array(a["keypoints"]).reshape(17, 3)
      assert a["num_keypoints"] == (triples[:, 2] > 0).sum()
      if (person.vis == 2).sum() < 4:
        assert not triples.any()
        continue
      np.testing.assert_array_equal(triples[:, 2], person.vis)
      inside = person.vis > 0
      np.testing.assert_allclose(
        triples[inside, :2], person.kpts_xy_img[inside], atol=0.0051
      )
      assert not triples[~inside].any()


def test_pictures_are_jpegs_of_the_written_size(folder):
  content = _content(folder)
  assert len(_files(folder)) == len(content["images"]) == NUM
  for image in content["images"]:
    file = folder / "images" / image["file_name"]
    picture = cv2.imread(str(file))[..., ::-1]
    assert picture.shape == (image["height"], image["width"], 3)
    drawn = draw_picture(SEED, image["id"] - 1).image
    assert abs(picture.astype(int) - drawn).mean() < 6  # RGB, not BGR


def test_coco_reads_it_and_truth_fed_back_is_perfect(folder):
  truth = COCO(str(folder / "annotations.json"))
  annotations = truth.loadAnns(truth.getAnnIds())
  assert len({a["id"] for a in annotations}) == len(annotations)
  category = truth.loadCats([1])[0]
  assert category["keypoints"] == list(COCO17.keypoints)
  assert min(min(bone) for bone in category["skeleton"]) == 1
  results = [
    {
      "image_id": a["image_id"],
      "category_id": 1,
      "keypoints": a["keypoints"],
      "score": 1.0,
    }
    for a in annotations
    if a["num_keypoints"]
  ]
  evaluation = COCOeval(truth, truth.loadRes(results), "keypoints")
  evaluation.evaluate()
  evaluation.accumulate()
  evaluation.summarize()
  assert evaluation.stats[0] == pytest.approx(1.0)
  assert evaluation.stats[5] == pytest.approx(1.0)


def test_opened_dataset_has_the_people(folder):
  dataset = open_drawn(folder, num_images=NUM, seed=SEED)
  content = _content(folder)
  assert dataset.name == "drawn"
  assert len(dataset.people) == len(content["annotations"])
  assert len(dataset.images) == NUM
  assert dataset.images.read(0) == _files(folder)["000001.jpg"]
  usable = dataset.people.usable()
  assert set(usable.image_index.tolist()) == set(range(NUM))


def test_finished_folder_is_used_as_it_is(folder):
  before = (folder / "annotations.json").stat().st_mtime_ns
  calls = []
  write_drawn(
    folder, num_images=NUM, seed=SEED, progress=lambda *a: calls.append(a)
  )
  assert calls == []
  assert (folder / "annotations.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
  "change",
  [
    {"seed": 1},
    {"num_images": 3},
    {"image_hw": (96, 128)},
    {"max_people": 1},
  ],
)
def test_folder_with_other_parameters_is_refused(folder, change):
  wanted = {"num_images": NUM, "seed": SEED} | change
  with pytest.raises(ValueError, match="holds drawn people with"):
    write_drawn(folder, **wanted)


def test_folder_of_another_version_is_refused(tmp_path):
  write_drawn(tmp_path / "set", num_images=1, seed=0)
  file = tmp_path / "set" / "annotations.json"
  content = json.loads(file.read_text())
  content["info"]["parameters"]["version"] = VERSION - 1
  file.write_text(json.dumps(content))
  with pytest.raises(ValueError, match="name another folder"):
    write_drawn(tmp_path / "set", num_images=1, seed=0)


def test_foreign_folder_is_refused_and_untouched(tmp_path):
  (tmp_path / "mine.txt").write_text("mine")
  with pytest.raises(ValueError, match="not empty"):
    write_drawn(tmp_path, num_images=1, seed=0)
  assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_empty_folder_is_filled(tmp_path):
  (tmp_path / "set").mkdir()
  write_drawn(tmp_path / "set", num_images=1, seed=0)
  assert (tmp_path / "set" / "images" / "000001.jpg").is_file()


def test_failed_run_leaves_nothing(tmp_path):
  def fail(done: int, total: int) -> None:
    assert total == 4
    if done == 2:
      raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    write_drawn(tmp_path / "set", num_images=4, seed=0, progress=fail)
  assert list(tmp_path.iterdir()) == []


def test_killed_run_is_not_taken_for_a_finished_one(tmp_path):
  code = (
    "import os, signal, sys\n"
    "from pose_jax.data.drawn import write_drawn\n"
    "def stop(done, total):\n"
    "  if done == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
    "write_drawn(sys.argv[1], num_images=4, seed=0, progress=stop)\n"
  )
  target = tmp_path / "set"
  run = subprocess.run(
    [sys.executable, "-c", code, str(target)],
    env=os.environ | {"PYTHONPATH": str(ROOT)},
    check=False,
  )
  assert run.returncode == -signal.SIGKILL
  assert not target.exists()
  calls = []
  write_drawn(target, num_images=4, seed=0, progress=lambda *a: calls.append(a))
  assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
  assert len(_files(target)) == 4


@pytest.mark.parametrize(
  ("bad", "message"),
  [
    ({"num_images": 0}, "num_images must be between 1"),
    ({"seed": -1}, "seed must be between 0"),
    ({"image_hw": (32, 256)}, "height in image_hw must be between 64"),
    ({"max_people": 4}, "max_people must be between 1 and 3"),
  ],
)
def test_parameters_out_of_range_are_named(tmp_path, bad, message):
  with pytest.raises(ValueError, match=message):
    write_drawn(tmp_path / "set", **({"num_images": 1, "seed": 0} | bad))
  assert list(tmp_path.iterdir()) == []
