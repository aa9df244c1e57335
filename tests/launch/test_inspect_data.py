"""The inspection as users type it."""

import json

import pytest
from commands import run, sentence

pytestmark = pytest.mark.slow


def arguments(folder, output, *more):
  return (
    "--dataset=coco",
    f"--root={folder}",
    "--images=images",
    "--annotations=annotations.json",
    f"--output={output}",
    *more,
  )


def spoilt(pictures, folder):
  """A copy: one image missing, one twice, a box beyond the border."""
  content = json.loads((pictures / "annotations.json").read_text())
  (folder / "images").mkdir(parents=True)
  names = [image["file_name"] for image in content["images"]]
  for name in names[1:]:
    data = (pictures / "images" / name).read_bytes()
    (folder / "images" / name).write_bytes(data)
  twice = (folder / "images" / names[2]).read_bytes()
  (folder / "images" / names[3]).write_bytes(twice)
  first, second = content["annotations"][:2]
  first["bbox"][0] = first["bbox"][0] - 10_000
  second["bbox"][2] = second["bbox"][2] + 10_000
  (folder / "annotations.json").write_text(json.dumps(content))
  return names


def test_faults_are_reported_and_strict_fails(tmp_path, pictures, environment):
  names = spoilt(pictures, tmp_path / "set")
  typed = arguments(tmp_path / "set", tmp_path / "out")
  out = run("inspect_data", *typed, environment=environment)
  assert "Images that are not there" in out
  assert "The same photograph twice" in out
  content = json.loads((tmp_path / "out/inspection.json").read_text())
  rows = content["findings"]
  kinds = {row["kind"] for row in rows}
  assert {"missing_image", "copy", "empty_box", "box_cut"} <= kinds
  assert [r["image"] for r in rows if r["kind"] == "missing_image"] == names[:1]
  (copy,) = [r for r in rows if r["kind"] == "copy"]
  assert {copy["image"], copy["other"]["image"]} == set(names[2:4])
  html = (tmp_path / "out/inspection.html").read_text()
  assert html.startswith("<!doctype html") and "<img " in html
  written = {path.name for path in (tmp_path / "out").iterdir()}
  assert written == {"inspection.json", "inspection.html"}
  run("inspect_data", *typed, "--strict", environment=environment, status=1)


def test_good_set_passes_strict(tmp_path, pictures, environment):
  typed = arguments(pictures, tmp_path / "out", "--strict")
  out = run("inspect_data", *typed, environment=environment)
  assert "6 images" in out and " ! " not in out


def test_two_parts_and_a_set_to_compare_with(tmp_path, pictures, environment):
  typed = list(arguments(pictures, tmp_path / "out"))
  typed[3] = "--annotations=annotations.json+annotations.json"
  typed.append("--against=coco:annotations.json")
  run("inspect_data", *typed, environment=environment)
  content = json.loads((tmp_path / "out/inspection.json").read_text())
  assert len(content["parts"]) == 2 and len(content["compared_with"]) == 1
  assert content["kinds"]["copy_across"]["count"] == 18  # 6 of 3 pairs


def test_what_cannot_be_compared_with_is_said(tmp_path, pictures, environment):
  typed = list(arguments(pictures, tmp_path / "out"))
  wrong = "--against=coco:annotations.json:elsewhere"
  said = sentence("inspect_data", *typed, wrong, environment=environment)
  assert "elsewhere" in said
  # Not the inspected file once more under another name.
  said = sentence(
    "inspect_data", *typed, "--against=coco:val", environment=environment
  )
  assert "needs annotations" in said


_MIXTURE = """
from configs import base


def get_config(variant=""):
  config = base.get_config()
  config.data.skeleton = "mpii16"
  config.data.train.update(
    name="drawn+drawn", num_images=3, weights=(1.0, 0.5)
  )
  config.data.train.keypoint_map = ("thorax=", "nobody=")
  return base.finish(config, variant)
"""


def test_members_of_a_mixture_are_inspected_as_they_are(tmp_path, environment):
  """With their own keypoints, whatever the experiment makes of them."""
  (tmp_path / "mixture.py").write_text(_MIXTURE)
  run(
    "inspect_data",
    f"--config={tmp_path / 'mixture.py'}",
    f"--root={tmp_path}",
    f"--output={tmp_path / 'out'}",
    environment=environment,
  )
  content = json.loads((tmp_path / "out/inspection.json").read_text())
  assert len(content["parts"]) == 2
  for part in content["parts"]:
    assert part["images"] == 3 and "nose" in part["keypoints"]


@pytest.mark.parametrize(
  "typed, wanted",
  [
    (["--dataset=lsp", "--root=."], "--output"),
    (["--root=.", "--output=o"], "--dataset"),
    (["--dataset=lsp", "--output=o"], "--root"),
    (["--dataset=lps", "--root=.", "--output=o"], "lsp"),
    (["--dataset=lsp", "--root=nowhere", "--output=o"], "nowhere"),
    (["--dataset=drawn", "--root=.", "--output=o"], "needs num_images"),
    (
      ["--dataset=coco", "--root=.", "--output=o", "--skeleton=x"],
      "--skeleton",
    ),
  ],
)
def test_what_is_typed_wrong_gets_one_sentence(typed, wanted, environment):
  assert wanted in sentence("inspect_data", *typed, environment=environment)


def test_a_file_to_write_to_is_refused_before_data_are_read(environment):
  typed = arguments("nowhere", "Makefile/report")
  said = sentence("inspect_data", *typed, environment=environment)
  assert "--output=Makefile/report: Makefile is a file, wanted a fol" in said
