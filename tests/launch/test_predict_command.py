"""launch.predict as users type it."""

import json

import cv2
import numpy as np
import pytest
from commands import TINY, run, sentence

pytestmark = pytest.mark.slow

ATTENTION = ("holistic", "refined", "part")


@pytest.fixture(scope="module")
def attending(tmp_path_factory, environment):
  """A run whose network has attention of every place."""
  workdir = tmp_path_factory.mktemp("attending")
  crf = [f"--config.model.attention.{place}=crf" for place in ATTENTION]
  run(
    *("train", *TINY, "--config.schedule.num_steps=2", *crf),
    f"--workdir={workdir}",
    environment=environment,
  )
  return workdir


def drawn(workdir):
  """The pictures that the run was evaluated on, and their annotations."""
  (annotations,) = workdir.glob("drawn/*seed_2/annotations.json")
  return annotations.parent / "images", annotations


def picture(path):
  image = cv2.imread(str(path))
  assert image is not None, path
  return image


def test_in_annotated_boxes_it_is_what_evaluation_predicts(
  tmp_path, attending, environment
):
  images, annotations = drawn(attending)
  out = run(
    *("predict", f"--checkpoint={attending}", f"--input={images}"),
    *(f"--output={tmp_path}", f"--boxes={annotations}", "--attention"),
    environment=environment,
  )
  assert "checkpoint of step 2; " in out and "where the network looked" in out
  assert "NAME_1_attention.jpg" in out and "left out, named" not in out
  found = json.loads((tmp_path / "predictions.json").read_text())
  names = {}
  for entry in found:
    file_name, number = entry.pop("file_name"), entry.pop("number")
    names.setdefault(file_name, []).append(number)
  evaluated = attending / "evaluation/2/predictions.json"
  assert found == json.loads(evaluated.read_text())
  assert max(map(len, names.values())) > 1  # several people in a picture
  wanted = {"predictions.json"}
  for file_name, numbers in names.items():
    stem = file_name.removesuffix(".jpg")
    of_several = [f"{stem}_{n}_attention.jpg" for n in numbers]
    one = [f"{stem}_attention.jpg"]
    wanted |= {f"{stem}.jpg", *(one if len(numbers) == 1 else of_several)}
    assert np.ptp(picture(tmp_path / f"{stem}.jpg")) > 100
  assert {p.name for p in tmp_path.iterdir()} == wanted
  sheet = picture(next(tmp_path.glob("*_attention.jpg")))
  assert sheet.shape[1] > 1000 and sheet.shape[0] > 1500


def test_its_report_shows_attention(attending, finished):
  title = "<h2>Attention</h2>"
  without = finished[0] / "evaluation/9/report.html"
  assert title in (attending / "evaluation/2/report.html").read_text()
  assert title not in without.read_text()


def test_a_picture_is_one_persons_box_and_the_config_can_be_changed(
  tmp_path, finished, environment
):
  images, _ = drawn(finished[0])
  source = sorted(images.iterdir())[2]
  results = []
  for change in ((), ("--config.eval.flip_test=False", "--step=9")):
    output = tmp_path / str(len(change))
    run(
      *("predict", f"--checkpoint={finished[0]}", f"--input={source}"),
      *(f"--output={output}", *change),
      environment=environment,
    )
    files = {p.name for p in output.iterdir()}
    assert files == {"predictions.json", source.stem + ".jpg"}
    results.append(json.loads((output / "predictions.json").read_text()))
  (plain,), (changed,) = results
  assert plain["image_id"] == int(source.stem) and "person_id" not in plain
  assert plain["file_name"] == source.name and plain["number"] == 1
  assert len(plain["keypoints"]) == 51
  assert plain["keypoints"] != changed["keypoints"]


def test_a_damaged_picture_does_not_end_a_folders_prediction(
  tmp_path, finished, environment
):
  images, _ = drawn(finished[0])
  folder = tmp_path / "in"
  folder.mkdir()
  for name in sorted(p.name for p in images.iterdir())[:3]:
    (folder / name).write_bytes((images / name).read_bytes())
  damaged = folder / name
  damaged.write_bytes(damaged.read_bytes()[:200])
  out = run(
    *("predict", f"--checkpoint={finished[0]}", f"--input={folder}"),
    f"--output={tmp_path / 'out'}",
    environment=environment,
  )
  assert f"left out: cannot decode image '{name}' (200 bytes)" in out
  assert "1 picture left out, named above: damaged" in out
  assert len(list((tmp_path / "out").glob("*.jpg"))) == 2


@pytest.mark.parametrize(
  "changes, wanted",
  [
    ({"min_score": 0.5}, "--min_score is for the boxes of a detector"),
    (
      {"min_score": 0.5, "boxes": "{annotations}"},
      "--min_score is for the boxes of a detector",
    ),
    ({"input": None}, "--input=PATH must be given: a picture or a folder"),
    ({"boxes": "nowhere.json"}, "it can be whole, or a JSON file"),
    ({"checkpoint": "nowhere"}, "nowhere holds no config.json: --checkpoint"),
    ({"step": "12"}, "--step=12 is not there: it must be latest, best or one"),
    ({"attention": "true"}, "has no attention to look at"),
    ({"attention": "true"}, "--config.model.poserenet.aggregation=mean"),
    ({"output": "{images}"}, "would be overwritten"),
  ],
)
def test_what_is_typed_wrong_gets_one_sentence(
  tmp_path, finished, environment, changes, wanted
):
  images, annotations = drawn(finished[0])
  flags = {
    "checkpoint": finished[0],
    "input": images,
    "output": tmp_path / "out",
    **changes,
  }
  said = sentence(
    "predict",
    *(
      f"--{flag}=" + str(value).format(images=images, annotations=annotations)
      for flag, value in flags.items()
      if value is not None
    ),
    environment=environment,
  )
  assert wanted in said
  assert not (tmp_path / "out").exists()
