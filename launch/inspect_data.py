"""Reads a whole data set once and reports what looks wrong with it:

  python -m launch.inspect_data --dataset=lsp --split=train+test --root=DATA \
    --output=DIR

Several parts of one set, joined by "+", are inspected together: images of one
that come again in another are named. Writes `inspection.html`, a page with
pictures, and `inspection.json`, all findings. Findings are no errors: the
exit status is 0 unless --strict is given and data are wrong for certain.
"""

import json
import sys
import time
from typing import Any

from absl import flags
from ml_collections import config_flags

from launch import doorway
from launch.mistakes import ConfigError, wanted_folder
from launch.progress import ProgressBar
from launch.whole_file import write_whole
from pose_jax.data.datasets import open_members
from pose_jax.data.findings import KINDS
from pose_jax.data.images import decode
from pose_jax.data.people import DataError, Dataset
from pose_jax.data.processors import num_processors
from pose_jax.data.survey import Survey, survey
from pose_jax.pages import inspection as inspection_page
from pose_jax.skeleton import Skeleton
from pose_jax.skeleton_file import find_skeleton

_KEYS = ("root", "data_dir", "annotations", "images", "split", "boxes")
_CONFIG = config_flags.DEFINE_config_file(
  "config", None, "Inspect a data set of this experiment.", lock_config=True
)
_PART = flags.DEFINE_enum(
  "part", "train", ("train", "eval"), "Which one of --config."
)
_DATASET = flags.DEFINE_string(
  "dataset", None, "coco, mpii, lsp, lspet, ...; 'a+b' inspects both."
)
_ROOT = flags.DEFINE_string("root", None, "Folder of its files.")
_DATA_DIR = flags.DEFINE_string(
  "data_dir", None, "Folder of what launch.prepare wrote, instead of --root."
)
_SPLIT = flags.DEFINE_string("split", None, "Split; 'train+test' for two.")
_ANNOTATIONS = flags.DEFINE_string(
  "annotations", None, "coco: JSON file below root; 'a.json+b.json' for two."
)
_IMAGES = flags.DEFINE_string(
  "images", None, "coco: folder of pictures below root."
)
_BOXES = flags.DEFINE_string("boxes", None, "As in a config's data section.")
_SKELETON = flags.DEFINE_string(
  "skeleton", None, "coco: what the file's keypoints are, name or TOML file."
)
_AGAINST = flags.DEFINE_multi_string(
  "against",
  [],
  "NAME[:SPLIT or JSON file[:folder of its pictures]] of a set in the same "
  "root whose images are compared with the inspected ones; may be given "
  "several times.",
)
_NEAR_COPIES = flags.DEFINE_bool(
  "near_copies",
  True,
  "Compare all images with each other: a minute for 10,000, hours for 100,000. "
  "--nonear_copies finds equal files alone.",
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to.")
_STRICT = flags.DEFINE_bool(
  "strict", False, "Exit status 1 if data are wrong for certain."
)


def main() -> None:
  """Inspects, writes, and says in short what was found."""
  if not _OUTPUT.value:
    doorway.fail("--output=FOLDER must be given: where to write the report")
  output = wanted_folder("output", _OUTPUT.value)
  section, skeleton = _section()
  parts = _open(_repeated(section), skeleton)
  against = [
    dataset
    for text in _AGAINST.value
    for dataset in _open(_compared(section, text), skeleton)
  ]
  output.mkdir(parents=True, exist_ok=True)
  started = time.perf_counter()
  found = survey(
    parts,
    against,
    with_near_copies=_NEAR_COPIES.value,
    num_threads=num_processors(),
    progress=ProgressBar,
  )
  seconds = time.perf_counter() - started
  content = found.as_json() | {"seconds": round(seconds, 1)}
  page = inspection_page.render(found, _reader(found), seconds=seconds)
  write_whole(output / "inspection.json", json.dumps(content, indent=1) + "\n")
  write_whole(output / "inspection.html", page)
  print(_summary(found), flush=True)
  print(f"report: {output / 'inspection.html'}", flush=True)
  if _STRICT.value and found.is_faulty:
    sys.exit(1)


def _section() -> tuple[dict[str, Any], Skeleton | None]:
  """The data section that config and flags describe."""
  section: dict[str, Any] = {"check_images": False, "clip_boxes": False}
  skeleton = _SKELETON.value
  if _CONFIG.value is not None:
    section |= _CONFIG.value.data[_PART.value].to_dict()
    skeleton = skeleton or _CONFIG.value.data.skeleton
  given = {key: flags.FLAGS[key].value for key in _KEYS}
  section |= {key: value for key, value in given.items() if value is not None}
  section["name"] = _DATASET.value or section.get("name")
  if not section["name"]:
    raise ConfigError("--dataset=NAME or --config=FILE must be given")
  if not (section.get("root") or section.get("data_dir")):
    raise ConfigError("--root=FOLDER must be given: where the data set lies")
  section["progress"] = ProgressBar("drawing", "pictures")
  try:
    return section, find_skeleton(skeleton) if skeleton else None
  except ValueError as error:
    raise ConfigError(f"--skeleton: {error}") from None


def _repeated(section: dict[str, Any]) -> dict[str, Any]:
  """A lone data set once for each of its splits."""
  if "+" in section["name"]:
    return section
  joined = (section.get(key) or "" for key in ("split", "annotations"))
  times = 1 + max(text.count("+") for text in joined)
  return section | {"name": "+".join([section["name"]] * times)}


def _compared(section: dict[str, Any], text: str) -> dict[str, Any]:
  """The section of an --against; its images must be there."""
  name, which, images = (*text.split(":"), "", "")[:3]
  changes = {"name": name, "split": which, "check_images": True}
  if which.endswith(".json"):
    changes |= {"split": "", "annotations": which}
  elif name != "mpii":  # whose .mat has all splits; a JSON file is one
    changes |= {"annotations": ""}
  return section | changes | ({"images": images} if images else {})


def _open(section: dict[str, Any], skeleton: Skeleton | None) -> list[Dataset]:
  try:
    return open_members(section, skeleton=skeleton)
  except DataError:
    raise
  except ValueError as error:
    raise ConfigError(str(error)) from None


def _reader(found: Survey):
  """(part, row) -> RGB picture."""

  def read(part: int, i: int):
    images = found.parts[part].images
    return decode(images.read(i), images.name(i))

  return read


def _summary(found: Survey) -> str:
  """Counts and kinds, a line each."""
  lines = [
    inspection_page.describe(dataset)
    for dataset in found.parts[: found.num_inspected]
  ]
  for kind, group in found.by_kind().items():
    sign = "!" if KINDS[kind].is_wrong else " "
    lines.append(f" {sign}{len(group):6,}  {KINDS[kind].title}")
  if not found.findings:
    lines.append("nothing found")
  return "\n".join(lines)


if __name__ == "__main__":
  doorway.run(main)
